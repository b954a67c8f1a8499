"""Let LoadData keep metadata as they are written: a plate that is called 00042 is not plate 42.

CellProfiler takes a column for numbers if every value of it reads as one: 1E5 becomes 100000.0, and 2023_05_12 becomes
20230512. It then looks for files of other names, and takes the sites 1 and 01 for one group. Here a text is a number
only if that number is written as the text is, so what does not change is typed as before.
"""

from __future__ import annotations

import math
from typing import Any

# Not cellprofiler_core.modules: it takes up its plugins when it is imported, before CellProfiler says where they are.
from cellprofiler_core.constants.measurement import COLTYPE_FLOAT, COLTYPE_INTEGER, COLTYPE_VARCHAR
from cellprofiler_core.utilities.core.modules import load_data

NUMBERS = {COLTYPE_INTEGER: int, COLTYPE_FLOAT: float}


def install() -> None:
    """Let CellProfiler's LoadData type the texts of its table so."""
    stock = load_data.get_loaddata_type

    def get_loaddata_type(text: Any) -> str:
        kind = stock(text)
        return kind if kind not in NUMBERS or _is_written_so(NUMBERS[kind](text), text) else COLTYPE_VARCHAR

    load_data.get_loaddata_type = get_loaddata_type


def _is_written_so(number: float, text: Any) -> bool:
    return math.isfinite(number) and str(number) == str(text)
