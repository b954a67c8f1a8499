// A well: what it is, and five ways to look at it.

import { useEffect } from "preact/hooks";
import { blank, told } from "../colors";
import { loadMap, type Features, type Loaded } from "../data";
import type { Texts } from "../features";
import { link, useHere, type Tab } from "../state";
import type { Plate, PlateEntry, Well } from "../types";
import { keyOf, label, perturbation, words } from "../wells";
import { Figures } from "../parts/figures";
import { CellsTab } from "./cells";
import { FeaturesTab } from "./well_features";
import { NearestTab } from "./nearest";
import { PicturesTab } from "./pictures";
import { ReplicatesTab } from "./replicates";

export interface WellProps { own: PlateEntry; plate: Plate; well: Well; features: Loaded<Features>; texts: Texts | null }
const TABS: [Tab, string][] = [["pictures", "Pictures"], ["features", "Features"], ["replicates", "Replicates and controls"], ["nearest", "Nearest"], ["cells", "Cells"]];

export function WellPanel({ own, plate, features, texts }: Omit<WellProps, "well">) {
  const { batch, state, go } = useHere();
  useEffect(() => { if (batch.map) loadMap().catch(() => undefined); }, [batch]);
  const well = plate.wells.find((each) => each.well === state.well);
  if (!well) return <p class="state bad" role="alert">The plate {own.plate} has no well {state.well}.</p>;
  const props: WellProps = { own, plate, well, features, texts };
  const key = keyOf(own.plate, well.well);
  const listed = state.list.includes(key);
  const name = perturbation(batch, well.metadata);
  return (
    <>
      <header class="well-head">
        <h2>{well.well} <span>{label(batch, well.metadata)}</span>{plate.controls.includes(well.well) && <small class="chip">negative control</small>}</h2>
        <p class="row">
          <button type="button" aria-pressed={listed} onClick={() => go({ list: listed ? state.list.filter((each) => each !== key) : [...state.list, key] }, true)}>{listed ? "In the list ✓" : "Add to the list"}</button>
          {name !== null && <a class="button" href={link(state, { view: "perturbation", of: name })}>All wells of {name}</a>}
        </p>
        <details class="about"><summary>What the layout and quality control say</summary><dl class="facts">{batch.metadata.filter((each) => !blank(well.metadata[each])).map((each) => <div key={each}><dt>{words(each)}</dt><dd>{told(well.metadata[each])}</dd></div>)}</dl>
          <Figures values={well.quality} names={batch.quality} /></details>
        {well.flags.length > 0 && <ul class="flags">{well.flags.map((flag, at) => <li key={at}>{flag}</li>)}</ul>}
      </header>
      <div class="tabs" role="tablist" aria-label="Ways to look at the well" onKeyDown={step}>
        {TABS.map(([tab, said]) => <button type="button" role="tab" key={tab} id={`tab-${tab}`} aria-controls="tab-panel" aria-selected={state.tab === tab} tabIndex={state.tab === tab ? 0 : -1} onClick={() => go({ tab }, true)}>{said}</button>)}
      </div>
      <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${state.tab}`} class="panel">
        {state.tab === "features" ? <FeaturesTab {...props} /> : state.tab === "replicates" ? <ReplicatesTab {...props} /> : state.tab === "nearest" ? <NearestTab {...props} />
          : state.tab === "cells" ? <CellsTab key={key} {...props} /> : <PicturesTab {...props} />}
      </div>
    </>
  );
}

/** Left and right move between tabs, as a tab list does. */
function step(event: KeyboardEvent): void {
  const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  if (!by) return;
  const all = Array.from((event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("[role=tab]"));
  const next = all[(all.indexOf(event.target as HTMLElement) + by + all.length) % all.length];
  next?.focus();
  next?.click();
}

