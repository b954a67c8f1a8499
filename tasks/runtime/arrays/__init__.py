"""How many jobs are run: side by side on this machine, or as arrays of a scheduler."""
