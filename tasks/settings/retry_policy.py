"""How often, and with how much more memory and time, a failed job is run again: luigi.cfg's [retries]."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """How far a run goes before it gives up on a job."""

    tries: int = 3
    """How often a job is tried while one thing that it needs from outside (a service, its node) fails."""
    backoff_seconds: float = 10.0
    """How long the second try waits; each further one twice as long."""
    most_memory_gb: float = 0.0
    """Up to where a job is given more memory: what the place has for one job."""
    most_minutes: float = 0.0
    """Up to where a job is given more time."""
