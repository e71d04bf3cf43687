"""A search with a time chooses the resolution, images and epochs that its file leaves out, and keeps to them."""

from pathlib import Path

import pytest

import ressearch
from ressearch.experiment import Experiment
from ressearch.experiment.loader import parse_experiment
from ressearch.search import proxy
from ressearch.search.proxy import reason_of, with_proxy

SPACE = """# Is it good?
version: 1
data: {{name: {name}{data}}}
architecture: {{stages: 2, stem_width: 8, depth: {{int: {{low: 1, high: 6}}}}, width: [8, 16]}}
recipe: {{batch_size: 50{recipe}}}
scheduler: {{name: {scheduler}}}
resources: {{workers: 1}}
{more}
"""


def experiment(
    data: str = "", recipe: str = "", *, name: str = "cifar10", scheduler: str = "none", more: str = ""
) -> Experiment:
    return parse_experiment(SPACE.format(name=name, data=data, recipe=recipe, scheduler=scheduler, more=more), "x.yaml")


def chosen(experiment: Experiment, tmp_path: Path, hours: float = 1.0) -> tuple[int | None, ...]:
    found = with_proxy(experiment, tmp_path / "new", hours)
    assert parse_experiment(found.origin.text, "x.yaml") == found
    images = found.images
    is_chosen = "epochs" not in experiment.origin.text
    assert found.recipe.ema_decay == (0.95 if is_chosen else 0.0)
    return images.resolution, images.subset, images.val_images, found.recipe.epochs


@pytest.fixture
def milliseconds(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(proxy, "_seconds_per_image", lambda _: 1e-3)
    return monkeypatch


@pytest.mark.usefixtures("milliseconds")
@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (0.01, (16, 1000, 330, 4)),  # 3 images a second would do; as many as there must be of each class
        (0.2, (16, 15000, 5000, 4)),  # 15 s and 15,000 images each, four times as many at half of the resolution
        (0.8, (32, 15000, 5000, 4)),  # 60,000 images are enough
        (4.0, (32, 45000, 5000, 7)),  # all of them, and more than four times
        (100.0, (32, 45000, 5000, 60)),
    ],
)
def test_more_time_buys_images_then_resolution_then_epochs(
    hours: float, expected: tuple[int, ...], tmp_path: Path
) -> None:
    assert chosen(experiment(), tmp_path, hours) == expected


@pytest.mark.usefixtures("milliseconds")
def test_what_is_given_stays_and_the_rest_fits_it(tmp_path: Path) -> None:
    assert chosen(experiment(", subset: 5000, val_images: 70"), tmp_path) == (None, 5000, 70, 15)
    assert chosen(experiment(", resolution: 20", ", epochs: 10"), tmp_path) == (20, 7500, 2500, 10)
    limited = experiment(more="limits: {num_macs: {max: 90_000_000}}")
    assert chosen(limited, tmp_path, 0.2) == (32, 3800, 1300, 4)
    whole = experiment(", resolution: 32, subset: 5000, val_images: 70", ", epochs: 3")
    assert with_proxy(whole, tmp_path / "new", 1.0) is whole
    assert with_proxy(experiment(), tmp_path / "new", None) == experiment()


@pytest.mark.usefixtures("milliseconds")
def test_epochs_are_as_many_as_the_scheduler_needs(tmp_path: Path) -> None:
    rung = "asha, first_rung: 6"
    assert chosen(experiment(", subset: 20_000", scheduler=rung), tmp_path)[-1] == 6


def test_networks_are_really_timed() -> None:
    assert 1e-7 < proxy._seconds_per_image(experiment(name="digits")) < 1.0


def test_a_study_keeps_its_proxy(tmp_path: Path, milliseconds: pytest.MonkeyPatch) -> None:
    space, study = tmp_path / "x.yaml", tmp_path / "study"
    space.write_text(experiment(name="digits").origin.text)
    ressearch.run(space, hours=0.05, trials=2, study=study, backend="local")
    milliseconds.setattr(proxy, "_seconds_per_image", lambda _: 1e-5)
    begun = parse_experiment((study / "space.yaml").read_text(), "x.yaml")
    assert begun.origin.question == "Is it good?"
    assert reason_of(begun).startswith("Proxy for 0.05 h on 1 worker: 8 pixels, 1,000 images, 4 epochs, ")
    assert (begun.images.resolution, begun.images.subset, begun.recipe.ema_decay) == (8, 1000, 0.95)
    ressearch.run(space, trials=3, study=study, backend="local")
    ressearch.run(space, hours=50, trials=4, study=study, backend="local")
    record = ressearch.open_study(study)
    assert {trial.recipe["epochs"] for trial in record.trials} == {begun.recipe.epochs}
    assert len(record.trials) == 4
    assert (study / "space.yaml").read_text() == begun.origin.text
