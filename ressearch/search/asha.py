"""Early stopping: the stopping form of asynchronous successive halving, from recorded curves alone."""

import math
from collections.abc import Mapping


class Asha:
    """Stop a trial at a rung unless it is among the best 1 / reduction_factor that reached this rung so far.

    Rungs stand at first_rung * reduction_factor ** k, below the last epoch. The rule knows nothing but values by
    epoch, so a resumed study decides with all that its storage holds, and every backend decides alike.

    Source: Li et al. 2020, arXiv:1810.05934, section 3.
    """

    def __init__(self, first_rung: int, reduction_factor: int, epochs: int) -> None:
        self._reduction_factor = reduction_factor
        self._reached: dict[int, list[float]] = {}
        rung = first_rung
        while rung < epochs:
            self._reached[rung] = []
            rung *= reduction_factor

    @property
    def rungs(self) -> tuple[int, ...]:
        """Epochs at which trials are compared."""
        return tuple(self._reached)

    def record(self, epoch: int, value: float) -> None:
        """Note a value without deciding: an ancestor, or a trial of an earlier session."""
        if epoch in self._reached and math.isfinite(value):
            self._reached[epoch].append(value)

    def restore(self, curve: Mapping[int, float]) -> None:
        """Note the whole curve of a trial of an earlier session."""
        for epoch, value in curve.items():
            self.record(epoch, value)

    def stops(self, epoch: int, value: float) -> bool:
        """Note a value and decide whether its trial ends here; the higher value is the better one."""
        if epoch not in self._reached:
            return False
        self.record(epoch, value)
        values = sorted(self._reached[epoch], reverse=True)
        keep = max(1, len(values) // self._reduction_factor)
        return value < values[keep - 1]


def default_first_rung(epochs: int) -> int:
    """Half of the epochs, where in our measurements no network of the best third stood in the worse half.

    The rank correlations stand in trials/README.md.
    """
    return max(1, math.ceil(epochs / 2))
