"""Luigi's own settings, where a person's luigi.cfg does not name them: luigi.cfg in the clone says why each is so."""

from __future__ import annotations

from luigi import configuration

DEFAULTS = {
    "core": {"local_scheduler": "true", "autoload_range": "false", "no_lock": "true", "log_level": "INFO"},
    "worker": {"check_complete_on_run": "true"},
    "scheduler": {"retry_count": "1"},
    "retcode": {
        "already_running": "10",
        "missing_data": "20",
        "not_run": "25",
        "task_failed": "30",
        "scheduling_error": "35",
        "unhandled_exception": "40",
    },
}
"""Section -> name -> value. Not read from luigi.cfg: in a clone that file is a person's, who may shorten it."""

TASK_FAILED = int(DEFAULTS["retcode"]["task_failed"])
"""The exit code of a command whose run failed, as of Luigi's own."""
SCHEDULERS = ("default_scheduler_url", "default_scheduler_host", "scheduler_url", "scheduler_host")
"""Who names one of these in [core] wants a central scheduler."""


def complete() -> None:
    """Set what is not set: by Luigi's own defaults a failed run exits 0, and waits for a scheduler that nobody runs."""
    given = configuration.get_config()
    central = any(given.has_option("core", name) for name in SCHEDULERS)
    for section, values in DEFAULTS.items():
        for name, value in values.items():
            if not given.has_option(section, name) and not (name == "local_scheduler" and central):
                given.set(section, name, value)
