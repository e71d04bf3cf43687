"""One training in a directory of its own: whatever ends it, the same call comes to the same result."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboardX.proto.event_pb2 import Event

import ressearch
from ressearch.arch import named, plan
from ressearch.model import build
from ressearch.search import training_run
from ressearch.search.training_directory import DirectoryError, TrainingDirectory
from ressearch.search.training_run import chosen_device, run_training
from ressearch.search.training_task import Trained, TrainingStart, TrainingTask
from ressearch.training.data import load, load_test, prepare
from ressearch.training.loop import TrainingError, evaluate
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source

RECIPE = Recipe(epochs=4, batch_size=50, warmup_epochs=0, flip=False, crop_padding=1)
EXPORT = {"architecture.yaml", "model.py", "weights.safetensors"}

SCRIPT = """
import os, resource, signal, sys
from contextlib import contextmanager
from pathlib import Path
import ressearch
from ressearch.arch import named, plan
from ressearch.model import build
from ressearch.search import training_run
from ressearch.search.training_directory import TrainingDirectory
from ressearch.training import loop
from ressearch.training.recipe import Recipe
from ressearch.verbs import training_verbs

where, directory = sys.argv[1:]
counts = {}

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def at_call(owner, name, number, *, after=False):
    original = getattr(owner, name)
    def called(*arguments, **named):
        counts[name] = counts.get(name, 0) + 1
        if counts[name] == number and not after:
            die()
        result = original(*arguments, **named)
        if counts[name] == number:
            die()
        return result
    setattr(owner, name, called)

def full(*_):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

@contextmanager
def observe(start):
    def tell(epoch):
        if epoch["epoch"] == 2:
            {"between epochs": die, "full disk": full}.get(where, lambda: None)()
    yield tell

match where:
    case "in the first epoch":
        at_call(loop, "augment", 2)
    case "in an epoch":
        at_call(loop, "augment", 10)
    case "before the curve":
        at_call(training_run.CurveFiles, "add", 2)
    case "before the test":
        at_call(training_run.CurveFiles, "add", 4, after=True)
    case "in the export":
        at_call(training_verbs, "_export", 1, after=True)
    case "before the result":
        at_call(TrainingDirectory, "write", 2)
    case "after the result":
        at_call(TrainingDirectory, "write", 2, after=True)
recipe = Recipe(epochs=4, batch_size=50, warmup_epochs=0, flip=False, crop_padding=1)
try:
    ressearch.train("resnet-8", recipe=recipe, data="digits", subset=200, directory=directory, observe=observe)
except ValueError as error:
    sys.exit(f"refused: {error}")
except loop.TrainingError as error:
    sys.exit(f"failed: {error}")
"""


def train(directory: Path, **changes: Any) -> Any:
    values = {"recipe": RECIPE, "data": "digits", "subset": 200, "directory": directory} | changes
    return ressearch.train("resnet-8", **values)[1]


def observed(action: Callable[[Mapping[str, float]], None]) -> Callable[[TrainingStart], Any]:
    @contextmanager
    def observe(_: TrainingStart) -> Iterator[Callable[[Mapping[str, float]], None]]:
        yield action

    return observe


def rows(directory: Path) -> list[dict[str, str]]:
    with (directory / "metrics.csv").open(newline="") as file:
        return [{name: text for name, text in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def events(directory: Path) -> list[tuple[str, int, float]]:
    """Read what TensorBoard would: records of a length, its checksum, that many bytes, their checksum."""
    (file,) = (directory / "tensorboard").iterdir()
    content, found = file.read_bytes(), []
    while content:
        length = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + length])
        found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
        content = content[16 + length :]
    return found


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nothing has ended."""
    directory = tmp_path_factory.mktemp("reference") / "network"
    assert not train(directory).was_finished
    return directory


def assert_same(directory: Path, reference: Path) -> None:
    """Same weights, same numbers, nothing else left; seconds may differ."""
    assert (directory / "weights.safetensors").read_bytes() == (reference / "weights.safetensors").read_bytes()
    assert (directory / "architecture.yaml").read_text() == (reference / "architecture.yaml").read_text()
    assert (directory / "model.py").read_text() == (reference / "model.py").read_text()
    assert rows(directory) == rows(reference)
    assert [each for each in events(directory) if each[0] != "seconds"] == [
        each for each in events(reference) if each[0] != "seconds"
    ]
    assert {path.name for path in directory.iterdir()} == {path.name for path in reference.iterdir()}
    kept, wanted = (json.loads((each / "training.json").read_text()) for each in (directory, reference))
    for result in (kept["result"], wanted["result"]):
        del result["seconds"], result["measures"]["seconds"]
        for epoch in result["curve"]:
            del epoch["seconds"]
    assert kept == wanted


def test_training_by_itself_ends_in_weights_and_their_accuracy_on_the_test_images(tmp_path: Path) -> None:
    source, architecture = Source(name="digits", subset=400, val_images=200), named("resnet-8")
    images = load(prepare(source, seed=3), "cpu")
    network = build(plan(architecture, images.shape.channels, images.shape.num_classes))

    def export(_: Trained, state: Mapping[str, torch.Tensor], directory: Path) -> None:
        network.load_state_dict(state)
        directory.mkdir()

    task = TrainingTask(
        name="it", what="it", architecture=architecture, recipe=RECIPE, source=source, split_seed=3, seed=8
    )
    made = run_training(task, tmp_path / "network", export=export)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    test = load_test(prepare(source, seed=3, split="test"), "cpu")
    assert made.test_accuracy == evaluate(network, *test, images.mean, images.std, "cpu")[1]
    held = evaluate(network, images.val_images, images.val_labels, images.mean, images.std, "cpu")[1]
    assert made.result.measures["val_accuracy"] == held  # on those that a search with that seed sets aside
    assert [epoch["epoch"] for epoch in made.result.curve] == [1, 2, 3, 4]
    assert made.normalisation["class_names"] == [str(digit) for digit in range(10)]


def test_the_directory_of_a_finished_training(reference: Path) -> None:
    assert {path.name for path in reference.iterdir()} == {
        *EXPORT,
        "training.json",
        "metrics.csv",
        "tensorboard",
        ".training.lock",
    }
    found = rows(reference)
    assert [row["epoch"] for row in found] == ["1", "2", "3", "4"]
    assert {*found[0]} == {"epoch", "train_loss", "val_loss", "val_accuracy", "lr"}
    told = events(reference)
    for name in found[0].keys() - {"epoch"}:
        curve = [(step, value) for tag, step, value in told if tag == name]
        assert [step for step, _ in curve] == [1, 2, 3, 4]
        assert [value for _, value in curve] == pytest.approx([float(row[name]) for row in found], rel=1e-6)


@pytest.mark.parametrize(
    "where",
    [
        "in the first epoch",
        "in an epoch",
        "between epochs",
        "before the curve",
        "before the test",
        "in the export",
        "before the result",
        "after the result",
    ],
)
def test_kill_minus_nine_changes_no_bit(reference: Path, tmp_path: Path, where: str) -> None:
    directory = tmp_path / "network"
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), where, str(directory)]
    killed = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    is_whole = where in ("before the result", "after the result")
    assert is_whole == all((directory / name).exists() for name in EXPORT)
    begun_at: list[float] = []
    trained = train(directory, observe=observed(lambda epoch: begun_at.append(epoch["epoch"])))
    left = {"in the first epoch": 1, "in an epoch": 3, "between epochs": 3, "before the curve": 3}
    assert begun_at == list(range(left.get(where, 5), 5))
    assert trained.was_finished == (where == "after the result")
    assert_same(directory, reference)


def test_a_full_disk_ends_in_one_line_and_loses_nothing(reference: Path, tmp_path: Path) -> None:
    directory = tmp_path / "network"
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), "full disk", str(directory)]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "File too large" in ended.stderr
    assert "give the same command again" in ended.stderr
    again: list[float] = []
    train(directory, observe=observed(lambda epoch: again.append(epoch["epoch"])))
    assert again == [3, 4]
    assert_same(directory, reference)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(ressearch.__file__).parents[1])}


def test_an_interrupted_training_goes_on_with_as_many_threads_as_it_began(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "network"

    def interrupt(epoch: Mapping[str, float]) -> None:
        if epoch["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(directory, observe=observed(interrupt))
    assert (directory / "checkpoint.pt").is_file()
    assert not EXPORT & {path.name for path in directory.iterdir()}
    kept = json.loads((directory / "training.json").read_text())
    monkeypatch.setattr(torch, "get_num_threads", lambda: kept["num_threads"] + 1)
    used: list[int | None] = []
    original = training_run.train_once

    def spied(spec: Any) -> Any:
        used.append(spec.num_threads)
        return original(spec)

    monkeypatch.setattr(training_run, "train_once", spied)
    train(directory)
    assert used == [kept["num_threads"]]
    monkeypatch.undo()
    torch.set_num_threads(kept["num_threads"])
    assert_same(directory, reference)


def test_the_same_call_again_trains_nothing(reference: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in reference.iterdir()}
    told: list[object] = []
    again = train(reference, observe=observed(told.append))
    assert again.was_finished
    assert told == []
    kept = json.loads((reference / "training.json").read_text())["result"]
    assert again.test_accuracy == kept["measures"]["test_accuracy"]
    assert [row["val_accuracy"] for row in rows(reference)] == [str(row["val_accuracy"]) for row in again.result.curve]
    assert {path.name: path.stat().st_mtime_ns for path in reference.iterdir()} == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "seed is 1, and was 0"),
        ({"settings": {"lr": 0.2}}, r"recipe\.lr is 0\.2, and was 0\.1"),
        ({"subset": None}, r"data\.subset is not given, and was 200"),
        ({"resolution": 16}, r"data\.resolution is 16, and was not given"),
        ({"data": Source(name="digits", subset=200, val_images=50)}, r"data\.val_images is 50, and was not given"),
        ({"recipe": "wrn"}, r"recipe\.epochs is 200, and was 4; .*; and \d more values"),
    ],
)
def test_another_training_in_the_directory_is_refused(reference: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DirectoryError, match=f"another training was begun here: {message}.*; name another directory"):
        train(reference, **changes)


def test_another_network_in_the_directory_is_refused(reference: Path) -> None:
    with pytest.raises(DirectoryError, match="architecture_id is "):
        ressearch.train("plain-8", recipe=RECIPE, data="digits", subset=200, directory=reference)


def test_another_device_in_the_directory_is_refused(reference: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(DirectoryError, match="device is cuda:1, and was cpu"):
        train(reference, device="cuda:1")


def test_two_processes_do_not_share_a_directory(tmp_path: Path) -> None:
    directory = tmp_path / "network"
    with (
        TrainingDirectory(directory).lease(),
        pytest.raises(DirectoryError, match="another `ressearch` is training there"),
    ):
        train(directory)
    assert [path.name for path in directory.iterdir()] == [".training.lock"]
    assert not train(directory, settings={"epochs": 1}).was_finished


def test_files_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DirectoryError, match="exists and is not an empty directory"):
        train(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(DirectoryError, match=r"thesis\.txt is no directory"):
        train(tmp_path / "thesis.txt")


@pytest.fixture
def halfway(tmp_path: Path) -> Path:
    """A training that ended after two epochs."""

    def interrupt(epoch: Mapping[str, float]) -> None:
        if epoch["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "network", observe=observed(interrupt))
    return tmp_path / "network"


def test_a_damaged_checkpoint_is_told_in_one_line(halfway: Path) -> None:
    content = bytearray((halfway / "checkpoint.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (halfway / "checkpoint.pt").write_bytes(content)
    with pytest.raises(
        DirectoryError, match=r"checkpoint\.pt: the checkpoint is damaged: .*; restore it.*or delete it"
    ):
        train(halfway)
    assert (halfway / "checkpoint.pt").read_bytes() == content
    assert [row["epoch"] for row in rows(halfway)] == ["1", "2"]


def test_a_deleted_checkpoint_means_a_fresh_start(halfway: Path, reference: Path) -> None:
    (halfway / "checkpoint.pt").unlink()
    train(halfway)
    assert_same(halfway, reference)


def test_a_damaged_curve_is_written_anew(halfway: Path, reference: Path) -> None:
    (halfway / "metrics.csv").write_text("epoch,val\n7,??")
    for file in (halfway / "tensorboard").iterdir():
        file.write_bytes(b"half an ev")
    train(halfway)
    assert_same(halfway, reference)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is no JSON"),
        ("{", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("[]", r"version 1 must be given, got \[\]"),
        ('{"version": 2}', "version 1 must be given, got 2"),
        ('{"version": 1}', "terms is missing"),
        ('{"version": 1, "terms": {}, "images": {}, "device": "cpu", "num_threads": true}', "num_threads is wrong"),
        ('{"version": 1, "terms": {}, "images": {}, "device": "cpu", "num_threads": 0, "result": null}', "num_threads"),
        ('{"version": 1, "terms": {"seed": {}}, "images": {}, "device": "cpu", "num_threads": 1}', "terms is wrong"),
        ('{"version": 1, "terms": {}, "images": {"train": {}}, "device": "cpu", "num_threads": 1}', "images is wrong"),
        ('{"version": 1, "terms": {}, "images": {}, "device": 7, "num_threads": 1}', "device is wrong"),
        (
            '{"version": 1, "terms": {}, "images": {}, "device": "cpu", "num_threads": 1, "result": 3}',
            "result is wrong",
        ),
    ],
)
def test_a_damaged_description_is_told_in_one_line(halfway: Path, text: str, message: str) -> None:
    (halfway / "training.json").write_text(text)
    with pytest.raises(DirectoryError, match=rf"training\.json: it is damaged \({message}.*; restore it") as caught:
        train(halfway)
    assert "\n" not in str(caught.value)
    assert (halfway / "training.json").read_text() == text
    assert (halfway / "checkpoint.pt").is_file()


@pytest.mark.parametrize("name", sorted(EXPORT))
def test_a_finished_training_that_lacks_a_file_is_told(reference: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(reference, tmp_path / "copy")
    (copy / name).unlink()
    with pytest.raises(DirectoryError, match=f"this training is finished, but {name} is missing"):
        train(copy)


def test_a_damaged_result_is_told(reference: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(reference, tmp_path / "copy")
    kept = json.loads((copy / "training.json").read_text())
    del kept["result"]["measures"]["test_accuracy"]
    (copy / "training.json").write_text(json.dumps(kept))
    with pytest.raises(DirectoryError, match="this training is finished, but its whole result is missing"):
        train(copy)


def test_a_diverging_training_says_where_and_keeps_its_curve(tmp_path: Path) -> None:
    directory = tmp_path / "network"
    with pytest.raises(TrainingError, match=r"loss of epoch 1.*try a smaller learning rate, as in --set lr=") as caught:
        train(directory, settings={"lr": 1e30})
    assert caught.value.reason == "non_finite"
    assert rows(directory) == []
    assert (directory / "training.json").is_file()
    with pytest.raises(DirectoryError, match=r"recipe\.lr is 0\.1, and was 1e\+30"):
        train(directory)


def test_a_training_without_memory_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("ressearch.training.loop.augment", exhausted)
    with pytest.raises(TrainingError, match=r"out_of_memory: .*as in --set batch_size=25"):
        train(tmp_path / "network")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in ("cats", "dogs"):
            (tmp_path / "pictures" / split / label).mkdir(parents=True)
            for index in range(30):
                pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "pictures" / split / label / f"{index}.png")
    return tmp_path / "pictures"


def test_images_that_vanish_in_mid_run_do_not_stop_a_training(pictures: Path, tmp_path: Path) -> None:
    trained = ressearch.train(
        "resnet-8",
        recipe=RECIPE,
        data=f"folder:{pictures}",
        settings={"batch_size": 10},
        resolution=8,
        directory=tmp_path / "network",
        observe=observed(lambda _: shutil.rmtree(pictures, ignore_errors=True)),
    )[1]
    assert not pictures.exists()
    assert (len(trained.result.curve), trained.num_test_images) == (4, 60)
    assert str(pictures) not in (tmp_path / "network" / "training.json").read_text()


def test_other_images_in_the_directory_are_refused_and_moved_ones_are_not(pictures: Path, tmp_path: Path) -> None:
    def once(root: Path) -> Any:
        def interrupt(_: object) -> None:
            raise KeyboardInterrupt

        return ressearch.train(
            "resnet-8",
            recipe=RECIPE,
            data=f"folder:{root}",
            settings={"batch_size": 10},
            resolution=8,
            directory=tmp_path / "network",
            observe=observed(interrupt),
        )

    with pytest.raises(KeyboardInterrupt):
        once(pictures)
    moved = pictures.rename(tmp_path / "elsewhere")
    with pytest.raises(KeyboardInterrupt):
        once(moved)
    assert [row["epoch"] for row in rows(tmp_path / "network")] == ["1", "2"]
    (moved / "train" / "cats" / "0.png").unlink()
    with pytest.raises(
        DirectoryError, match=r"begun with other images\. Of the train images: class 'cats' has 29 images"
    ):
        once(moved)


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda:99", "got 'cuda:99', and there is no such GPU here: torch sees "),
        ("cuda:", "expected one of auto, cpu, cuda, cuda:N"),
        ("gpu", "expected one of auto, cpu, cuda, cuda:N"),
    ],
)
def test_a_device_that_is_not_there_is_told_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, message: str
) -> None:
    monkeypatch.setenv("RESSEARCH_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "network", device=device)
    assert list(tmp_path.iterdir()) == []


def test_a_training_goes_on_where_it_began(halfway: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that has come since takes nothing over by itself; one that has gone is named."""
    devices: list[str | None] = []

    def spied(spec: Any) -> Any:
        devices.append(spec.device)
        raise KeyboardInterrupt

    monkeypatch.setattr(training_run, "train_once", spied)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        train(halfway)
    assert devices == ["cpu"]
    monkeypatch.undo()
    kept = json.loads((halfway / "training.json").read_text())
    (halfway / "training.json").write_text(json.dumps(kept | {"device": "cuda:99"}))
    with pytest.raises(ValueError, match="got 'cuda:99', and there is no such GPU here"):
        train(halfway)


def test_the_device_is_chosen_among_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert [chosen_device(name) for name in ("auto", "cpu", "cuda", "cuda:1")] == ["cuda", "cpu", "cuda", "cuda:1"]
    with pytest.raises(ValueError, match="torch sees cuda:0, cuda:1"):
        chosen_device("cuda:2")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert chosen_device("auto") == "cpu"
    with pytest.raises(ValueError, match="torch sees none"):
        chosen_device("cuda")
