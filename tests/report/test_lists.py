"""What `ressearch list` prints of rows: every name, what it is, and the options that a YAML file may give."""

import io
from collections.abc import Mapping

import pytest
from rich.console import Console

from ressearch.experiment import OBJECTIVES
from ressearch.report.lists import LISTS, listed
from ressearch.samplers import SAMPLERS
from ressearch.schedulers import SCHEDULERS
from ressearch.training.recipe import FAST
from ressearch.training.sources import SOURCES


def printed(what: str) -> str:
    console = Console(file=io.StringIO(), width=400)
    console.print(listed(what))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("what", "rows"),
    [("samplers", SAMPLERS), ("schedulers", SCHEDULERS), ("objectives", OBJECTIVES), ("sources", SOURCES)],
)
def test_every_row_is_listed(what: str, rows: Mapping[str, object]) -> None:
    lines = printed(what).splitlines()
    found = [line.split()[0] for line in lines[3:] if line.startswith(" ") and line.strip()]
    assert found == list(rows)


def test_rows_say_what_they_take_and_what_they_are_not_for() -> None:
    text = printed("samplers")
    assert "population_size: 20" in text
    assert "continuous parameters" in text
    assert "learning from stopped trials" in text
    assert "first_rung: left open, reduction_factor: 2" in printed("schedulers")
    assert [line.split()[:2] for line in printed("objectives").splitlines()[3:5]] == [
        ["val_accuracy", "higher"],
        ["num_params", "lower"],
    ]


def test_unknown_lists_are_refused_with_a_guess() -> None:
    with pytest.raises(ValueError, match=r"got 'sampler', expected one of .*; did you mean 'samplers'\?"):
        listed("sampler")
    assert set(LISTS) == {"architectures", "axes", "samplers", "schedulers", "objectives", "sources", "recipes"}


def test_recipes_are_listed_with_what_differs_from_the_default_and_their_sources() -> None:
    lines = {line.split()[0]: " ".join(line.split()) for line in printed("recipes").splitlines() if line.strip()}
    assert lines["he2016"] == (
        "he2016 epochs: 182, nesterov: false, weight_decay: 0.0001, decay_norms: true, schedule: step_he2016, "
        "warmup_epochs: 0 He et al. 2016, arXiv:1512.03385, section 4.2"
    )
    assert "schedule: step_wrn" in lines["wrn"]
    assert f"ema_decay: {FAST.ema_decay}" in lines["fast"]
    assert "that of a study's trial, or of an exported file" in lines["found"]
