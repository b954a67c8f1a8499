"""Facts about published batches, and the generator of the demo batch."""
