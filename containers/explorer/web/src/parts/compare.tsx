// Some wells beside their plates' negative controls: pictures, features that differ, cells, and both as csv.

import { useMemo, useState } from "preact/hooks";
import { loadCells, loadFeatures, loadMap, loadPlate, loadTexts, ready, useAll, useLoaded, type ProfileMap } from "../data";
import { save, table } from "../csv";
import { changes } from "../features";
import { useHere } from "../state";
import type { Batch, Plate, PlateEntry, Well } from "../types";
import { controls, entry, keyOf, splitKey } from "../wells";
import { Section } from "./bits";
import { CellSet } from "./cell_set";
import { ChangeList, HeatMap } from "./changes";
import { PictureControls } from "./controls";
import { Thumbnail } from "./thumbnail";

interface Chosen { own: PlateEntry; plate: Plate; well: Well }
const [PICTURES, CELL_WELLS, CONTROLS] = [24, 6, 4];

export function Compare({ keys, name, drop, series = false }: { keys: string[]; name: string; drop?(key: string): void; series?: boolean }) {
  const { batch } = useHere();
  const plates = useMemo(() => [...new Set(keys.map((key) => splitKey(key)[0]))].map((each) => entry(batch, each)).filter((each) => each !== undefined), [keys.join("~"), batch]);
  const said = plates.map((each) => each.plate).join("~");
  const loaded = useAll(`plates ${said}`, plates.map((each) => () => loadPlate(each)));
  const texts = ready(useLoaded("texts", loadTexts));
  const map = ready(useLoaded("map", batch.map ? loadMap : null));
  const chosen = useMemo(() => choose(keys, plates, loaded), [keys.join("~"), plates, loaded]);
  const values = useAll(`values ${said} ${!!loaded}`, plates.flatMap((own, at) => { const plate = loaded?.[at]; return plate?.features.length ? [() => loadFeatures(own, plate).then((features) => ({ own, features }))] : []; }));
  const found = useMemo(() => changes((values ?? []).filter((each) => each !== null).map(({ own, features }) => ({ features, wells: chosen.filter((each) => each.own === own).map((each) => each.well.well) })), texts), [values, texts, chosen]);
  const negative = useMemo(() => plates.flatMap((own, at) => { const plate = loaded?.[at]; return plate ? controls(plate).slice(0, CONTROLS).map((well) => ({ own, plate, well })) : []; }), [plates, loaded]);
  const [shown, show] = useState(PICTURES);
  const doses = series && batch.dose ? dosed(chosen, batch.dose) : [];
  const picture = (each: Chosen) => (
    <Thumbnail key={keyOf(each.own.plate, each.well.well)} plate={each.own.plate} well={each.well.well}>
      {drop && <button type="button" class="quiet" onClick={() => drop(keyOf(each.own.plate, each.well.well))} aria-label={`Take ${each.own.plate} ${each.well.well} out of the list`}>×</button>}
    </Thumbnail>);
  return (
    <>
      <p class="row">
        <button type="button" onClick={() => save(`${batch.batch}_${name}_wells.csv`, wellsTable(batch, chosen, map))}>Save the wells as csv</button>
        {found.length > 0 && <button type="button" onClick={() => save(`${batch.batch}_${name}_features.csv`, featuresTable(found, chosen.length))}>Save the features as csv</button>}
        <span class="note" role="status">{loaded ? `${chosen.length} wells on ${plates.length} plate${plates.length === 1 ? "" : "s"}` : "Reading the plates …"}{keys.length > chosen.length && loaded ? `; ${keys.length - chosen.length} have no data here` : ""}</span>
      </p>
      <Section title="Pictures, on one brightness scale a plate">
        <div class="pictures"><div class="stand">
          {doses.length > 1 ? doses.map(([dose, wells]) => <div class="beside" key={dose}><h4>{batch.dose?.replace(/_/g, " ")} {dose}</h4><div class="thumbnails">{wells.slice(0, PICTURES / 2).map(picture)}</div></div>)
            : <div class="thumbnails">{chosen.slice(0, shown).map(picture)}</div>}
          {doses.length <= 1 && shown < chosen.length && <button type="button" class="quiet" onClick={() => show(shown * 2)}>Show more of {chosen.length}</button>}
          {negative.length > 0 && <div class="beside"><h4>Negative controls</h4><div class="thumbnails">{negative.slice(0, PICTURES).map(picture0)}</div></div>}
        </div><PictureControls outlines={false} raw={plates.length === 1 ? loaded?.[0]?.brightness : undefined} /></div>
      </Section>
      {found.length > 0 && <><Section title="What differs from the negative controls, at a glance"><HeatMap found={found} /></Section>
        <Section title="Features that differ" note="The median of the wells; each plate is compared with its own controls."><ChangeList found={found} /></Section></>}
      <Cells key={keys.join("~")} chosen={chosen} negative={negative} name={name} />
    </>
  );

  function picture0(each: Chosen) { return <Thumbnail key={`c ${keyOf(each.own.plate, each.well.well)}`} plate={each.own.plate} well={each.well.well} />; }
}

function Cells({ chosen, negative, name }: { chosen: Chosen[]; negative: Chosen[]; name: string }) {
  const { go } = useHere();
  const own = chosen.filter(hasCells).slice(0, CELL_WELLS);
  const others = negative.filter(hasCells).slice(0, CONTROLS);
  const sources = useCells(own);
  const beside = useCells(others);
  if (!sources.length) return null;
  return <><h3 class="part">Cells{own.length < chosen.length && <small> of the first {own.length} wells with cells</small>}</h3>
    <CellSet sources={sources} others={beside} name={name} open={(source, cell) => go({ view: "plate", plate: source.own.plate, well: cell.well, site: String(cell.site), tab: "pictures" })} /></>;
}

const hasCells = (each: Chosen): boolean => !!each.plate.cells?.wells.includes(each.well.well);
function useCells(wells: Chosen[]) {
  const said = wells.map((each) => keyOf(each.own.plate, each.well.well)).join("~");
  const found = useAll(`cells of ${said}`, wells.flatMap(({ own, plate, well }) => (plate.cells ? [() => loadCells(own, plate.cells!, well.well)] : [])));
  return useMemo(() => (found ?? []).flatMap((cells, at) => { const own = wells[at]?.own; return cells && own ? [{ own, cells }] : []; }), [found, said]);
}

function choose(keys: string[], plates: PlateEntry[], loaded: (Plate | null)[] | undefined): Chosen[] {
  const at = new Map(plates.map((own, index) => [own.plate, { own, plate: loaded?.[index] ?? null }]));
  return keys.flatMap((key) => {
    const [name, well] = splitKey(key);
    const { own, plate } = at.get(name) ?? { own: null, plate: null };
    const found = plate?.wells.find((each) => each.well === well);
    return own && plate && found ? [{ own, plate, well: found }] : [];
  });
}

/** Return the wells by dose, the lowest first. */
function dosed(chosen: Chosen[], column: string): [string, Chosen[]][] {
  const groups = new Map<string, Chosen[]>();
  for (const each of chosen) { const dose = String(each.well.metadata[column] ?? ""); groups.set(dose, [...(groups.get(dose) ?? []), each]); }
  return [...groups].sort(([one], [other]) => Number(one) - Number(other));
}

function wellsTable(batch: Batch, chosen: Chosen[], map: ProfileMap | null): string {
  const point = (each: Chosen) => map?.point.get(`${batch.plates.indexOf(each.own)}/${each.well.well}`);
  return table(["plate", "well", ...batch.metadata, ...batch.quality, "map_x", "map_y"], chosen.map((each) => {
    const at = point(each);
    return [each.own.plate, each.well.well, ...batch.metadata.map((name) => each.well.metadata[name]), ...batch.quality.map((name) => each.well.quality[name]), at === undefined ? null : map?.x[at], at === undefined ? null : map?.y[at]];
  }));
}

const featuresTable = (found: ReturnType<typeof changes>, wells: number): string =>
  table(["feature", "median_deviation_from_controls", "wells", "compartment", "family", "channel", "sentence"],
    found.map((each) => [each.name, Number(each.change.toPrecision(5)), wells, each.text.compartment, each.text.family, [each.text.channel ?? []].flat().join(" "), each.text.sentence]));
