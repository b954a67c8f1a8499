// What a well changes: the heat map of all features, and the farthest ones with their sentences.

import { useMemo, useState } from "preact/hooks";
import { ready } from "../data";
import { changes } from "../features";
import { useHere } from "../state";
import { replicates } from "../wells";
import { Pending, Section } from "../parts/bits";
import { ChangeList, HeatMap } from "../parts/changes";
import type { WellProps } from "./well";

export function FeaturesTab({ plate, well, features, texts }: WellProps) {
  const { batch, go } = useHere();
  const [all, together] = useState(false);
  const values = ready(features);
  const same = useMemo(() => replicates(batch, plate, well), [batch, plate, well]);
  const wells = all ? [well, ...same].map((each) => each.well) : [well.well];
  const found = useMemo(() => (values ? changes([{ features: values, wells }], texts) : []), [values, texts, wells.join()]);
  if (!plate.features.length) return <p class="note">The plate has no profiles with features.</p>;
  if (!values) return <Pending of="the features" loaded={features} />;
  return (
    <>
      {same.length > 0 && <p class="row"><span class="choice" role="group" aria-label="Of which wells">
        <button type="button" aria-pressed={!all} onClick={() => together(false)}>this well</button>
        <button type="button" aria-pressed={all} onClick={() => together(true)}>median of {same.length + 1} replicates</button></span></p>}
      <Section title="What changes, at a glance"><HeatMap found={found} /></Section>
      <Section title="Most changed features"><ChangeList found={found} pick={(name) => go({ color: `f:${name}` }, true)} /></Section>
    </>
  );
}
