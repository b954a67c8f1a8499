// A well in small: the picture of its first site, what it holds, and a link to it.

import type { ComponentChildren } from "preact";
import { loadPlate, ready, useLoaded } from "../data";
import { link, useHere } from "../state";
import { entry, label } from "../wells";
import { SitePicture } from "./composite";

export function Thumbnail({ plate, well, children, outlines = false }: { plate: string; well: string; children?: ComponentChildren; outlines?: boolean }) {
  const { batch, state } = useHere();
  const own = entry(batch, plate);
  const loaded = useLoaded(`plate ${plate}`, own ? () => loadPlate(own) : null);
  const found = ready(loaded)?.wells.find((each) => each.well === well);
  const site = found?.sites[0];
  const named = found ? label(batch, found.metadata) : "";
  return (
    <figure class="thumbnail">
      <a href={link(state, { view: "plate", plate, well, site: "" })} aria-label={`Open ${plate} ${well} ${named}`}>
        {site && own ? <SitePicture folder={own.folder} site={site} name={`${plate} ${well}`} outlines={outlines} /> : <span class="composite nothing"><span class="absent">{loaded === undefined && own ? "…" : "no picture"}</span></span>}
      </a>
      <figcaption><strong>{well}</strong> <span>{plate}</span> <em>{named}</em>{children}</figcaption>
    </figure>
  );
}
