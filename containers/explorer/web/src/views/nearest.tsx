// The wells and perturbations whose profiles are most like this one's.

import { blank, told } from "../colors";
import { loadMap, neighbours, ready, useLoaded, type ProfileMap } from "../data";
import { link, useHere } from "../state";
import { perturbation } from "../wells";
import { Pending, Section, share } from "../parts/bits";
import { Thumbnail } from "../parts/thumbnail";
import type { WellProps } from "./well";

export function NearestTab({ own, well }: WellProps) {
  const { batch, state } = useHere();
  const loaded = useLoaded("map", batch.map ? loadMap : null);
  const map = ready(loaded);
  if (!batch.map) return <p class="note">The batch has no profiles to compare.</p>;
  if (!map) return <Pending of="the map of profiles" loaded={loaded} />;
  const point = map.point.get(`${batch.plates.indexOf(own)}/${well.well}`);
  if (point === undefined) return <p class="note">This well has no profile.</p>;
  const near = map.nearest ? neighbours(map.nearest, point, map.well.length) : [];
  const name = perturbation(batch, well.metadata);
  const others = name === null ? [] : alike(map, name, batch.label);
  return (
    <>
      <Section title="Nearest wells" note="The cosine similarity of two profiles: 1 is the same direction, 0 has nothing in common, −1 is the opposite.">
        <div class="thumbnails">{near.map((each) => {
          const plate = batch.plates[map.plate[each.point] ?? 0]?.plate ?? "";
          return <Thumbnail key={each.point} plate={plate} well={map.well[each.point] ?? ""}><Similarity value={each.similarity} /></Thumbnail>;
        })}</div>
        {!near.length && <p class="note">No other profile is near.</p>}
        <p><a class="button" href={link(state, { view: "map" })}>Show it on the map</a></p>
      </Section>
      {others.length > 0 && <Section title={`Perturbations most like ${name}`} note="Between the means of their profiles.">
        <table class="near"><thead><tr><th scope="col">perturbation</th><th scope="col">similarity</th></tr></thead>
          <tbody>{others.map((each) => <tr key={each.name}><th scope="row"><a href={link(state, { view: "perturbation", of: each.name })}>{blank(each.name) ? "no perturbation" : each.name}</a> {each.label}</th><td><Similarity value={each.similarity} /></td></tr>)}</tbody></table>
      </Section>}
    </>
  );
}

export interface Alike { name: string; label: string; similarity: number }
/** Return the perturbations most like one, each with what a person calls it, where that is another name. */
export function alike(map: ProfileMap, name: string, column: string | null | undefined): Alike[] {
  const about = map.perturbations;
  const at = about?.names.indexOf(name) ?? -1;
  if (!about || at < 0) return [];
  const labels = labelsOf(map, about.column, column);
  return neighbours(about, at, about.names.length).map(({ point, similarity }) => {
    const found = about.names[point] ?? "";
    return { name: found, label: labels.get(found) ?? "", similarity };
  });
}

/** Return the labels of perturbations by name; of one whose wells bear several, such as controls, there is none. */
function labelsOf(map: ProfileMap, of: string, column: string | null | undefined): Map<string, string> {
  const [names, labels] = [map.metadata.get(of), column ? map.metadata.get(column) : undefined];
  const found = new Map<string, string>();
  for (let at = 0; names && labels && at < map.well.length; at++) {
    const [name, label] = [names, labels].map((each) => String(each.values[each.codes[at] ?? -1] ?? "")) as [string, string];
    found.set(name, label === name || (found.get(name) ?? label) !== label ? "" : label);
  }
  return found;
}

const Similarity = ({ value }: { value: number }) => (
  <span class="similarity"><i style={{ width: `${Math.max(0, Math.min(1, value)) * 100}%`, background: share(Math.max(0, value)) }} aria-hidden="true" /><b>{told(Number(value.toFixed(3)))}</b></span>
);
