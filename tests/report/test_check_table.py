"""What `ressearch check` prints."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from ressearch import verbs
from ressearch.experiment import load_experiment
from ressearch.report.check_table import check_table

SPACE = """\
# Do groups pay?
version: 1
data: {name: digits}
architecture:
  stages: 2
  depth: 1
  stem_width: 8
  width: {choice: [8, 12, 400]}
  transform: {choice: [basic, bottleneck]}
  cardinality: {choice: [1, 8], when: {transform: bottleneck}}
limits: {num_params: {max: 20_000}}
"""


def printed(path: Path, samples: int) -> str:
    experiment = load_experiment(path)
    console = Console(file=io.StringIO(), width=200)
    console.print(check_table(experiment, verbs.check(experiment, samples=samples)))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "groups.yaml"
    file.write_text(SPACE)
    return file


def test_a_small_space_is_described_exactly(path: Path) -> None:
    text = printed(path, samples=100)
    assert f"{path}: Do groups pay?" in text
    assert "8, 12, 400" in text
    assert "transform is bottleneck" in text
    assert "9 points" in text
    assert "all 9 points" in text
    assert "44.4% (exactly)" in text
    assert "does not divide the inner width" in text
    assert "exceeds the limit of 20,000" in text


def test_truth_values_are_written_as_in_yaml(path: Path) -> None:
    path.write_text(
        SPACE.replace(
            "limits:", "  zero_init: {choice: [false, true]}\n  init_c: {choice: [1], when: {zero_init: true}}\nlimits:"
        )
    )
    text = printed(path, samples=100)
    assert "false, true" in text
    assert "zero_init is true" in text
    assert "True" not in text


def test_a_large_space_is_sampled_and_says_how_sure_it_is(path: Path) -> None:
    path.write_text(SPACE + "recipe: {lr: {float: {low: 0.01, high: 1.0, log: true}}}\n")
    text = printed(path, samples=50)
    assert "9 points, times the continuous lr" in text
    assert "random 50 points" in text
    assert "95 % interval" in text


def test_what_works_less_well_is_noted(path: Path) -> None:
    few = " ".join(printed(path, samples=10).split())
    assert "images train, 144 validate" in few
    assert "note: only 144 images validate: the standard error of an accuracy is 0.0417" in few
    path.write_text(SPACE.replace("{name: digits}", "{name: digits, val_images: 500}"))
    assert "note:" not in printed(path, samples=10)
    path.write_text(SPACE + "sampler: {name: nsga2}\n")
    text = printed(path, samples=10)
    assert "note: sampler nsga2 learns nothing from the trials that calibrated stops early" in text


def test_a_space_without_a_question_goes_by_its_path(path: Path) -> None:
    path.write_text(SPACE.partition("\n")[2])
    assert printed(path, samples=10).startswith(f"{path}\n")
