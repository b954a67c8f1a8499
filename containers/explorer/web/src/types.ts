// What the data scripts of the folder hold. docs/explorer.md describes them.

export type NumberKind = "f32" | "u32" | "u16" | "i16" | "u8";
/** Little-endian numbers in base64. */
export interface Packed { type: NumberKind; base64: string }
export type Numbers = Float32Array | Uint32Array | Uint16Array | Int16Array | Uint8Array;
export type Value = string | number | boolean | null;
export type Row = Record<string, Value | undefined>;

export interface Channel { name: string; color: string }
export interface Flag { what: string; well: string | null; do: string }
export interface PlateEntry {
  plate: string; folder: string; rows: number; columns: number; wells: number;
  flags: Flag[]; summary: Record<string, number | null>;
}
export interface Batch {
  batch: string;
  made: { version: string | null; on?: string };
  report: string | null;
  channels: Channel[];
  objects: string[];
  /** Micrometres a pixel. */
  pixel_um: number | null;
  metadata: string[];
  quality: string[];
  plates: PlateEntry[];
  map: { points: number; method: string; seed: number | null; note: string } | null;
  /** The metadata column that names what replicates share. */
  perturbation?: string | null;
  label?: string | null;
  dose?: string | null;
}

export interface Site {
  site: number | string; width: number; height: number;
  pictures: Record<string, string>; outlines: Record<string, string>;
}
export interface Well {
  well: string; row: number; column: number;
  metadata: Row; quality: Record<string, number | null | undefined>;
  flags: string[]; sites: Site[];
}
export interface CellsOfPlate { size_px: number; columns: number; features: string[]; wells: string[]; distance: string }
export interface Plate {
  wells: Well[];
  channels: string[]; objects: string[];
  /** Names of the features, in the order of the plate's values. */
  features: string[];
  /** The wells that are negative controls. */
  controls: string[];
  /** Raw intensities that are black and white in the pictures, by channel. */
  brightness: Record<string, { low: number; high: number }>;
  cells: CellsOfPlate | null;
}

/** Plate-normalized features, wells x features: deviations from the plate's negative controls. */
export interface PackedFeatures { wells: string[]; values: Packed; scale: Packed }
export interface FeatureText {
  compartment: string; family: string; channel: string | string[] | null; channels?: string[]; sentence: string; unit?: string | null;
}

export interface PackedMap {
  x: Packed; y: Packed; plate: Packed; well: string[];
  metadata: Record<string, { values: Value[]; codes: Packed }>;
  nearest: { k: number; point: Packed; similarity: Packed } | null;
  perturbation: {
    column: string; names: string[];
    nearest: { k: number; point: Packed; similarity: Packed } | null;
  } | null;
}

export interface PackedCells {
  /** A grey sheet a channel: tiles row by row, in the order of the cells. */
  sheets: Record<string, string>;
  /** x and y are pixels of the site's picture; `distance` is from the controls. */
  cells: { site: number | string; object: number; x: number; y: number; distance: number | null }[];
  /** Cells x features of the plate's cells. */
  values: Packed;
}
