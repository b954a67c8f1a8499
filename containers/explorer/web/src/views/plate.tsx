// A plate: its map, coloured, and beside it the well that is open.

import { useCallback, useMemo } from "preact/hooks";
import { loadFeatures, loadPlate, loadTexts, ready, useLoaded } from "../data";
import { useHere } from "../state";
import type { Plate, PlateEntry } from "../types";
import { colorBy, entry, wellScale, words } from "../wells";
import { textOf } from "../features";
import { Legend, Pending } from "../parts/bits";
import { FeaturePicker } from "../parts/feature_picker";
import { PlateMap } from "../parts/plate_map";
import { WellPanel } from "./well";

export function PlateView() {
  const { batch, state } = useHere();
  const own = entry(batch, state.plate) ?? batch.plates[0];
  const loaded = useLoaded(`plate ${own?.plate}`, own ? () => loadPlate(own) : null);
  const plate = ready(loaded);
  if (!own) return <p class="note">The batch has no plates.</p>;
  return plate ? <Opened key={own.plate} own={own} plate={plate} /> : <Pending of={`plate ${own.plate}`} loaded={loaded} />;
}

function Opened({ own, plate }: { own: PlateEntry; plate: Plate }) {
  const { batch, state, go } = useHere();
  const has = plate.features.length > 0;
  const features = useLoaded(`features ${own.plate}`, has ? () => loadFeatures(own, plate) : null);
  const texts = ready(useLoaded("texts", loadTexts));
  const by = colorBy(state.color, batch);
  const values = by.kind === "f" ? ready(features) : null;
  const scale = useMemo(() => wellScale(by, plate.wells, values), [by.kind, by.name, plate, values]);
  const steady = useMemo(() => by, [by.kind, by.name]);
  const open = useCallback((well: string) => go({ view: "plate", plate: own.plate, well, site: "" }), [own, go]);
  return (
    <div class="split">
      <section class="side" aria-label="Plate map">
        <p class="row"><h2><PlateChoice own={own} /></h2></p>
        <p class="row">
          <label>Colour by <select value={by.kind === "f" ? "f:" : `${by.kind}:${by.name}`} data-color onChange={(event) => go({ color: event.currentTarget.value === "f:" ? `f:${plate.features[0]}` : event.currentTarget.value }, true)}>
            <optgroup label="Quality">{batch.quality.map((name) => <option key={name} value={`q:${name}`}>{words(name)}</option>)}</optgroup>
            <optgroup label="Layout">{batch.metadata.map((name) => <option key={name} value={`m:${name}`}>{words(name)}</option>)}</optgroup>
            {has && <optgroup label="Feature"><option value="f:">a feature …</option></optgroup>}
          </select></label>
        </p>
        {by.kind === "f" && has && <FeaturePicker label="Feature" names={plate.features} texts={texts} value={by.name} pick={(name) => go({ color: `f:${name}` }, true)} />}
        {by.kind === "f" && <p class="note">{textOf(texts, by.name).sentence}</p>}
        <Legend scale={scale} name={words(by.name)} />
        <PlateMap batch={batch} entry={own} plate={plate} by={steady} scale={scale} features={values} selected={state.well} open={open} />
        <p class="note marks"><i class="mark control" />negative control <i class="mark same" />same perturbation <i class="mark flagged" />flag</p>
        {own.flags.length > 0 && <ul class="flags">{own.flags.map((flag, at) => <li key={at}>{flag.well && <button type="button" class="quiet" onClick={() => open(flag.well ?? "")}>{flag.well}</button>} <span>{flag.what}</span> <em>{flag.do}</em></li>)}</ul>}
      </section>
      <section class="main" aria-label="Well">
        {state.well ? <WellPanel own={own} plate={plate} features={features} texts={texts} />
          : <div class="welcome"><h3>Choose a well</h3><p>Click a well of the map, or reach it by Tab and the arrow keys and press Enter. Its pictures, features, replicates and nearest profiles open here.</p></div>}
      </section>
    </div>
  );
}

function PlateChoice({ own }: { own: PlateEntry }) {
  const { batch, go } = useHere();
  if (batch.plates.length === 1) return <>{own.plate}</>;
  return (
    <select aria-label="Plate" class="title" value={own.plate} onChange={(event) => go({ plate: event.currentTarget.value })}>
      {batch.plates.map((plate) => <option key={plate.plate}>{plate.plate}</option>)}
    </select>
  );
}
