"""Points of a space that differ from another one in few parameters, or are mixed from several."""

import math
from collections.abc import Mapping, Sequence
from random import Random

from ressearch.space.domains import Choice, Domain, FloatRange, IntRange, Value, random_choose
from ressearch.space.space import Space

SPREAD, SMALL_SPREAD = 0.2, 0.05
"""Standard deviation of a step in an int or a float range, as a share of the range, in the logarithm under log."""
MAX_TRIES = 100
"""Steps drawn until one leads to another value; after that, another value is drawn uniformly."""


def mutated(space: Space, params: Mapping[str, Value], rng: Random, *, num_steps: int = 1) -> dict[str, Value]:
    """Return a point whose parameters are those of another one, but for some.

    A parameter that exists in the new point only is drawn at random.

    Args:
        space: The space of both.
        params: The active parameters of the other point.
        rng: Where randomness comes from.
        num_steps: Parameters that change, or all that have more than one value if there are fewer.
    """
    domains = {parameter.name: parameter.domain for parameter in space.parameters}
    movable = [name for name in params if domains[name].size != 1]
    moved = set(rng.sample(movable, min(num_steps, len(movable))))
    draw = random_choose(rng)

    def choose(name: str, domain: Domain) -> Value:
        if name not in params:
            return draw(name, domain)
        return another(domain, params[name], rng) if name in moved else params[name]

    return space.draw(choose)


def crossed(space: Space, parents: Sequence[Mapping[str, Value]], rng: Random) -> dict[str, Value]:
    """Return a point whose parameters come from several others, each from one that has it, drawn at random.

    A parameter that exists in the new point only is drawn at random.
    """
    draw = random_choose(rng)

    def choose(name: str, domain: Domain) -> Value:
        values = [parent[name] for parent in parents if name in parent]
        return rng.choice(values) if values else draw(name, domain)

    return space.draw(choose)


def jittered(space: Space, params: Mapping[str, Value], rng: Random) -> dict[str, Value]:
    """Return a point whose continuous parameters are each a small step away from those of another one.

    What a trial has shown of a number holds for the numbers beside it, too: nothing speaks for a copy.
    """

    def choose(name: str, domain: Domain) -> Value:
        value = params[name]
        if isinstance(domain, FloatRange) and domain.step is None:
            moved = _stepped(domain, float(value), rng, SMALL_SPREAD)
            return value if moved is None else moved
        return value

    return space.draw(choose)


def another(domain: Domain, value: Value, rng: Random) -> Value:
    """Return another value of a domain of two or more: any of a choice, a near one of a range."""
    if isinstance(domain, Choice):
        return rng.choice([other for other in domain.values if other != domain.member(value)])
    for _ in range(MAX_TRIES):
        if (moved := _stepped(domain, float(value), rng, SPREAD)) is not None and moved != value:
            return moved
    draw = random_choose(rng)
    while (drawn := draw("", domain)) == value:
        pass
    return drawn


def _stepped(domain: IntRange | FloatRange, value: float, rng: Random, spread: float) -> int | float | None:
    """Return where a normal step leads to, None if that is outside the range."""
    low, high = float(domain.low), float(domain.high)
    if domain.log:
        moved = math.exp(math.log(value) + rng.gauss(0, spread) * math.log(high / low))
    else:
        moved = value + rng.gauss(0, spread) * (high - low)
    if not low <= moved <= high:
        return None
    if domain.step is None:
        return moved
    index = round((moved - low) / domain.step)
    values = domain.values
    assert values is not None
    return values[min(index, len(values) - 1)]
