"""Points of a space as vectors of numbers, for models that learn from them."""

import math
from collections.abc import Collection, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ressearch.arch import Cost
from ressearch.space.domains import Choice, Domain, Value
from ressearch.space.space import Space

NUM_COSTS = 4
"""Entries that tell what a network costs."""


class Encoding:
    """Turns candidates of one space into vectors of equal length.

    A choice of names has one entry for each, 1 for the chosen one; a number has its place between the lowest and the
    highest, from 0 to 1, in the logarithm under log. A parameter that exists under a condition has one entry more that
    tells whether it does; where it does not, its names are all 0 and its number is 0.5. Then come the logarithms of the
    network's parameters, multiply-adds, activations and searched blocks. Last, where both are searched, comes that of
    the learning rate for one image of a batch, which good recipes of different batch sizes share (Goyal et al. 2017,
    arXiv:1706.02677, section 2.1).

    Attributes:
        measures: Places of the entries of each searched field of the recipe, then of what the network costs, and of the
            learning rate for one image: they measure something, where most others are names.
    """

    def __init__(self, space: Space) -> None:
        self._parameters = space.parameters
        self._depths = {
            parameter.name: space.num_stages if parameter.stage is None else 1
            for parameter in space.parameters
            if parameter.axis == "depth"
        }
        self._encoders = {parameter.name: _encoder(parameter.domain) for parameter in space.parameters}
        self._has_rate = {"lr", "batch_size"} <= set(space.searched_recipe)
        self.measures = tuple(self._found_measures(space.searched_recipe))

    def _found_measures(self, recipe: Collection[str]) -> Iterator[range]:
        place = 0
        for parameter in self._parameters:
            size = bool(parameter.when) + len(self._encoders[parameter.name](None))
            if parameter.axis in recipe:
                yield range(place, place + size)
            place += size
        yield range(place, place + NUM_COSTS)
        if self._has_rate:
            yield range(place + NUM_COSTS, place + NUM_COSTS + 1)

    def vector(self, params: Mapping[str, Value], cost: Cost) -> NDArray[np.float64]:
        """Return the vector, of shape (length,), of a point by its active parameters and what its network costs."""
        entries: list[float] = []
        for parameter in self._parameters:
            value = params.get(parameter.name)
            if parameter.when:
                entries.append(float(value is not None))
            entries.extend(self._encoders[parameter.name](value))
        num_blocks = sum(weight * int(params[name]) for name, weight in self._depths.items() if name in params)
        counted = (cost.num_params, cost.num_macs, cost.num_activations, num_blocks)
        entries.extend(math.log(max(number, 1)) for number in counted)
        if self._has_rate:
            entries.append(math.log(float(params["lr"]) / float(params["batch_size"])))
        return np.array(entries)


class _Names:
    def __init__(self, values: tuple[Value, ...]) -> None:
        self._values = values

    def __call__(self, value: Value | None) -> list[float]:
        return [float(each == value) for each in self._values]


class _Number:
    def __init__(self, low: float, high: float, *, log: bool) -> None:
        self._low, self._high, self._log = low, high, log

    def __call__(self, value: Value | None) -> list[float]:
        if value is None or self._low == self._high:
            return [0.5]
        low, high, place = self._low, self._high, float(value)
        if self._log:
            low, high, place = math.log(low), math.log(high), math.log(place)
        return [(place - low) / (high - low)]


def _encoder(domain: Domain) -> _Names | _Number:
    if not isinstance(domain, Choice):
        return _Number(domain.low, domain.high, log=domain.log)
    numbers = [float(value) for value in domain.values if not isinstance(value, bool | str)]
    if len(numbers) < len(domain.values):
        return _Names(domain.values)
    return _Number(min(numbers), max(numbers), log=False)
