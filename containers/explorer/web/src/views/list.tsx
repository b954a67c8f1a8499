// The list of wells that a person made, and the wells of a perturbation: both are compared with the controls.

import { useMemo } from "preact/hooks";
import { loadMap, ready, useLoaded } from "../data";
import { link, useHere } from "../state";
import { keyOf } from "../wells";
import { Compare } from "../parts/compare";
import { Pending } from "../parts/bits";
import { alike } from "./nearest";

export function ListView() {
  const { state, go } = useHere();
  if (!state.list.length) return <div class="welcome"><h2>The list</h2><p>It is empty. Draw a lasso on the <a href={link(state, { view: "map" })}>map</a>, or open a well and add it.</p></div>;
  return (
    <>
      <h2>The list: {state.list.length} well{state.list.length === 1 ? "" : "s"}</h2>
      <p class="row"><button type="button" onClick={() => go({ list: [] })}>Empty the list</button><span class="note">The address of this page holds the list: copy it to keep or share it.</span></p>
      <Compare keys={state.list} name="list" drop={(key) => go({ list: state.list.filter((each) => each !== key) }, true)} />
    </>
  );
}

export function PerturbationView() {
  const { batch, state, go } = useHere();
  const loaded = useLoaded("map", batch.map ? loadMap : null);
  const map = ready(loaded);
  const keys = useMemo(() => {
    const held = batch.perturbation ? map?.metadata.get(batch.perturbation) : undefined;
    const code = held?.values.findIndex((each) => String(each ?? "") === state.of) ?? -1;
    return map && held && code >= 0 ? map.well.flatMap((well, at) => (held.codes[at] === code ? [keyOf(batch.plates[map.plate[at] ?? 0]?.plate ?? "", well)] : [])) : [];
  }, [map, batch, state.of]);
  const named = state.of || "no perturbation";
  if (!map) return batch.map ? <Pending of="the map of profiles" loaded={loaded} /> : <p class="note">The batch has no profiles to find its wells by.</p>;
  const near = alike(map, state.of, batch.label);
  return (
    <>
      <h2>{named}</h2>
      <p class="row"><button type="button" disabled={!keys.length} onClick={() => go({ list: [...new Set([...state.list, ...keys])] }, true)}>Add its wells to the list</button>
        {near.length > 0 && <span class="note">Most like it: {near.slice(0, 4).map((each, at) => <span key={each.name}>{at > 0 && ", "}<a href={link(state, { of: each.name })}>{each.name || "no perturbation"}</a> {each.label} {each.similarity.toFixed(2)}</span>)}</span>}</p>
      {keys.length ? <Compare key={state.of} keys={keys} name={named} series /> : <p class="note">No well of the map has this name.</p>}
    </>
  );
}
