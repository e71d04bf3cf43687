"""A study of images among which none are test: some are set aside, every verb sets aside the same, and says so."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pytest
from PIL import Image

import ressearch
from ressearch.experiment import Experiment, load_experiment
from ressearch.search.confirm import confirm_study
from ressearch.search.contract import TrialFunction, TrialResult, TrialSpec
from ressearch.search.local_backend import run_in_process
from ressearch.search.session import run_session
from ressearch.search.trainer import train_once
from ressearch.space.yaml_nodes import SpaceError
from ressearch.store.files import StudyError, database_url
from ressearch.store.study_record import open_study
from ressearch.training.data import load, load_test

Scripted = Callable[..., TrialFunction]
PER_CLASS = 20


@pytest.fixture
def experiment(write_space: Callable[..., Path], tmp_path: Path) -> Experiment:
    """Forty images of two classes, each of one shade, in a flat folder."""
    for label, name in enumerate(("dark", "light")):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for index in range(PER_CLASS):
            shade = 100 * label + 5 * index
            Image.new("RGB", (8, 8), (shade,) * 3).save(tmp_path / "pictures" / name / f"{index:02d}.png")
    path = write_space(epochs=1)
    data = f"data: {{name: folder, root: {tmp_path / 'pictures'}, resolution: 8, val_images: 6, test_images: 0.2}}"
    text = path.read_text().replace("data: {name: digits, subset: 400, val_images: 200}", data)
    path.write_text(text.replace("batch_size: 50", "warmup_epochs: 0, batch_size: 5"))
    return load_experiment(path)


def shades(images: Any) -> set[int]:
    return set(images[:][:, 0, 0, 0].tolist())


def recording(seen: list[tuple[str, set[int]]]) -> TrialFunction:
    """Train, and keep which shades train, validate and test."""

    def do(spec: TrialSpec) -> Any:
        images = load(spec.images, "cpu")
        seen.append(("train", shades(images.train_images)))
        seen.append(("val", shades(images.val_images)))
        if spec.test is not None:
            seen.append(("test", shades(load_test(spec.test, "cpu")[0])))
        yield from train_once(spec)

    return do


def run(experiment: Experiment, directory: Path, do: TrialFunction, trials: int = 2) -> None:
    run_session(experiment, directory, partial(run_in_process, do=do), trials=trials)


def test_what_confirm_and_train_test_on_no_search_has_seen(experiment: Experiment, tmp_path: Path) -> None:
    seen: list[tuple[str, set[int]]] = []
    run(experiment, tmp_path / "study", recording(seen))
    of_search = set().union(*(values for _, values in seen))
    assert len(of_search) == 32
    backend = partial(run_in_process, do=recording(seen))
    rows = confirm_study(tmp_path / "study", backend, top=1, num_seeds=2, epochs=1, subset=10).rows
    tested = [values for part, values in seen if part == "test"]
    assert len(tested) == 2
    assert tested[0] == tested[1] == {100 * label + 5 * i for label in (0, 1) for i in range(PER_CLASS)} - of_search
    assert all((8 * accuracy).is_integer() for accuracy in rows[0].accuracies)
    _, trained = ressearch.train(f"{tmp_path / 'study'}:best", seed=9, directory=tmp_path / "trained")
    assert trained.num_test_images == 8
    assert (8 * trained.test_accuracy).is_integer()


def test_the_manifest_tells_numbers_and_what_is_set_aside(experiment: Experiment, tmp_path: Path) -> None:
    run(experiment, tmp_path / "study", train_once)
    manifest = json.loads((tmp_path / "study" / "manifest.json").read_text())
    assert manifest["num_images"] == {"train": 26, "val": 6, "test": 8}
    assert manifest["test_images"]["num_images"] == [4, 4]
    assert open_study(tmp_path / "study").trials[0].num_images == 26


def test_another_hold_out_is_another_experiment(experiment: Experiment, tmp_path: Path, scripted: Scripted) -> None:
    do = scripted(lambda *_: 0.5)
    run(experiment, tmp_path / "study", do)
    other = replace(experiment, images=replace(experiment.images, test_images=8))
    with pytest.raises(StudyError, match=r"data\.test_images is 8, and was 0\.2; name another study"):
        run(other, tmp_path / "study", do, trials=3)


def test_test_images_that_appear_later_are_noticed(experiment: Experiment, tmp_path: Path, scripted: Scripted) -> None:
    """The root gets halves of its own: the images that were set aside would train."""
    experiment = replace(experiment, images=replace(experiment.images, test_images=None))
    do = scripted(lambda *_: 0.5)
    run(experiment, tmp_path / "study", do)
    pictures = tmp_path / "pictures"
    for part in ("train", "test"):
        for name in ("dark", "light"):
            (pictures / part).mkdir(exist_ok=True)
            (pictures / name).rename(pictures / part / name) if part == "train" else (pictures / part / name).mkdir()
            Image.new("RGB", (8, 8)).save(pictures / part / name / "more.png")
    with pytest.raises(StudyError, match=r"data\.test_images is 0, and was not given"):
        run(replace(experiment, seed=experiment.seed), tmp_path / "study", do, trials=3)


def older(directory: Path) -> None:
    """Make a study look as if a version had begun it that set nothing aside, and knew fewer fields of recipes."""
    storage = optuna.storages.RDBStorage(database_url(directory))
    name = optuna.study.get_all_study_names(storage)[0]
    study = optuna.load_study(study_name=name, storage=storage)
    new = {f"recipe.{name}" for name in ("nesterov", "decay_norms", "ema_decay", "crop_fill")} | {"data.test_images"}
    terms = {key: value for key, value in study.user_attrs["terms"].items() if key not in new}
    assert len(terms) == len(study.user_attrs["terms"]) - len(new)
    study.set_user_attr("terms", terms)
    storage.remove_session()
    storage.engine.dispose()


@pytest.fixture
def begun(experiment: Experiment, tmp_path: Path, scripted: Scripted) -> Experiment:
    """A study of an older version, `study`; the experiment that goes on with it."""
    experiment = replace(experiment, images=replace(experiment.images, test_images=0))
    run(experiment, tmp_path / "study", scripted(lambda *_: 0.5))
    older(tmp_path / "study")
    return experiment


def test_an_older_study_goes_on_with_nothing_set_aside(begun: Experiment, tmp_path: Path, scripted: Scripted) -> None:
    do = scripted(lambda *_: 0.5)
    for images in (replace(begun.images, test_images=None), replace(begun.images, test_images=8)):
        with pytest.raises(StudyError, match=r"data\.test_images is .*, and was 0; .* bring the old value back"):
            run(replace(begun, images=images), tmp_path / "study", do, trials=3)
    run(begun, tmp_path / "study", do, trials=3)
    assert len(open_study(tmp_path / "study").trials) == 3


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("nesterov", False, "True"),
        ("decay_norms", True, "False"),
        ("ema_decay", 0.9, "0.0"),
        ("crop_fill", "reflect", "black"),
    ],
)
def test_an_older_study_was_trained_as_recipes_were_then(
    name: str, value: object, said: str, begun: Experiment, tmp_path: Path, scripted: Scripted
) -> None:
    other = replace(begun, recipe=replace(begun.recipe, **{name: value}))  # type: ignore[arg-type]
    with pytest.raises(StudyError, match=rf"recipe\.{name} is {value}, and was {said}"):
        run(other, tmp_path / "study", scripted(lambda *_: 0.5), trials=3)


def test_a_search_that_has_seen_all_images_cannot_be_confirmed(begun: Experiment, tmp_path: Path) -> None:
    assert begun.images.test_images == 0

    def never(_: TrialSpec) -> Any:
        raise AssertionError("nothing is to be trained")
        yield TrialResult(measures={})

    with pytest.raises(ValueError, match=r"there are no test images; .* all of which a search sees") as caught:
        confirm_study(tmp_path / "study", partial(run_in_process, do=never), top=1, num_seeds=1, epochs=1, subset=None)
    assert "\n" not in str(caught.value)


def test_a_hold_out_larger_than_the_data_is_named_at_its_line(
    experiment: Experiment, tmp_path: Path, scripted: Scripted
) -> None:
    path = Path(experiment.origin.path)
    path.write_text(path.read_text().replace("test_images: 0.2", "test_images: 41"))
    with pytest.raises(SpaceError) as caught:
        run(load_experiment(path), tmp_path / "study", scripted(lambda *_: 0.5))
    assert str(caught.value) == (
        f"{path}:4: data.test_images: 2 (classes) <= test_images < 40 (images) must hold, got 41"
    )
    assert not (tmp_path / "study").exists()
