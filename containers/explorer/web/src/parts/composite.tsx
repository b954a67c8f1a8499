// Pictures of several channels, each in its colour and between its black and white, laid over each other.
//
// A canvas of a page from a disk may not be read, so nothing is computed: a layer a channel holds all tiles, an SVG
// filter colours the layer, and the layers are added up.

import { useMemo } from "preact/hooks";
import { rgb } from "../colors";
import { address } from "../data";
import { useHere } from "../state";
import type { Channel, Site } from "../types";

export interface Light { low: number; high: number }
export const FULL: Light = { low: 0, high: 255 };

export function lights(said: string[]): Map<string, Light> {
  return new Map(said.map((each): [string, Light] => {
    const [name, low, high] = each.split(":");
    return [decodeURIComponent(name ?? ""), { low: Number(low) || 0, high: Number(high) || 255 }];
  }));
}
export const lightWords = (all: Map<string, Light>): string[] =>
  [...all].filter(([, it]) => it.low !== 0 || it.high !== 255).map(([name, it]) => `${encodeURIComponent(name)}:${it.low}:${it.high}`);

/** Return the colour matrix that makes grey between black and white the channel's colour. */
export function matrix(color: string, light: Light, share = 1): string {
  const gain = (share * 255) / Math.max(1, light.high - light.low);
  const row = (part: number) => `${((part / 255) * gain).toFixed(4)} 0 0 0 ${((-part / 255) * gain * (light.low / 255)).toFixed(4)}`;
  return [...rgb(color).map(row), "0 0 0 1 0"].join("  ");
}

/** So bright may all channels together be, in the red, green or blue that most of them have: more, and cells burn out. */
const TOGETHER = 1.75;
function shareOf(colors: string[]): number {
  const sums = [0, 1, 2].map((part) => colors.reduce((sum, color) => sum + (rgb(color)[part] ?? 0) / 255, 0));
  return Math.min(1, TOGETHER / Math.max(...sums, 1e-9));
}

/** Define the channels' filters once in the page. */
export function Filters() {
  const { batch, state } = useHere();
  const all = lights(state.light);
  const on = batch.channels.filter((channel) => !state.off.includes(channel.name));
  const share = on.length > 1 ? shareOf(on.map((channel) => channel.color)) : 1;
  return (
    <svg width="0" height="0" class="hidden" aria-hidden="true">
      {batch.channels.map((channel, at) => (
        <filter id={`channel-${at}`} key={at} color-interpolation-filters="sRGB" x="0" y="0" width="100%" height="100%">
          <feColorMatrix type="matrix" values={matrix(on.length === 1 ? "#ffffff" : channel.color, all.get(channel.name) ?? FULL, share)} />
        </filter>
      ))}
    </svg>
  );
}

/** Return the index, in the batch, of the channels that are on. */
export function useChannels(): { channel: Channel; at: number }[] {
  const { batch, state } = useHere();
  return useMemo(
    () => batch.channels.map((channel, at) => ({ channel, at })).filter(({ channel }) => !state.off.includes(channel.name)),
    [batch, state.off.join("~")],
  );
}

/** A site's picture, all channels that are on, with the outlines that are on. */
export function SitePicture({ folder, site, name, outlines = true }: { folder: string; site: Site; name: string; outlines?: boolean }) {
  const { batch, state } = useHere();
  const shown = useChannels().filter(({ channel }) => site.pictures[channel.name]);
  const rings = outlines ? batch.objects.filter((object) => site.outlines[object] && !state.off.includes(`outline ${object}`)) : [];
  return (
    <span class="composite" role="img" aria-label={name} style={{ aspectRatio: `${site.width} / ${site.height}` }}>
      {shown.map(({ channel, at }) => (
        <img key={channel.name} class="layer" alt="" data-channel={channel.name} loading="lazy" decoding="async"
          src={address(`${folder}/${site.pictures[channel.name]}`)} style={{ filter: `url(#channel-${at})` }} onError={missing} onLoad={found} />
      ))}
      {rings.map((object) => (
        <img key={`o ${object}`} class="ring" alt="" data-outline={object} src={address(`${folder}/${site.outlines[object]}`)} onError={missing} onLoad={found} />
      ))}
      {!shown.length && <span class="absent">{batch.channels.length && !Object.keys(site.pictures).length ? "no picture" : "every channel is off"}</span>}
    </span>
  );
}

/** A picture that is missing says so in its place. */
function missing(event: Event): void {
  const image = event.currentTarget as HTMLImageElement;
  image.hidden = true;
  image.parentElement?.classList.add("lacks");
}
function found(event: Event): void {
  (event.currentTarget as HTMLImageElement).hidden = false;
}
