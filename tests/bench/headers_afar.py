"""Measure what load_data asks of S3 where a plate's images lie there, and what fetching them whole would take.

    python tests/bench/headers_afar.py [--copies 4] [--images DIR]

Real TIFFs are laid as wells of a plate on moto, which is Python and no measure of speed: its part of the time is not
told apart. Requests, bytes and the program's CPU seconds are scaled to a plate of 3,456 sites with 8 channels.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "containers")]

from stagekit.afar import Afar  # noqa: E402
from stagekit.transfer import Object  # noqa: E402

from tasks.workflow import pipeline  # noqa: E402
from tests.stages.gallery.fault_proxy import FaultProxy  # noqa: E402
from tests.stages.gallery.service import BELOW, CONTAINERS, S3, new_bucket, served  # noqa: E402
from tests.unit.fakes import lay_table  # noqa: E402

REAL_IMAGES = REPOSITORY / "../shared/data/cpjump1/images"
PLATE_IMAGES = 3_456 * 8


def lay(s3: S3, images: Path, copies: int) -> dict[str, Object]:
    """Lay each image once a well of the rows A, B, ...; return what a listing says of them."""
    found = {}
    for copy in range(copies):
        for path in sorted(images.glob("*.tiff")):
            name = f"r{copy + 1:02d}{path.name[3:]}"
            s3.put(f"Images/{name}", path.read_bytes())
            found[name] = Object(path.stat().st_size, s3.etag(f"Images/{name}"))
    return found


def load_data(folder: Path, url: str, bucket: str, files: dict[str, Object]) -> tuple[float, float]:
    """Run load_data on the images as they lie; return its seconds and CPU seconds."""
    (folder / "files").mkdir(parents=True)
    Afar(f"s3://{bucket}/{BELOW}/Images/", url, "us-east-1", True, files).write(folder / "Images")
    wells = sorted({f"{chr(64 + int(name[1:3]))}{name[4:6]}" for name in files})
    lay_table(folder / "map.txt", "\t", ["well_position", "broad_sample"], [[well, ""] for well in wells])
    flags = {
        "plate": "P", "images": folder / "Images", "platemap": folder / "map.txt", "pattern": pipeline.HARMONY_NAMES,
        "channels": pipeline.CPJUMP1_CHANNELS, "expected_images": "0", "exclude": "", "ignore": "",
        "faulty_sites": "stop", "image_folder": "i", "illumination_folder": "l",
        "write_load_data": folder / "files/load_data.csv",
        "write_load_data_with_illum": folder / "files/with.csv", "write_preflight": folder / "files/preflight.tsv",
        "output": folder,
    }  # fmt: skip
    words = [str(word) for name, value in flags.items() for word in (f"--{name}", value)]
    words += ["--planes", "--z", "", "--time", ""]
    began = time.monotonic()
    program = subprocess.Popen(
        [sys.executable, CONTAINERS / "gallery/load_data.py", *words], env=os.environ | {"PYTHONPATH": str(CONTAINERS)}
    )
    _, status, usage = os.wait4(program.pid, 0)
    if status:
        sys.exit("load_data failed")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--copies", type=int, default=4)
    flags.add_argument("--images", type=Path, default=REAL_IMAGES)
    args = flags.parse_args()
    with served() as port, tempfile.TemporaryDirectory() as folder:
        s3 = new_bucket(port)
        files = lay(s3, args.images, args.copies)
        nothing = dict(list(files.items())[:8])
        direct = f"http://127.0.0.1:{port}"
        start = load_data(Path(folder, "start"), direct, s3.bucket, nothing)
        seconds, cpu = load_data(Path(folder, "direct"), direct, s3.bucket, files)
        proxy = FaultProxy(port)
        load_data(Path(folder, "counted"), proxy.url, s3.bucket, files)
        ranges = [asked.range.removeprefix("bytes=").split("-") for asked in proxy.gets() if asked.range]
        proxy.close()
    asked, came = len(ranges), sum(int(last) - int(first) + 1 for first, last in ranges)
    whole, more = sum(each.bytes for each in files.values()), len(files) - len(nothing)
    scale = PLATE_IMAGES / len(files)
    each_cpu, each_wall = (cpu - start[1]) / more, (seconds - start[0]) / more
    print(f"{len(files)} images, {whole / 1e6:.0f} MB: {asked} requests, {came / 1e6:.2f} MB ({came / whole:.2%})")
    print(f"{seconds:.1f} s, {cpu:.1f} CPU s, of which the start {start[0]:.1f} s and {start[1]:.1f} CPU s")
    print(f"a plate of {PLATE_IMAGES:,} images, {whole * scale / 1e9:.0f} GB: {asked * scale:,.0f} requests,")
    print(f"{came * scale / 1e9:.2f} GB, {start[1] + each_cpu * PLATE_IMAGES:.0f} CPU s, by this server", end=" ")
    print(f"{start[0] + each_wall * PLATE_IMAGES:.0f} s")


if __name__ == "__main__":
    main()
