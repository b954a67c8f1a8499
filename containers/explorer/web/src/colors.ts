// Colours that colour-blind readers tell apart: viridis for numbers, Okabe and Ito's palette, then two of Tol's, for names.

import type { Value } from "./types";

export type Rgb = [number, number, number];
const VIRIDIS = ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"];
/** Blue to white to orange: below and above the controls. */
const DIVERGING = ["#08519c", "#3182bd", "#6baed6", "#bdd7e7", "#f2f2f2", "#fdd0a2", "#fd8d3c", "#e6550d", "#a63603"];
export const NAMED = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#332288", "#882255"];
export const OTHER = "#9aa5b1";
export const NONE = "#c9d0d8";

export const rgb = (hex: string): Rgb => {
  const number = parseInt(/^#[0-9a-f]{6}$/i.test(hex) ? hex.slice(1) : "ffffff", 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
};
const hex = (color: Rgb): string => `#${color.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;

/** Return the colour at `part`, 0 to 1, of a row of colours. */
export function between(colors: string[], part: number): string {
  const place = Math.min(1, Math.max(0, part)) * (colors.length - 1);
  const low = Math.min(colors.length - 2, Math.floor(place));
  const [one, other] = [rgb(colors[low] ?? OTHER), rgb(colors[low + 1] ?? OTHER)];
  return hex(one.map((value, at) => value + (place - low) * ((other[at] ?? 0) - value)) as Rgb);
}
export const viridis = (part: number): string => between(VIRIDIS, part);

/** Return black or white, whichever is read better on a colour. */
export function inkOn(color: string): string {
  const [r, g, b] = rgb(color);
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#000000" : "#ffffff";
}

export interface Scale {
  kind: "number" | "name";
  color(value: Value | undefined): string;
  /** Of numbers: the ends of the scale, and whether its middle is 0. */
  low: number; high: number; diverging: boolean;
  /** Of names: each with its colour and count, the most frequent first. */
  names: { name: string; color: string; count: number }[];
  /** How many have no name. */
  blanks: number;
}

const isNumber = (value: Value | undefined): value is number => typeof value === "number" && Number.isFinite(value);
export const blank = (value: Value | undefined): boolean => value === null || value === undefined || value === "" || value !== value;

/** Return the 1st and 99th percentile, or the whole range where there are few. */
function ends(numbers: number[]): [number, number] {
  const sorted = Float64Array.from(numbers).sort();
  const at = (part: number) => sorted[Math.round(part * (sorted.length - 1))] ?? 0;
  const [low, high] = sorted.length > 50 ? [at(0.01), at(0.99)] : [at(0), at(1)];
  return low < high ? [low, high] : [low - 0.5, low + 0.5];
}

export function scaleOf(values: (Value | undefined)[], diverging = false): Scale {
  const present = values.filter((value) => !blank(value));
  const numeric = present.length > 0 && present.every((value) => isNumber(value) || (typeof value === "string" && Number.isFinite(Number(value))));
  // Texts that look like numbers may be codes: they are names as long as there are few.
  const measured = diverging || present.some(isNumber) || new Set(present).size > NAMED.length;
  return numeric && measured ? numberScale(present.map(Number), diverging) : nameScale(present.map(String), values.length - present.length);
}

function numberScale(numbers: number[], diverging: boolean): Scale {
  let [low, high] = ends(numbers);
  if (diverging) { high = Math.max(Math.abs(low), Math.abs(high), 3); low = -high; }
  const color = (value: Value | undefined) =>
    blank(value) ? NONE : between(diverging ? DIVERGING : VIRIDIS, (Number(value) - low) / (high - low));
  return { kind: "number", color, low, high, diverging, names: [], blanks: 0 };
}

function nameScale(names: string[], blanks: number): Scale {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const ordered = [...counts].sort((one, other) => other[1] - one[1] || one[0].localeCompare(other[0], "en", { numeric: true }));
  const colors = new Map(ordered.map(([name], at) => [name, NAMED[at] ?? OTHER]));
  return {
    kind: "name", low: 0, high: 0, diverging: false,
    color: (value) => (blank(value) ? NONE : colors.get(String(value)) ?? OTHER),
    names: ordered.map(([name, count]) => ({ name, count, color: colors.get(name) ?? OTHER })), blanks,
  };
}

/** Return a number as a person reads it: three or four digits. */
export function told(value: Value | undefined): string {
  if (blank(value)) return "none";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size >= 0.01 ? value.toFixed(2) : value.toExponential(1);
}
