// A site in its channels with its outlines, as large as wanted.

import { useState } from "preact/hooks";
import { useHere } from "../state";
import type { Site } from "../types";
import { PictureControls } from "../parts/controls";
import { SitePicture } from "../parts/composite";
import type { WellProps } from "./well";

const SIZES: [string, number | null][] = [["fit", null], ["1 : 1", 1], ["2 : 1", 2], ["4 : 1", 4]];

export function PicturesTab({ own, plate, well }: WellProps) {
  const { state, go } = useHere();
  const [times, enlarge] = useState<number | null>(null);
  const site = well.sites.find((each) => String(each.site) === state.site) ?? well.sites[0];
  if (!site) return <p class="note">There is no picture of this well.</p>;
  return (
    <div class="pictures">
      <div class="stand">
        <p class="row">
          {well.sites.length > 1 && <span class="choice" role="group" aria-label="Site">{well.sites.map((each) => <button type="button" key={each.site} aria-pressed={each === site} onClick={() => go({ site: String(each.site) }, true)}>site {each.site}</button>)}</span>}
          <span class="choice" role="group" aria-label="Size">{SIZES.map(([name, each]) => <button type="button" key={name} aria-pressed={times === each} onClick={() => enlarge(each)}>{name}</button>)}</span>
        </p>
        <div class="viewport" tabIndex={0} role="region" aria-label="Picture of the site; scrolls where it is enlarged">
          <div class={times ? "pixels" : "fit"} style={times ? { width: `${site.width * times}px` } : { "--ratio": String(site.width / site.height) }}>
            <SitePicture folder={own.folder} site={site} name={`${own.plate} ${well.well}, site ${site.site}`} />
          </div>
        </div>
        <ScaleBar site={site} times={times} />
      </div>
      <PictureControls raw={plate.brightness} />
    </div>
  );
}

/** A bar of a round number of micrometres, as long as it is in the picture. */
function ScaleBar({ site, times }: { site: Site; times: number | null }) {
  const { batch } = useHere();
  if (!batch.pixel_um) return <p class="note">{site.width} × {site.height} pixels</p>;
  const wide_um = site.width * batch.pixel_um;
  const round_um = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].filter((each) => each <= wide_um / 4).pop() ?? 1;
  const length = times ? `${(round_um / batch.pixel_um) * times}px` : `calc(min(100%, 68vh * ${site.width / site.height}) * ${round_um / wide_um})`;
  return <p class="note scale"><i style={{ width: length }} />{round_um} µm; {site.width} × {site.height} pixels</p>;
}
