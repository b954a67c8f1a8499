// The features that change most, in groups, each with a bar and its sentence; and the heat map of all of them.

import { useMemo, useState } from "preact/hooks";
import { inkOn } from "../colors";
import { grouped, heat, type Change, type Grouping } from "../features";
import { useHere } from "../state";
import { words } from "../wells";
import { Bar, signed, strength } from "./bits";

const FIRST = 24;
const STRONG = 4;
/** Chance alone moves a feature of a well by about this many deviations. */
const NOTABLE = 2;

export function ChangeList({ found, pick }: { found: Change[]; pick?(name: string): void }) {
  const [by, group] = useState<Grouping>("compartment");
  const [more, show] = useState(1);
  const shown = found.slice(0, FIRST * more);
  const most = Math.abs(found[0]?.change ?? 1);
  const notable = found.filter((each) => Math.abs(each.change) >= NOTABLE).length;
  if (!found.length) return <p class="note">No feature has a value here.</p>;
  return (
    <div class="changes">
      <p class="row">
        <span class="choice" role="group" aria-label="Group features by">{(["compartment", "family", "channel"] as const).map((each) => (
          <button type="button" key={each} aria-pressed={by === each} onClick={() => group(each)}>by {each}</button>))}</span>
        <span class="note">{notable.toLocaleString("en")} of {found.length.toLocaleString("en")} features lie {NOTABLE} or more standard deviations from the negative controls; these are the {shown.length} farthest.</span>
      </p>
      {grouped(shown, by).map(([name, group]) => (
        <div class="group" key={name}>
          <h4>{words(name)} <small>{group.length}</small></h4>
          <ol>{group.map((each) => (
            <li key={each.name} data-feature={each.name}>
              <span class="value">{signed(each.change)}</span><Bar change={each.change} most={most} />
              <span class="said">{each.text.sentence}<code>{each.name}</code></span>
              {pick && <button type="button" class="quiet" onClick={() => pick(each.name)} aria-label={`Colour the plate by ${each.name}`}>colour plate</button>}
            </li>))}</ol>
        </div>
      ))}
      {shown.length < found.length && <button type="button" class="quiet" onClick={() => show(more * 2)}>Show {Math.min(shown.length, found.length - shown.length)} more</button>}
    </div>
  );
}

/** Compartment and family x channel; the colour is the median size of the changes. */
export function HeatMap({ found }: { found: Change[] }) {
  const { batch } = useHere();
  const drawn = useMemo(() => heat(found, batch.channels.map((each) => each.name)), [found, batch]);
  const most = Math.max(STRONG, ...drawn.rows.flatMap((_, row) => drawn.columns.map((__, column) => drawn.cell(row, column)?.median ?? 0)));
  if (!drawn.rows.length) return null;
  return (
    <div class="scroll">
      <table class="heat">
        <caption>How far features lie from the negative controls: the median of each group, in standard deviations, whichever direction</caption>
        <thead><tr><th scope="col">compartment</th><th scope="col">family</th>{drawn.columns.map((name) => <th scope="col" key={name}>{name}</th>)}</tr></thead>
        <tbody>{drawn.rows.map(([compartment, family], row) => (
          <tr key={row}>
            {drawn.rows[row - 1]?.[0] !== compartment && <th scope="rowgroup" rowSpan={drawn.rows.filter(([other]) => other === compartment).length}>{compartment}</th>}
            <th scope="row">{family}</th>
            {drawn.columns.map((name, column) => {
              const cell = drawn.cell(row, column);
              if (!cell) return <td key={name} class="none" />;
              const color = strength(cell.median, most);
              return <td key={name} style={{ background: color, color: inkOn(color) }} title={`${cell.count} features; the farthest: ${cell.strongest.name} ${signed(cell.strongest.change)}`}>{cell.median.toFixed(1)}</td>;
            })}
          </tr>))}</tbody>
      </table>
    </div>
  );
}
