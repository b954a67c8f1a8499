// The cells of a well, in order of a feature or of their distance to the controls.

import { useMemo } from "preact/hooks";
import { loadCells, ready, useAll, useLoaded, type Cells } from "../data";
import { useHere } from "../state";
import type { CellsOfPlate, Plate, PlateEntry } from "../types";
import { controls } from "../wells";
import { Pending } from "../parts/bits";
import { CellSet, type Source } from "../parts/cell_set";
import type { WellProps } from "./well";

/** So many control wells give the cells that a distribution is drawn beside. */
const CONTROLS = 4;

export function CellsTab(props: WellProps) {
  const { plate, well } = props;
  const about = plate.cells;
  if (!about || !about.wells.includes(well.well)) return <p class="note">There are no single cells of this well here.</p>;
  return <OfWell {...props} about={about} />;
}

function OfWell({ own, plate, well, about }: WellProps & { about: CellsOfPlate }) {
  const { go } = useHere();
  const loaded = useLoaded(`cells ${own.plate}/${well.well}`, () => loadCells(own, about, well.well));
  const others = useControlCells(own, plate, about, well.well);
  const cells = ready(loaded);
  const sources = useMemo(() => (cells ? [{ own, cells }] : []), [cells, own]);
  if (!cells) return <Pending of="the cells" loaded={loaded} />;
  return <CellSet sources={sources} others={others} name={well.well} raw={plate.brightness} open={(source, cell) => go({ view: "plate", plate: source.own.plate, well: cell.well, site: String(cell.site), tab: "pictures" })} />;
}

export function useControlCells(own: PlateEntry, plate: Plate, about: CellsOfPlate | null, but: string): Source[] {
  const wells = about ? controls(plate).map((each) => each.well).filter((each) => each !== but && about.wells.includes(each)).slice(0, CONTROLS) : [];
  const found = useAll<Cells>(`controls' cells ${own.plate} ${wells.join()}`, about ? wells.map((each) => () => loadCells(own, about, each)) : []);
  return useMemo(() => (found ?? []).filter((each) => each !== null).map((cells) => ({ own, cells })), [found, own]);
}
