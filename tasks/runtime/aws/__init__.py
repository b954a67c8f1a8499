"""AWS Batch as a scheduler of arrays."""
