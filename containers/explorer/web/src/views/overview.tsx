// All plates at a glance: their figures, a small map of each, their flags, and the controls from plate to plate.

import { useMemo } from "preact/hooks";
import { told } from "../colors";
import { loadPlate, ready, useAll, useLoaded } from "../data";
import { median } from "../features";
import { link, useHere } from "../state";
import type { PlateEntry, Well } from "../types";
import { colorBy, controls, valueOf, wellScale, words } from "../wells";
import { Legend } from "../parts/bits";
import { Figures } from "../parts/figures";
import { Thumbnail } from "../parts/thumbnail";

/** So many flags stand with their picture. */
const PICTURES = 12;

export function Overview() {
  const { batch, state, go } = useHere();
  const figures = [...new Set(batch.plates.flatMap((plate) => Object.keys(plate.summary)))];
  const flags = batch.plates.flatMap((plate) => plate.flags.map((flag) => ({ plate, flag })));
  const wells = batch.plates.reduce((sum, plate) => sum + plate.wells, 0);
  return (
    <>
      <h2>Plates</h2>
      <p class="lead">{batch.plates.length} plate{batch.plates.length === 1 ? "" : "s"}, {wells.toLocaleString("en")} wells. Open a plate, then a well, to see its cells.</p>
      <p class="row"><label>Colour the wells by <select value={overviewColor(state.color, batch.quality)} onChange={(event) => go({ color: event.currentTarget.value }, true)}>
        <optgroup label="Quality">{batch.quality.map((name) => <option key={name} value={`q:${name}`}>{words(name)}</option>)}</optgroup>
        <optgroup label="Layout">{batch.metadata.map((name) => <option key={name} value={`m:${name}`}>{words(name)}</option>)}</optgroup>
      </select></label></p>
      <div class="plates">{batch.plates.map((plate) => <PlateCard key={plate.plate} entry={plate} figures={figures} />)}</div>
      {flags.length > 0 && <section class="card"><h3>What quality control found</h3>
        <ul class="flags">{flags.map(({ plate, flag }, at) => (
          <li key={at}><a href={link(state, { view: "plate", plate: plate.plate, well: flag.well ?? "" })}>{plate.plate}{flag.well && ` ${flag.well}`}</a> <span>{flag.what}</span> <em>{flag.do}</em>{flag.well && at < PICTURES && <Thumbnail plate={plate.plate} well={flag.well} outlines />}</li>))}</ul></section>}
      <Drift />
    </>
  );
}

const overviewColor = (said: string, quality: string[]): string => (said && !said.startsWith("f:") ? said : quality[0] ? `q:${quality[0]}` : "");

function PlateCard({ entry, figures }: { entry: PlateEntry; figures: string[] }) {
  const { batch, state } = useHere();
  const loaded = useLoaded(`plate ${entry.plate}`, () => loadPlate(entry));
  const plate = ready(loaded);
  const by = colorBy(overviewColor(state.color, batch.quality), batch);
  const scale = useMemo(() => plate && wellScale(by, plate.wells, null), [plate, by.kind, by.name]);
  return (
    <article class="card plate">
      <h3><a href={link(state, { view: "plate", plate: entry.plate, well: "" })}>{entry.plate}</a>{entry.flags.length > 0 && <small class="flag-count">{entry.flags.length} flag{entry.flags.length === 1 ? "" : "s"}</small>}</h3>
      <svg class="mini" viewBox={`0 0 ${entry.columns} ${entry.rows}`} role="img" aria-label={`${entry.plate}: wells coloured by ${words(by.name)}`}>
        {plate && scale && plate.wells.map((well) => <rect key={well.well} x={well.column - 0.95} y={well.row - 0.95} width="0.9" height="0.9" rx="0.15" fill={scale.color(valueOf(by, well, null))} />)}
      </svg>
      {scale && <Legend scale={scale} name={words(by.name)} />}
      {loaded instanceof Error && <p class="note" role="alert">{loaded.message}</p>}
      <Figures values={entry.summary} names={figures} />
    </article>
  );
}

const [WIDE, HIGH, SIDE] = [760, 180, 40];
/** The controls of every plate in the chosen figure: whether the batch drifts. */
function Drift() {
  const { batch, state } = useHere();
  const by = colorBy(overviewColor(state.color, batch.quality), batch);
  if (by.kind !== "q" || batch.plates.length < 2) return null;
  return <section class="card"><h3>Negative controls from plate to plate</h3><p class="note">Each dot is a control well; the line joins the plates' medians of {words(by.name)}.</p><DriftPlot name={by.name} /></section>;
}

function DriftPlot({ name }: { name: string }) {
  const { batch } = useHere();
  const found = useAll("controls of all plates", batch.plates.map((entry) => () => loadPlate(entry))) ?? [];
  const values = found.map((plate) => (plate ? controls(plate).map((well: Well) => well.quality[name] ?? NaN).filter(Number.isFinite) : []));
  const all = values.flat();
  if (!all.length) return <p class="note">No plate has controls with this figure.</p>;
  const [low, top] = [Math.min(...all), Math.max(...all)];
  const high = top > low ? top : low + 1;
  const x = (at: number) => SIDE + ((at + 0.5) / values.length) * (WIDE - 2 * SIDE);
  const y = (value: number) => HIGH - 36 - ((value - low) / (high - low)) * (HIGH - 56);
  const middle = values.map((each, at) => [x(at), y(median(each))] as const).filter(([, each]) => Number.isFinite(each));
  return (
    <svg class="drift" viewBox={`0 0 ${WIDE} ${HIGH}`} role="img" aria-label={values.map((each, at) => `${batch.plates[at]?.plate}: median ${told(median(each))}`).join("; ")}>
      <polyline points={middle.map((each) => each.join(",")).join(" ")} />
      {values.map((each, at) => each.map((value, index) => <circle key={`${at}/${index}`} cx={x(at) + ((index * 7) % 13) - 6} cy={y(value)} r="3.5" />))}
      {values.length <= 12 && batch.plates.map((plate, at) => <text key={plate.plate} class="small" x={x(at)} y={HIGH - 8} text-anchor="middle">{plate.plate}</text>)}
      <text class="small" x="0" y={y(high) + 4}>{told(high)}</text><text class="small" x="0" y={y(low) + 4}>{told(low)}</text>
    </svg>
  );
}
