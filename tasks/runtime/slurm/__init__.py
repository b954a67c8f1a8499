"""Slurm as a scheduler of arrays."""
