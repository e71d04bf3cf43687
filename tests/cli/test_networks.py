"""Networks on the command line: export, list, show."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from ressearch import verbs
from ressearch.arch import AXES, architecture_id, named
from ressearch.experiment import load_experiment
from ressearch.search.contract import Progress, TrialResult, TrialSpec, failed
from ressearch.search.local_backend import run_in_process
from ressearch.search.session import run_session
from ressearch.store.files import StudyError
from ressearch.training.loop import EpochResult

Call = Callable[..., Any]
Rows = Callable[..., list[dict[str, Any]]]


@pytest.mark.parametrize("trial", ["best", "0"])
def test_an_exported_module_runs_without_ressearch(call: Call, at_home: Path, tmp_path: Path, trial: str) -> None:
    directory = tmp_path / "network"
    ended = call("export", "digits", trial, "-o", directory)
    assert ended == (0, f"{directory}\n", "")
    assert sorted(path.name for path in directory.iterdir()) == ["architecture.yaml", "model.py", "weights.safetensors"]
    script = (
        "import sys; sys.modules['ressearch'] = None\n"
        "import torch; from safetensors.torch import load_file; from model import build\n"
        "print(tuple(build(load_file('weights.safetensors')).eval()(torch.zeros(5, 1, 8, 8)).shape))"
    )
    process = subprocess.run([sys.executable, "-c", script], cwd=directory, capture_output=True, text=True, check=False)
    assert process.stdout == "(5, 10)\n", process.stderr


def test_run_exports_the_best_trial(rows_of: Rows, at_home: Path) -> None:
    best = rows_of("digits", "--top", 1)[0]
    description = (at_home / "trials" / "digits" / "best" / "architecture.yaml").read_text()
    assert f"architecture_id: {best['architecture_id']}" in description


def test_export_refuses_what_it_cannot_do(call: Call, at_home: Path, tmp_path: Path) -> None:
    ended = call("export", "digits", "17", "-o", tmp_path / "network")
    assert ended.code == 1
    assert "there is no trial '17'; say 'best' or a number, it holds 0 to 2" in ended.err

    (tmp_path / "thesis.txt").write_text("years of work")
    ended = call("export", "digits", "best", "-o", tmp_path)
    assert ended.code == 1
    assert f"{tmp_path} exists and is not an empty directory" in ended.err
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_export_names_weights_that_are_gone(call: Call, at_home: Path, tmp_path: Path) -> None:
    weights = at_home / "trials" / "digits" / "trials" / "000001" / "weights.safetensors"
    moved = weights.rename(weights.with_suffix(".away"))
    try:
        ended = call("export", "digits", "1", "-o", tmp_path / "network")
    finally:
        moved.rename(weights)
    assert ended.code == 1
    assert "trial 1 is complete, but its weights are gone" in ended.err
    assert "000001/weights.safetensors is missing" in ended.err


def pretend(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
    """Fail as trial 0, be worse with every trial after it; leave no weights."""
    if spec.number == 0:
        yield failed("non_finite", "non_finite: the loss is nan")
        return
    accuracy = 0.9 - 0.1 * spec.number
    for epoch in (1, 2):
        result = EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=accuracy, lr=0.1, seconds=0.0)
        yield Progress(epoch=result, seconds=0.0)
    yield TrialResult(measures={"val_accuracy": accuracy, "seconds": 0.0})


@pytest.mark.parametrize(
    ("trial", "message"),
    [
        ("0", r"trial 0 failed \(non_finite: the loss is nan\), so it has no trained weights"),
        ("1", r"trial 1 is complete, but its weights are gone"),
        ("2", r"trial 2 was stopped early, after 1 epochs, so it has no trained weights"),
    ],
)
def test_export_says_why_a_trial_has_no_weights(space_text: str, tmp_path: Path, trial: str, message: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(space_text.replace("{name: none}", "{name: asha, first_rung: 1}").replace("[resnet-8]", "[]"))
    run_session(load_experiment(path), tmp_path / "study", partial(run_in_process, do=pretend), trials=3)
    with pytest.raises(StudyError, match=message):
        verbs.export(tmp_path / "study", trial, tmp_path / "network")
    assert not (tmp_path / "network").exists()


def test_export_of_a_network_that_nobody_has_trained(call: Call, tmp_path: Path) -> None:
    ended = call("export", "wrn-10-1", "-o", tmp_path / "network")
    assert ended == (0, f"{tmp_path / 'network'}\n", "")
    assert sorted(path.name for path in (tmp_path / "network").iterdir()) == ["architecture.yaml", "model.py"]
    written = yaml.safe_load((tmp_path / "network" / "architecture.yaml").read_text())
    assert written["architecture_id"] == architecture_id(named("wrn-10-1"))


@pytest.mark.parametrize(("form", "file"), [("onnx", "model.onnx"), ("torch-export", "model.pt2")])
def test_export_of_a_trial_for_other_runtimes(call: Call, at_home: Path, form: str, file: str) -> None:
    """Without -o the directory carries the name of the format, beside that of the module."""
    ended = call("export", "digits", "0", "--format", form)
    assert ended.code == 0, ended.err
    assert ended.out == f"trials/digits/export/000000-{form}\n"
    assert sorted(path.name for path in Path(ended.out.strip()).iterdir()) == ["architecture.yaml", file]


@pytest.mark.parametrize("verb", ["export", "show"])
def test_a_study_needs_a_trial(call: Call, at_home: Path, verb: str) -> None:
    ended = call(verb, "digits")
    assert ended == (1, "", f"ressearch: digits is a study: say which trial, as in `ressearch {verb} digits best`\n")


def test_list_names_the_networks_of_the_literature(call: Call) -> None:
    ended = call("list", "architectures")
    assert ended.code == 0
    for name in ("resnet-20", "wrn-28-10", "se-resnet-50-imagenet", "pyramidnet-272-a200"):
        assert f" {name} " in ended.out


def test_list_names_every_axis_and_every_value(call: Call) -> None:
    axes = call("list", "axes").out
    for name, axis in AXES.items():
        assert f" {name} " in axes
        values = call("list", name)
        assert values.code == 0
        assert all(f" {value} " in values.out for value in axis.names)


def test_list_guesses(call: Call) -> None:
    ended = call("list", "architecture")
    assert ended.code == 1
    assert "got 'architecture', expected one of architectures, axes, samplers" in ended.err
    assert "did you mean 'architectures'?" in ended.err


def test_show_draws_a_network_with_its_paper(call: Call) -> None:
    ended = call("show", "resnet-20")
    assert ended.code == 0
    for text in ("stage 3", "64 x 8 x 8", "269,722", "40,551,040", "8.75", "he2015 Table 6"):
        assert text in ended.out


def test_show_draws_a_trial_and_an_export(call: Call, at_home: Path, rows_of: Rows) -> None:
    best = rows_of("digits", "--top", 1)[0]
    shown = call("show", "digits", "best", "--layers")
    assert f"trial {best['trial']} of digits ({best['architecture_id']})" in shown.out
    assert f"{best['num_params']:,}" in shown.out
    assert "place         rank 1 of 2" in shown.out
    assert f"{best['val_accuracy']:.4f} ±{best['std_error']:.4f} after 2 epochs" in shown.out
    again = call("show", "trials/digits/best/architecture.yaml")
    assert f"{best['num_params']:,}" in again.out
