"""What the rows say of themselves, and what a file reads that asks for more."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from ressearch.experiment import Experiment
from ressearch.samplers import SAMPLERS, Nsga2, Sampler, SamplerSettings, Task
from ressearch.space import SpaceError

Made = Callable[..., Experiment]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Humble(SamplerSettings):
    """Can do nothing."""

    handles_continuous: ClassVar[bool] = False
    handles_objectives: ClassVar[bool] = False

    def start(self, task: Task) -> Sampler:
        raise NotImplementedError


PLAIN = "  depth: {int: {low: 1, high: 3}}\n  width: [8, 16]\nrecipe: {epochs: 1}\n"


@pytest.mark.parametrize(
    ("space", "objectives", "reason"),
    [
        ("numeric", 1, "needs a finite space, got continuous lr; give a step or a choice"),
        (PLAIN, 2, "serves one objective, got val_accuracy, seconds"),
        (PLAIN, 1, None),
    ],
)
def test_what_a_row_cannot_do_is_refused_with_the_reason(
    space: str, objectives: int, reason: str | None, made: Made
) -> None:
    assert Humble().misfit(made(space).space, ("val_accuracy", "seconds")[:objectives]) == reason


@pytest.mark.parametrize("name", SAMPLERS)
def test_abilities_are_what_misfit_goes_by(name: str, made: Made) -> None:
    row: Any = SAMPLERS[name]
    numeric, finite = made("numeric").space, made(PLAIN).space
    one = ("val_accuracy",)
    assert row().misfit(finite, one) is None
    assert (row().misfit(numeric, one) is None) is row.handles_continuous
    assert (row().misfit(finite, ("val_accuracy", "seconds")) is None) is row.handles_objectives


@pytest.mark.parametrize(
    ("name", "space", "more", "message"),
    [
        ("grid", "numeric", "", r"space.yaml:9: sampler.name: grid needs a finite space, got continuous lr; .* step"),
    ],
)
def test_a_file_that_asks_for_what_its_sampler_cannot_do_is_refused(
    name: str, space: str, more: str, message: str, made: Made
) -> None:
    with pytest.raises(SpaceError, match=message):
        made(space, name, more=more)


@pytest.mark.parametrize("size", [1, 0, -5])
def test_a_generation_is_two_or_more(size: int) -> None:
    with pytest.raises(ValueError, match=rf"^population_size >= 2 must hold, got {size}$"):
        Nsga2(population_size=size)
