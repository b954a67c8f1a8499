// Small parts that several views use.

import type { ComponentChildren } from "preact";
import { told, viridis, between, NAMED, NONE, OTHER, type Scale } from "../colors";
import type { Loaded } from "../data";

/** What is not there yet, or cannot be had, in words. */
export function Pending({ of, loaded }: { of: string; loaded: Loaded<unknown> }) {
  if (loaded instanceof Error) return <p class="state bad" role="alert"><strong>{of}:</strong> {loaded.message}. The rest of the page works without it.</p>;
  return <p class="note" role="status">Reading {of} …</p>;
}

export function Legend({ scale, name }: { scale: Scale; name: string }) {
  if (scale.kind === "number") {
    const stops = Array.from({ length: 11 }, (_, at) => scale.color(scale.low + (at / 10) * (scale.high - scale.low))).join(", ");
    return (
      <p class="legend" aria-label={`${name}: from ${told(scale.low)} to ${told(scale.high)}`}>
        <span>{told(scale.low)}</span><i class="ramp" style={{ background: `linear-gradient(to right, ${stops})` }} /><span>{told(scale.high)}</span>
        {scale.diverging && <small>standard deviations of the controls</small>}
      </p>
    );
  }
  const [shown, more] = [scale.names.slice(0, NAMED.length), scale.names.length - NAMED.length];
  return (
    <p class="legend">
      {shown.map((each) => <span key={each.name}><i class="key" style={{ background: each.color }} />{each.name} <small>{each.count}</small></span>)}
      {more > 0 && <span><i class="key" style={{ background: OTHER }} />{more} more</span>}
      {scale.blanks > 0 && <span><i class="key" style={{ background: NONE }} />none <small>{scale.blanks}</small></span>}
      {!shown.length && !scale.blanks && <span>no value</span>}
    </p>
  );
}

/** A bar of a deviation, left or right of the controls' 0. */
export function Bar({ change, most }: { change: number; most: number }) {
  const wide = Math.min(50, (Math.abs(change) / Math.max(most, 1e-9)) * 50);
  return <span class="bar" aria-hidden="true"><i class={change < 0 ? "less" : "more"} style={{ width: `${wide}%`, [change < 0 ? "right" : "left"]: "50%" }} /></span>;
}

export const signed = (change: number): string => `${change < 0 ? "−" : "+"}${told(Math.abs(change))}`;
export const strength = (value: number, most: number): string => viridis(Math.min(1, value / most));
export const share = (part: number): string => between(["#e8eef4", "#0b5cad"], part);

export function Section({ title, children, note }: { title: string; children: ComponentChildren; note?: string }) {
  return <section class="card"><h3>{title}</h3>{note && <p class="note">{note}</p>}{children}</section>;
}
