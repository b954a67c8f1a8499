// A plate as it lies on the bench: a button a well, coloured; arrow keys move, Enter opens.

import { memo } from "preact/compat";
import { useRef } from "preact/hooks";
import { told, type Scale } from "../colors";
import type { Features } from "../data";
import type { Batch, Plate, PlateEntry, Well } from "../types";
import { label, perturbation, valueOf, words, type ColorBy } from "../wells";

export const letters = (row: number): string => (row > 26 ? String.fromCharCode(64 + Math.floor((row - 1) / 26)) : "") + String.fromCharCode(65 + ((row - 1) % 26));

interface Props {
  batch: Batch; entry: PlateEntry; plate: Plate; by: ColorBy; scale: Scale; features: Features | null;
  selected: string; open(well: string): void;
}
const MOVES: Record<string, [number, number]> = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export const PlateMap = memo(function PlateMap({ batch, entry, plate, by, scale, features, selected, open }: Props) {
  const grid = useRef<HTMLDivElement>(null);
  const at = new Map(plate.wells.map((well) => [`${well.row}/${well.column}`, well]));
  const chosen = plate.wells.find((well) => well.well === selected);
  const same = chosen ? perturbation(batch, chosen.metadata) : null;
  const first = chosen ?? plate.wells[0];
  const move = (event: KeyboardEvent) => {
    const now = (event.target as HTMLElement).dataset.at?.split("/").map(Number);
    const step = MOVES[event.key];
    if (!now || (!step && event.key !== "Home" && event.key !== "End")) return;
    event.preventDefault();
    let [row, column] = [now[0] ?? 1, now[1] ?? 1];
    if (!step) column = event.key === "Home" ? 1 : entry.columns;
    do {
      row += step?.[0] ?? 0; column += step?.[1] ?? 0;
      const button = grid.current?.querySelector<HTMLElement>(`[data-at="${row}/${column}"]`);
      if (button) { focusOn(grid.current, button); return; }
    } while (step && row >= 1 && column >= 1 && row <= entry.rows && column <= entry.columns);
  };
  return (
    <div class={`plate-map ${entry.columns > 24 ? "dense" : ""}`} role="grid" ref={grid} onKeyDown={move} style={{ "--columns": String(entry.columns) }}
      aria-label={`Plate ${entry.plate}, coloured by ${words(by.name)}. Arrow keys move, Enter opens a well.`} aria-rowcount={entry.rows} aria-colcount={entry.columns}>
      <div role="row" class="line" aria-hidden="true"><span />{range(entry.columns).map((column) => <span class="axis" key={column}>{column}</span>)}</div>
      {range(entry.rows).map((row) => (
        <div role="row" class="line" key={row}>
          <span class="axis" role="rowheader">{letters(row)}</span>
          {range(entry.columns).map((column) => {
            const well = at.get(`${row}/${column}`);
            return well ? <WellButton key={column} {...{ well, by, scale, features, open }} named={name(well)} selected={well.well === selected}
              reached={well === first} same={same !== null && perturbation(batch, well.metadata) === same} control={plate.controls.includes(well.well)} />
              : <span key={column} role="gridcell" class="no-well" />;
          })}
        </div>
      ))}
    </div>
  );

  function name(well: Well): string {
    return [well.well, label(batch, well.metadata)].filter(Boolean).join(", ");
  }
});

interface WellProps {
  well: Well; by: ColorBy; scale: Scale; features: Features | null; named: string;
  selected: boolean; reached: boolean; same: boolean; control: boolean; open(well: string): void;
}
const WellButton = memo(function WellButton({ well, by, scale, features, named, selected, reached, same, control, open }: WellProps) {
  const value = valueOf(by, well, features);
  const said = `${named}; ${words(by.name)}: ${told(value)}${well.flags.length ? `; ${well.flags.length === 1 ? "a flag" : `${well.flags.length} flags`}` : ""}`;
  const marks = `${control ? " control" : ""}${same ? " same" : ""}${well.flags.length ? " flagged" : ""}`;
  return (
    <button type="button" role="gridcell" class={`well${marks}`} data-at={`${well.row}/${well.column}`} data-well={well.well} aria-selected={selected}
      aria-label={said} title={said} tabIndex={reached ? 0 : -1} style={{ background: scale.color(value) }} onClick={() => open(well.well)} />
  );
});

function focusOn(grid: HTMLElement | null, button: HTMLElement): void {
  for (const each of grid?.querySelectorAll<HTMLElement>('.well[tabindex="0"]') ?? []) each.tabIndex = -1;
  button.tabIndex = 0;
  button.focus();
}
export const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);
