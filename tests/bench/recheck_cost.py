"""What it costs to see that a complete batch is complete: 51 plates, every stage, made by a stub.

    python tests/bench/recheck_cost.py [--plates 51] [--images 8]

`--images` is how many files a plate's folder holds; CPJUMP1's hold 27,648.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from unittest import mock


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--plates", type=int, default=51)
    flags.add_argument("--images", type=int, default=8)
    args = flags.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LUIGI_CONFIG_PATH"] = str(Path(folder) / "luigi.cfg")
        (Path(folder) / "luigi.cfg").write_text("[paths]\nroot = root\n[core]\nlocal_scheduler = true\n")
        plates = [f"P{number:03d}" for number in range(args.plates)]
        made = make(plates, args.images)
        before = time.process_time()
        seconds = recheck()
        cpu = time.process_time() - before
    stages = len(made)
    told = f"complete in {seconds:.2f} s ({cpu:.2f} CPU)"
    print(f"{args.plates} plates, {stages} stages, {args.images} images a plate: {told}")


def make(plates: list[str], images: int) -> set[str]:
    """Lay the plates, and make every stage of them by a stub; return the stages."""
    from luigi.task import flatten

    from tasks.results import provenance
    from tasks.runtime.core.job import Job, Outcome
    from tasks.runtime.engines import engines
    from tasks.settings import settings
    from tasks.stage_tasks.stage import Staged
    from tasks.workflow import pipeline
    from tests.unit.fakes import BATCH, FakeEngine, lay_plate, lay_table, write_result

    layout = settings.load().layout
    for plate in plates:
        folder = lay_plate(layout, plate)
        for number in range(images):
            (folder / f"{number}.tiff").write_bytes(b"pixels")
    rows = [[plate, "JUMP_platemap"] for plate in plates]
    lay_table(layout.barcode_platemap(BATCH), ",", ["Assay_Plate_Barcode", "Plate_Map_Name"], rows)
    done: set[str] = set()

    def run(task: object) -> None:
        if task.complete():  # type: ignore[attr-defined]
            return
        for required in flatten(task.requires()):  # type: ignore[attr-defined]
            run(required)
        if isinstance(task, Staged):
            task.set_progress_percentage = task.set_status_message = lambda said: None
            task.run()
            done.add(task.stage)

    def act(job: Job, cancelled: object) -> Outcome:
        for word in (word for word in job.flags if word.startswith("/out/files")):
            path = job.folder / word.removeprefix("/")
            path.write_text("made") if path.suffix else (path / "part").mkdir(parents=True, exist_ok=True)
            (path / "part" / f"{job.folder.name}.txt").write_text("made") if not path.suffix else None
        write_result(job)
        if job.program == "load_data.py":
            write_result(job, site=[f"A{number:02d}-1" for number in range(1, 25)], channel=["DNA"])
        return Outcome(0, 0.0)

    stub = mock.patch.object(engines, "choose", lambda wanted, image: FakeEngine(act))
    unchecked = mock.patch("tasks.execution.collect._check_output", lambda run, name, path, **_: None)
    units = mock.patch("tasks.execution.collect._check_units", lambda run, left_out, done: None)
    with stub, unchecked, units:
        run(pipeline.RunBatch(batch_id=BATCH))
        run(pipeline.Report(batch_id=BATCH))
    provenance.write(layout, BATCH, settings.load().store)
    return done


def recheck() -> float:
    """Return the seconds that a fresh look at the whole batch takes."""
    import luigi
    from luigi.task import flatten

    from tasks.workflow import pipeline
    from tests.unit.fakes import BATCH

    luigi.task_register.Register.clear_instance_cache()
    started = time.monotonic()
    todo, seen = [pipeline.RunBatch(batch_id=BATCH)], set()
    while todo:  # as Luigi's scheduler does: each task is asked, and those that it requires if it is not complete
        task = todo.pop()
        if task in seen:
            continue
        seen.add(task)
        if not task.complete():
            raise SystemExit(f"{task} is not complete")
        todo += flatten(task.requires())
    return time.monotonic() - started


if __name__ == "__main__":
    main()
