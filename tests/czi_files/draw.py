"""Write the CZI files beside this one by Zeiss' own library, where pylibCZIrw 6.1.0, tifffile and zarr are installed.

    PYTHONPATH=.:containers python tests/czi_files/draw.py

A file a well: the library writes no wells into its XML. Scenes are the sites, of 2 channels and 3 planes, with the
pixels of tests/unit/drawn_exports.py. One file is not compressed, the other by zstd with sorted bytes, as ZEN writes
them. No test runs this: the library brings 90 MB, and is needed once.
"""

from __future__ import annotations

from pathlib import Path

from pylibCZIrw import czi

from tests.unit.drawn_exports import SITES, WELLS, image

COMPRESSIONS = ("uncompressed:", "zstd1:ExplicitLevel=3;PreProcess=HiLoByteUnpack")


def main() -> None:
    for well, compression in zip(WELLS, COMPRESSIONS, strict=True):
        path = Path(__file__).with_name(f"P1_{well}.czi")
        with czi.create_czi(str(path), exist_ok=True, compression_options=compression) as file:
            for site in SITES:
                for channel in range(2):
                    for z in range(3):
                        plane = {"C": channel, "Z": z, "T": 0}
                        pixels = image(well, site, channel, z)[..., None]
                        file.write(pixels, plane=plane, scene=site - 1, location=(100 * (site - 1), 0))
            names = {0: "Hoechst", 1: "SYTO 14"}
            file.write_metadata("P1", channel_names=names, scale_x=6.5e-7, scale_y=6.5e-7, scale_z=1e-6)


if __name__ == "__main__":
    main()
