// A well beside its replicates and the plate's negative controls: pictures on one scale, features as dots.

import { useMemo } from "preact/hooks";
import { ready, type Features } from "../data";
import { changes, valuesOf } from "../features";
import { useHere } from "../state";
import type { Well } from "../types";
import { controls, replicates } from "../wells";
import { PictureControls } from "../parts/controls";
import { Pending, Section } from "../parts/bits";
import { Strip } from "../parts/strips";
import { Thumbnail } from "../parts/thumbnail";
import type { WellProps } from "./well";

const PICTURES = 6;
const STRIPS = 8;

export function ReplicatesTab({ own, plate, well, features, texts }: WellProps) {
  const { batch } = useHere();
  const same = useMemo(() => replicates(batch, plate, well), [batch, plate, well]);
  const negative = useMemo(() => controls(plate).filter((each) => each !== well && !same.includes(each)), [plate, well, same]);
  const values = ready(features);
  const top = useMemo(() => (values ? changes([{ features: values, wells: [well, ...same].map((each) => each.well) }], texts).slice(0, STRIPS) : []), [values, texts, well, same]);
  const row = (title: string, wells: Well[]) => (
    <div class="beside"><h4>{title}{wells.length > PICTURES && <small> {PICTURES} of {wells.length}</small>}</h4>
      <div class="thumbnails">{wells.slice(0, PICTURES).map((each) => <Thumbnail key={each.well} plate={own.plate} well={each.well} />)}{!wells.length && <p class="note">none on this plate</p>}</div></div>
  );
  return (
    <>
      <Section title="Pictures, on one brightness scale">
        <div class="pictures"><div class="stand">{row("This well", [well])}{row("Replicates", same)}{row("Negative controls", negative)}</div><PictureControls outlines={false} raw={plate.brightness} /></div>
      </Section>
      {plate.features.length > 0 && <Section title="Farthest features of the replicates" note="Each dot is a well; the unit is the standard deviation of the negative controls.">
        {!values ? <Pending of="the features" loaded={features} /> : top.map((each) => <Strip key={each.name} name={each.name} sentence={each.text.sentence} groups={groups(values, each.name)} />)}
      </Section>}
    </>
  );

  function groups(all: Features, name: string) {
    const of = (wells: Well[]) => valuesOf(all, wells.map((each) => each.well), name);
    return [
      { name: "this well", mark: "own" as const, values: of([well]) },
      { name: `replicates (${same.length})`, mark: "same" as const, values: of(same) },
      { name: `controls (${negative.length})`, mark: "control" as const, values: of(negative) },
    ];
  }
}
