"""What the devices that compute the networks may lack, whoever computes them."""

from __future__ import annotations

from stagekit import program


def short_of_memory(crops: int, said: str) -> program.CheckError:
    """Return the error for a device that cannot hold a batch: no site is to blame, so none is tried by itself."""
    message = f"there is too little free memory for {crops} crops at once ({said.strip().splitlines()[0][:200]})"
    remedy = f"set [deep_profile] batch_size to {max(1, crops // 2)}, or let nothing else compute beside it"
    return program.CheckError(f"{message}; {remedy}")
