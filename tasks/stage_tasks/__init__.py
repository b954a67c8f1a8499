"""What every stage task is: a stage's definition becomes a run, which is checked and published."""
