"""How long trials will take: a few steps are timed, the others predicted."""

from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import pytest
import torch
from torch import nn

from ressearch.experiment import Experiment
from ressearch.experiment.loader import parse_experiment
from ressearch.report.pace_lines import pace_lines
from ressearch.search import pacing
from ressearch.search.pacing import Pace, paced
from ressearch.training.data import Images
from ressearch.training.loop import EpochResult
from ressearch.training.recipe import Recipe

SPACE = """
version: 1
data: {name: digits, subset: 400, val_images: 100}
architecture:
  stages: 2
  stem_width: 8
  depth: {int: {low: 1, high: 6}}
  width: [8, {int: {low: 8, high: 40, step: 4}}]
recipe: {epochs: 6, batch_size: 50}
"""


class Pretended:
    """A training whose seconds follow from the weights and the images, and on the first epoch from nothing."""

    def __init__(self, module: nn.Module, images: Images, recipe: Recipe, *, seed: int, device: torch.device) -> None:
        assert (seed, device.type) == (0, "cpu")
        self.weights = sum(weight.numel() for weight in module.parameters())
        self.num_train, self.num_val = len(images.train_images), len(images.val_images)
        assert images.train_images.shape[1:] == (1, 8, 8)
        assert (self.num_train, self.num_val, recipe.epochs) == (200, 50, 2)

    def epochs(self) -> Iterator[EpochResult]:
        for epoch, seconds in ((1, 1e3), (2, 1e-6 * self.weights * (self.num_train + self.num_val))):
            yield EpochResult(epoch=epoch, train_loss=1, val_loss=1, val_accuracy=0.5, lr=1, seconds=seconds)


@pytest.fixture
def experiment() -> Experiment:
    return parse_experiment(SPACE, "space.yaml")


def test_a_scaled_down_epoch_is_timed_and_what_was_not_timed_is_predicted(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "Training", Pretended)
    threads = torch.get_num_threads()
    pace = paced(experiment)
    assert torch.get_num_threads() == threads
    assert pace is not None
    assert pace.num_timed == 12
    assert len(pace.seconds) == 500
    assert list(pace.seconds) == sorted(pace.seconds)
    assert pace.error < 0.25
    # six epochs, each of eight steps where four were timed
    smallest, largest = (
        6 * 2 * 1e-6 * 250 * sum(weight.numel() for weight in network)
        for network in (weights(experiment, 1, 8), weights(experiment, 6, 40))
    )
    assert smallest / 2 < pace.seconds[0] < median(pace.seconds) < pace.seconds[-1] < 2 * largest


def weights(experiment: Experiment, depth: int, width: int) -> list[torch.Tensor]:
    from ressearch.model import build

    names = [parameter.name for parameter in experiment.space.parameters]
    params = {name: depth if "depth" in name else width for name in names}
    return list(build(experiment.candidate(params).plan).parameters())


def test_networks_are_really_trained(experiment: Experiment) -> None:
    pace = paced(experiment)
    assert pace is not None
    assert 0 < pace.seconds[0] <= pace.seconds[-1] < 600


def test_a_space_of_few_networks_is_not_predicted(experiment: Experiment) -> None:
    small = SPACE.replace("{int: {low: 1, high: 6}}", "1").replace("{int: {low: 8, high: 40, step: 4}}", "16")
    assert (
        paced(parse_experiment(small.replace("stem_width: 8", "stem_width: {choice: [8]}"), "space.yaml")) is not None
    )
    nothing = replace(
        experiment,
        space=replace(
            experiment.space,
            limits=parse_experiment(SPACE + "limits: {num_params: {max: 10}}", "space.yaml").space.limits,
        ),
    )
    assert paced(nothing) is None


def test_a_budget_buys_as_many_as_its_time_holds() -> None:
    pace = Pace(seconds=(10.0, 20.0, 30.0), error=0.125, num_timed=12)
    assert pace.trials(1.0) == pytest.approx(180)
    first, second = pace_lines(pace)
    assert first == (
        "a trial trained in full takes 20 s (median; 10 s to 30 s) on one worker that has the machine to itself; "
        "12 networks were timed for a few steps, the others are predicted, with a median error of 12%"
    )
    assert second.startswith("of such trials, --hours 0.25 buys 45, --hours 1 buys 180, --hours 4 buys 720 per worker")
    assert list(pace_lines(None)) == ["too few networks within the limits were found to predict how long a trial takes"]
