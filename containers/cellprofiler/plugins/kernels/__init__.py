"""CellProfiler's slow measurements on compiled kernels: the same numbers, without CellProfiler's objects and settings."""
