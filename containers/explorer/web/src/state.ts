// What is shown stands in the URL's hash, so that a link restores the view.

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Batch } from "./types";

export type View = "plates" | "plate" | "map" | "list" | "perturbation";
export type Tab = "pictures" | "features" | "replicates" | "nearest" | "cells";

export interface State {
  view: View;
  plate: string;
  well: string;
  tab: Tab;
  site: string;
  /** What colours the wells: "m:column", "q:figure" or "f:feature". */
  color: string;
  /** Channels and outlines that are off. */
  off: string[];
  /** Brightness of channels: "DNA:10:200", black and white of 0 to 255. */
  light: string[];
  /** Wells of the list: "plate/well". */
  list: string[];
  sort: string;
  /** The name of a perturbation. */
  of: string;
}

const START: State = {
  view: "plates", plate: "", well: "", tab: "pictures", site: "", color: "", off: [], light: [], list: [], sort: "", of: "",
};
/** Pictures of transmitted light are grey all over, and would wash the colours out. */
const TRANSMITTED = /^(brightfield|bf)/i;

/** Say, before the page is drawn, which channels are off in an address that names none: transmitted light, beside others. */
export function startWith(channels: string[]): void {
  const grey = channels.filter((name) => TRANSMITTED.test(name));
  START.off = grey.length < channels.length ? grey : [];
}
export const offAtFirst = (): string[] => START.off;

const LISTS = new Set<string>(["off", "light", "list"]);

export function parse(hash: string): State {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  const state: Record<string, unknown> = { ...START };
  for (const name of Object.keys(START)) {
    const said = words.get(name);
    if (said !== null) state[name] = LISTS.has(name) ? said.split("~").map(decodeURIComponent).filter(Boolean) : said;
  }
  return state as unknown as State;
}

const saying = (value: unknown): string =>
  Array.isArray(value) ? value.map((each: string) => encodeURIComponent(each).replace(/~/g, "%7E")).join("~") : String(value);

export function written(state: State): string {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    const said = saying(value);
    if (name === "view" || said !== saying(START[name as keyof State])) words.set(name, said);
  }
  return `#${words}`;
}

export interface Here {
  batch: Batch;
  state: State;
  /** Change what is shown; `quietly` leaves no step in the browser's history. */
  go(change: Partial<State>, quietly?: boolean): void;
}
export const Where = createContext<Here>(null as unknown as Here);
export const useHere = (): Here => useContext(Where);

/** Return the address of another view, for a link. */
export const link = (state: State, change: Partial<State>): string => written({ ...state, ...change });
