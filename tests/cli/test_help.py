"""The command line: help, messages and exit codes."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ressearch
from ressearch import verbs

Call = Callable[..., Any]
VERBS = ("check", "run", "leaderboard", "train", "confirm", "audit", "export", "list", "show", "dashboard")


# Help


def test_help_names_every_verb(call: Call) -> None:
    ended = call("--help")
    assert ended.code == 0
    for verb in VERBS:
        assert f"  {verb} " in ended.out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(call: Call, verb: str) -> None:
    ended = call(verb, "--help")
    assert ended.code == 0
    assert re.search(rf"Examples?:\n    ressearch {verb} ", ended.out)


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        ("check", ["YAML file of the search space", "Points of the space to look at"]),
        ("run", ["the budget of SPACE if left out", "The same command again carries on", "one by one in this process"]),
        ("leaderboard", ["Form of the output", "by validation accuracy at the last epoch"]),
        (
            "train",
            [
                "Epochs, instead of the recipe's",
                "test images are read once, after the last epoch",
                "he2016, wrn, fast, or found",
                "Exit codes: 3 if the training diverges",
                "the same command goes on after whatever has ended it",
            ],
        ),
        ("confirm", ["the baselines again with fresh seeds", "trains what is missing, from the last epoch on"]),
        ("audit", ["Kendall's tau", "the test images stay unread", "a larger --sample adds to it"]),
        ("export", ["a module that needs torch only", "the architecture.yaml of an export"]),
        ("list", ["networks of the literature, axes of the space", "Given the name of an axis"]),
        ("show", ["One row for every layer", "layers, shapes, cost, published errors"]),
        ("dashboard", ["Port to listen on; 0 picks a free one", "keep it on loopback"]),
    ],
)
def test_help_says_what_a_verb_does(call: Call, verb: str, told: list[str]) -> None:
    text = words(call(verb, "--help").out)
    for part in told:
        assert part in text
    assert "ancestor" not in text


def test_the_version(call: Call) -> None:
    assert call("--version") == (0, f"ressearch {ressearch.__version__}\n", "")


def test_help_loads_nothing_heavy(tmp_path: Path, environment: dict[str, str]) -> None:
    script = (
        "import sys\n"
        "from ressearch.cli import main\n"
        "sys.argv = ['ressearch', 'run', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    heavy = {'torch', 'ray', 'optuna', 'pandas', 'numpy', 'rich', 'yaml'} & set(sys.modules)\n"
        "    sys.exit(f'loaded: {sorted(heavy)}' if heavy else 0)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_the_package_offers_the_verbs() -> None:
    for name in ressearch.__all__:
        assert getattr(ressearch, name) is not None
    for verb in {name.replace("list", "list_architectures") for name in VERBS}:
        assert getattr(ressearch, verb) is getattr(verbs, verb)
    assert set(ressearch.__all__) <= set(dir(ressearch))
    with pytest.raises(AttributeError, match="no attribute 'chekc'"):
        _ = ressearch.chekc


# Mistakes


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["check", "none.yaml"], 1, "ressearch: none.yaml: "),
        (["run", "none.yaml", "--trials", "3"], 1, "ressearch: none.yaml: "),
        (["leaderboard", "none"], 1, "ressearch: trials/none: no study here (study.db is missing)"),
        (["leaderboard", "./none"], 1, "none: no study here (study.db is missing)"),
        (["export", "none", "best"], 1, "ressearch: trials/none: no study here (study.db is missing)"),
        (["show", "none", "best"], 1, "ressearch: trials/none: no study here (study.db is missing)"),
        (["show", "none"], 1, "ressearch: unknown architecture 'none'; known are resnet-N"),
        (["show", "none.yaml"], 1, "ressearch: none.yaml: there is no such file"),
        (["export", "none", "-o", "network"], 1, "ressearch: unknown architecture 'none'; known are resnet-N"),
        (["train", "none", "none.yaml"], 1, "ressearch: unknown architecture 'none'; known are resnet-N"),
        (["train", "resnet-8", "none.yaml"], 1, "ressearch: none.yaml: "),
        (["train", "none:best"], 1, "ressearch: trials/none: no study here (study.db is missing)"),
        (["train", "none/architecture.yaml"], 1, "ressearch: none/architecture.yaml: there is no such file"),
        (["train", "resnet-8", "--recipe", "fsat"], 1, "did you mean 'fast'?"),
        (["train", "resnet-8", "--recipe", "found"], 1, "recipe: found is what a study's trial or an exported file"),
        (["train", "resnet-8", "--set", "lrr=1"], 1, "there is no field 'lrr', expected one of epochs, "),
        (["train", "resnet-8", "--set", "lr"], 1, "--set: got 'lr', expected FIELD=VALUE"),
        (["train", "resnet-8", "--set", "epochs=3", "--epochs", "3"], 1, "epochs is given twice"),
        (
            ["train", "resnet-8", "--epochs", "2", "--set", "warmup_epochs=2"],
            1,
            "got 2.0 with epochs=2; change it, too",
        ),
        (["train", "resnet-8", "--data", "cifar"], 1, "--data: got 'cifar', expected one of digits, cifar10"),
        (["train", "resnet-8", "--data", "folder"], 1, "must be given: --data folder:DIR"),
        (["train", "resnet-8", "--data", "folder:"], 1, "--data: got 'folder:', expected a directory behind the colon"),
        (["train", "resnet-8", "--data", "folder:none"], 1, "folder: none is no directory"),
        (["train", "resnet-50-imagenet"], 1, "resnet-50-imagenet: which images? Say --data NAME[:ROOT]"),
        (["train", "resnet-8", "--data", "digits", "--device", "cuda:99"], 1, "there is no such GPU here"),
        (["train", "resnet-8", "--data", "digits", "--subset", "5000"], 1, "got 5000"),
        (["train", "resnet-8", "--data", "digits", "--seed", "4294967296"], 1, "0 <= seed < 2**32 must hold"),
        (["export", "resnet-8", "--format", "pdf"], 2, "Invalid value for '--format'"),
        (["dashboard", "none"], 1, "ressearch: trials/none: no study here (study.db is missing)"),
        (["run", "none.yaml"], 1, "ressearch: none.yaml: there is no such file"),
        (["confirm", "none"], 1, "ressearch: trials/none: no study here (study.db is missing)"),
        (["confirm", "none", "--seeds", "0"], 2, "Invalid value for '--seeds'"),
        (["confirm", "none", "--top", "0"], 2, "Invalid value for '--top'"),
        (["audit", "none"], 1, "ressearch: trials/none: no study here (study.db is missing)"),
        (["audit", "none", "--sample", "3"], 2, "Invalid value for '--sample'"),
        (["confirm", "none", "--backend", "spark"], 2, "Invalid value for '--backend'"),
        (["run", "none.yaml", "--trials", "0"], 2, "Invalid value for '--trials'"),
        (["run", "none.yaml", "--trials", "3", "--backend", "spark"], 2, "Invalid value for '--backend'"),
        (["leaderboard", "none", "--format", "xml"], 2, "Invalid value for '--format'"),
        (["dashboard", "none", "--port", "70000"], 2, "Invalid value for '--port'"),
        (["serach"], 2, "No such command 'serach'"),
    ],
)
def test_mistakes_end_in_one_message(
    call: Call,
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESSEARCH_CACHE", str(cache))
    ended = call(*arguments)
    assert ended.code == code
    assert message in ended.err
    assert ended.err.count("\n") == 1 or code == 2
    assert "Traceback" not in ended.err
    assert ended.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_in_a_space_is_told_with_its_line(call: Call, space_text: str, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(space_text.replace("depth:", "dept:"))
    ended = call("check", path)
    assert ended.code == 1
    assert ended.err.startswith(f"ressearch: {path}:7: architecture: unknown key 'dept'")
    assert "did you mean 'depth'?" in ended.err


def test_a_run_without_a_number_of_trials_says_where_to_give_it(call: Call, space_text: str, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(space_text)
    ended = call("run", tmp_path / "space.yaml", "--study", tmp_path / "study", "--backend", "local")
    said = "--trials N, --hours H, --target ACCURACY or --patience N, or `budget: {trials: N}` in the file"
    assert ended == (1, "", f"ressearch: say when to end: {said}\n")
    assert not (tmp_path / "study").exists()


def test_a_directory_that_cannot_be_written_is_named(call: Call, space_text: str, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(space_text)
    (tmp_path / "file").write_text("")
    ended = call("run", tmp_path / "space.yaml", "--trials", 1, "--study", tmp_path / "file" / "study")
    assert ended.code == 1
    assert ended.err == f"ressearch: {tmp_path / 'file' / 'study'}: Not a directory\n"


def test_an_interrupt_ends_with_130_and_says_how_to_go_on(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verbs, "run", interrupted)
    ended = call("run", tmp_path / "space.yaml", "--trials", 1)
    assert ended.code == 130
    assert "the same command carries on" in ended.err


def test_a_closed_pipe_is_no_error(home: Path, environment: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "ressearch", "leaderboard", "digits", "--format", "json"]
    with os.fdopen(writer, "w") as closed:
        ended = subprocess.run(
            command, cwd=home, env=environment, stdout=closed, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.stderr == ""
