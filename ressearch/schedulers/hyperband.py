"""Hyperband: successive halving in brackets that start with many short trials, or with few long ones."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ressearch.ranking import Point, standings
from ressearch.schedulers.rule import Decision, Rule, SchedulerSettings, check_at_least, is_finite, late_rung


@dataclass(frozen=True, kw_only=True)
class Hyperband(SchedulerSettings):
    """Fill brackets of trials; at each rung a bracket's trials pause until all are there, and the best share goes on.

    A bracket with s rungs starts ceil((s_max + 1) / (s + 1) * eta ** s) trials and judges them first after
    epochs / eta ** s epochs; eta is the reduction factor. When all brackets are full, they are filled anew. With
    several objectives the best are those of the lowest non-dominated rank, within a rank the least crowded, and the
    best one in each objective goes on in any case.

    Source: Li et al. 2018, arXiv:1603.06560, algorithm 1.
    """

    first_rung: int = 1
    """Least number of epochs before a trial is judged."""

    reduction_factor: int = 3
    """Every rung lets the best 1 / reduction_factor pass."""

    def __post_init__(self) -> None:
        check_at_least(self, first_rung=1, reduction_factor=2)

    def misfit(self, num_epochs: int) -> str | None:
        """Return why the first rung does not suit trials of this length."""
        return late_rung(self.first_rung, num_epochs)

    def start(self, num_epochs: int) -> "HyperbandRule":
        """Return the rule."""
        return HyperbandRule(brackets(num_epochs, self.first_rung, self.reduction_factor), self.reduction_factor)


def brackets(num_epochs: int, first_rung: int, reduction_factor: int) -> list[tuple[int, tuple[int, ...]]]:
    """Return (number of trials, epochs of the rungs) of every bracket, the one with the most rungs first."""
    most = 0
    while first_rung * reduction_factor ** (most + 1) <= num_epochs:
        most += 1
    found = []
    for count in range(most, -1, -1):
        num_trials = -(-(most + 1) * reduction_factor**count // (count + 1))  # rounded up, in whole numbers
        rungs = tuple(num_epochs // reduction_factor ** (count - rung) for rung in range(count))
        found.append((num_trials, rungs))
    return found


@dataclass
class _Rung:
    """Trials that must arrive at an epoch, and the points of those that have."""

    epoch: int
    members: set[int] = field(default_factory=set)
    points: dict[int, Point] = field(default_factory=dict)
    is_judged: bool = False

    def note(self, number: int, point: Point) -> None:
        """Note the point of a trial that has arrived; one that is not finite is worse than any other."""
        self.points[number] = point if is_finite(point) else (-math.inf,) * len(point)


@dataclass
class _Bracket:
    """Trials that compete with each other. The rungs' members are those that the rung before let pass."""

    rungs: list[_Rung]
    gone: set[int] = field(default_factory=set)
    """Trials that report no more."""

    def rung_at(self, epoch: int) -> _Rung | None:
        return next((rung for rung in self.rungs if rung.epoch == epoch), None)


class HyperbandRule(Rule):
    """The brackets that are being filled or judged.

    A trial's bracket follows from its number, so that it is the same in every session of a study. A rung that was
    judged for want of anything else to do waits again in the next session.
    """

    def __init__(self, plan: list[tuple[int, tuple[int, ...]]], reduction_factor: int) -> None:
        self._plan = plan
        self._reduction_factor = reduction_factor
        self._brackets: list[_Bracket] = []
        self._bracket_of: list[_Bracket] = []
        self._decided: dict[int, Decision] = {}
        self.pauses_at = frozenset(epoch for _, rungs in plan for epoch in rungs)

    def record(self, number: int, epoch: int, point: Point) -> None:
        """Note a point: a baseline has a place in its bracket, but is not waited for when it leaves."""
        bracket = self._joined(number)
        rung = bracket.rung_at(epoch)
        if rung and not rung.is_judged:
            rung.members.add(number)
            rung.note(number, point)
            self._judge(bracket, rung)

    def decide(self, number: int, epoch: int, point: Point) -> Decision:
        """Pause at a rung, unless this trial is the last one that the rung waits for, or comes after its judgement."""
        rung = self._joined(number).rung_at(epoch)
        if rung is None:
            return Decision.GO
        if rung.is_judged:
            rung.note(number, point)
            return Decision.GO if number in self._best(rung) else Decision.STOP
        self.record(number, epoch, point)
        return self._decided.pop(number, Decision.PAUSE)

    def ended(self, number: int) -> None:
        """Wait no longer for a trial."""
        self._decided.pop(number, None)
        bracket = self._joined(number)
        bracket.gone.add(number)
        for rung in bracket.rungs:
            self._judge(bracket, rung)

    def resumed(self, *, is_idle: bool) -> Mapping[int, Decision]:
        """Return what is decided; when nothing else can be done, rungs are judged with the trials they have."""
        while is_idle and not self._decided and (unjudged := self._unjudged()):
            for bracket, rung in unjudged:
                self._close(bracket, rung)
        decided, self._decided = self._decided, {}
        return decided

    def _joined(self, number: int) -> _Bracket:
        """Return the bracket in which a trial has its place."""
        while len(self._bracket_of) <= number:
            size, epochs = self._plan[len(self._brackets) % len(self._plan)]
            bracket = _Bracket([_Rung(epoch) for epoch in epochs])
            if bracket.rungs:
                bracket.rungs[0].members = set(range(len(self._bracket_of), len(self._bracket_of) + size))
            self._brackets.append(bracket)
            self._bracket_of += [bracket] * size
        return self._bracket_of[number]

    def _unjudged(self) -> list[tuple[_Bracket, _Rung]]:
        """Return the first rung of every bracket that somebody has reached and that is not judged."""
        found = []
        for bracket in self._brackets:
            found += [(bracket, rung) for rung in bracket.rungs if rung.points and not rung.is_judged][:1]
        return found

    def _judge(self, bracket: _Bracket, rung: _Rung) -> None:
        """Close a rung when everybody who can still come has come."""
        awaited = rung.members - bracket.gone - set(rung.points)
        is_reachable = rung is bracket.rungs[0] or bracket.rungs[bracket.rungs.index(rung) - 1].is_judged
        if rung.points and is_reachable and not awaited and not rung.is_judged:
            self._close(bracket, rung)

    def _close(self, bracket: _Bracket, rung: _Rung) -> None:
        """Let the best share of a rung's trials go on; the rung that follows waits for them."""
        rung.is_judged = True
        keep = self._best(rung)
        following = bracket.rungs[bracket.rungs.index(rung) + 1 :]
        ahead = {number for later in following for number in later.points}
        for number in set(rung.points) - bracket.gone - ahead:
            self._decided[number] = Decision.GO if number in keep else Decision.STOP
        if following:
            following[0].members |= keep

    def _best(self, rung: _Rung) -> set[int]:
        """Return the best 1 / reduction_factor of those that reached a rung, the earlier of equals.

        Every extreme of the first front has a place, be it beyond that share: the last rung of a bracket has only one.
        """
        standing = standings(rung.points.values())
        order = sorted(rung.points, key=lambda number: (standing[rung.points[number]], -number), reverse=True)
        extremes = {
            rung.points[number]: number for number in reversed(order) if standing[rung.points[number]].is_extreme
        }
        return {*extremes.values(), *order[: len(order) // self._reduction_factor]}
