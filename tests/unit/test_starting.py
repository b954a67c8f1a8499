"""Importing `tasks` only defines classes; the run starts when its first task is made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

IMPORT = """
import logging, signal, sys
import tasks
from tasks.settings import settings
from tasks.errors import SettingsError

assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
assert sys.excepthook is sys.__excepthook__
assert not logging.getLogger("luigi-interface").filters
assert not logging.getLogger("tasks").handlers
assert settings.load.cache_info().currsize == 0
"""
MAKE_A_TASK = """
try:
    tasks.RunPlate(batch_id="B", plate="P")
except SettingsError:
    sys.exit(7)
"""


def python(folder: Path, luigi_cfg: str, code: str) -> subprocess.CompletedProcess[str]:
    (folder / "luigi.cfg").write_text(luigi_cfg)
    environment = os.environ | {"LUIGI_CONFIG_PATH": str(folder / "luigi.cfg")}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_an_import_reads_no_setting_and_changes_nothing_of_the_process(tmp_path: Path) -> None:
    done = python(tmp_path, "[runtime]\nengin = auto\n", IMPORT)

    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""


def test_the_first_task_raises_what_is_wrong_in_luigi_cfg_where_no_command_line_asks_for_it(tmp_path: Path) -> None:
    done = python(tmp_path, "[runtime]\nengin = auto\n", IMPORT + MAKE_A_TASK)

    assert done.returncode == 7, done.stderr


def test_the_first_task_sets_up_signals_and_logs(tmp_path: Path) -> None:
    check = "assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL\n"
    check += "assert logging.getLogger('luigi-interface').filters and logging.getLogger('tasks').handlers\n"
    done = python(tmp_path, "", IMPORT + MAKE_A_TASK + check)

    assert done.returncode == 0, done.stderr


def test_a_command_ends_with_an_error_and_no_traceback_if_a_setting_is_wrong(tmp_path: Path) -> None:
    code = "import runpy, sys; sys.argv = ['tasks', 'doctor']; runpy.run_module('tasks', run_name='__main__')"
    done = python(tmp_path, "[runtime]\nengin = auto\n", code)

    assert done.returncode == 2
    assert done.stderr.startswith("ERROR: luigi.cfg [runtime]: there is no setting 'engin'")


def test_the_command_luigi_finds_a_bad_value_also_in_a_section_that_luigi_reads_before_it_makes_a_task(
    tmp_path: Path,
) -> None:
    code = "import sys; sys.argv = ['luigi', '--module', 'tasks', 'RunBatch', '--batch-id', 'B']\n"
    code += "from tasks.commands.luigi_command import main; main()"
    done = python(tmp_path, "[retcode]\ntask_failed = x\n", code)

    assert done.returncode == 2
    assert done.stderr.startswith("ERROR: luigi.cfg [retcode] task_failed = x: ")
