// Start the page: the global that data scripts call, the head of the page, and the view that the address names.

import { render } from "preact";
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { add, address, loadBatch } from "./data";
import { link, parse, startWith, Where, written, type State, type View } from "./state";
import type { Batch } from "./types";
import { Filters } from "./parts/composite";
import { ListView, PerturbationView } from "./views/list";
import { MapView } from "./views/map";
import { Overview } from "./views/overview";
import { PlateView } from "./views/plate";

declare global { interface Window { explorer: { add: typeof add } } }
window.explorer = { add };

const VIEWS: Record<View, () => preact.JSX.Element> = { plates: Overview, plate: PlateView, map: MapView, list: ListView, perturbation: PerturbationView };
const NAMES: [View, string][] = [["plates", "Plates"], ["plate", "Plate"], ["map", "Map"], ["list", "List"]];

function App({ batch }: { batch: Batch }) {
  const [state, set] = useState(() => parse(location.hash));
  useEffect(() => {
    const follow = () => set(parse(location.hash));
    addEventListener("popstate", follow);
    addEventListener("hashchange", follow);
    return () => { removeEventListener("popstate", follow); removeEventListener("hashchange", follow); };
  }, []);
  const go = useCallback((change: Partial<State>, quietly = false) => {
    const next = { ...parse(location.hash), ...change };
    history[quietly ? "replaceState" : "pushState"](null, "", written(next));
    set(next);
  }, []);
  const here = useMemo(() => ({ batch, state, go }), [batch, state]);
  const Shown = VIEWS[state.view] ?? Overview;
  useEffect(() => { document.title = `${batch.batch}: ${state.view === "plate" ? [state.plate, state.well].filter(Boolean).join(" ") : state.view === "perturbation" ? state.of : state.view}`; }, [batch, state]);
  return (
    <Where.Provider value={here}>
      <a class="skip" href="#explorer-main" onClick={(event) => { event.preventDefault(); document.getElementById("explorer-main")?.focus(); }}>Skip to the content</a>
      <header class="top">
        <h1>{batch.batch}</h1>
        <nav aria-label="Views">{NAMES.map(([view, name]) => (
          <a key={view} href={link(state, view === "plate" && !state.plate ? { view, plate: batch.plates[0]?.plate ?? "" } : { view })} aria-current={state.view === view ? "page" : undefined}>{view === "list" && state.list.length ? `${name} (${state.list.length})` : name}</a>))}
          {batch.report && <a href={address(batch.report)} title="The batch's report: it lies beside this folder once a run of the batch has ended">Report</a>}</nav>
        <Theme />
      </header>
      <Filters />
      <main id="explorer-main" tabIndex={-1}><Shown key={state.view} /></main>
    </Where.Provider>
  );
}

function Theme() {
  const [dark, set] = useState(matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => { document.documentElement.dataset.theme = dark ? "dark" : "light"; }, [dark]);
  useEffect(() => {
    const media = matchMedia("(prefers-color-scheme: dark)");
    const follow = () => set(media.matches);
    media.addEventListener("change", follow);
    return () => media.removeEventListener("change", follow);
  }, []);
  return <button type="button" class="quiet theme" aria-pressed={dark} onClick={() => set(!dark)}>Dark</button>;
}

const root = document.getElementById("explorer");
if (root) {
  loadBatchOnce().then((batch) => { startWith(batch.channels.map((each) => each.name)); root.replaceChildren(); render(<App batch={batch} />, root); })
    .catch((error: unknown) => { root.textContent = `The explorer cannot read its data: ${error instanceof Error ? error.message : String(error)}. Make the folder again: luigi --module tasks Explorer --batch-id BATCH`; });
}

/** The page's own script tag loads batch.js: wait until all of the page is read before asking again. */
function loadBatchOnce(): Promise<Batch> {
  return new Promise<void>((resolve) => (document.readyState === "loading" ? addEventListener("DOMContentLoaded", () => resolve()) : resolve())).then(loadBatch);
}
