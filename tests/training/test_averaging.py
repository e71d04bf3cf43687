"""The average of the weights: what it comes to by hand, who sees it, and when."""

from contextlib import suppress
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from ressearch.training.averaging import WeightAverage
from ressearch.training.data import Images
from ressearch.training.loop import Training, TrainingError, evaluate, train
from ressearch.training.recipe import Recipe

RECIPE = Recipe(epochs=3, batch_size=32, ema_decay=0.9)


def linear(value: float) -> nn.Linear:
    module = nn.Linear(1, 1)
    with torch.no_grad():
        module.weight.fill_(value)
    return module


def normed() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10))


@pytest.fixture(scope="module")
def images(digits: Images) -> Images:
    return replace(digits, train_images=digits.train_images[:100], train_labels=digits.train_labels[:100])


def test_the_average_of_three_steps_by_hand() -> None:
    """Decays 1/10, 2/11 and, where 3/12 would follow, the 0.2 that was asked for."""
    module = linear(8.0)
    average = WeightAverage(module, 0.2)
    for num_steps, value in enumerate((10.0, 21.0, 1.0)):
        module.weight.data.fill_(value)
        average.update(num_steps)
    first = 0.1 * 8 + 0.9 * 10
    second = 2 / 11 * first + 9 / 11 * 21
    assert average.tensors["weight"].item() == pytest.approx(0.2 * second + 0.8 * 1, rel=1e-6)
    assert module.weight.item() == 1.0


def test_the_average_is_in_the_module_for_a_while_or_for_good() -> None:
    module = linear(5.0)
    average = WeightAverage(module, 0.5)
    module.weight.data.fill_(7.0)
    with suppress(KeyError), average.in_module(for_good=False):
        assert module.weight.item() == 5.0
        raise KeyError
    assert module.weight.item() == 7.0  # whatever happened meanwhile
    with average.in_module(for_good=True):
        pass
    assert module.weight.item() == 5.0


def test_running_statistics_are_averaged_and_counts_are_not() -> None:
    module = nn.BatchNorm1d(2)
    average = WeightAverage(module, 0.999)
    module(torch.tensor([[0.0, 10.0], [2.0, 10.0]]))
    average.update(0)
    assert set(average.tensors) == {"weight", "bias", "running_mean", "running_var"}
    assert average.tensors["running_mean"].tolist() == pytest.approx([0.9 * 0.1 * 1, 0.9 * 0.1 * 10])
    with average.in_module(for_good=True):
        assert module.num_batches_tracked == 1


def test_without_a_decay_nothing_is_kept() -> None:
    module = linear(5.0)
    average = WeightAverage(module, 0.0)
    assert not average.tensors
    module.weight.data.fill_(7.0)
    average.update(0)
    with average.in_module(for_good=True):
        assert module.weight.item() == 7.0


def judged(module: nn.Module, images: Images) -> tuple[float, float]:
    return evaluate(module, images.val_images, images.val_labels, images.mean, images.std, "cpu")


def test_the_raw_weights_are_trained_and_the_average_is_judged_and_kept(images: Images) -> None:
    plain, averaged = normed(), normed()
    without = train(plain, images, replace(RECIPE, ema_decay=0.0), seed=1, device="cpu")
    for expected, got in zip(without, train(averaged, images, RECIPE, seed=1, device="cpu"), strict=True):
        assert got.train_loss == expected.train_loss  # to the last bit: the average is not trained
        assert got.val_loss != expected.val_loss
        same = all(torch.equal(averaged.state_dict()[name], tensor) for name, tensor in plain.state_dict().items())
        assert same == (got.epoch < RECIPE.epochs)
        assert (judged(averaged, images) == (got.val_loss, got.val_accuracy)) == (got.epoch == RECIPE.epochs)


def test_a_frozen_parameter_stays_as_it_is(images: Images) -> None:
    module = normed()
    module[2].bias.requires_grad_(False)
    before = module[2].bias.clone()
    list(train(module, images, RECIPE, seed=1, device="cpu"))
    assert torch.equal(module[2].bias, before)


def test_a_validation_that_fails_leaves_the_weights_of_the_training(images: Images) -> None:
    class Fails(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = normed()

        def forward(self, batch: Tensor) -> Tensor:
            if not self.training:
                raise MemoryError
            return self.inner(batch)

    module = Fails()
    training = Training(module, images, RECIPE, seed=1, device="cpu")
    with pytest.raises(TrainingError, match="out_of_memory"):
        next(training.epochs())
    assert training.results == ()
    plain = normed()
    next(train(plain, images, replace(RECIPE, ema_decay=0.0), seed=1, device="cpu"))
    assert all(torch.equal(module.inner.state_dict()[name], tensor) for name, tensor in plain.state_dict().items())


def test_a_module_that_is_laid_out_anew_meanwhile_is_still_followed() -> None:
    module = nn.Conv2d(1, 1, 1).double()
    average = WeightAverage(module, 0.5)
    module.float()  # its parameters have other memory now
    module.double()
    module.weight.data.fill_(10.0)
    average.update(0)
    average.update(1)
    assert average.tensors["weight"].item() == pytest.approx(10.0, abs=0.5)
