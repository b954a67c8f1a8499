"""CellProfiler's slow measurements on compiled kernels: its numbers, without its objects and settings."""
