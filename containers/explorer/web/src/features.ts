// What a well or a list of wells changes: deviations from the negative controls, by feature.

import type { Features } from "./data";
import type { FeatureText } from "./types";

export type Texts = Map<string, FeatureText>;
export interface Change {
  name: string;
  /** Median over the wells, in the controls' standard deviations. */
  change: number;
  text: FeatureText;
}

const FAMILY = 1;
/** Return what is known of a feature; of one that nobody described, what its name says. */
export function textOf(texts: Texts | null, name: string): FeatureText {
  const known = texts?.get(name);
  if (known) return known;
  const parts = name.split("_");
  return { compartment: parts[0] ?? "", family: parts[FAMILY] ?? "", channel: null, sentence: name.replace(/_/g, " ") };
}

export const channelsOf = (text: FeatureText): string[] =>
  text.channels ?? (text.channel === null ? [] : Array.isArray(text.channel) ? text.channel : [text.channel]);

export function median(numbers: number[]): number {
  const sorted = numbers.filter(Number.isFinite).sort((one, other) => one - other);
  if (!sorted.length) return NaN;
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] ?? NaN : ((sorted[half - 1] ?? NaN) + (sorted[half] ?? NaN)) / 2;
}

/** Return a feature's values over some wells of a plate. */
export function valuesOf(features: Features, wells: string[], name: string): number[] {
  const column = features.column.get(name);
  if (column === undefined) return [];
  return wells.map((well) => features.row.get(well)).filter((row) => row !== undefined).map((row) => features.at(row, column));
}

/** Return the changes of all features that have a value, the largest first. `sets`: wells, each with its plate's features. */
export function changes(sets: { features: Features; wells: string[] }[], texts: Texts | null): Change[] {
  const names = new Set(sets.flatMap((set) => set.features.names));
  const found: Change[] = [];
  for (const name of names) {
    const change = median(sets.flatMap((set) => valuesOf(set.features, set.wells, name)));
    if (Number.isFinite(change)) found.push({ name, change, text: textOf(texts, name) });
  }
  return found.sort((one, other) => Math.abs(other.change) - Math.abs(one.change) || (one.name < other.name ? -1 : 1));
}

export type Grouping = "compartment" | "family" | "channel";
export const NO_CHANNEL = "no channel";
export const groupsOf = (change: Change, by: Grouping): string[] => {
  if (by !== "channel") return [change.text[by] || "other"];
  const channels = channelsOf(change.text);
  return [channels.length > 1 ? channels.join(" with ") : channels[0] ?? NO_CHANNEL];
};

/** Return changes by group, the group with the largest change first. */
export function grouped(found: Change[], by: Grouping): [string, Change[]][] {
  const groups = new Map<string, Change[]>();
  for (const change of found) for (const name of groupsOf(change, by)) groups.set(name, [...(groups.get(name) ?? []), change]);
  return [...groups];
}

export interface HeatCell { count: number; median: number; strongest: Change }
/** Return compartment and family (rows) x channel (columns): the median size of the changes of each. */
export function heat(found: Change[], channels: string[]): { rows: [string, string][]; columns: string[]; cell(row: number, column: number): HeatCell | null } {
  const cells = new Map<string, Change[]>();
  const rows = new Map<string, [string, string]>();
  const seen = new Set<string>();
  for (const change of found) {
    const row = `${change.text.compartment}\n${change.text.family}`;
    rows.set(row, [change.text.compartment || "other", change.text.family || "other"]);
    const own = channelsOf(change.text);
    for (const column of own.length ? own : [NO_CHANNEL]) {
      seen.add(column);
      const key = `${row}\n${column}`;
      const held = cells.get(key);
      if (held) held.push(change);
      else cells.set(key, [change]);
    }
  }
  const columns = [...channels, ...[...seen].filter((name) => name !== NO_CHANNEL && !channels.includes(name)).sort(), NO_CHANNEL].filter((name) => seen.has(name));
  const keys = [...rows.keys()].sort();
  return {
    rows: keys.map((key) => rows.get(key) ?? ["", ""]), columns,
    cell(row, column) {
      const held = cells.get(`${keys[row]}\n${columns[column]}`);
      const first = held?.[0];
      return held && first ? { count: held.length, median: median(held.map((each) => Math.abs(each.change))), strongest: first } : null;
    },
  };
}
