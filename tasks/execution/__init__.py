"""The jobs of a run: shards, attempts, retries, and the collection of what they made."""
