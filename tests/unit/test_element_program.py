"""What an element lets a program see, and how it ends it with all that the program started."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path

import pytest
from batch_agent.element_job import OF_THE_IMAGE, OF_THE_IMAGE_BY_PREFIX

from tasks.dataset import layout
from tasks.definitions import stages
from tests.unit.element_machine import RUN, Machine, wait_for

KEYS = {"exit_code", "seconds", "timed_out", "where", "id", "out_of_memory", "peak_memory_gb"}
GOOD = "(files / 'a.txt').write_text('made'); (out / 'result.json').write_text('{}')"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_program_that_was_killed_has_the_shells_exit_code(machine: Machine) -> None:
    machine.lay({"j1": machine.job("os.kill(os.getpid(), 9)")})
    machine.run()

    assert machine.end() == {**machine.end(), "exit_code": 137, "timed_out": False}


@pytest.mark.parametrize(("stubborn", "code"), [(False, 124), (True, 137)], ids=["heeds SIGTERM", "must be killed"])
def test_a_program_that_takes_too_long_is_stopped(machine: Machine, stubborn: bool, code: int) -> None:
    program = "import signal; signal.signal(15, signal.SIG_IGN)\n" if stubborn else ""
    machine.lay({"j1": machine.job(program + "print('began', flush=True); time.sleep(100)")}, "0\t2\t/x/shards/j1\n")
    began = time.monotonic()
    machine.run()

    assert time.monotonic() - began < 20
    assert machine.end() == {**machine.end(), "exit_code": code, "timed_out": True}
    assert machine.log(name="stdout.log") == "began\n"


@pytest.mark.parametrize("daemon", [False, True], ids=["in its group", "in a session of its own"])
def test_children_that_a_program_leaves_behind_end_with_it(machine: Machine, daemon: bool) -> None:
    pid = machine.folder / "pid"
    child = f"import subprocess; p = subprocess.Popen(['sleep', '1000'], start_new_session={daemon})\n"
    program = f"{child}open({str(pid)!r}, 'w').write(str(p.pid)); {GOOD}"
    machine.lay({"j1": machine.job(program)})
    began = time.monotonic()
    machine.run()

    assert machine.end()["exit_code"] == 0
    assert not alive(int(pid.read_text()))
    assert time.monotonic() - began < 20


def test_sigterm_ends_the_program_and_puts_the_logs_but_no_end(machine: Machine) -> None:
    pid = machine.folder / "pid"
    program = (
        f"print('began', flush=True)\nwith open({str(pid)!r}, 'w') as f: f.write(str(os.getpid()))\ntime.sleep(100)"
    )
    machine.lay({"j1": machine.job(program), "j2": machine.job(GOOD)})
    process = machine.start()
    wait_for(lambda: pid.exists() and pid.read_text())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)

    assert process.returncode == 143
    assert machine.ended() == []
    assert not alive(int(pid.read_text()))
    assert machine.log(name="stdout.log") == "began\n"


def test_how_far_a_job_is_can_be_seen_while_it_runs(machine: Machine) -> None:
    program = "(out / 'units.jsonl').write_text('one\\n'); (out / 'said').write_text('1 of 2')\n"
    program += f"while not os.path.exists({str(machine.folder / 'go')!r}): time.sleep(0.05)\n"
    program += f"(out / 'units.jsonl').write_text('one\\ntwo\\n'); {GOOD}"
    machine.lay({"j1": machine.job(program)})
    process = machine.start()
    wait_for(lambda: {"units.jsonl", "said"} <= set(machine.keys(f"{RUN}/shards/j1/out/")))
    meanwhile = machine.get(f"{RUN}/shards/j1/out/units.jsonl")
    (machine.folder / "go").touch()
    process.communicate(timeout=60)

    assert meanwhile == b"one\n"
    assert machine.get(f"{RUN}/shards/j1/out/units.jsonl") == b"one\ntwo\n"


def test_a_program_sees_its_variables_and_no_credentials(machine: Machine) -> None:
    machine.variables |= {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
        "JAVA_HOME": "/java",
        "TOKEN": "t",
    }
    program = "import json; json.dump(dict(os.environ), open(files / 'seen.json', 'w'))"
    machine.lay({"j1": machine.job(program), "j2": machine.job(program, passed=["AWS_ACCESS_KEY_ID", "ABSENT"])})
    machine.run()
    seen, passed = (json.loads(machine.made(name)["seen.json"]) for name in ("j1", "j2"))

    assert {"PAINT": "red", "JAVA_HOME": "/java"}.items() <= seen.items()
    assert seen.keys() - {"LC_CTYPE"} == {"PAINT", "HOME", "PATH", "PYTHONPATH", "JAVA_HOME"}
    assert passed.keys() - seen.keys() == {"AWS_ACCESS_KEY_ID"}


@pytest.mark.parametrize("image", stages.stage_images())
def test_every_variable_that_an_image_sets_reaches_the_program(image: str) -> None:
    last = (layout.CONTAINERS / image / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    (block,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", last, re.MULTILINE)
    names = re.findall(r"(\w+)=", block)

    assert "PYTHONPATH" in names
    assert [name for name in names if name not in OF_THE_IMAGE and not name.startswith(OF_THE_IMAGE_BY_PREFIX)] == []


def test_nothing_of_a_job_is_seen_by_the_next(machine: Machine) -> None:
    first = f"{GOOD}; (files / 'deep').mkdir(); (files / 'deep').chmod(0); open('scratch', 'w').write('x')"
    second = "import json; json.dump([os.listdir('.'), os.listdir(out), os.listdir(files)], open(files / 'seen', 'w'))"
    machine.lay({"j1": machine.job(first), "j2": machine.job(second.replace("files / 'seen'", "out / 'result.json'"))})
    machine.run()

    assert json.loads(machine.get(f"{RUN}/shards/j2/out/result.json")) == [[], ["files"], []]
    assert machine.made("j2") == {}


def test_what_was_in_the_temporary_folder_before_stays(machine: Machine) -> None:
    (machine.folder / "tmp").mkdir()
    (machine.folder / "tmp/others").touch()
    machine.lay({"j1": machine.job(GOOD)})
    machine.run()

    assert [path.name for path in (machine.folder / "tmp").iterdir()] == ["others"]


def test_ten_megabytes_on_stderr_are_put(machine: Machine) -> None:
    machine.lay({"j1": machine.job(f"sys.stderr.write('x' * 10**7); {GOOD}")})
    machine.run()

    assert machine.end()["exit_code"] == 0
    assert len(machine.log()) == 10**7


def test_a_program_that_is_not_there_is_named(machine: Machine) -> None:
    machine.lay({"j1": machine.job(GOOD, words=["no-such-program"])})
    machine.run()

    assert machine.end()["exit_code"] == 127
    assert "no-such-program" in machine.log()
