"""What the devices that compute the networks may lack, whoever computes them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, Type

from stagekit import program


@contextmanager
def enough_memory(crops: int, exhausted: Type[Exception]) -> Iterator[None]:
    """Let batches of so many crops be computed; CheckError if the device cannot hold one, as a library's error says.

    No site is to blame, so none is tried by itself.
    """
    try:
        yield
    except exhausted as error:
        said = str(error).strip().splitlines()[0][:200]
        message = f"there is too little free memory for {crops} crops at once ({said})"
        remedy = f"set [deep_profile] batch_size to {max(1, crops // 2)}, or let nothing else compute beside it"
        raise program.CheckError(f"{message}; {remedy}") from error
