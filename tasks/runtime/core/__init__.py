"""A job, and what all that runs jobs shares: locks, slots, who runs it."""
