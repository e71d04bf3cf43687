"""Memory of a device that several processes share: the share of each, and whose fault it is when memory runs out."""

import re
from typing import Literal

import torch

CONTEXT_BYTES = 768 * 2**20
"""What CUDA and its libraries are left of a share: they take memory of each process beside torch's own."""

Exhausted = Literal["out_of_memory", "device_full"]
"""Whether a training has asked for more than its share, or others have filled the device."""


def allowance(total: int, share: float) -> int:
    """Bytes that torch may allocate in a process which has a share (0..1) of a device with a total of bytes.

    A share so small that CUDA would take most of it is halved instead.
    """
    return round(max(share * total - CONTEXT_BYTES, share * total / 2))


def blame(*, reserved: int, requested: int, allowed: int) -> Exhausted:
    """Say whose fault it is that a request failed, all in bytes: a training's fate must depend on itself alone.

    Args:
        reserved: What the process holds.
        requested: What it has asked for in addition; 0 if nobody knows, as when a library of CUDA's asked.
        allowed: What it may hold.
    """
    return "out_of_memory" if reserved + requested > allowed else "device_full"


def limit_memory(device: torch.device, share: float) -> None:
    """Keep torch within this process's share of a device; the CPU's memory is not limited."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device.index).total_memory
        torch.cuda.set_per_process_memory_fraction(allowance(total, share) / total, device.index)


def exhausted(error: BaseException, device: torch.device) -> Exhausted | None:
    """Say whether an error of a training on a device means that memory has run out, and whose fault it is.

    CUDA's allocator has an exception of its own; that of the CPU and CUDA's libraries are told by their texts.
    """
    is_hosts = isinstance(error, MemoryError) or "allocate memory" in str(error)
    is_devices = isinstance(error, torch.OutOfMemoryError) or re.search(r"out of memory|ALLOC\w*_FAILED", str(error))
    if not is_hosts and not is_devices:
        return None
    if is_hosts or device.type != "cuda":
        return "out_of_memory"
    total = torch.cuda.get_device_properties(device.index).total_memory
    return blame(
        reserved=torch.cuda.memory_reserved(device.index),
        requested=requested_bytes(str(error)),
        allowed=round(torch.cuda.get_per_process_memory_fraction(device.index) * total),
    )


def requested_bytes(message: str) -> int:
    """Return how much the allocator says it was asked for, at most: it rounds to two digits; 0 if it does not say."""
    found = re.search(r"Tried to allocate ([\d.]+) (bytes|[KMG]iB)", message)
    if found is None:
        return 0
    unit = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[found[2]]
    return round((float(found[1]) + (0.005 if unit > 1 else 0)) * unit)
