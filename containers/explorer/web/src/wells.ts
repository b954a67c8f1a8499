// Questions about wells: what they are called, which are controls, which are replicates, what colours them.

import { blank, scaleOf, type Scale } from "./colors";
import type { Features } from "./data";
import type { Batch, Plate, PlateEntry, Row, Value, Well } from "./types";

/** Return the perturbation of a well: what its replicates share; null where the layout names none. */
export function perturbation(batch: Batch, metadata: Row): string | null {
  const value = batch.perturbation ? metadata[batch.perturbation] : null;
  return blank(value) ? null : String(value);
}

/** Return what a person calls the content of a well. */
export function label(batch: Batch, metadata: Row): string {
  const value = batch.label ? metadata[batch.label] : null;
  const name = blank(value) ? perturbation(batch, metadata) : String(value);
  return name ?? "";
}

export function replicates(batch: Batch, plate: Plate, well: Well): Well[] {
  const name = perturbation(batch, well.metadata);
  return name === null ? [] : plate.wells.filter((each) => each !== well && perturbation(batch, each.metadata) === name);
}

export const controls = (plate: Plate): Well[] => plate.wells.filter((well) => plate.controls.includes(well.well));

export interface ColorBy { kind: "m" | "q" | "f"; name: string }
export function colorBy(said: string, batch: Batch): ColorBy {
  const kind = said.slice(0, 1);
  const name = said.slice(2);
  if (kind === "f" && name) return { kind, name };
  if ((kind === "m" && batch.metadata.includes(name)) || (kind === "q" && batch.quality.includes(name))) return { kind, name };
  if (batch.quality[0] !== undefined) return { kind: "q", name: batch.quality[0] };
  return { kind: "m", name: batch.metadata[0] ?? "" };
}

export function valueOf(by: ColorBy, well: Well, features: Features | null): Value | undefined {
  if (by.kind === "m") return well.metadata[by.name];
  if (by.kind === "q") return well.quality[by.name];
  const [row, column] = [features?.row.get(well.well), features?.column.get(by.name)];
  return features && row !== undefined && column !== undefined ? features.at(row, column) : null;
}

export const wellScale = (by: ColorBy, wells: Well[], features: Features | null): Scale =>
  scaleOf(wells.map((well) => valueOf(by, well, features)), by.kind === "f");

/** Return "plate/well": how a list names a well. */
export const keyOf = (plate: string, well: string): string => `${plate}/${well}`;
export function splitKey(key: string): [string, string] {
  const at = key.lastIndexOf("/");
  return [key.slice(0, at), key.slice(at + 1)];
}
export const entry = (batch: Batch, plate: string): PlateEntry | undefined => batch.plates.find((each) => each.plate === plate);

/** Return a column's or figure's name as words. */
export const words = (name: string): string => name.replace(/_/g, " ");
