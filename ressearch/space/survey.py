"""What a space holds: its size, the share that is feasible, why candidates are refused, and what they cost."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from math import inf, sqrt
from random import Random
from statistics import median

from ressearch.arch import InfeasibleError
from ressearch.images import ImageShape
from ressearch.space.domains import Choice, Domain, Value, random_choose
from ressearch.space.limits import Limits
from ressearch.space.parameters import Parameter
from ressearch.space.space import Candidate, Space

MAX_DRAWS = 20_000
"""Points that are drawn in search of networks within the limits."""


@dataclass(frozen=True)
class Row:
    """One parameter; `when` is "" if it always exists, `active` the share of points in which it does."""

    name: str
    domain: str
    when: str
    active: float


@dataclass(frozen=True)
class Share:
    """A share of points; `interval` is the 95 % Wilson interval, None if every point was looked at."""

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Refusal:
    """A rule that refused `count` points, with the message of the first."""

    rule: str
    count: int
    example: str


@dataclass(frozen=True)
class Spread:
    """Least, median and largest value."""

    min: int
    median: float
    max: int


@dataclass(frozen=True)
class Report:
    """What `check` found.

    size: number of points, continuous parameters counted once; continuous: their names.
    samples: points looked at; is_exact: whether these are all of them.
    feasible: share of points that are networks within the limits.
    refusals: rules that refuse points, the most frequent first.
    duplicates: share of feasible points whose network another point has already.
    num_params, num_macs: over the feasible points; None if there are none.
    """

    rows: tuple[Row, ...]
    size: int
    continuous: tuple[str, ...]
    samples: int
    is_exact: bool
    feasible: Share
    refusals: tuple[Refusal, ...]
    duplicates: float
    num_params: Spread | None
    num_macs: Spread | None


def survey(space: Space, shape: ImageShape, *, samples: int = 2000, seed: int = 0) -> Report:
    """Look at `samples` random points, or at every point of a finite space that has no more."""
    is_exact = not space.continuous and space.size <= samples
    points = list(space.enumerate() if is_exact else _drawn(space, Random(seed), samples))
    found: list[Candidate] = []
    refused: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for params in points:
        try:
            found.append(space.candidate(params, shape))
        except InfeasibleError as error:
            refused[error.rule] += 1
            examples.setdefault(error.rule, str(error))
    networks = {candidate.architecture_id for candidate in found}
    return Report(
        rows=tuple(_row(parameter, points) for parameter in space.parameters),
        size=space.size,
        continuous=space.continuous,
        samples=len(points),
        is_exact=is_exact,
        feasible=Share(len(found) / len(points), None if is_exact else wilson(len(found), len(points))),
        refusals=tuple(Refusal(rule, count, examples[rule]) for rule, count in refused.most_common()),
        duplicates=1 - len(networks) / len(found) if found else 0.0,
        num_params=_spread([candidate.cost.num_params for candidate in found]),
        num_macs=_spread([candidate.cost.num_macs for candidate in found]),
    )


def feasible_candidates(space: Space, shape: ImageShape, number: int, rng: Random) -> list[Candidate]:
    """Return random networks within the limits, fewer than asked for if they are rare."""
    tried = (_tried(space, params, shape) for params in _drawn(space, rng, MAX_DRAWS))
    return list(islice((candidate for candidate in tried if candidate), number))


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    z = 1.959964
    share = successes / trials
    centre = share + z * z / (2 * trials)
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


class UnmetLimitError(ValueError):
    """No network of the space was found within its limits.

    Attributes:
        keys: The path of the value that nothing meets, such as ("limits", "num_params", "max").
    """

    def __init__(self, keys: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.keys = keys


def check_limits(space: Space, shape: ImageShape, *, seed: int = 0) -> None:
    """See to it that some network of the space is within its limits.

    Looks at random points and, if all are refused, walks from the best ones towards the limits, one parameter at a
    time; so it may refuse a space whose few networks are hidden well, and the message says how far it came.

    Raises:
        UnmetLimitError: With the limit that nothing was found to meet.
    """
    free, rng = replace(space, limits=Limits()), Random(seed)
    starts = [found for params in _drawn(free, rng, 300) if (found := _tried(free, params, shape))]
    if not starts:
        example = survey(free, shape, samples=300, seed=seed).refusals[0].example
        raise UnmetLimitError(("architecture",), f"none of 300 drawn points is a network; most often: {example}")

    def nearest(distance: Callable[[Candidate], float]) -> Candidate:
        best = sorted(starts, key=distance)[:3]
        return min((_descend(free, shape, start, distance, rng) for start in best), key=distance)

    reached = nearest(lambda candidate: sum(_excesses(space.limits, candidate).values()))
    for name, bound in _excesses(space.limits, reached):
        limit = getattr(getattr(space.limits, name), bound)
        sign, word = (1, "smallest") if bound == "max" else (-1, "largest")
        extreme = _counted(nearest(partial(_signed, name=name, sign=sign)), name)
        told = f"which nothing meets: the {word} {name} found is {extreme:,}"
        if sign * (extreme - limit) <= 0:
            told = f"which nothing meets together with the other limits: nearest found is {_counted(reached, name):,}"
        raise UnmetLimitError(("limits", name, bound), f"got {limit:,}, {told}")


def _counted(candidate: Candidate, name: str) -> int:
    """Return a cost by its name."""
    count: int = getattr(candidate.cost, name)
    return count


def _signed(candidate: Candidate, name: str, sign: int) -> float:
    return sign * _counted(candidate, name)


def _drawn(space: Space, rng: Random, samples: int) -> Iterator[dict[str, Value]]:
    choose = random_choose(rng)
    return (space.draw(choose) for _ in range(samples))


def _tried(space: Space, params: Mapping[str, Value], shape: ImageShape) -> Candidate | None:
    try:
        return space.candidate(params, shape)
    except InfeasibleError:
        return None


def _excesses(limits: Limits, candidate: Candidate) -> dict[tuple[str, str], float]:
    """Return by (cost, bound) how far the violated limits are exceeded, relative to the limit."""
    excesses = {}
    for name in ("num_params", "num_macs"):
        bounds, got = getattr(limits, name), _counted(candidate, name)
        if bounds.max is not None and got > bounds.max:
            excesses[name, "max"] = got / max(bounds.max, 1) - 1
        if bounds.min is not None and got < bounds.min:
            excesses[name, "min"] = 1 - got / bounds.min
    return excesses


def _descend(
    space: Space, shape: ImageShape, start: Candidate, distance: Callable[[Candidate], float], rng: Random
) -> Candidate:
    """Change one parameter at a time as long as that brings a candidate nearer."""
    best, before = start, inf
    while distance(best) < before:
        before = distance(best)
        for parameter in space.parameters:
            for value in _probes(parameter.domain) if parameter.name in best.params else ():
                params = _changed(space, best.params, parameter.name, value, rng)
                candidate = _tried(space, params, shape)
                if candidate is not None and distance(candidate) < distance(best):
                    best = candidate
    return best


def _changed(space: Space, params: Mapping[str, Value], name: str, value: Value, rng: Random) -> dict[str, Value]:
    """Return the point with one parameter changed; those that come into existence by it are drawn."""
    kept = {**params, name: value}
    choose = random_choose(rng)
    return space.draw(lambda name, domain: kept[name] if name in kept else choose(name, domain))


def _probes(domain: Domain) -> tuple[Value, ...]:
    """Return all values of a small domain, about nine spread over a large one."""
    values = domain.values
    if values is None:
        assert not isinstance(domain, Choice)
        return tuple(domain.low + (domain.high - domain.low) * index / 8 for index in range(9))
    return tuple(values) if len(values) <= 16 else (*values[:: len(values) // 8], values[-1])


def _row(parameter: Parameter, points: list[dict[str, Value]]) -> Row:
    active = sum(parameter.name in params for params in points) / len(points)
    return Row(parameter.name, str(parameter.domain), " and ".join(map(str, parameter.when)), active)


def _spread(values: list[int]) -> Spread | None:
    return Spread(min(values), median(values), max(values)) if values else None
