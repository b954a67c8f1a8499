// Load the folder's data: classic scripts that call explorer.add(name, value), for a page from a disk cannot fetch.

import { useEffect, useMemo, useState } from "preact/hooks";
import type { Batch, CellsOfPlate, FeatureText, NumberKind, Numbers, Packed, PackedCells, PackedFeatures, PackedMap, Plate, PlateEntry } from "./types";

const values = new Map<string, unknown>();
const waiting = new Map<string, (value: unknown) => void>();
const loads = new Map<string, Promise<unknown>>();
/** Plates' features are large: only the last few stay in memory. */
const KEPT_FEATURES = 6;

export function add(name: string, value: unknown): void {
  if (waiting.has(name)) waiting.get(name)?.(value);
  else values.set(name, value);
}

/** Return a relative path as an address: each segment encoded, so that no name is read as anything else. */
export const address = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

function load<T>(name: string, path: string, prepare: (raw: never) => T): Promise<T> {
  const known = loads.get(name);
  if (known) return known as Promise<T>;
  const made = new Promise<unknown>((resolve, reject) => {
    if (values.has(name)) return resolve(values.get(name));
    waiting.set(name, resolve);
    const script = document.createElement("script");
    script.src = address(path);
    script.onerror = () => reject(new Error(`${path} is missing or cannot be read`));
    script.onload = () => { if (waiting.delete(name)) reject(new Error(`${path} holds no "${name}"`)); script.remove(); };
    document.head.append(script);
  }).then((raw) => { waiting.delete(name); values.delete(name); return prepare(raw as never); });
  loads.set(name, made);
  return made;
}

const ARRAYS: Record<NumberKind, new (buffer: ArrayBuffer) => Numbers> = {
  f32: Float32Array, u32: Uint32Array, u16: Uint16Array, i16: Int16Array, u8: Uint8Array,
};

export function unpack(packed: Packed): Numbers {
  const text = atob(packed.base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return new ARRAYS[packed.type](bytes.buffer);
}

/** Deviations of wells from the negative controls: `at(well, feature)`, NaN where there is none. */
export interface Features {
  names: string[]; row: Map<string, number>; column: Map<string, number>;
  at(row: number, column: number): number;
}

function features(raw: PackedFeatures, names: string[]): Features {
  const [numbers, scale, wide] = [unpack(raw.values), unpack(raw.scale), names.length];
  const index = (names: string[]) => new Map(names.map((name, at) => [name, at]));
  return {
    names, row: index(raw.wells), column: index(names),
    at(row, column) {
      const value = numbers[row * wide + column] ?? -32768;
      return value === -32768 ? NaN : value * (scale[column] ?? NaN);
    },
  };
}

export interface ProfileMap {
  x: Float32Array; y: Float32Array; plate: Numbers; well: string[];
  /** Point of a well, by "plate index/well". */
  point: Map<string, number>;
  metadata: Map<string, { values: PackedMap["metadata"][string]["values"]; codes: Numbers }>;
  nearest: { k: number; point: Numbers; similarity: Numbers } | null;
  perturbations: { column: string; names: string[]; k: number; point: Numbers; similarity: Numbers } | null;
}

function profileMap(raw: PackedMap): ProfileMap {
  const plate = unpack(raw.plate);
  const about = raw.perturbation;
  return {
    x: Float32Array.from(unpack(raw.x)), y: Float32Array.from(unpack(raw.y)), plate, well: raw.well,
    point: new Map(raw.well.map((well, at) => [`${plate[at]}/${well}`, at])),
    metadata: new Map(Object.entries(raw.metadata).map(([name, it]) => [name, { values: it.values, codes: unpack(it.codes) }])),
    nearest: raw.nearest && { k: raw.nearest.k, point: unpack(raw.nearest.point), similarity: unpack(raw.nearest.similarity) },
    perturbations: about?.nearest ? {
      column: about.column, names: about.names.map(String), k: about.nearest.k, point: unpack(about.nearest.point), similarity: unpack(about.nearest.similarity),
    } : null,
  };
}

/** Return the neighbours of a point, the nearest first; what is itself or no point of `count` is none. */
export function neighbours(nearest: { k: number; point: Numbers; similarity: Numbers }, point: number, count: number): { point: number; similarity: number }[] {
  return Array.from({ length: nearest.k }, (_, at) => point * nearest.k + at)
    .map((at) => ({ point: nearest.point[at] ?? count, similarity: nearest.similarity[at] ?? NaN }))
    .filter((each) => each.point < count && each.point !== point);
}

export interface Cell { at: number; well: string; site: number | string; object: number; x: number; y: number; distance: number | null; values: number[] }
/** A sample of a well's cells, with a tile of each on a sheet a channel. */
export interface Cells extends CellsOfPlate { sheets: Record<string, string>; cells: Cell[] }

function cells(raw: PackedCells, about: CellsOfPlate, well: string): Cells {
  const [numbers, wide] = [unpack(raw.values), about.features.length];
  return {
    ...about, sheets: raw.sheets,
    cells: raw.cells.map((cell, at) => ({ ...cell, at, well, values: Array.from(numbers.subarray(at * wide, (at + 1) * wide)) })),
  };
}

/** The columns that the toolkit's own layouts use, where the batch names none. */
const [PERTURBATION, LABEL] = ["broad_sample", "pert_iname"];
function named(raw: Batch): Batch {
  const known = (column: string) => (raw.metadata.includes(column) ? column : null);
  return { ...raw, perturbation: raw.perturbation ?? known(PERTURBATION), label: raw.label ?? known(LABEL) };
}

const featureLoads: string[] = [];
export const loadBatch = () => load("batch", "batch.js", named);
export const loadPlate = (entry: PlateEntry) => load(`plate/${entry.plate}`, `${entry.folder}/${entry.plate}_plate.js`, (raw: Plate) => raw);
export const loadTexts = () => load("features", "features.js", (raw: Record<string, FeatureText>) => new Map(Object.entries(raw)));
export const loadMap = () => load("map", "map.js", profileMap);
export const loadCells = (entry: PlateEntry, about: CellsOfPlate, well: string) =>
  load(`cells/${entry.plate}/${well}`, `${entry.folder}/cells/${well}.js`, (raw: PackedCells) => cells(raw, about, well));
export function loadFeatures(entry: PlateEntry, plate: Plate): Promise<Features> {
  const name = `features/${entry.plate}`;
  if (!loads.has(name) && featureLoads.push(name) > KEPT_FEATURES) loads.delete(featureLoads.shift() ?? "");
  return load(name, `${entry.folder}/${entry.plate}_features.js`, (raw: PackedFeatures) => features(raw, plate.features));
}

export type Loaded<T> = T | Error | undefined;
const settled = new WeakMap<Promise<unknown>, unknown>();

/** Return what a promise has come to: undefined while it is under way, an Error if it failed. `key` names what is asked for. */
export function useLoaded<T>(key: string, ask: (() => Promise<T>) | null): Loaded<T> {
  const [, redraw] = useState(0);
  const asked = ask?.();
  useEffect(() => {
    let here = true;
    if (asked && !settled.has(asked)) {
      asked.catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))
        .then((value) => { settled.set(asked, value); if (here) redraw((count) => count + 1); });
    }
    return () => { here = false; };
  }, [key, asked]);
  return asked ? (settled.get(asked) as Loaded<T>) : undefined;
}

export const ready = <T,>(loaded: Loaded<T>): T | null => (loaded === undefined || loaded instanceof Error ? null : loaded);

/** Return what several promises have come to, those that failed as null; undefined until all are settled. */
export function useAll<T>(key: string, asks: (() => Promise<T>)[]): (T | null)[] | undefined {
  const asked = useMemo(() => Promise.all(asks.map((ask) => ask().catch(() => null))), [key]);
  return ready(useLoaded(key, () => asked)) ?? undefined;
}
