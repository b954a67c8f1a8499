"""Start CellProfiler with its measurements of objects held in memory until they are exported, and Java not yet started.

Metadata stay as they are written, as with _start_stock.py.

CellProfiler takes every other file of this folder for a module; a name that starts with an underscore it leaves alone.
"""

import runpy

import _java
import _measurement_store
import _text_metadata

if __name__ == "__main__":
    _measurement_store.install()
    _java.install()
    _text_metadata.install()
    runpy.run_module("cellprofiler", run_name="__main__", alter_sys=True)
