"""The package as a notebook uses it: what `import ressearch` offers, and the way of a tiny study in Python."""

import inspect
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import ressearch
from ressearch.experiment import Budget, Experiment, Session
from ressearch.experiment.loader import parse_experiment
from ressearch.images import ImageShape
from ressearch.store.files import StudyError
from ressearch.training.recipe import Recipe

SPACE = """\
# Does a second block help?
version: 1
data: {name: digits, subset: 100, val_images: 100}
architecture:
  stages: 1
  stem_width: 8
  depth: {choice: [1, 2]}
  width: {choice: [8, 12]}
  stride: 2
recipe: {epochs: 2, warmup_epochs: 0, batch_size: 50, lr: {choice: [0.05, 0.1]}, crop_padding: 1, flip: false}
sampler: {name: random}
scheduler: {name: none}
"""


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    """The file's experiment with fewer epochs, a baseline and a budget."""
    read = parse_experiment(SPACE, "blocks.yaml")
    return replace(
        read,
        recipe=replace(read.recipe, epochs=1),
        session=Session(budget=Budget(trials=3), baselines=("resnet-8",)),
    )


@pytest.fixture(scope="module")
def study(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of that experiment, trained in this process."""
    directory = tmp_path_factory.mktemp("api") / "blocks"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESSEARCH_CACHE", str(directory.parent / "cache"))
        outcome = ressearch.run(experiment, study=directory, backend="local")
    assert (outcome.num_finished, outcome.budget.trials, outcome.was_interrupted) == (3, 3, False)
    return directory


# Names


@pytest.mark.parametrize("name", ressearch.__all__)
def test_every_name_resolves_and_has_help(name: str) -> None:
    found = getattr(ressearch, name)
    assert inspect.isclass(found) or inspect.isfunction(found)
    assert (inspect.getdoc(found) or "").split("\n")[0].endswith(".")
    assert name in dir(ressearch)


def test_all_is_in_order_and_complete() -> None:
    assert list(ressearch.__all__) == sorted(ressearch.__all__)
    with pytest.raises(AttributeError, match="module 'ressearch' has no attribute 'chekc'"):
        _ = ressearch.chekc


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = (
        "import sys, ressearch\n"
        "ressearch.load_experiment, ressearch.Experiment, ressearch.named, ressearch.run, ressearch.check\n"
        "heavy = {'torch', 'torchvision', 'ray', 'optuna', 'pandas', 'sklearn', 'sqlalchemy', 'rich', 'typer'}\n"
        "sys.exit(f'loaded: {sorted(heavy & set(sys.modules))}' if heavy & set(sys.modules) else 0)"
    )
    root = Path(ressearch.__file__).parents[1]
    ended = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


# Networks


def test_build_gives_a_module() -> None:
    network = ressearch.build("resnet-20", num_classes=10)
    assert isinstance(network, torch.nn.Module)
    assert sum(parameter.numel() for parameter in network.parameters()) == 269_722
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_build_takes_an_architecture_and_other_images() -> None:
    architecture = ressearch.Architecture(stages=(ressearch.Stage(depth=1, width=8),), stem_width=8)
    network = ressearch.build(architecture, num_classes=7, in_channels=1)
    assert network(torch.zeros(2, 1, 12, 12)).shape == (2, 7)
    assert ressearch.build(architecture)(torch.zeros(2, 3, 12, 12)).shape == (2, 10)


def test_build_knows_the_data_set_of_a_name() -> None:
    with torch.device("meta"):
        network = ressearch.build("resnet-18-imagenet")
        assert network(torch.empty(2, 3, 64, 64)).shape == (2, 1000)


def test_the_listed_names_are_networks() -> None:
    names = ressearch.list_architectures()
    assert {"resnet-20", "wrn-28-10", "se-resnet-50-imagenet"} <= set(names)
    assert [ressearch.named(name).stages != () for name in names] == [True] * len(names)


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(ValueError, match="unknown architecture 'resnet-21'"):
        ressearch.build("resnet-21")


# A study


def test_check_takes_an_experiment_a_path_or_a_space(experiment: Experiment, tmp_path: Path) -> None:
    path = tmp_path / "blocks.yaml"
    path.write_text(SPACE)
    found = ressearch.check(experiment)
    assert (found.size, found.is_exact, found.feasible.value) == (8, True, 1.0)
    assert ressearch.check(path) == ressearch.check(str(path)) == found
    space = experiment.space
    assert ressearch.check(space, images=experiment.shape) == found
    on_cifar10 = ressearch.check(space)
    assert on_cifar10 == ressearch.check(space, images=ImageShape(channels=3, resolution=32, num_classes=10))
    assert on_cifar10.num_macs is not None
    assert found.num_macs is not None
    assert on_cifar10.num_macs.min > found.num_macs.max
    with pytest.raises(ValueError, match="samples >= 1 must hold, got 0"):
        ressearch.check(space, samples=0)


def test_an_experiment_that_python_has_changed_is_run(experiment: Experiment, study: Path) -> None:
    found = ressearch.open_study(study)
    assert [trial.state for trial in found.trials] == ["complete"] * 3
    assert [trial.baseline for trial in found.trials] == ["resnet-8", None, None]
    assert {trial.epochs for trial in found.trials} == {1}
    assert not (study / "space.yaml").exists()  # the file says 2 epochs, and would mislead
    assert {path.name for path in study.iterdir()} >= {"study.db", "manifest.json", "leaderboard.md", "best"}


def test_the_best_of_a_study(study: Path) -> None:
    found = ressearch.open_study(study)
    best = found.best
    assert best == found.trial("best") == found.trial(best.number) == found.trial(str(best.number))
    assert best.val_accuracy == max(trial.val_accuracy or 0.0 for trial in found.trials)
    assert ressearch.leaderboard(study)[0].trial == best
    network = ressearch.build(best.build_architecture(), num_classes=10, in_channels=1)
    assert sum(parameter.numel() for parameter in network.parameters()) == best.num_params
    assert isinstance(best.build_recipe(), Recipe)
    with pytest.raises(StudyError, match="there is no trial '7'; say 'best' or a number, it holds 0 to 2"):
        found.trial(7)


def test_a_study_as_a_frame(study: Path) -> None:
    found = ressearch.open_study(study)
    frame = found.to_frame()
    assert len(frame) == len(found.trials)
    assert list(frame["number"]) == [0, 1, 2]
    assert {"params_depth", "params_width", "params_lr"} <= set(frame.columns)
    assert frame["baseline"][0] == "resnet-8"
    for trial, row in zip(found.trials, frame.to_dict("records"), strict=True):
        assert (row["val_accuracy"], row["epochs"], row["num_params"]) == (trial.val_accuracy, 1, trial.num_params)
        for name, value in trial.params.items():
            assert row[f"params_{name}"] == value
    assert list(replace(found, trials=()).to_frame().columns)[:2] == ["number", "state"]


def test_the_same_call_carries_on_and_another_experiment_does_not(
    experiment: Experiment, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESSEARCH_CACHE", str(study.parent / "cache"))
    again = ressearch.run(experiment, study=study, backend="local")
    assert (again.num_finished, again.summary["num_trials"]) == (3, 0)
    with pytest.raises(StudyError, match=r"begun with another experiment: recipe\.epochs is 3, and was 1"):
        ressearch.run(replace(experiment, recipe=replace(experiment.recipe, epochs=3)), study=study, backend="local")
    with pytest.raises(ValueError, match="say when to end: --trials N"):
        ressearch.run(replace(experiment, session=Session()), study=study, backend="local")


def test_a_study_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"no study here \(study\.db is missing\)"):
        ressearch.open_study(tmp_path / "none")


def test_export_and_show_take_what_python_has(study: Path, tmp_path: Path) -> None:
    found = ressearch.open_study(study)
    directory = ressearch.export(study, found.best.number, tmp_path / "network")
    assert sorted(path.name for path in directory.iterdir()) == ["architecture.yaml", "model.py", "weights.safetensors"]
    untrained = ressearch.export(ressearch.named("resnet-8"), directory=tmp_path / "untrained")
    assert sorted(path.name for path in untrained.iterdir()) == ["architecture.yaml", "model.py"]
    assert ressearch.show(study, "best") is not None
    assert ressearch.show("resnet-20") is not None
    assert ressearch.show(ressearch.named("wrn-16-4"), every_layer=True) is not None


def test_a_trial_belongs_to_a_study(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a trial belongs to a study, got an architecture; leave the trial out"):
        ressearch.export(ressearch.named("resnet-8"), "best", tmp_path / "out")
    with pytest.raises(ValueError, match="a trial belongs to a study"):
        ressearch.show(ressearch.named("resnet-8"), 0)
