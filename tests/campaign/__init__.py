"""Random kills over a batch: nothing lost, nothing half published, the same bytes as an undisturbed run."""
