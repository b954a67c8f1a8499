"""Start CellProfiler as it is, but for metadata, which stay as they are written."""

import runpy

import _text_metadata

if __name__ == "__main__":
    _text_metadata.install()
    runpy.run_module("cellprofiler", run_name="__main__", alter_sys=True)
