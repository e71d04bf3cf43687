import itertools
import math
import pickle
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from ressearch.training.data import Images
from ressearch.training.loop import EpochResult, TrainingError, evaluate, has_fast_bfloat16, train
from ressearch.training.recipe import Recipe

RECIPE = Recipe(epochs=3, batch_size=32, lr=0.1, flip=False)


def small_net(seed: int = 0, dropout: float = 0.0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


def numbers(results: list[EpochResult]) -> list[EpochResult]:
    """Results without the clock."""
    return [replace(result, seconds=0.0) for result in results]


def run(module: nn.Module, images: Images, recipe: Recipe = RECIPE, seed: int = 0) -> list[EpochResult]:
    return list(train(module, images, recipe, seed=seed, device="cpu"))


def fewer(images: Images, count: int) -> Images:
    return replace(images, train_images=images.train_images[:count], train_labels=images.train_labels[:count])


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_losses_are_those_of_plain_pytorch(smoothing: float, digits: Images) -> None:
    """Two epochs of three steps, written out: Nesterov momentum, decay of weights only, warm-up and half a cosine."""
    images = fewer(digits, 100)
    recipe = replace(RECIPE, epochs=2, crop_padding=0, weight_decay=0.01, label_smoothing=smoothing)
    rates = [0.1 * factor for factor in (1 / 3, 2 / 3, 1, *(0.5 + 0.5 * math.cos(math.pi * i / 4) for i in (1, 2, 3)))]
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    weight, bias = (parameter.detach().clone() for parameter in module.parameters())
    speeds = [torch.zeros_like(weight), torch.zeros_like(bias)]
    generator = torch.Generator().manual_seed(4)
    losses = []
    for step, lr in enumerate(rates):
        if step % 3 == 0:
            torch.randint(2**62, (), generator=generator)  # seeds what is random in the module: here, nothing
            order = torch.randperm(100, generator=generator)
        rows = order[32 * (step % 3) :][:32]
        pixels = (images.train_images[rows].float() / 255 - images.mean) / images.std
        weight.requires_grad_(), bias.requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bfloat16("cpu")):
            logits = nn.functional.linear(pixels.flatten(1), weight, bias)
        likelihoods = logits.float().log_softmax(1)
        right = likelihoods[torch.arange(32), images.train_labels[rows]]
        loss = -((1 - smoothing) * right + smoothing * likelihoods.mean(1)).mean()
        gradients = list(torch.autograd.grad(loss, [weight, bias]))
        weight, bias = weight.detach(), bias.detach()
        gradients[0] += 0.01 * weight
        speeds = [0.9 * speed + gradient for speed, gradient in zip(speeds, gradients, strict=True)]
        weight -= lr * (gradients[0] + 0.9 * speeds[0])
        bias -= lr * (gradients[1] + 0.9 * speeds[1])
        losses.append(loss.item())
    results = run(module, images, recipe, seed=4)
    expected = [sum(losses[:3]) / 3, sum(losses[3:]) / 3]
    assert [result.train_loss for result in results] == pytest.approx(expected, rel=1e-4)
    assert torch.allclose(module[1].weight, weight, atol=1e-4)


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_digits_are_learnt(digits: Images, schedule) -> None:
    results = run(small_net(), digits, replace(RECIPE, schedule=schedule, label_smoothing=0.1, cutout=4))
    assert [result.epoch for result in results] == [1, 2, 3]
    assert results[-1].val_accuracy > 0.9
    assert results[-1].train_loss < results[0].train_loss
    assert results[-1].val_loss < results[0].val_loss
    assert results[-1].lr < 0.01
    assert all(result.seconds > 0 for result in results)


def test_same_seed_gives_the_same_numbers(digits: Images) -> None:
    modules = [small_net(dropout=0.3) for _ in range(3)]
    first, second, other = (
        numbers(run(module, fewer(digits, 400), seed=seed)) for module, seed in zip(modules, (1, 1, 2), strict=True)
    )
    assert first == second
    assert first != other
    assert all(torch.equal(a, b) for a, b in zip(modules[0].parameters(), modules[1].parameters(), strict=True))


def test_what_the_caller_draws_between_epochs_changes_nothing(digits: Images) -> None:
    images = fewer(digits, 200)
    undisturbed = numbers(run(small_net(dropout=0.3), images))
    disturbed = []
    for result in train(small_net(dropout=0.3), images, RECIPE, seed=0, device="cpu"):
        disturbed.append(result)
        torch.rand(result.epoch)
    assert numbers(disturbed) == undisturbed


def test_training_leaves_the_callers_randomness_alone(digits: Images) -> None:
    module = small_net(dropout=0.3)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    run(module, digits, replace(RECIPE, epochs=1))
    assert torch.equal(torch.rand(3), expected)


def test_the_caller_stops_training_by_asking_no_further(digits: Images) -> None:
    module = small_net()
    images = fewer(digits, 200)
    (result,) = itertools.islice(train(module, images, RECIPE, seed=0, device="cpu"), 1)
    after_one = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    assert numbers([result]) == numbers(run(small_net(), images))[:1]
    assert all(torch.equal(after_one[name], tensor) for name, tensor in module.state_dict().items())


def test_reported_accuracy_is_that_of_the_module(digits: Images) -> None:
    module = small_net()
    result = run(module, fewer(digits, 200))[-1]
    loss, accuracy = evaluate(module, digits.val_images, digits.val_labels, digits.mean, digits.std, "cpu")
    assert (loss, accuracy) == (result.val_loss, result.val_accuracy)


def test_evaluate_averages_over_all_images() -> None:
    class Brightest(nn.Module):
        """Logits are the two pixels."""

        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1)

    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (1201, 1, 1, 2), dtype=torch.uint8, generator=generator)  # no whole batches
    labels = torch.randint(0, 2, (1201,), generator=generator)
    loss, accuracy = evaluate(Brightest(), images, labels, torch.zeros(1), torch.full((1,), 1 / 255), "cpu")
    logits = images.flatten(1).float()
    assert accuracy == (logits.argmax(1) == labels).sum().item() / 1201
    assert loss == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)


class Counting(nn.Module):
    """Counts the images of each training step."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)
        self.batches: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            self.batches.append(len(images))
        return self.linear(images.flatten(1))


@pytest.mark.parametrize(
    ("count", "batch_size", "batches"), [(100, 32, [32] * 3), (96, 32, [32] * 3), (20, 128, [20]), (20, 20, [20])]
)
def test_the_last_short_batch_is_dropped_but_never_the_only_one(
    digits: Images, count: int, batch_size: int, batches: list[int]
) -> None:
    module = Counting()
    run(module, fewer(digits, count), replace(RECIPE, epochs=2, batch_size=batch_size))
    assert module.batches == 2 * batches


def test_norms_and_biases_do_not_decay(digits: Images) -> None:
    before, module = small_net(), small_net()
    run(module, digits, replace(RECIPE, epochs=1, lr=1e-3, weight_decay=5.0))
    assert (module[1].weight > 0.9).all()  # they start at 1; with decay they would end at about 0.5
    assert module[8].weight.square().mean() < 0.5 * before[8].weight.square().mean()


def test_a_part_that_is_left_out_at_first_is_trained_later(digits: Images) -> None:
    class Late(Counting):
        """The second layer takes part from the third step on, as a branch under stochastic depth may."""

        def __init__(self) -> None:
            super().__init__()
            self.late = nn.Linear(64, 10)

        def forward(self, images: Tensor) -> Tensor:
            logits = super().forward(images)
            return logits + self.late(images.flatten(1)) if len(self.batches) > 2 else logits

    module, images = Late(), fewer(digits, 96)
    before = module.late.weight.detach().clone()
    results = run(module, images, replace(RECIPE, epochs=1))
    assert len(module.batches) == 3
    assert len(results) == 1
    assert not torch.equal(module.late.weight, before)


def test_a_loss_that_is_not_finite_ends_the_training(digits: Images) -> None:
    with pytest.raises(TrainingError, match=r"non_finite: training loss of epoch 1, step \d+ is (nan|inf)") as caught:
        run(nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)), digits, Recipe(lr=1e9))
    assert caught.value.reason == "non_finite"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_validation_loss_that_is_not_finite_ends_the_training(digits: Images) -> None:
    class Fails(Counting):
        def forward(self, images: Tensor) -> Tensor:
            logits = super().forward(images)
            return logits if self.training else logits * torch.nan

    with pytest.raises(TrainingError, match="non_finite: validation loss of epoch 1 is nan"):
        run(Fails(), digits)


def test_running_out_of_memory_ends_the_training(digits: Images) -> None:
    class Huge(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.new_empty(2**55)  # more than any address space: the allocator's own message

    with pytest.raises(TrainingError, match=r"out_of_memory: .*allocate") as caught:
        run(nn.Sequential(Counting(), Huge()), digits)
    assert caught.value.reason == "out_of_memory"


def test_pythons_own_memory_error_ends_the_training(digits: Images) -> None:
    class Fails(Counting):
        def forward(self, _: Tensor) -> Tensor:
            raise MemoryError

    with pytest.raises(TrainingError, match="out_of_memory: the process is out of memory"):
        run(Fails(), digits)


def test_an_error_in_the_module_is_not_hidden(digits: Images) -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        run(nn.Sequential(nn.Flatten(), nn.Linear(63, 10)), digits)
