"""An element of AWS Batch runs its jobs, puts what they made and how they ended; against a real S3 server."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.unit.element_machine import RUN, Machine, wait_for

KEYS = {"exit_code", "seconds", "timed_out", "where", "id", "out_of_memory", "peak_memory_gb"}
GOOD = "(files / 'a.txt').write_text('made'); (out / 'result.json').write_text('{}')"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_job_that_ends_well_puts_its_files_logs_and_end(machine: Machine) -> None:
    program = f"print('hello'); print('careful', file=sys.stderr); {GOOD}\n(files / 'sub').mkdir(); "
    program += "(files / 'sub/b c.bin').write_bytes(b''); (out / 'said').write_text('half'); print(os.getcwd())"
    machine.lay({"j1": machine.job(program)})
    done = machine.run()
    end = machine.end()

    assert done.returncode == 0, done.stderr
    assert machine.made() == {"a.txt": b"made", "sub/b c.bin": b""}
    assert machine.digests() == {
        "a.txt": [4, hashlib.sha256(b"made").hexdigest()],
        "sub/b c.bin": [0, hashlib.sha256(b"").hexdigest()],
    }
    assert machine.log(name="stdout.log") == f"hello\n{machine.folder / 'tmp'}\n"
    assert machine.log() == "careful\n"
    assert machine.get(f"{RUN}/shards/j1/out/result.json") == b"{}"
    assert machine.get(f"{RUN}/shards/j1/out/said") == b"half"
    assert end.keys() == KEYS
    assert (end["exit_code"], end["timed_out"], end["out_of_memory"]) == (0, False, False)
    assert end["id"] == "6c7f:0"
    assert end["where"]


def test_an_element_runs_its_own_jobs_in_order_and_none_that_has_an_end(machine: Machine) -> None:
    names = ("j1", "j2", "j3", "j4")
    program = f"open({str(machine.folder / 'order')!r}, 'a').write('NAME '); {GOOD}"
    machine.lay(
        {name: machine.job(program.replace("NAME", name)) for name in names},
        "".join(f"{index}\t60\t/x/shards/{name}\n" for index, name in zip((1, 0, 1, 1), names, strict=True)),
    )
    machine.put(f"{RUN}/arrays/a1/ended/j3", b"{}")
    machine.put(f"{RUN}/arrays/a1/ended/j40", b"{}")  # a longer name that begins like another
    machine.run(index=1)

    assert (machine.folder / "order").read_text().split() == ["j1", "j4"]
    assert machine.ended() == ["j1", "j3", "j4", "j40"]
    assert machine.get(f"{RUN}/arrays/a1/ended/j3") == b"{}"


def test_without_an_index_it_is_the_first_element(machine: Machine) -> None:
    machine.lay({"j1": machine.job(GOOD)})
    machine.variables["AWS_BATCH_JOB_ID"] = ""
    process = machine.start(
        code="import os; os.environ['AWS_BATCH_JOB_ID'] = '6c7f'\nfrom batch_agent import element; element.main()"
    )
    process.communicate(timeout=60)

    assert machine.end()["id"] == "6c7f"


def test_nothing_of_a_cancelled_array_begins(machine: Machine) -> None:
    machine.lay({"j1": machine.job(GOOD)})
    machine.put(f"{RUN}/arrays/a1/cancelled")
    done = machine.run()

    assert done.returncode == 66
    assert machine.ended() == []


def test_an_array_that_is_not_there_is_named(machine: Machine) -> None:
    done = machine.run()

    assert done.returncode == 66
    assert f"{machine.array} is not there" in done.stderr


def test_cancelling_lets_the_running_job_end_and_no_other_begin(machine: Machine) -> None:
    waits = f"open({str(machine.folder / 'began')!r}, 'w')\n"
    waits += f"while not os.path.exists({str(machine.folder / 'go')!r}): time.sleep(0.05)\n"
    machine.lay({"j1": machine.job(waits + GOOD), "j2": machine.job(GOOD)})
    process = machine.start()
    wait_for((machine.folder / "began").exists)
    machine.put(f"{RUN}/arrays/a1/cancelled")
    (machine.folder / "go").touch()
    process.communicate(timeout=60)

    assert process.returncode == 66
    assert machine.ended() == ["j1"]


@pytest.mark.parametrize("code", [1, 65, 70])
def test_a_failed_program_puts_its_log_and_units_but_no_files(machine: Machine, code: int) -> None:
    program = f"{GOOD}; (out / 'units.jsonl').write_text('one'); print('error: why', file=sys.stderr); sys.exit({code})"
    machine.lay({"j1": machine.job(program)})
    done = machine.run()

    assert done.returncode == 0
    assert machine.end()["exit_code"] == code
    assert machine.log() == "error: why\n"
    assert sorted(machine.keys(f"{RUN}/shards/j1/out/")) == ["units.jsonl"]


def test_the_jobs_after_a_failed_one_are_run(machine: Machine) -> None:
    machine.lay({"j1": machine.job("sys.exit(1)"), "j2": machine.job(GOOD)})
    machine.run()

    assert [machine.end(name)["exit_code"] for name in ("j1", "j2")] == [1, 0]


LINKS = {
    "a link to a file": "os.symlink('/etc/hostname', files / 'link')",
    "a link to a folder": "os.symlink('/etc', files / 'link')",
    "a broken link": "os.symlink('/not/there', files / 'link')",
    "a pipe": "os.mkfifo(files / 'link')",
    "the folder itself": "files.rmdir(); os.symlink('/etc', files)",
}


@pytest.mark.parametrize("act", LINKS.values(), ids=LINKS)
def test_what_is_neither_file_nor_folder_is_refused(machine: Machine, act: str) -> None:
    machine.lay({"j1": machine.job(act)})
    machine.run()

    assert machine.end()["exit_code"] == 76
    assert machine.made() == {}
    assert "which is neither a file nor a folder" in machine.log().splitlines()[-1]


@pytest.mark.parametrize("name", ["a\\nb", "a\\udcff"], ids=["line break", "not UTF-8"])
def test_a_file_whose_name_has_no_place_in_s3_is_refused(machine: Machine, name: str) -> None:
    machine.lay({"j1": machine.job(f"open(os.path.join(files, '{name}'), 'w')")})
    machine.run()

    assert machine.end()["exit_code"] == 76
    assert machine.log().splitlines()[-1].startswith("error: the program made a file named 'a")


def test_a_breach_of_the_contract_fails_the_job(machine: Machine) -> None:
    good = "Metadata_Plate,Metadata_Well,Cells_Area\\nP,A01,1\\n"
    write = f"{GOOD}; (files / 'p.csv').write_text('{good}')"
    contract = {"p.csv": "profiles"}
    machine.lay(
        {
            "j1": machine.job(write, contracts=contract),
            "j2": machine.job(write.replace("A01", "hole"), contracts=contract),
            "j3": machine.job(GOOD, contracts=contract),
        }
    )
    machine.run()

    assert [machine.end(name)["exit_code"] for name in ("j1", "j2", "j3")] == [0, 76, 76]
    assert machine.log("j2").splitlines()[-1] == (
        "error: the program exited 0, but p.csv breaks the contract 'profiles': "
        "p.csv: row 2: Metadata_Well is 'hole', not a well like A01; correct it"
    )
    assert "p.csv" in machine.log("j3").splitlines()[-1]
    assert machine.keys(f"{RUN}/shards/j2/out/") == []


def test_a_description_that_nobody_can_read_ends_the_job_with_a_traceback(machine: Machine) -> None:
    machine.lay({"j1": {}})
    machine.run()

    assert machine.end()["exit_code"] == 1
    assert machine.log().startswith("Traceback")


def test_a_job_is_run_again_by_hand_on_the_terminal_and_puts_nothing(machine: Machine) -> None:
    machine.lay({"j1": machine.job(f"print('hello'); {GOOD}; sys.exit(3)")})
    before = machine.keys(RUN)
    done = machine.run("--again", f"s3://{machine.s3.bucket}/{RUN}/shards/j1/")

    assert done.returncode == 3
    assert done.stdout == "hello\n"
    assert machine.keys(RUN) == before
    assert (machine.output / "files/a.txt").read_text() == "made"
