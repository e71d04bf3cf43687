"""The exponential moving average of a module's weights."""

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of a module's parameters and floating-point buffers, updated after every step.

    After n steps the decay is min(decay, (1 + n) / (10 + n)), so that the average soon forgets where it started. With
    decay 0 there is no average: nothing is kept, and the module is left alone.

    Source: Tarvainen & Valpola 2017, arXiv:1703.01780, section 3; the rise of the decay is that of TensorFlow's
    `ExponentialMovingAverage`.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self._current = _floating_point(module) if decay else {}
        self._average = _copies(self._current)

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The averages by name: the tensors in use, not copies."""
        return self._average

    @torch.no_grad()
    def update(self, num_steps: int) -> None:
        """Take the weights in; `num_steps` steps were taken in before."""
        if self._average:
            decay = min(self._decay, (1 + num_steps) / (10 + num_steps))
            torch._foreach_lerp_([*self._average.values()], [*self._current.values()], 1 - decay)

    @contextlib.contextmanager
    def in_module(self, *, for_good: bool) -> Iterator[None]:
        """Put the average into the module, and put the weights back at the end unless it is there for good."""
        weights = {} if for_good else _copies(self._current)
        _copy(self._current, self._average)
        try:
            yield
        finally:
            _copy(self._current, weights)


def _floating_point(module: nn.Module) -> dict[str, Tensor]:
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point()}


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


@torch.no_grad()
def _copy(into: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    if values:
        torch._foreach_copy_([*into.values()], [*values.values()])
