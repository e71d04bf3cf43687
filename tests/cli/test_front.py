"""Several objectives from the command line: a real search, its leaderboard, and the front taken home."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ressearch
from ressearch.packaging import ExportError

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def study(space_text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of four networks, whose space is to be gone through."""
    home = tmp_path_factory.mktemp("front")
    text = space_text.replace("baselines: [resnet-8]", "objectives: [val_accuracy, num_params]")
    (home / "several.yaml").write_text(text.replace("{name: random}", "{name: grid}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESSEARCH_CACHE", str(home / "cache"))
        ressearch.run(home / "several.yaml", trials=4, study=home / "study", backend="local")
    return home / "study"


def test_the_front_is_exported_one_directory_each(study: Path, call: Call, tmp_path: Path) -> None:
    front = {
        row["trial"]: row for row in json.loads(call("leaderboard", study, "--format", "json").out) if row["front"] == 1
    }
    smallest = min(ressearch.open_study(study).trials, key=lambda trial: trial.num_params)
    assert smallest.number in front
    ended = call("export", study, "front", "-o", tmp_path / "networks")
    assert (ended.code, ended.out, ended.err) == (0, f"{tmp_path / 'networks'}\n", "")
    written = sorted((tmp_path / "networks").iterdir())
    assert [path.name for path in written] == [f"{number:06d}" for number in sorted(front)]
    for directory in written:
        assert sorted(path.name for path in directory.iterdir()) == [
            "architecture.yaml",
            "model.py",
            "weights.safetensors",
        ]
        assert front[int(directory.name)]["architecture_id"] in (directory / "architecture.yaml").read_text()


def test_without_a_directory_the_front_goes_where_single_networks_go(study: Path, call: Call) -> None:
    best = ressearch.open_study(study).best.number
    assert call("export", study, "front", "--format", "torch-export").out == f"{study / 'export'}\n"
    assert (study / "export" / f"{best:06d}-torch-export" / "model.pt2").is_file()


def test_nothing_is_written_where_one_of_the_front_has_no_room(study: Path, tmp_path: Path) -> None:
    *_, last = ressearch.open_study(study).front
    (tmp_path / f"{last.number:06d}").mkdir()
    (tmp_path / f"{last.number:06d}" / "mine.txt").write_text("mine")
    with pytest.raises(ExportError, match=rf"{last.number:06d} exists and is not an empty directory"):
        ressearch.export(study, "front", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{last.number:06d}"]


def test_best_is_the_most_accurate_of_the_front(study: Path) -> None:
    found = ressearch.open_study(study)
    assert found.best == found.front[0]
    assert found.best.val_accuracy == max(trial.val_accuracy or 0.0 for trial in found.trials)
    assert f"trial: {found.best.number}" in (study / "best" / "architecture.yaml").read_text()


def test_with_one_objective_the_front_is_the_best_and_its_equals(home: Path, tmp_path: Path) -> None:
    found = ressearch.open_study(home / "trials" / "digits")
    ressearch.export(home / "trials" / "digits", "front", tmp_path / "networks")
    expected = {
        f"{trial.number:06d}"
        for trial in found.trials
        if trial.is_ranked and trial.val_accuracy == found.best.val_accuracy
    }
    assert {path.name for path in (tmp_path / "networks").iterdir()} == expected
