"""Luigi's own settings, where a person's luigi.cfg does not name them: those of the toolkit's luigi.cfg."""

from __future__ import annotations

import configparser

from luigi import configuration

from tasks.dataset import layout

SECTIONS = ("core", "worker", "scheduler", "retcode")
SCHEDULERS = ("default_scheduler_url", "default_scheduler_host", "scheduler_url", "scheduler_host")
"""Who names one of these in [core] wants a central scheduler."""


def complete() -> None:
    """Set what is not set: by Luigi's own defaults a failed run exits 0, and waits for a scheduler that nobody runs."""
    ours = configparser.ConfigParser(interpolation=None)
    ours.read(layout.REPOSITORY / "luigi.cfg", encoding="utf-8")
    given = configuration.get_config()
    central = any(given.has_option("core", name) for name in SCHEDULERS)
    for section in SECTIONS:
        for name, value in ours.items(section):
            if not given.has_option(section, name) and not (name == "local_scheduler" and central):
                given.set(section, name, value)
