"""Whose fault it is that memory runs out. No GPU is needed: what CUDA says of one is given."""

from types import SimpleNamespace

import pytest
import torch

from ressearch.training.device_memory import (
    CONTEXT_BYTES,
    allowance,
    blame,
    exhausted,
    limit_memory,
    requested_bytes,
)

GIB = 2**30
GPU = torch.device("cuda")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A GPU of 40 GiB: what this process holds of it, and the fraction that torch was given."""
    state = SimpleNamespace(reserved=0, fraction=1.0)
    properties = SimpleNamespace(total_memory=40 * GIB)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: state.reserved)
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda _: state.fraction)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda fraction, _: setattr(state, "fraction", fraction)
    )
    return state


def out_of_memory(asked: str) -> torch.OutOfMemoryError:
    """The allocator's own words."""
    return torch.OutOfMemoryError(
        f"CUDA out of memory. Tried to allocate {asked}. GPU 0 has a total capacity of 40.00 GiB of which 1.06 GiB is "
        "free. Process 7 has 30.12 GiB memory in use. Including non-PyTorch memory, this process has 8.50 GiB memory "
        "in use. 19.25 GiB allowed; Of the allocated memory 7.03 GiB is allocated by PyTorch, and 90.00 MiB is "
        "reserved by PyTorch but unallocated."
    )


@pytest.mark.parametrize("total", [4 * GIB, 40 * GIB])
@pytest.mark.parametrize("sharers", [1, 2, 3, 8, 100])
def test_shares_leave_room_for_cuda_and_never_exceed_the_device(total: int, sharers: int) -> None:
    allowed = allowance(total, 1 / sharers)
    assert total / sharers / 2 - 1 <= allowed < total / sharers
    if total / sharers > 2 * CONTEXT_BYTES:
        assert sharers * (allowed + CONTEXT_BYTES) == pytest.approx(total)


@pytest.mark.parametrize(
    ("reserved", "requested", "reason"),
    [
        (0, 51, "out_of_memory"),  # more than its share, whatever the others hold
        (30, 21, "out_of_memory"),
        (50, 1, "out_of_memory"),
        (30, 20, "device_full"),  # within its share: others hold the rest
        (0, 1, "device_full"),
        (50, 0, "device_full"),
    ],
)
def test_who_stays_within_its_share_is_not_to_blame(reserved: int, requested: int, reason: str) -> None:
    assert blame(reserved=reserved, requested=requested, allowed=50) == reason


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("512 bytes", 512, 512),
        ("2.50 KiB", 2560, 2570),
        ("20.00 MiB", 20 * 2**20, 20.01 * 2**20),
        ("1.50 GiB", 1.5 * GIB, 1.51 * GIB),
    ],
)
def test_what_was_asked_for_is_read_from_the_message(asked: str, least: float, most: float) -> None:
    assert least <= requested_bytes(str(out_of_memory(asked))) <= most


def test_a_trial_gets_its_share_of_the_device(gpu: SimpleNamespace) -> None:
    limit_memory(GPU, 0.25)
    assert gpu.fraction * 40 * GIB == pytest.approx(10 * GIB - CONTEXT_BYTES)
    limit_memory(torch.device("cpu"), 0.5)
    assert gpu.fraction * 40 * GIB == pytest.approx(10 * GIB - CONTEXT_BYTES)


@pytest.mark.parametrize(
    ("reserved", "asked", "reason"),
    [
        (18 * GIB, "2.00 GiB", "out_of_memory"),
        (8 * GIB, "2.00 GiB", "device_full"),
        (0, "20.00 MiB", "device_full"),
        (20 * GIB - CONTEXT_BYTES, "512 bytes", "out_of_memory"),
    ],
)
def test_two_that_share_a_device_are_blamed_for_themselves_alone(
    gpu: SimpleNamespace, reserved: int, asked: str, reason: str
) -> None:
    limit_memory(GPU, 0.5)
    gpu.reserved = reserved
    assert exhausted(out_of_memory(asked), GPU) == reason


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    ],
)
def test_errors_of_cudas_libraries_are_known(gpu: SimpleNamespace, text: str) -> None:
    """They ask for memory beside torch's: a process within its share has not caused them."""
    limit_memory(GPU, 0.5)
    assert exhausted(RuntimeError(text), GPU) == "device_full"
    gpu.reserved = 30 * GIB
    assert exhausted(RuntimeError(text), GPU) == "out_of_memory"


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_hosts_memory_is_nobodys_share(device: str) -> None:
    """Without a look at CUDA, which this machine may not have."""
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")):
        assert exhausted(error, torch.device(device)) == "out_of_memory"
    for error in (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), RuntimeError(), ValueError("no")):
        assert exhausted(error, torch.device(device)) is None
