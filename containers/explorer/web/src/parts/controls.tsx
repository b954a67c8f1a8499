// What stands beside the pictures: channels and outlines on and off, brightness a channel.

import { offAtFirst, useHere } from "../state";
import { FULL, lights, lightWords } from "./composite";

export function PictureControls({ outlines = true, raw }: { outlines?: boolean; raw?: Record<string, { low: number; high: number }> }) {
  const { batch, state, go } = useHere();
  const all = lights(state.light);
  const toggle = (name: string) => go({ off: state.off.includes(name) ? state.off.filter((each) => each !== name) : [...state.off, name] }, true);
  const only = (name: string) => go({ off: [...batch.channels.map((each) => each.name).filter((each) => each !== name), ...state.off.filter((each) => each.startsWith("outline "))] }, true);
  const set = (name: string, end: "low" | "high", value: number) => {
    const now = { ...(all.get(name) ?? FULL), [end]: value };
    if (now.low >= now.high) now[end] = end === "low" ? now.high - 1 : now.low + 1;
    all.set(name, now);
    go({ light: lightWords(all) }, true);
  };
  return (
    <fieldset class="picture-controls">
      <legend>Channels</legend>
      {batch.channels.map(({ name, color }) => {
        const light = all.get(name) ?? FULL;
        const scale = raw?.[name];
        const intensity = (value: number) => (scale ? Math.round(scale.low + (value / 255) * (scale.high - scale.low)).toLocaleString("en") : String(value));
        return (
          <div class="channel" key={name}>
            <label><input type="checkbox" checked={!state.off.includes(name)} onChange={() => toggle(name)} data-channel={name} /> <i class="key" style={{ background: color }} />{name}</label>
            <button type="button" class="quiet" onClick={() => only(name)} aria-label={`Show ${name} alone`}>alone</button>
            <span class="ends">
              <input type="range" min="0" max="254" value={light.low} aria-label={`${name}: black`} aria-valuetext={`raw intensity ${intensity(light.low)}`} onInput={(event) => set(name, "low", Number(event.currentTarget.value))} />
              <input type="range" min="1" max="255" value={light.high} aria-label={`${name}: white`} aria-valuetext={`raw intensity ${intensity(light.high)}`} onInput={(event) => set(name, "high", Number(event.currentTarget.value))} />
            </span>
            <small title="raw intensities that are black and white">{intensity(light.low)} – {intensity(light.high)}</small>
          </div>
        );
      })}
      <p class="row">
        {outlines && batch.objects.map((object) => (
          <label key={object}><input type="checkbox" data-outline={object} checked={!state.off.includes(`outline ${object}`)} onChange={() => toggle(`outline ${object}`)} /> <i class={`key ring-key ${object === "cells" ? "cells" : ""}`} />outlines of {object}</label>
        ))}
        <button type="button" class="quiet" disabled={state.off.join("~") === offAtFirst().join("~") && !state.light.length} onClick={() => go({ off: offAtFirst(), light: [] }, true)}>Reset</button>
      </p>
    </fieldset>
  );
}
