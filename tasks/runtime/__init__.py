"""How and where jobs run: engines on a machine, schedulers of a cluster."""
