"""Train a module on images, one result per epoch; save it between two epochs and restore it in any process."""

import contextlib
import functools
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ressearch.training.augment import augment, normalise, scaled
from ressearch.training.averaging import WeightAverage
from ressearch.training.checkpoint import read_checkpoint, write_checkpoint
from ressearch.training.data import ImageRows, Images
from ressearch.training.device_memory import exhausted
from ressearch.training.optimizer import optimizer_of
from ressearch.training.recipe import Recipe
from ressearch.training.schedule import lr_at

EVALUATION_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """What one epoch came to."""

    epoch: int
    """1 for the first."""

    train_loss: float
    """Mean over the epoch's steps, on augmented images, with label smoothing."""

    val_loss: float
    """Mean cross-entropy over all validation images."""

    val_accuracy: float
    """Share of the validation images that are classified correctly, 0..1."""

    lr: float
    """Learning rate of the epoch's last step."""

    seconds: float
    """Wall-clock time of this epoch, validation included."""


class TrainingError(Exception):
    """A training that cannot go on.

    `reason` is `non_finite`, `out_of_memory`, or `device_full` where other processes have filled the device.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)  # both, so that it survives pickling
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason}: {self.args[1]}"


def train(
    module: nn.Module, images: Images, recipe: Recipe, *, seed: int, device: torch.device | str
) -> Iterator[EpochResult]:
    """Train a module in place; the caller stops it by asking for no further epoch.

    The same module, images, recipe and seed give the same numbers on the same device. `Training` does the same for a
    caller who wants to pause.

    Args:
        module: Maps float (N, C, H, W) to logits (N, classes). It is moved to the device, channels last.
        images: On that device.
        recipe: How to train.
        seed: Order of images, augmentation, and whatever is random inside the module.
        device: Where to train.

    Raises:
        TrainingError: If a loss is not finite, or memory runs out.
    """
    yield from Training(module, images, recipe, seed=seed, device=device).epochs()


class Training:
    """A training that can be saved between two epochs and restored in any process.

        training = Training(module, images, recipe, seed=seed, device=device)
        if path.exists():
            training.restore(path)
        for result in training.epochs():
            if wants_to_pause(result):
                training.save(path)
                break

    On the CPU, a restored training gives bit for bit the numbers of one that was never paused. The arguments are those
    of `train`.

    Raises:
        TrainingError: If memory runs out.
    """

    def __init__(
        self, module: nn.Module, images: Images, recipe: Recipe, *, seed: int, device: torch.device | str
    ) -> None:
        self._results: tuple[EpochResult, ...] = ()
        self._module, self._images, self._recipe = module, images, recipe
        self._device = torch.device(device)
        with memory_watched(self._device):
            module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._optimizer = optimizer_of(module, recipe)
            self._average = WeightAverage(module, recipe.ema_decay)
            self._generator = torch.Generator(device).manual_seed(seed)

    @property
    def results(self) -> tuple[EpochResult, ...]:
        """What the epochs that are over came to, those before a restoration included."""
        return self._results

    @property
    def epochs_done(self) -> int:
        """Epochs that are over."""
        return len(self._results)

    def epochs(self) -> Iterator[EpochResult]:
        """Train the epochs that are left, one for each result asked for.

        With an average of the weights, results are the average's, and the module holds it after the last epoch.

        Raises:
            TrainingError: If a loss is not finite, or memory runs out.
        """
        while self.epochs_done < self._recipe.epochs:
            with memory_watched(self._device):
                result = self._next_epoch()
            self._results += (result,)
            yield result

    def save(self, path: Path) -> None:
        """Write the results so far, and all that the next epoch depends on. Call it between two epochs.

        The file appears whole: a process killed while it writes leaves the file before it, or none.

        Raises:
            OSError: If the file cannot be written.
        """
        write_checkpoint(path, [asdict(result) for result in self._results], self._state(), recipe=asdict(self._recipe))

    def restore(self, path: Path) -> None:
        """Take up what `save` wrote; the images must be those of the training that wrote it.

        The module's weights are overwritten. A refused file changes nothing.

        Raises:
            ValueError: If the file is damaged, of another version, of another network or recipe, or written on another
                kind of device.
            OSError: If the file cannot be read.
        """
        state = self._state()
        curve, saved = read_checkpoint(path, like=state, recipe=asdict(self._recipe))
        self._results = tuple(EpochResult(**row) for row in curve)
        for name, tensor in state.items():
            tensor.copy_(saved[name])
        self._generator.set_state(saved["generator"])

    def _state(self) -> dict[str, Tensor]:
        """What an epoch changes, by name; all but the generator's state are the tensors in use, not copies."""
        weights = {f"weights/{name}": tensor for name, tensor in self._module.state_dict().items()}
        momenta = {
            f"momenta/{name}": self._optimizer.state[parameter]["momentum_buffer"]
            for name, parameter in self._module.named_parameters()
            if parameter.requires_grad and self._recipe.momentum
        }
        averages = {f"average/{name}": tensor for name, tensor in self._average.tensors.items()}
        return {"generator": self._generator.get_state(), **weights, **momenta, **averages}

    def _next_epoch(self) -> EpochResult:
        started = time.perf_counter()
        epoch, module, images = self.epochs_done + 1, self._module, self._images
        with _reproducible(self._generator):
            train_loss = self._train_epoch(epoch)
            with self._average.in_module(for_good=epoch == self._recipe.epochs):
                val_loss, val_accuracy = evaluate(
                    module, images.val_images, images.val_labels, images.mean, images.std, self._device
                )
        _require_finite(val_loss, f"validation loss of epoch {epoch}")
        return EpochResult(
            epoch=epoch,
            train_loss=train_loss,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            lr=self._optimizer.param_groups[0]["lr"],
            seconds=time.perf_counter() - started,
        )

    def _train_epoch(self, epoch: int) -> float:
        """One pass over the training images; returns the mean loss of its steps."""
        num_images = len(self._images.train_images)
        batch_size = int(min(self._recipe.batch_size, num_images))
        steps = num_images // batch_size
        order = torch.randperm(num_images, generator=self._generator, device=self._device)
        total = torch.zeros((), device=self._device)
        self._module.train()
        for step, rows in enumerate(torch.split(order, batch_size)[:steps]):
            steps_done = (epoch - 1) * steps + step
            self._set_lr(steps_done, steps)
            loss = self._step(rows)
            self._average.update(steps_done)
            total += loss
            if self._device.type == "cpu":  # a GPU would have to wait for the number: there, once per epoch
                _require_finite(loss.item(), f"training loss of epoch {epoch}, step {step + 1}")
        _require_finite(total.item(), f"training loss of epoch {epoch}")
        return total.item() / steps

    def _set_lr(self, steps_done: int, steps_per_epoch: int) -> None:
        lr = lr_at(
            steps_done,
            num_steps=self._recipe.epochs * steps_per_epoch,
            peak=self._recipe.lr,
            schedule=self._recipe.schedule,
            warmup_steps=round(self._recipe.warmup_epochs * steps_per_epoch),
        )
        for group in self._optimizer.param_groups:
            group["lr"] = lr

    def _step(self, rows: Tensor) -> Tensor:
        """Train on some of the images; returns their mean loss, which nobody has waited for."""
        images, recipe, resolution = self._images, self._recipe, self._images.shape.resolution
        padding, cutout_size = (scaled(pixels, resolution) for pixels in (recipe.crop_padding, recipe.cutout))
        batch = augment(
            images.train_images[rows],
            self._generator,
            padding=padding,
            fill=recipe.crop_fill,
            mirror=recipe.flip,
            cutout_size=cutout_size,
        )
        with _autocast(self._device):
            logits = self._module(normalise(batch, images.mean, images.std))
        loss = F.cross_entropy(logits.float(), images.train_labels[rows], label_smoothing=recipe.label_smoothing)
        torch.autograd.backward(loss)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return loss.detach()


def evaluate(
    module: nn.Module,
    images: Tensor | ImageRows,
    labels: Tensor,
    mean: Tensor,
    std: Tensor,
    device: torch.device | str,
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy (0..1) of a module in evaluation mode, over all images.

    Args:
        module: Maps float (N, C, H, W) to logits (N, classes). It stays in evaluation mode.
        images: uint8 (N, C, H, W).
        labels: int64 (N,).
        mean: Per channel (C,), on the scale 0..1.
        std: Per channel (C,), on the scale 0..1.
        device: Where all of them are.
    """
    device = torch.device(device)
    module.eval()
    loss = torch.zeros((), device=device)
    correct = torch.zeros((), device=device, dtype=torch.int64)
    with torch.inference_mode(), _autocast(device):
        for start in range(0, len(labels), EVALUATION_BATCH):
            batch, targets = (some[start : start + EVALUATION_BATCH] for some in (images, labels))
            logits = module(normalise(batch, mean, std)).float()
            loss += F.cross_entropy(logits, targets, reduction="sum")
            correct += (logits.argmax(1) == targets).sum()
    return loss.item() / len(labels), correct.item() / len(labels)


@contextlib.contextmanager
def _reproducible(generator: torch.Generator) -> Iterator[None]:
    """Seed the global generators, which dropout uses, from ours, and put them back after; repeatable kernels."""
    device = generator.device
    drawn = torch.randint(2**62, (), generator=generator, device=device)
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
    ):
        torch.manual_seed(int(drawn))
        yield


def _require_finite(loss: float, where: str) -> None:
    if not math.isfinite(loss):
        raise TrainingError("non_finite", f"{where} is {loss}")


@contextlib.contextmanager
def memory_watched(device: torch.device) -> Iterator[None]:
    """Turn the errors of an exhausted memory into a `TrainingError`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        reason = exhausted(error, device)
        if reason is None:
            raise
        raise TrainingError(reason, str(error).partition("\n")[0] or "the process is out of memory") from error


def _autocast(device: torch.device) -> contextlib.AbstractContextManager[None]:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_fast_bfloat16(device.type))


@functools.cache
def has_fast_bfloat16(device_type: str) -> bool:
    """Whether the processor or GPU multiplies bfloat16 natively; emulation is slower than float32."""
    match device_type:
        case "cuda":
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        case "cpu":
            capabilities = torch.cpu.get_capabilities()
            return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))  # bf16: ARM
        case _:
            return False
