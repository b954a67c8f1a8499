// Quality figures of a plate or a well; those of a channel ("blur_DNA") are a table, a column a channel.

import { blank, told } from "../colors";
import { useHere } from "../state";
import type { Row } from "../types";
import { words } from "../wells";

export function Figures({ values, names }: { values: Row; names: string[] }) {
  const { batch } = useHere();
  const known = names.filter((name) => !blank(values[name]));
  const channels = batch.channels.map((each) => each.name).filter((channel) => known.some((name) => name.endsWith(`_${channel}`)));
  const kindOf = (name: string) => channels.filter((channel) => name.endsWith(`_${channel}`)).map((channel) => name.slice(0, -channel.length - 1))[0];
  const kinds = [...new Set(known.map(kindOf).filter((kind) => kind !== undefined))];
  return (
    <>
      <dl class="facts">{known.filter((name) => kindOf(name) === undefined).map((name) => <div key={name}><dt>{words(name)}</dt><dd>{told(values[name])}</dd></div>)}</dl>
      {kinds.length > 0 && <div class="scroll"><table class="figures"><thead><tr><td />{channels.map((name) => <th scope="col" key={name}>{name}</th>)}</tr></thead>
        <tbody>{kinds.map((kind) => <tr key={kind}><th scope="row">{words(kind)}</th>{channels.map((channel) => <td key={channel}>{told(values[`${kind}_${channel}`])}</td>)}</tr>)}</tbody></table></div>}
    </>
  );
}
