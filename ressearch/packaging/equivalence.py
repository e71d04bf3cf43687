"""The check of what was written: run with torch alone, it gives the logits of our own network."""

import builtins
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ressearch.arch import Plan
from ressearch.images import ImageShape
from ressearch.model import build, renamed_state

SEED = 0
"""Starts the weights of a network that was not trained."""


Made = TypeVar("Made")


class ExportError(ValueError):
    """The network cannot be written there, or what was written is not the network."""


def network_of(plan: Plan, state: Mapping[str, Tensor] | None) -> nn.Module:
    """Return our own network in evaluation mode, with these weights, or those of the seed if None.

    The weights may have the names of earlier versions.

    Raises:
        ExportError: If the weights belong to another network.
    """
    network = seeded(lambda: build(plan)).eval()  # not on the meta device: its first use takes two seconds
    if state is None:
        return network
    state, expected = renamed_state(state, plan), network.state_dict()
    if missing := sorted(set(expected) ^ set(state)):
        raise ExportError(f"the weights belong to another network: {missing[0]!r} is in one of the two only")
    if wrong := [key for key in expected if expected[key].shape != state[key].shape]:
        shapes = f"{tuple(state[wrong[0]].shape)}, expected {tuple(expected[wrong[0]].shape)}"
        raise ExportError(f"the weights belong to another network: {wrong[0]!r} has the shape {shapes}")
    network.load_state_dict({key: state[key].detach().cpu().contiguous() for key in expected}, assign=True)
    return network


def seeded(make: Callable[[], Made]) -> Made:
    """Make a module or logits from the seed, and leave the caller's generator alone."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        return make()


@contextmanager
def single_threaded() -> Iterator[None]:
    """Compute in one thread: for a few images, on a machine that trains, threads wait for each other longer than that.

    With two threads on two busy cores a ResNet-110 has taken 9 s for what takes one thread 0.1 s.
    """
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)


def executed(source: str) -> Callable[..., nn.Module]:
    """Return `build` of a written module, which may import torch and nothing else.

    Raises:
        ExportError: If it asks for more.
    """
    names: dict[str, Any] = {"__name__": "model", "__builtins__": vars(builtins) | {"__import__": _import_torch}}
    exec(compile(source, "model.py", "exec"), names)  # our own text: users' words are in its docstring only
    made: Callable[..., nn.Module] = names["build"]
    return made


def _import_torch(name: str, *args: Any, **words: Any) -> ModuleType:
    if name.partition(".")[0] != "torch":
        raise ExportError(f"the written module does not run with torch alone: it imports {name}")
    return __import__(name, *args, **words)


def paired(network: nn.Module, written: nn.Module) -> dict[str, Tensor]:
    """Return the weights of our network under the names of the written one.

    Both create their layers in the order of `Plan.layers()`, and a state dict keeps that order: the names are paired
    one by one.
    """
    ours, names = network.state_dict(), written.state_dict()
    assert [tensor.shape for tensor in ours.values()] == [tensor.shape for tensor in names.values()]
    return dict(zip(names, ours.values(), strict=True))


def largest_difference(
    network: nn.Module,
    run: Callable[[Tensor], Tensor],
    shape: ImageShape,
    *,
    batches: Sequence[int],
    tolerance: float,
) -> float:
    """Return the largest difference between the logits of random images, in batches of several sizes.

    What is random in training mode is drawn alike. Where logits exceed 1, as an untrained network's may by far, the
    difference is measured in units of the largest one.

    Raises:
        ExportError: If it exceeds the tolerance, or our logits are no numbers.
    """
    generator = torch.Generator().manual_seed(SEED)
    largest = 0.0
    for batch in batches:
        images = torch.randn((batch, shape.channels, shape.resolution, shape.resolution), generator=generator)
        with torch.no_grad():
            expected = seeded(partial(network, images))
            found = seeded(partial(run, images))
        if not expected.isfinite().all():
            raise ExportError("the network cannot be checked: its own logits are not finite")
        difference = float((found - expected).abs().max() / expected.abs().max().clamp(min=1))
        if not difference <= tolerance:  # NaN is no match either
            raise ExportError(
                f"what was written is not the network: a logit of a batch of {batch} differs by {difference:g}, "
                f"at most {tolerance:g} is allowed"
            )
        largest = max(largest, difference)
    return largest
