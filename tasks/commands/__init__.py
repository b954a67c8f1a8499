"""One module a command of `python -m tasks`: it reads the flags, calls what does the work, and prints."""
