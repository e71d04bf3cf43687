"""What holds for every scheduler, stated from outside: no law looks at how a rule decides."""

import dataclasses
import math
import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ressearch.ranking import Point
from ressearch.schedulers import SCHEDULERS, Decision, Rule, SchedulerSettings

NUM_EPOCHS = 9
BRACKET = 8
"""Trials that are compared with each other in every row: Hyperband's first bracket has as many places, or more."""
ROWS: dict[str, SchedulerSettings] = {
    **{name: row() for name, row in SCHEDULERS.items()},
    "asha early": SCHEDULERS["asha"](first_rung=1, reduction_factor=3),  # type: ignore[call-arg]
    "calibrated": SCHEDULERS["calibrated"](num_full=4, least_correlation=-1.0),  # type: ignore[call-arg]
    "hyperband of halves": SCHEDULERS["hyperband"](first_rung=1, reduction_factor=2),  # type: ignore[call-arg]
    "median at once": SCHEDULERS["median"](first_epoch=1, min_trials=1),  # type: ignore[call-arg]
}
every_row = pytest.mark.parametrize("settings", ROWS.values(), ids=ROWS)
Accuracy = Callable[[int, int], float | Point]
"""What a trial reports after an epoch: one value, or one for each of several objectives."""


class Driver:
    """Trains as a search does: several trials at a time, in whatever order their epochs end.

    Attributes:
        ends: How every trial ended: complete, stopped or failed.
        curves: The points that every trial reported.
    """

    def __init__(self, rule: Rule, accuracy: Accuracy, rng: random.Random, workers: int = 1) -> None:
        self.rule, self.accuracy, self.rng, self.workers = rule, accuracy, rng, workers
        self.ends: dict[int, str] = {}
        self.curves: dict[int, list[Point]] = {}
        self.running: list[int] = []
        self.paused: set[int] = set()
        self.said: list[tuple[int, int, Decision]] = []

    def train(self, numbers: Iterable[int], failing: Iterable[int] = ()) -> None:
        """Train trials until nothing is left that can be done without waiting in vain."""
        waiting, failing = list(numbers), set(failing)
        while True:
            self.settle(is_idle=False)
            while waiting and len(self.running) < self.workers:
                self.running.append(waiting.pop(0))
            if not self.running:
                return
            number = self.rng.choice(self.running)
            if number in failing and self.rng.random() < 0.3:
                self.end(number, "failed")
            else:
                self.epoch(number)

    def finish(self) -> None:
        """Train on until nothing is paused either; every idle call must bring some trial on, or the next one must."""
        vain = 0
        while self.paused:
            vain = 0 if self.settle(is_idle=True) else vain + 1
            assert vain < 2 * NUM_EPOCHS, f"{sorted(self.paused)} are left paused for ever"
            self.train(())

    def epoch(self, number: int) -> None:
        curve = self.curves.setdefault(number, [])
        value = self.accuracy(number, len(curve) + 1)
        curve.append(value if isinstance(value, tuple) else (value,))
        if len(curve) == NUM_EPOCHS:
            self.rule.record(number, NUM_EPOCHS, curve[-1])
            self.end(number, "complete")
            return
        decision = self.rule.decide(number, len(curve), curve[-1])
        self.said.append((number, len(curve), decision))
        if decision is Decision.STOP:
            self.end(number, "stopped")
        elif decision is Decision.PAUSE:
            assert len(curve) in self.rule.pauses_at, "nobody saved a checkpoint here"
            self.running.remove(number)
            self.paused.add(number)

    def settle(self, *, is_idle: bool) -> int:
        decided = dict(self.rule.resumed(is_idle=is_idle))
        assert decided.keys() <= self.paused, "decided on a trial that is not paused"
        for number, decision in decided.items():
            self.said.append((number, len(self.curves[number]), decision))
            self.paused.discard(number)
            self.running.append(number)
            if decision is Decision.STOP:
                self.end(number, "stopped")
            else:
                assert decision is Decision.GO
        return len(decided)

    def end(self, number: int, how: str) -> None:
        self.running.remove(number)
        self.ends[number] = how
        self.rule.ended(number)


def drawn(seed: int) -> Callable[[int, int], float]:
    """Return values that are all different, and the same whenever they are asked for."""
    return lambda number, epoch: random.Random(f"{seed} {number} {epoch}").random()


def drawn_points(seed: int, num_objectives: int) -> Callable[[int, int], Point]:
    """Return points of which the first value changes with the epoch, as accuracy does, and the others do not."""
    return lambda number, epoch: (
        random.Random(f"{seed} {number} {epoch}").random(),
        *(random.Random(f"{seed} {number} objective {index}").random() for index in range(1, num_objectives)),
    )


def replayed(settings: SchedulerSettings, driver: Driver) -> Rule:
    """Return a fresh rule that has seen what a driver saw, as a study that is carried on makes it."""
    rule = settings.start(NUM_EPOCHS)
    for number, curve in sorted(driver.curves.items()):
        for epoch, point in enumerate(curve, start=1):
            rule.record(number, epoch, point)
        if number in driver.ends:
            rule.ended(number)
    return rule


@every_row
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, -3.0])
def test_a_trial_with_nobody_to_compare_with_is_not_stopped(settings: SchedulerSettings, value: float) -> None:
    driver = Driver(settings.start(NUM_EPOCHS), lambda *_: value, random.Random(0))
    driver.train([0])
    driver.finish()
    assert driver.ends == {0: "complete"}


@every_row
@given(seed=st.integers(0, 1000), workers=st.integers(1, 5), num_trials=st.integers(1, 30), best=st.integers(0, 29))
def test_the_best_at_every_epoch_is_trained_to_the_end(
    settings: SchedulerSettings, seed: int, workers: int, num_trials: int, best: int
) -> None:
    best, others = min(best, num_trials - 1), drawn(seed)

    def accuracy(number: int, epoch: int) -> float:
        return 1.0 + epoch if number == best else others(number, epoch)

    driver = Driver(settings.start(NUM_EPOCHS), accuracy, random.Random(seed), workers)
    driver.train(range(num_trials))
    driver.finish()
    assert driver.ends[best] == "complete"


@every_row
@given(
    seed=st.integers(0, 1000),
    workers=st.integers(1, 5),
    num_trials=st.integers(1, 30),
    best=st.integers(0, 29),
    num_objectives=st.integers(2, 4),
    data=st.data(),
)
def test_the_best_in_one_of_several_objectives_is_trained_to_the_end(
    settings: SchedulerSettings,
    seed: int,
    workers: int,
    num_trials: int,
    best: int,
    num_objectives: int,
    data: st.DataObject,
) -> None:
    """The smallest network, say, however inaccurate it is."""
    best, index, others = min(best, num_trials - 1), data.draw(st.integers(0, num_objectives - 1)), drawn_points

    def point(number: int, epoch: int) -> Point:
        values = list(others(seed, num_objectives)(number, epoch))
        if number == best:
            values = [-1.0] * num_objectives
            values[index] = 1.0 + epoch
        return tuple(values)

    driver = Driver(settings.start(NUM_EPOCHS), point, random.Random(seed), workers)
    driver.train(range(num_trials))
    driver.finish()
    assert driver.ends[best] == "complete"


@every_row
@given(seed=st.integers(0, 1000), num_objectives=st.integers(2, 4))
def test_what_many_others_dominate_is_stopped(settings: SchedulerSettings, seed: int, num_objectives: int) -> None:
    others = drawn_points(seed, num_objectives)

    def point(number: int, epoch: int) -> Point:
        return (-1.0,) * num_objectives if number == BRACKET - 1 else others(number, epoch)

    driver = Driver(settings.start(NUM_EPOCHS), point, random.Random(seed))
    driver.train(range(BRACKET))
    driver.finish()
    assert driver.ends[BRACKET - 1] == ("stopped" if settings.stops else "complete")


@every_row
@given(
    seed=st.integers(0, 1000),
    num_before=st.integers(0, BRACKET),
    num_after=st.integers(1, 12),
    num_objectives=st.integers(2, 4),
)
def test_with_several_objectives_a_study_that_is_carried_on_gets_the_same_decisions(
    settings: SchedulerSettings, seed: int, num_before: int, num_after: int, num_objectives: int
) -> None:
    points = drawn_points(seed, num_objectives)
    first = Driver(settings.start(NUM_EPOCHS), points, random.Random(seed))
    first.train(range(num_before))
    second = Driver(replayed(settings, first), points, random.Random(seed))
    second.paused, second.ends = set(first.paused), dict(first.ends)
    second.curves = {number: list(curve) for number, curve in first.curves.items()}
    first.said.clear()
    for driver in (first, second):
        driver.rng.seed(seed)
        driver.train(range(num_before, num_before + num_after))
        driver.finish()
    assert second.said == first.said


@pytest.mark.parametrize("name", ["asha", "asha early", "hyperband", "hyperband of halves", "none"])
@given(seed=st.integers(0, 1000), workers=st.integers(1, 5), num_trials=st.integers(1, 30))
def test_an_objective_that_says_the_same_or_nothing_changes_no_decision(
    name: str, seed: int, workers: int, num_trials: int
) -> None:
    values, said = drawn(seed), []
    accuracies: list[Accuracy] = [
        values,
        lambda number, epoch: (values(number, epoch),) * 2,
        lambda number, epoch: (values(number, epoch), 7.0),
    ]
    for accuracy in accuracies:
        driver = Driver(ROWS[name].start(NUM_EPOCHS), accuracy, random.Random(seed), workers)
        driver.train(range(num_trials))
        driver.finish()
        said.append(driver.said)
    assert said == [said[0]] * 3


@every_row
@given(
    seed=st.integers(0, 1000),
    workers=st.integers(1, 5),
    num_trials=st.integers(1, 40),
    failing=st.sets(st.integers(0, 39)),
)
def test_every_trial_ends_whatever_fails_and_in_whatever_order(
    settings: SchedulerSettings, seed: int, workers: int, num_trials: int, failing: set[int]
) -> None:
    driver = Driver(settings.start(NUM_EPOCHS), drawn(seed), random.Random(seed), workers)
    driver.train(range(num_trials), failing)
    driver.finish()
    assert driver.ends.keys() == set(range(num_trials))
    assert {number for number, end in driver.ends.items() if end == "failed"} <= failing


@every_row
@given(
    seed=st.integers(0, 1000),
    workers=st.integers(1, 5),
    strange=st.dictionaries(
        st.integers(0, 19), st.sampled_from([math.nan, math.inf, -math.inf]), min_size=1, max_size=20
    ),
)
def test_values_that_are_not_finite_never_raise(
    settings: SchedulerSettings, seed: int, workers: int, strange: dict[int, float]
) -> None:
    finite = drawn(seed)
    driver = Driver(
        settings.start(NUM_EPOCHS),
        lambda number, epoch: strange.get(number, finite(number, epoch)),
        random.Random(seed),
        workers,
    )
    driver.train(range(20))
    driver.finish()
    assert driver.ends.keys() == set(range(20))


@every_row
@given(seed=st.integers(0, 1000), value=st.sampled_from([math.nan, math.inf, -math.inf]))
def test_a_value_that_is_not_finite_never_wins(settings: SchedulerSettings, seed: int, value: float) -> None:
    finite = drawn(seed)

    def accuracy(number: int, epoch: int) -> float:
        return value if number == BRACKET - 1 else finite(number, epoch)

    driver = Driver(settings.start(NUM_EPOCHS), accuracy, random.Random(seed))
    driver.train(range(BRACKET))
    driver.finish()
    assert driver.ends[BRACKET - 1] == ("stopped" if settings.stops else "complete")


@every_row
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_and_comes_late_does_not_win(settings: SchedulerSettings, value: float) -> None:
    driver = Driver(
        settings.start(NUM_EPOCHS), lambda number, _: value if number == 7 else 0.1 * number, random.Random(0)
    )
    driver.train(range(7))
    driver.finish()
    driver.train([7])
    driver.finish()
    assert driver.ends[7] == ("stopped" if settings.stops else "complete")
    assert driver.ends[6] == "complete"


@every_row
@given(seed=st.integers(0, 1000), num_before=st.integers(0, BRACKET), num_after=st.integers(1, 12))
def test_a_study_that_is_carried_on_gets_the_same_decisions(
    settings: SchedulerSettings, seed: int, num_before: int, num_after: int
) -> None:
    first = Driver(settings.start(NUM_EPOCHS), drawn(seed), random.Random(seed))
    first.train(range(num_before))
    second = Driver(replayed(settings, first), drawn(seed), random.Random(seed))
    second.paused, second.ends = set(first.paused), dict(first.ends)
    second.curves = {number: list(curve) for number, curve in first.curves.items()}
    first.said.clear()
    for driver in (first, second):
        driver.rng.seed(seed)
        driver.train(range(num_before, num_before + num_after))
        driver.finish()
    assert second.said == first.said
    assert second.ends == first.ends


@every_row
@given(
    seed=st.integers(0, 1000),
    workers=st.integers(1, 5),
    num_before=st.integers(1, 30),
    num_after=st.integers(0, 12),
    lost=st.sets(st.integers(0, 29)),
)
def test_a_study_that_is_carried_on_leaves_nothing_paused_for_ever(
    settings: SchedulerSettings, seed: int, workers: int, num_before: int, num_after: int, lost: set[int]
) -> None:
    best, others = seed % num_before, drawn(seed)

    def accuracy(number: int, epoch: int) -> float:
        return 1.0 + epoch if number == best else others(number, epoch)

    first = Driver(settings.start(NUM_EPOCHS), accuracy, random.Random(seed), workers)
    first.train(range(num_before), lost - {best})
    for number in [number for number, end in first.ends.items() if end == "failed"]:
        first.curves.pop(number, None)  # the driver was lost: the next session has their candidates trained anew
    second = Driver(replayed(settings, first), accuracy, random.Random(seed), workers)
    second.paused, second.ends, second.curves = first.paused, first.ends, first.curves
    second.train(range(num_before, num_before + num_after))
    second.finish()
    assert second.ends.keys() == set(range(num_before + num_after))
    assert second.ends[best] == "complete"


@every_row
@given(seed=st.integers(0, 1000), num_trials=st.integers(1, 20))
def test_a_baseline_is_recorded_and_never_waited_for(settings: SchedulerSettings, seed: int, num_trials: int) -> None:
    rule = settings.start(NUM_EPOCHS)
    for epoch in range(1, NUM_EPOCHS):
        rule.record(0, epoch, (0.5,))
    rule.ended(0)
    assert 0 not in rule.resumed(is_idle=False)
    driver = Driver(rule, drawn(seed), random.Random(seed))
    driver.train(range(1, num_trials + 1))
    driver.finish()  # asserts that nothing is decided on the baseline
    assert driver.ends.keys() == set(range(1, num_trials + 1))


@every_row
def test_a_good_baseline_counts_as_a_competitor(settings: SchedulerSettings) -> None:
    rule = settings.start(NUM_EPOCHS)
    for number in range(7):
        for epoch in range(1, NUM_EPOCHS + 1):
            rule.record(number, epoch, (0.9,))
        rule.ended(number)
    driver = Driver(rule, lambda *_: 0.1, random.Random(0))
    driver.train([7])
    driver.finish()
    assert driver.ends[7] == ("stopped" if settings.stops else "complete")


@every_row
def test_nothing_is_paused_where_no_checkpoint_is_said_to_be_needed(settings: SchedulerSettings) -> None:
    rule = settings.start(NUM_EPOCHS)
    driver = Driver(rule, drawn(0), random.Random(0), workers=3)
    driver.train(range(30))
    driver.finish()
    paused_at = {epoch for _, epoch, decision in driver.said if decision is Decision.PAUSE}
    assert paused_at <= rule.pauses_at
    assert bool(paused_at) == bool(rule.pauses_at)
    assert all(1 <= epoch < NUM_EPOCHS for epoch in rule.pauses_at)


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (row, spec.name)
        for row in SCHEDULERS.values()
        for spec in dataclasses.fields(row)  # type: ignore[arg-type]
        if spec.type is not float
    ],
)
@pytest.mark.parametrize("value", [0, -1])
def test_an_option_out_of_range_is_named(row: Callable[..., Any], name: str, value: int) -> None:
    with pytest.raises(ValueError, match=rf"^{name} >= \d+ must hold, got {value}$"):
        row(**{name: value})


@every_row
@pytest.mark.parametrize("num_epochs", [1, 2, 3, 50])
def test_a_row_that_says_it_fits_works_with_trials_of_this_length(settings: SchedulerSettings, num_epochs: int) -> None:
    if settings.misfit(num_epochs) is None:
        rule = settings.start(num_epochs)
        assert all(rule.decide(0, epoch, (0.5,)) is not Decision.STOP for epoch in range(1, num_epochs))


@pytest.mark.parametrize("name", ["asha", "hyperband"])
def test_a_first_rung_beyond_the_last_epoch_does_not_fit(name: str) -> None:
    settings: Any = SCHEDULERS[name](first_rung=7)  # type: ignore[call-arg]
    assert settings.misfit(6) == "first_rung <= epochs must hold, got first_rung 7 and epochs 6"
    assert settings.misfit(7) is None


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_row_fits_trials_of_any_length_without_options(name: str) -> None:
    assert [SCHEDULERS[name]().misfit(num_epochs) for num_epochs in (1, 2, 100)] == [None] * 3
