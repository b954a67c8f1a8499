// A feature's values as dots on one line a group: this well, its replicates, the negative controls.

import { told } from "../colors";

export interface Group { name: string; mark: "own" | "same" | "control"; values: number[] }
const [WIDE, LINE, LEFT, RIGHT] = [520, 22, 150, 12];

export function Strip({ name, sentence, groups }: { name: string; sentence: string; groups: Group[] }) {
  const all = groups.flatMap((group) => group.values).filter(Number.isFinite);
  const [low, high] = [Math.min(-3, ...all), Math.max(3, ...all)];
  const x = (value: number) => LEFT + ((value - low) / (high - low)) * (WIDE - LEFT - RIGHT);
  const high_px = groups.length * LINE + 20;
  const said = groups.map((group) => `${group.name}: ${group.values.filter(Number.isFinite).map((value) => told(value)).slice(0, 8).join(", ") || "none"}`).join("; ");
  return (
    <figure class="strip">
      <figcaption>{sentence} <code>{name}</code></figcaption>
      <svg viewBox={`0 0 ${WIDE} ${high_px}`} role="img" aria-label={said}>
        <line class="zero" x1={x(0)} x2={x(0)} y1="0" y2={high_px - 16} />
        {groups.map((group, row) => (
          <g key={group.name} class={group.mark}>
            <text x="0" y={row * LINE + 15}>{group.name}</text>
            <line class="base" x1={LEFT} x2={WIDE - RIGHT} y1={row * LINE + 11} y2={row * LINE + 11} />
            {group.values.filter(Number.isFinite).map((value, at) => <circle key={at} cx={x(value)} cy={row * LINE + 11} r="5" />)}
          </g>))}
        {[low, 0, high].map((tick) => <text key={tick} class="small" x={x(tick)} y={high_px - 3} text-anchor={tick === low ? "start" : tick === high ? "end" : "middle"}>{tick === 0 ? "controls' median" : told(tick)}</text>)}
      </svg>
    </figure>
  );
}
