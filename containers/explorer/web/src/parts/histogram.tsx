// How a feature is distributed over cells: these, and beside them the controls', as steps of shares.

import { told } from "../colors";

const [WIDE, HIGH, BINS] = [520, 130, 30];

export function Histogram({ name, own, others, ownName, othersName }: { name: string; own: number[]; others: number[]; ownName: string; othersName: string }) {
  const all = [...own, ...others];
  if (!own.length) return <p class="note">No cell has a value of {name}.</p>;
  const [low, top] = [Math.min(...all), Math.max(...all)];
  const high = top > low ? top : low + 1;
  const shares = (values: number[]) => {
    const counts = new Array<number>(BINS).fill(0);
    for (const value of values) { const at = Math.min(BINS - 1, Math.floor(((value - low) / (high - low)) * BINS)); counts[at] = (counts[at] ?? 0) + 1; }
    return counts.map((count) => count / Math.max(1, values.length));
  };
  const [mine, theirs] = [shares(own), shares(others)];
  const most = Math.max(...mine, ...theirs, 1e-9);
  const [step, tall] = [WIDE / BINS, HIGH - 30];
  const y = (part: number) => tall - (part / most) * (tall - 8) + 4;
  const outline = theirs.map((part, at) => `L${at * step} ${y(part)} L${(at + 1) * step} ${y(part)}`).join(" ");
  return (
    <figure class="histogram">
      <svg viewBox={`0 0 ${WIDE} ${HIGH}`} role="img" aria-label={`${name}: ${own.length} cells of ${ownName} from ${told(Math.min(...own))} to ${told(Math.max(...own))}`}>
        {mine.map((part, at) => <rect key={at} class="own" x={at * step + 1} width={step - 2} y={y(part)} height={Math.max(0, tall + 4 - y(part))} />)}
        {others.length > 0 && <path class="theirs" d={`M0 ${tall + 4} ${outline} L${WIDE} ${tall + 4}`} />}
        <line class="base" x1="0" x2={WIDE} y1={tall + 4} y2={tall + 4} />
        <text class="small" x="0" y={HIGH - 6}>{told(low)}</text><text class="small" x={WIDE} y={HIGH - 6} text-anchor="end">{told(high)}</text>
      </svg>
      <figcaption><i class="key own-key" />{ownName} ({own.length}){others.length > 0 && <><i class="key theirs-key" />{othersName} ({others.length})</>}</figcaption>
    </figure>
  );
}
