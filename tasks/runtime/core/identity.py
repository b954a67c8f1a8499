"""Who runs this."""

from __future__ import annotations

import getpass
import os


def user() -> str:
    """Return the name of who runs this; in a container a user may have a number only."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
