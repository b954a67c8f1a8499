"""Import libraries once, then fork for every program that is asked for: python warm_server.py LIBRARY...

It is run by the interpreter of an image's environment. It reads a JSON object a line (`words`, `environment`, `folder`,
`stdout`, `stderr`) and answers with an exit code a line. A program that starts another one with the same interpreter
has that forked too. A fork begins as a program does: its own arguments, variables, folder, streams, random numbers and
handlers of signals, and without the modules of the program before it.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

STREAMS = ("stdin", "stdout", "stderr")
ORDINARY = {signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
CWD, ENVIRONMENT, ENDS = 4, 5, slice(9, 15)
"""Where `subprocess` gives these to the function that starts a process, after its words."""
PATH = [folder for folder in sys.path[1:] if folder not in os.environ.get("PYTHONPATH", "").split(os.pathsep)]
"""What a program finds modules in, after its own folder and those of PYTHONPATH."""


class Forked(subprocess.Popen):  # type: ignore[type-arg]
    """A process: a program of this interpreter is forked, with what is imported here; any other is started."""

    def _execute_child(self, args: Any, *rest: Any) -> None:
        words = [os.fspath(word) for word in args] if isinstance(args, (list, tuple)) else []
        if not (len(words) > 1 and words[0] == sys.executable and words[1].endswith(".py")):
            super()._execute_child(args, *rest)  # type: ignore[misc]
            return
        environment = dict(os.environ if rest[ENVIRONMENT] is None else rest[ENVIRONMENT])
        stdin, _, _, stdout, _, stderr = rest[ENDS]
        self.pid = fork(words[1:], environment, rest[CWD] or str(Path.cwd()), (stdin, stdout, stderr))
        self._child_created = True
        self._close_pipe_fds(*rest[ENDS])  # type: ignore[attr-defined]


def fork(words: Sequence[str], environment: Mapping[str, str], folder: str, ends: Sequence[int]) -> int:
    """Run a program, its path first, in a fork with these ends of its streams (-1: those of here); return its pid."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            _become(words, environment, folder, ends)
            code = _run(words[0])
        except BaseException:
            traceback.print_exc()
            code = 1
        os._exit(code)
    return child


def _become(words: Sequence[str], environment: Mapping[str, str], folder: str, ends: Sequence[int]) -> None:
    for number, end in enumerate(ends):
        if end >= 0:
            os.dup2(end, number)
    for number in _open_files() - OPEN:
        os.close(number)
    for number, name in enumerate(STREAMS):
        setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", buffering=1, closefd=False))
    for number, handler in ORDINARY.items():
        signal.signal(number, handler)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = list(words)
    given = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:] = [str(Path(words[0]).parent), *given, *PATH]
    tempfile.tempdir = None
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    for name in [name for name in sys.modules if name not in IMPORTED and _is_ours(sys.modules[name])]:
        del sys.modules[name]


def _open_files() -> set[int]:
    """Return the numbers of the open files, without that of the folder that is listed."""
    return {int(path.name) for path in list(Path("/proc/self/fd").iterdir()) if path.exists()}


def _is_ours(module: object) -> bool:
    """Say whether a module is no library: what a program before this one imported is none of its concern."""
    known = vars(module) if isinstance(module, ModuleType) else {}
    path = known.get("__file__") or next(iter(known.get("__path__", ())), LIBRARIES[0])
    return not str(path).startswith(LIBRARIES)


def _run(program: str) -> int:
    """Run a program as `__main__`; return its exit code."""
    code: object = 0
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if not isinstance(code, (int, type(None))):
        print(code, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return int(code or 0)


def _serve(line: str) -> int:
    asked = json.loads(line)
    ends = [os.open(os.devnull, os.O_RDONLY)]
    ends += [os.open(asked[name], os.O_WRONLY | os.O_CREAT, 0o600) for name in STREAMS[1:]]
    child = fork(asked["words"], asked["environment"], asked["folder"], ends)
    for end in ends:
        os.close(end)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.path[:] = PATH
    for library in sys.argv[1:]:
        importlib.import_module(library)
    prefixes = (sys.prefix, sys.base_prefix)
    LIBRARIES = (*prefixes, *(str(Path(prefix).resolve()) for prefix in prefixes))
    IMPORTED = frozenset(sys.modules)
    OPEN = {0, 1, 2} | _open_files()
    subprocess.Popen = Forked  # type: ignore[misc]
    print("ready", flush=True)
    for asked_for in sys.stdin:
        print(_serve(asked_for), flush=True)
