// Cells of one or several wells: sorted, with the distribution of a feature and the cells at its ends.

import { useMemo, useState } from "preact/hooks";
import { loadTexts, ready, useLoaded, type Cell, type Cells } from "../data";
import { textOf } from "../features";
import { useHere } from "../state";
import type { PlateEntry } from "../types";
import { Section } from "./bits";
import { PictureControls } from "./controls";
import { cellWords, Gallery, type Tile } from "./gallery";
import { Histogram } from "./histogram";

export interface Source { own: PlateEntry; cells: Cells }
const DISTANCE = "distance";
const [SHOWN, ENDS, SMALL_PX, LARGE_PX] = [60, 6, 72, 112];

export function CellSet({ sources, others, name, raw, open }: {
  sources: Source[]; others: Source[]; name: string; raw?: Record<string, { low: number; high: number }>; open(source: Source, cell: Cell): void;
}) {
  const { state, go } = useHere();
  const texts = ready(useLoaded("texts", loadTexts));
  const [rising, turn] = useState(false);
  const [shown, show] = useState(SHOWN);
  const [large, enlarge] = useState(false);
  const about = sources[0]?.cells;
  const names = about?.features ?? [];
  const by = names.includes(state.sort) ? state.sort : DISTANCE;
  const sentence = by === DISTANCE ? about?.distance ?? "" : textOf(texts, by).sentence;
  const unit = by === DISTANCE ? null : textOf(texts, by).unit;
  const sorted = useMemo(() => ordered(sources, by), [sources, by]);
  const lined = rising ? [...sorted].reverse() : sorted;
  const [own, controls] = [useMemo(() => numbers(sources, by), [sources, by]), useMemo(() => numbers(others, by), [others, by])];
  const tiles = (some: Sorted[]): Tile[] => some.map(({ source, cell, value }) => ({
    folder: source.own.folder, sheets: source.cells.sheets, columns: source.cells.columns, cell, said: `${sources.length > 1 ? `${source.own.plate} ` : ""}${cellWords(cell, by, value)}; open its picture`,
  }));
  const opened = (tile: Tile) => { const it = sorted.find((each) => each.cell === tile.cell); if (it) open(it.source, it.cell); };
  const valued = sorted.filter((each) => each.value !== null);
  const px = large ? LARGE_PX : SMALL_PX;
  const [most, least] = [valued.slice(0, ENDS).reverse(), valued.slice(-ENDS).reverse()];
  return (
    <>
      <p class="row">
        <label>Sort by <select value={by} data-sort onChange={(event) => go({ sort: event.currentTarget.value }, true)}><option value={DISTANCE}>distance to the controls</option>{names.map((each) => <option key={each} value={each}>{each}</option>)}</select></label>
        <button type="button" onClick={() => turn(!rising)}>{rising ? "Smallest first ▲" : "Largest first ▼"}</button>
        <button type="button" aria-pressed={large} onClick={() => enlarge(!large)}>Large tiles</button>
      </p>
      <p class="note">{sentence}{unit && ` Unit: ${unit}.`}</p>
      <div class="pictures"><div class="stand">
        <Section title={`How the cells are distributed: ${by === DISTANCE ? "distance to the controls" : by}`}>
          <Histogram name={by} own={own} others={controls} ownName={name || "no perturbation"} othersName="negative controls" />
          <div class="ends-of"><Ends title="lowest" tiles={tiles(least)} px={px} open={opened} />
            <Ends title="highest" tiles={tiles(most)} px={px} open={opened} /></div>
        </Section>
        <Section title={`${lined.length} cells, a sample`} note="All on one brightness scale. A click opens the picture that a cell is on.">
          <Gallery tiles={tiles(lined.slice(0, shown))} side_px={px} open={opened} name={`Cells sorted by ${by}`} />
          {shown < lined.length && <button type="button" class="quiet" onClick={() => show(shown * 2)}>Show {Math.min(shown, lined.length - shown)} more</button>}
        </Section>
      </div><PictureControls outlines={false} raw={raw} /></div>
    </>
  );
}

function Ends({ title, tiles, px, open }: { title: string; tiles: Tile[]; px: number; open(tile: Tile): void }) {
  return <div class="end"><h4>{title}</h4><Gallery tiles={tiles} side_px={px} open={open} name={`Cells with the ${title} values`} /></div>;
}

interface Sorted { source: Source; cell: Cell; value: number | null }
const valueOf = (source: Source, cell: Cell, by: string): number | null => {
  const value = by === DISTANCE ? cell.distance : cell.values[source.cells.features.indexOf(by)];
  return value === null || value === undefined || !Number.isFinite(value) ? null : value;
};

/** Return the cells, the largest value first, those without one last. */
function ordered(sources: Source[], by: string): Sorted[] {
  return sources.flatMap((source) => source.cells.cells.map((cell) => ({ source, cell, value: valueOf(source, cell, by) })))
    .sort((one, other) => (other.value ?? -Infinity) - (one.value ?? -Infinity));
}
const numbers = (sources: Source[], by: string): number[] =>
  sources.flatMap((source) => source.cells.cells.map((cell) => valueOf(source, cell, by))).filter((value) => value !== null);
