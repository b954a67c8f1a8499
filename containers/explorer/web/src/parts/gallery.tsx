// Cells as tiles cut out of their sheets: a layer a channel holds all of them, a grid of buttons lies above.

import { address } from "../data";
import type { Cell } from "../data";
import { told } from "../colors";
import { useChannels } from "./composite";

export interface Tile { folder: string; sheets: Record<string, string>; columns: number; cell: Cell; said: string }

export function Gallery({ tiles, side_px, open, name }: { tiles: Tile[]; side_px: number; open?(tile: Tile): void; name: string }) {
  const channels = useChannels();
  const grid = { gridTemplateColumns: `repeat(auto-fill, ${side_px}px)`, gridAutoRows: `${side_px}px` };
  return (
    <div class="gallery" role="list" aria-label={name}>
      <div class="layers" aria-hidden="true">
        {channels.map(({ channel, at }) => (
          <div key={channel.name} class="tiles layer" style={{ ...grid, filter: `url(#channel-${at})` }}>
            {tiles.map((tile) => <i key={key(tile)} style={background(tile, channel.name, side_px)} />)}
          </div>))}
      </div>
      <div class="tiles above" style={grid}>
        {tiles.map((tile) => (
          <span role="listitem" key={key(tile)}>
            <button type="button" class="tile" title={tile.said} aria-label={tile.said} disabled={!open} onClick={() => open?.(tile)} />
          </span>))}
      </div>
    </div>
  );
}
const key = (tile: Tile): string => `${tile.folder}/${tile.cell.well}/${tile.cell.at}`;

function background(tile: Tile, channel: string, side_px: number): Record<string, string> {
  const sheet = tile.sheets[channel];
  if (!sheet) return {};
  const [across, down] = [tile.cell.at % tile.columns, Math.floor(tile.cell.at / tile.columns)];
  return {
    backgroundImage: `url("${address(`${tile.folder}/${sheet}`).replace(/["'()\\]/g, encodeURIComponent)}")`,
    backgroundSize: `${tile.columns * side_px}px auto`, backgroundPosition: `${-across * side_px}px ${-down * side_px}px`,
  };
}

export const cellWords = (cell: Cell, feature: string, value: number | null): string =>
  `well ${cell.well}, site ${cell.site}, cell ${cell.object}; ${feature}: ${told(value)}`;
