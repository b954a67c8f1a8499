// The map of profiles: what lies close together looks alike. Hover shows a well, a lasso makes a list.

import { useMemo, useState } from "preact/hooks";
import { scaleOf } from "../colors";
import { loadMap, ready, useLoaded, type ProfileMap } from "../data";
import { link, useHere } from "../state";
import { keyOf, words } from "../wells";
import { Legend, Pending } from "../parts/bits";
import { Scatter, webgl } from "../parts/scatter";
import { Thumbnail } from "../parts/thumbnail";

export function MapView() {
  const { batch } = useHere();
  const loaded = useLoaded("map", batch.map ? loadMap : null);
  const map = ready(loaded);
  if (!batch.map) return <div class="welcome"><h2>Map of profiles</h2><p>The batch has no profiles with features yet, so there is no map.</p></div>;
  return map ? <Drawn map={map} /> : <Pending of="the map of profiles" loaded={loaded} />;
}

const PLATE = "plate";

function Drawn({ map }: { map: ProfileMap }) {
  const { batch, state, go } = useHere();
  const [over, hover] = useState<number | null>(null);
  const [lasso, draw] = useState(false);
  const able = useMemo(webgl, []);
  const columns = [...map.metadata.keys()];
  const asked = state.color.startsWith("m:") ? state.color.slice(2) : "";
  const by = asked === PLATE || columns.includes(asked) ? asked : batch.label && columns.includes(batch.label) ? batch.label : batch.perturbation && columns.includes(batch.perturbation) ? batch.perturbation : columns[0] ?? PLATE;
  const values = useMemo(() => map.well.map((_, at) => valueAt(map, batch.plates[map.plate[at] ?? 0]?.plate ?? "", by, at)), [map, by, batch]);
  const scale = useMemo(() => scaleOf(values), [values]);
  const key = (point: number) => keyOf(batch.plates[map.plate[point] ?? 0]?.plate ?? "", map.well[point] ?? "");
  const point = useMemo(() => new Map(map.well.map((_, at) => [key(at), at])), [map]);
  const selected = useMemo(() => state.list.map((each) => point.get(each)).filter((each) => each !== undefined), [state.list.join("~"), point]);
  const current = point.get(keyOf(state.plate, state.well)) ?? null;
  const shown = over ?? current;
  const plateOf = (at: number) => batch.plates[map.plate[at] ?? 0]?.plate ?? "";
  const add = (points: number[]) => go({ list: [...new Set([...state.list, ...points.map(key)])] }, true);
  return (
    <>
      <h2>Map of profiles</h2>
      <p class="lead">{map.well.length.toLocaleString("en")} wells by {batch.map?.method === "pca" ? "principal components" : (batch.map?.method ?? "").toUpperCase()}: what lies close looks alike; distances between groups mean little. {batch.map?.note}</p>
      <div class="row">
        <label>Colour by <select value={by} onChange={(event) => go({ color: `m:${event.currentTarget.value}` }, true)}>{[...columns, PLATE].filter((each, at, all) => all.indexOf(each) === at).map((name) => <option key={name} value={name}>{words(name)}</option>)}</select></label>
        <span class="choice" role="group" aria-label="The pointer"><button type="button" aria-pressed={!lasso} onClick={() => draw(false)}>move and open</button><button type="button" aria-pressed={lasso} onClick={() => draw(true)}>lasso</button></span>
        <AddBy map={map} by={by} values={values} add={add} />
      </div>
      <Legend scale={scale} name={words(by)} />
      <div class="map-split">
        <div class="map-frame">{able ? <Scatter map={map} values={values} scale={scale} lasso={lasso} selected={selected} marked={current} hover={hover}
          open={(at) => go({ view: "plate", plate: plateOf(at), well: map.well[at] ?? "", site: "" })} choose={add} />
          : <p class="state fair" role="alert"><strong>The map needs WebGL,</strong> which this browser does not offer: switch on hardware acceleration, or use another browser. Lists can be made without it: choose a name beside “Add wells”.</p>}</div>
        <aside class="map-side" aria-live="polite">
          {shown === null ? <p class="note">Point at a dot to see its well; click it to open the well. With the lasso, drag around dots to add them to the list. The wheel zooms.</p>
            : <><Thumbnail plate={plateOf(shown)} well={map.well[shown] ?? ""} /><dl class="facts">{columns.map((name) => { const value = valueAt(map, "", name, shown); return value === null || value === "" ? null : <div key={name}><dt>{words(name)}</dt><dd>{String(value)}</dd></div>; })}</dl></>}
          <h3>The list: {state.list.length} well{state.list.length === 1 ? "" : "s"}</h3>
          <p class="row"><a class="button" href={link(state, { view: "list" })} aria-disabled={!state.list.length}>Compare the list</a><button type="button" class="quiet" disabled={!state.list.length} onClick={() => go({ list: [] }, true)}>Empty it</button></p>
          <ul class="short">{state.list.slice(0, 30).map((each) => <li key={each}>{each.replace("/", " ")}</li>)}{state.list.length > 30 && <li>and {state.list.length - 30} more</li>}</ul>
        </aside>
      </div>
    </>
  );
}

function valueAt(map: ProfileMap, plate: string, name: string, at: number) {
  const held = map.metadata.get(name);
  return held ? held.values[held.codes[at] ?? -1] ?? null : plate;
}

/** Wells by what they hold: the way to a list without a pointer. */
function AddBy({ map, by, values, add }: { map: ProfileMap; by: string; values: unknown[]; add(points: number[]): void }) {
  const [name, choose] = useState("");
  const kinds = useMemo(() => [...new Set(values.map((value) => String(value ?? "")))].filter(Boolean).sort((one, other) => one.localeCompare(other, "en", { numeric: true })), [values]);
  return (
    <span class="add-by">
      <label>Add wells with {words(by)} <select value={name} onChange={(event) => choose(event.currentTarget.value)}><option value="">choose …</option>{kinds.map((each) => <option key={each}>{each}</option>)}</select></label>
      <button type="button" disabled={!name} onClick={() => add(map.well.flatMap((_, at) => (String(values[at] ?? "") === name ? [at] : [])))}>Add</button>
    </span>
  );
}
