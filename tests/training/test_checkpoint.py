"""A training that is paused after any epoch, and goes on elsewhere, comes to the numbers of one that is not."""

import io
import itertools
import pickle
import signal
import subprocess
import sys
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ressearch.arch import Architecture, Stage, plan
from ressearch.arch.survival import DropPath
from ressearch.model import build
from ressearch.training.checkpoint import read_curve, write_checkpoint
from ressearch.training.data import Images
from ressearch.training.loop import EpochResult, Training, TrainingError, train
from ressearch.training.recipe import SCHEDULE_NAMES, Recipe

RECIPE = Recipe(epochs=3, batch_size=32, lr=0.05, cutout=8, label_smoothing=0.1)
NETWORK = Architecture(
    stages=(Stage(depth=2, width=4, dropout=0.3), Stage(depth=2, width=8, stride=2, dropout=0.3)),
    stem_width=4,
    drop_path=DropPath.LINEAR,
    drop_path_rate=0.9,  # a branch may be left out of a whole epoch
)
CONTINUE = """
import pickle, sys, torch
from pathlib import Path
from ressearch.training.loop import Training
torch.set_num_threads(1)
module, images, recipe = pickle.load(sys.stdin.buffer)
training = Training(module, images, recipe, seed=0, device="cpu")
training.restore(Path(sys.argv[1]))
results = list(training.epochs())
pickle.dump((results, module.state_dict()), sys.stdout.buffer)
"""

KILLED = """
import os, pickle, signal, sys, torch
from pathlib import Path
from ressearch.training.loop import Training
torch.set_num_threads(1)
module, images, recipe = pickle.load(sys.stdin.buffer)
write = Path.write_bytes

def write_half_and_die(path, content):
    write(path, content[: len(content) // 2])
    os.kill(os.getpid(), signal.SIGKILL)

training = Training(module, images, recipe, seed=0, device="cpu")
for result in training.epochs():
    if result.epoch == 2:
        Path.write_bytes = write_half_and_die
    training.save(Path(sys.argv[1]))
"""


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build(plan(NETWORK, in_channels=1, num_classes=10))


@pytest.fixture(scope="module")
def images(digits: Images) -> Images:
    return replace(digits, train_images=digits.train_images[:200], train_labels=digits.train_labels[:200])


def numbers(results: list[EpochResult]) -> list[EpochResult]:
    """Results without the clock."""
    return [replace(result, seconds=0.0) for result in results]


def assert_equal(got: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert list(got) == list(expected)
    for name, tensor in expected.items():
        assert torch.equal(got[name], tensor), name


def pause(images: Images, recipe: Recipe, epochs: int, path: Path) -> list[EpochResult]:
    """Train for some epochs, save, and hand back what they came to."""
    training = Training(network(), images, recipe, seed=0, device="cpu")
    results = list(itertools.islice(training.epochs(), epochs))
    training.save(path)
    return results


@pytest.mark.parametrize(
    "changes",
    [
        *({"schedule": schedule} for schedule in SCHEDULE_NAMES),
        {"momentum": 0.0},
        {"nesterov": False, "decay_norms": True},
        {"ema_decay": 0.9},
        {"schedule": "one_cycle", "ema_decay": 0.998, "momentum": 0.0},
    ],
    ids=str,
)
def test_a_pause_after_any_epoch_changes_no_number(changes: dict[str, Any], images: Images, tmp_path: Path) -> None:
    recipe, whole = replace(RECIPE, **changes), network()
    expected = numbers(list(train(whole, images, recipe, seed=0, device="cpu")))
    for epochs in range(recipe.epochs + 1):
        before = pause(images, recipe, epochs, tmp_path / "paused")
        module = network(seed=1)  # whatever it starts from, and with another seed
        training = Training(module, images, recipe, seed=1, device="cpu")
        training.restore(tmp_path / "paused")
        assert training.epochs_done == epochs
        assert training.results == tuple(before)  # their seconds, too
        assert [EpochResult(**row) for row in read_curve(tmp_path / "paused")] == before
        assert numbers(before + list(training.epochs())) == expected
        assert_equal(module.state_dict(), whole.state_dict())


def test_a_pause_after_each_epoch_changes_no_number(images: Images, tmp_path: Path) -> None:
    whole = network()
    expected = numbers(list(train(whole, images, RECIPE, seed=0, device="cpu")))
    results = pause(images, RECIPE, 1, tmp_path / "paused")
    while True:
        module = network(seed=1)
        training = Training(module, images, RECIPE, seed=0, device="cpu")
        training.restore(tmp_path / "paused")
        more = list(itertools.islice(training.epochs(), 1))
        if not more:  # nothing is left after the last epoch
            break
        results += more
        training.save(tmp_path / "paused")
    assert numbers(results) == expected
    assert training.results == tuple(results)
    assert_equal(module.state_dict(), whole.state_dict())


def test_a_training_goes_on_in_another_process(images: Images, tmp_path: Path) -> None:
    whole = network()
    expected = numbers(list(train(whole, images, RECIPE, seed=0, device="cpu")))
    before = pause(images, RECIPE, 1, tmp_path / "paused")
    sent = pickle.dumps((network(seed=1), images, RECIPE))
    command = [sys.executable, "-c", CONTINUE, str(tmp_path / "paused")]
    done = subprocess.run(command, input=sent, capture_output=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr.decode()
    results, state = pickle.loads(done.stdout)
    assert numbers(before + results) == expected
    assert_equal(state, whole.state_dict())


def test_a_process_killed_while_it_writes_leaves_the_checkpoint_before(images: Images, tmp_path: Path) -> None:
    recipe, whole = replace(RECIPE, ema_decay=0.9, schedule="one_cycle"), network()
    expected = numbers(list(train(whole, images, recipe, seed=0, device="cpu")))
    sent = pickle.dumps((network(), images, recipe))
    command = [sys.executable, "-c", KILLED, str(tmp_path / "saved")]
    done = subprocess.run(command, input=sent, capture_output=True, cwd=Path(__file__).parents[2])
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    module = network(seed=1)
    training = Training(module, images, recipe, seed=0, device="cpu")
    training.restore(tmp_path / "saved")
    assert training.epochs_done == 1
    list(training.epochs())
    assert numbers(list(training.results)) == expected
    assert_equal(module.state_dict(), whole.state_dict())
    training.save(tmp_path / "saved")
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]  # and what it left is overwritten


def test_who_saves_and_does_not_pause_changes_nothing(images: Images, tmp_path: Path) -> None:
    training = Training(network(), images, RECIPE, seed=0, device="cpu")
    results = []
    for result in training.epochs():
        results.append(result)
        training.save(tmp_path / "new directory" / "saved")
    assert numbers(results) == numbers(list(train(network(), images, RECIPE, seed=0, device="cpu")))
    assert [path.name for path in (tmp_path / "new directory").iterdir()] == ["saved"]  # nothing half-written


def test_epochs_may_be_asked_for_twice(images: Images) -> None:
    training = Training(network(), images, RECIPE, seed=0, device="cpu")
    first = list(itertools.islice(training.epochs(), 1))
    assert [result.epoch for result in first + list(training.epochs())] == [1, 2, 3]
    assert list(training.epochs()) == []


def test_whoever_reads_a_checkpoint_while_it_is_written_anew_reads_the_old_one(images: Images, tmp_path: Path) -> None:
    """So that a worker that is killed while it writes leaves a whole file."""
    pause(images, RECIPE, 1, tmp_path / "paused")
    before = (tmp_path / "paused").read_bytes()
    with (tmp_path / "paused").open("rb") as reader:
        pause(images, RECIPE, 2, tmp_path / "paused")
        assert reader.read() == before
    assert (tmp_path / "paused").read_bytes() != before


def test_a_save_that_fails_leaves_the_one_before(images: Images, tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    pause(images, RECIPE, 1, tmp_path / "paused")
    before = (tmp_path / "paused").read_bytes()
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        pause(images, RECIPE, 2, tmp_path / "paused")
    assert (tmp_path / "paused").read_bytes() == before


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def empty(content: bytes) -> bytes:
    return content[:0]


def flip_a_bit(content: bytes) -> bytes:
    """Change a weight, where only the checksum tells."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        largest = max(archive.infolist(), key=lambda info: info.file_size)
        data = archive.read(largest)
    place = content.index(data) + len(data) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def no_archive(content: bytes) -> bytes:
    return b"loss,accuracy\n" * 100


def run_code(_: bytes) -> bytes:
    """A pickle that would call a function when it is read."""

    class Harm:
        def __reduce__(self):
            return (print, ("harm",))

    return written({"version": 2, "recipe": {}, "curve": [], "tensors": {}, "more": Harm()})


def written(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("damage", [cut, empty, flip_a_bit, no_archive, run_code])
def test_a_damaged_checkpoint_is_refused(damage, images: Images, tmp_path: Path) -> None:
    path = tmp_path / "paused"
    pause(images, RECIPE, 1, path)
    path.write_bytes(damage(path.read_bytes()))
    assert_refused(Training(network(), images, RECIPE, seed=0, device="cpu"), path, "paused: the checkpoint is damaged")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"version": 1, "epochs_done": 1, "tensors": {}}, "paused: got a checkpoint of version 1, expected 2"),
        ({"version": 3}, "paused: got a checkpoint of version 3, expected 2"),
        ({"version": 2, "recipe": {}, "tensors": {}}, "paused: this is no checkpoint of a training"),
        ({"recipe": {}, "curve": [], "tensors": {}}, "paused: this is no checkpoint of a training"),
        ({"conv.weight": torch.zeros(3)}, "paused: this is no checkpoint of a training"),
        ([1, 2], "paused: this is no checkpoint of a training"),
    ],
)
def test_another_file_is_refused(content: object, message: str, images: Images, tmp_path: Path) -> None:
    (tmp_path / "paused").write_bytes(written(content))
    assert_refused(Training(network(), images, RECIPE, seed=0, device="cpu"), tmp_path / "paused", message)


def narrower() -> nn.Module:
    return build(plan(replace(NETWORK, stem_width=2), in_channels=1, num_classes=10))


def deeper() -> nn.Module:
    made = network()
    made.head.append(nn.Linear(10, 10))
    return made


def shallower() -> nn.Module:
    made = network()
    del made.head[-1]
    return made


def more_precise() -> nn.Module:
    return network().double()


OTHER = "paused: the checkpoint is of another network or training: "


@pytest.mark.parametrize(
    ("make", "difference"),
    [
        (narrower, r"weights/stem\.0\.weight is float32 \(4, 1, 3, 3\), expected float32 \(2, 1, 3, 3\)"),
        (deeper, r"it has no weights/head\.2\.weight"),
        (shallower, r"it has weights/head\.1\.\S+, which is not expected"),
        (more_precise, r"weights/stem\.0\.weight is float32 \(4, 1, 3, 3\), expected float64 \(4, 1, 3, 3\)"),
    ],
)
def test_a_checkpoint_of_another_network_is_refused(make, difference: str, images: Images, tmp_path: Path) -> None:
    pause(images, RECIPE, 1, tmp_path / "paused")
    training = Training(make(), images, RECIPE, seed=0, device="cpu")
    assert_refused(training, tmp_path / "paused", OTHER + difference)


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ({"momentum": 0.0}, "its momentum is 0.0, expected 0.9"),
        ({"ema_decay": 0.99}, "its ema_decay is 0.99, expected 0.0"),
        ({"epochs": 4}, "its epochs is 4, expected 3"),
        ({"lr": 0.05 + 1e-17}, "its lr is 0.05000000000000001, expected 0.05"),
    ],
)
def test_a_checkpoint_of_another_recipe_is_refused(
    other: dict[str, Any], difference: str, images: Images, tmp_path: Path
) -> None:
    pause(images, replace(RECIPE, **other), 1, tmp_path / "paused")
    training = Training(network(), images, RECIPE, seed=0, device="cpu")
    assert_refused(training, tmp_path / "paused", OTHER + difference)


def test_a_checkpoint_from_before_a_field_has_its_default(images: Images, tmp_path: Path) -> None:
    pause(images, RECIPE, 1, tmp_path / "paused")
    content = torch.load(tmp_path / "paused", weights_only=True)
    assert content["recipe"].pop("crop_fill") == "black"
    torch.save(content, tmp_path / "older")
    other = Training(network(), images, replace(RECIPE, crop_fill="reflect"), seed=0, device="cpu")
    assert_refused(other, tmp_path / "older", "older: .*: its crop_fill is black, expected reflect")
    training = Training(network(), images, RECIPE, seed=0, device="cpu")
    training.restore(tmp_path / "older")
    assert training.epochs_done == 1


def test_numbers_may_be_numpys(images: Images, tmp_path: Path) -> None:
    recipe = replace(RECIPE, lr=np.float64(0.05), batch_size=np.int64(32), flip=np.bool_(True))
    before = pause(images, recipe, 1, tmp_path / "paused")
    training = Training(network(), images, RECIPE, seed=0, device="cpu")
    training.restore(tmp_path / "paused")
    assert training.results == tuple(before)


def test_a_checkpoint_of_another_kind_of_device_is_refused(images: Images, tmp_path: Path) -> None:
    training = Training(network(), images, RECIPE, seed=0, device="cpu")
    on_cuda = training._state() | {"generator": torch.zeros(16, dtype=torch.uint8)}
    write_checkpoint(tmp_path / "paused", [], on_cuda, recipe=asdict(RECIPE))
    assert_refused(training, tmp_path / "paused", OTHER + r"generator is uint8 \(16,\), expected uint8 \(\d+,\)")


def test_a_checkpoint_that_is_not_there_is_told(images: Images, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        Training(network(), images, RECIPE, seed=0, device="cpu").restore(tmp_path / "absent")


def assert_refused(training: Training, path: Path, message: str) -> None:
    """The message names the file, and the training is as it was before."""
    before = {name: tensor.clone() for name, tensor in training._state().items()}
    with pytest.raises(ValueError, match=message) as caught:
        training.restore(path)
    assert str(path) in str(caught.value)
    assert training.results == ()
    assert_equal(training._state(), before)


def test_running_out_of_memory_at_the_start_is_told(images: Images) -> None:
    class Huge(nn.Linear):
        def _apply(self, *_: object, **__: object) -> "Huge":
            torch.empty(2**55)
            return self

    with pytest.raises(TrainingError, match="out_of_memory"):
        Training(Huge(1, 1), images, RECIPE, seed=0, device="cpu")
