// Thousands of profiles as points, drawn by WebGL: pan, zoom, hover, click, lasso.

import createScatterplot from "regl-scatterplot";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Scale } from "../colors";
import { NONE } from "../colors";
import type { ProfileMap } from "../data";
import type { Value } from "../types";

interface Props {
  map: ProfileMap; values: (Value | undefined)[]; scale: Scale; lasso: boolean; selected: number[]; marked: number | null;
  hover(point: number | null): void; open(point: number): void; choose(points: number[]): void;
}
type Plot = ReturnType<typeof createScatterplot>;

/** Return the coordinates between -1 and 1 of a frame's height, one scale for both; `slim` is its width by its height, 1 at most. */
export function fitted(map: ProfileMap, slim: number): { x: number[]; y: number[] } {
  const ends = (values: Float32Array) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)] as [number, number], [Infinity, -Infinity] as [number, number]);
  const [[left, right], [bottom, top]] = [ends(map.x), ends(map.y)];
  const half = Math.max(right - left, top - bottom, 1e-9) / 2 / 0.95 / slim;
  const place = (values: Float32Array, low: number, high: number) => Array.from(values, (value) => (value - (low + high) / 2) / half);
  return { x: place(map.x, left, right), y: place(map.y, bottom, top) };
}

export function webgl(): boolean {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("webgl");
  const able = !!context?.getExtension("OES_texture_float");
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return able;
}

export function Scatter({ map, values, scale, lasso, selected, marked, hover, open, choose }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [plot, made] = useState<Plot | null>(null);
  const chosen = useRef(selected);
  chosen.current = selected;
  const calls = useRef({ hover, open, choose, lasso });
  calls.current = { hover, open, choose, lasso };
  useEffect(() => {
    if (!canvas.current) return;
    const own = createScatterplot({
      canvas: canvas.current, pointSize: map.well.length > 4000 ? 4 : map.well.length > 200 ? 8 : 14, opacity: map.well.length > 4000 ? 0.75 : 0.9,
      pointSizeSelected: 3, pointOutlineWidth: 2, lassoColor: "#d55e00", pointColorHover: "#d55e00", deselectOnEscape: false, deselectOnDblClick: false,
    });
    own.subscribe("pointOver", (point) => calls.current.hover(point));
    own.subscribe("pointOut", () => calls.current.hover(null));
    own.subscribe("select", ({ points }) => (calls.current.lasso || points.length > 1 ? calls.current.choose(points) : points[0] !== undefined && calls.current.open(points[0])));
    own.subscribe("deselect", () => { if (chosen.current.length) own.select(chosen.current, { preventEvent: true }); });
    made(own);
    return () => own.destroy();
  }, [map]);
  useEffect(() => {
    if (!plot) return;
    const palette = colorsOf(scale);
    plot.set({ colorBy: "valueA", pointColor: palette as never, pointColorActive: palette as never, backgroundColor: ground(canvas.current) });
    const place = fitted(map, Math.min(1, (canvas.current?.clientWidth || 1) / (canvas.current?.clientHeight || 1)));
    let here = true;
    plot.draw({ ...place, valueA: values.map((value) => codeOf(value, scale, palette)) }, { zDataType: "categorical" })
      .then(() => {
        if (!here) return;
        plot.select(chosen.current, { preventEvent: true });
        canvas.current?.setAttribute("data-drawn", `${map.well.length}`);
      }).catch(() => undefined);
    return () => { here = false; };
  }, [plot, map, values, scale]);
  useEffect(() => { plot?.set({ mouseMode: lasso ? "lasso" : "panZoom" }); }, [plot, lasso]);
  useEffect(() => { if (plot?.get("isPointsDrawn")) plot.select(selected, { preventEvent: true }); }, [plot, selected.join()]);
  useEffect(() => { if (plot?.get("isPointsDrawn") && marked !== null) plot.hover(marked, { preventEvent: true }); }, [plot, marked]);
  return <canvas ref={canvas} class="scatter" role="img" aria-label={`Map of ${map.well.length} profiles. The table of wells beside it can be used by the keyboard.`} />;
}

const STEPS = 64;
const colorsOf = (scale: Scale): string[] =>
  scale.kind === "number" ? [...Array.from({ length: STEPS }, (_, at) => scale.color(scale.low + (at / (STEPS - 1)) * (scale.high - scale.low))), NONE]
    : [...new Set(scale.names.map((each) => each.color)), NONE];

function codeOf(value: Value | undefined, scale: Scale, palette: string[]): number {
  const color = scale.color(value);
  if (scale.kind === "name" || color === NONE) return palette.indexOf(color);
  return Math.round(Math.min(1, Math.max(0, (Number(value) - scale.low) / (scale.high - scale.low))) * (STEPS - 1));
}

const ground = (canvas: HTMLElement | null): string => (canvas && getComputedStyle(canvas).getPropertyValue("--paper-hex").trim()) || "#ffffff";
