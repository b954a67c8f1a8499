"""One thin module a verb of `python -m tasks`: `add` describes its flags, `act` does it and returns the exit code."""
