"""Accuracies carry their standard errors, ties are named, and baselines are compared by recipe, too."""

import csv
import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import pytest
from rich.console import Console, RenderableType

from ressearch.report.leaderboard import leaderboard_rows
from ressearch.report.leaderboard_forms import as_csv, as_json, as_markdown, as_table, write_leaderboard
from ressearch.report.retrained import retrained
from ressearch.report.study_summary import summarised
from ressearch.report.trial_drawing import trial_drawing
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import StudyRecord
from ressearch.training.recipe import Recipe

Make = Callable[..., TrialRecord]
SHAPE = {"channels": 3, "resolution": 32, "num_classes": 10}
ODD = asdict(Recipe(epochs=2, lr=0.1 + 0.2, weight_decay=1 / 3000, label_smoothing=0.1))


@pytest.fixture
def sixty(study: StudyRecord, record: Make) -> StudyRecord:
    """A baseline and three trials, judged by 60 images: the first two are tied, the others are not."""
    usual = {"num_images": 540, "num_val_images": 60}
    trials = (
        record(0, [0.1, 26 / 60], baseline="resnet-8", seconds=1.23456789, **usual),
        record(1, [0.1, 36 / 60], recipe=ODD, **usual),
        record(2, [0.2, 38 / 60], recipe=ODD, **usual),
        record(3, [0.3], state="pruned", **usual),
        record(4, [0.1, 20 / 60], **usual),
    )
    return replace(study, trials=trials, manifest={**study.manifest, "shape": SHAPE})


def printed(renderable: RenderableType, width: int = 250) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def table(study: StudyRecord, width: int = 250) -> str:
    return printed(as_table(leaderboard_rows(study), title=""), width)


def by_trial(study: StudyRecord) -> Mapping[int, dict[str, Any]]:
    return {row["trial"]: row for row in json.loads(as_json(leaderboard_rows(study)))}


def test_every_form_has_the_standard_error(sixty: StudyRecord) -> None:
    error = math.sqrt(38 / 60 * 22 / 60 / 60)
    assert by_trial(sixty)[2]["std_error"] == error
    first = next(csv.DictReader(io.StringIO(as_csv(leaderboard_rows(sixty)))))
    assert (first["val_accuracy"], first["std_error"]) == (repr(38 / 60), repr(error))
    assert f"| {38 / 60!r} | {error!r} |" in as_markdown(leaderboard_rows(sixty))
    assert "0.6333 ±0.0622" in table(sixty)


def test_a_narrow_table_with_tests_keeps_one_line_per_trial(sixty: StudyRecord, record: Make) -> None:
    study = replace(sixty, confirmations=tuple(confirmed(record, 1, 0.7, 0.8)))
    lines = [line.split() for line in table(study, 80).splitlines()]
    assert [words[:7] for words in lines if words[:2] == ["2", "1"]] == [
        ["2", "1", "0.6000", "±0.0632", "0.7500", "0.0707", "2"]
    ]


def test_ties_are_named(sixty: StudyRecord) -> None:
    rows = by_trial(sixty)
    assert {number: row["tied"] for number, row in rows.items()} == {2: None, 1: True, 0: False, 4: False, 3: None}
    marked = [line for line in table(sixty).splitlines() if "tied" in line.split()]
    assert len(marked) == 1
    assert marked[0].split()[:2] == ["2", "1"]
    now = summarised(sixty.trials, sixty.directions)
    assert now.tied is not None
    assert [trial.number for trial in now.tied] == [1]


def test_what_noise_is_stands_beneath_the_table(sixty: StudyRecord) -> None:
    sixty.directory.mkdir()
    write_leaderboard(sixty)
    for text in (table(sixty), (sixty.directory / "leaderboard.md").read_text()):
        words = " ".join(text.split())
        assert "standard error, over 60 validation images" in words
        assert "less than 1.96 standard errors of the difference; all trials see the same images" in words
        assert "Note: only 60 images validate" in words


def test_enough_images_are_not_warned_of(sixty: StudyRecord) -> None:
    trials = tuple(replace(trial, num_val_images=500) for trial in sixty.trials)
    assert "only" not in table(replace(sixty, trials=trials))


def test_older_trials_have_no_standard_error(study: StudyRecord) -> None:
    assert "±" not in table(study)
    assert {row["std_error"] for row in by_trial(study).values()} == {None}
    assert {row["tied"] for row in by_trial(study).values()} == {None}
    assert summarised(study.trials, study.directions).tied is None


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_narrow_terminal_shows_accuracies_whole(sixty: StudyRecord, width: int) -> None:
    text = table(sixty, width)
    assert "0.6333 ±0.0622" in text
    assert len([line for line in text.splitlines() if line.split()[:1] in (["1"], ["2"], ["3"], ["4"])]) == 4


def test_a_difference_has_its_error_and_tells_of_another_recipe(sixty: StudyRecord) -> None:
    now = summarised(sixty.trials, sixty.directions)
    error = math.sqrt(38 / 60 * 22 / 60 / 60 + 26 / 60 * 34 / 60 / 60)
    text = now.comparison(now.baselines[0])
    assert text == (f"+0.2000 ±{error:.4f}, with another recipe (lr=0.3 weight_decay=0.000333 label_smoothing=0.1)")
    near = replace(sixty.trials[0], curve=sixty.trials[1].curve)
    assert "±0.0887, which is within noise, with another" in now.comparison(near)
    same = replace(sixty.trials[0], recipe=ODD)
    assert now.comparison(same).endswith("with the same recipe")


def test_the_kept_forms_have_every_field_of_the_recipe_unrounded(sixty: StudyRecord) -> None:
    rows = by_trial(sixty)
    assert {name: rows[1][f"recipe_{name}"] for name in ODD} == ODD
    assert {name: rows[0][f"recipe_{name}"] for name in ODD} == asdict(Recipe(epochs=2))
    first = next(csv.DictReader(io.StringIO(as_csv(leaderboard_rows(sixty)))))
    assert {name: first[f"recipe_{name}"] for name in ODD} == {name: str(value) for name, value in ODD.items()}
    assert (first["seed"], first["num_images"], first["num_val_images"]) == ("2", "540", "60")
    assert rows[0]["seconds"] == 1.23456789
    markdown = as_markdown(leaderboard_rows(sixty))
    assert f"lr={0.1 + 0.2!r} weight_decay={1 / 3000!r} label_smoothing=0.1" in markdown
    assert "| 1.23456789 |" in markdown
    assert "lr=0.3 weight_decay=0.000333 label_smoothing=0.1 3x" in table(sixty).replace("1x", "3x")


def test_settings_of_whole_numbers_are_whole(study: StudyRecord, record: Make) -> None:
    trials = (record(0, [0.5], recipe={"batch_size": 1024}), record(1, [0.5], recipe={"batch_size": 64}))
    assert "batch_size=1024 " in table(replace(study, trials=trials))


def confirmed(record: Make, number: int, *accuracies: float, first: int = 100, **fields: Any) -> list[TrialRecord]:
    """Trainings of a trial's network again, one per seed."""
    values = {"trial_of": number, "group": f"trial {number}", "recipe": {"epochs": 20}, "num_images": 45_000, **fields}
    return [
        record(first + index, [0.5], measures={"test_accuracy": accuracy}, **values)
        for index, accuracy in enumerate(accuracies)
    ]


def test_confirmations_have_columns_of_their_own(sixty: StudyRecord, record: Make) -> None:
    trainings = [*confirmed(record, 1, 0.7, 0.8), *confirmed(record, 0, 0.25, first=200)]
    study = replace(sixty, confirmations=tuple(trainings))
    rows = by_trial(study)
    assert (rows[1]["test_accuracy"], rows[1]["test_seeds"]) == (0.75, 2)
    assert rows[1]["test_std"] == pytest.approx(math.sqrt(0.005))
    assert (rows[0]["test_accuracy"], rows[0]["test_std"], rows[0]["test_seeds"]) == (0.25, None, 1)
    assert {rows[2][name] for name in ("test_accuracy", "test_std", "test_seeds")} == {None}
    assert [row["rank"] for row in rows.values()] == [1, 2, 3, 4, None]  # the ranking is the proxy's
    text = table(study)
    assert [line.split()[4:7] for line in text.splitlines() if line.split()[:1] == ["2"]] == [["0.7500", "0.0707", "2"]]
    assert "(20 epochs of 45,000 images: trial 0, 1)" in " ".join(text.split())
    assert "| test_accuracy | test_std | test_seeds |" in as_markdown(leaderboard_rows(study))
    assert "test" not in table(sixty)


def test_the_trial_s_own_recipe_with_most_seeds_counts(record: Make) -> None:
    short = {"group": "short", "recipe": {"epochs": 8}}
    trainings = [
        *confirmed(record, 0, 0.1, 0.2, 0.3, first=100, recipe_of=7, group="found"),
        *confirmed(record, 0, 0.5, first=200),
        *confirmed(record, 0, 0.6, 0.8, first=300, **short),
        *confirmed(record, 1, 0.5, first=400, **short),
        *confirmed(record, 1, 0.9, first=500),
        replace(confirmed(record, 1, 0.5, first=600)[0], measures={}, state="failed"),
    ]
    for order in (trainings, trainings[::-1]):
        found = retrained(order)
        assert (found[0].mean, len(found[0].accuracies), found[0].epochs) == (pytest.approx(0.7), 2, 8)
        assert (found[1].accuracies, found[1].epochs) == ((0.9,), 20)


def test_only_another_recipe_is_no_confirmation(record: Make) -> None:
    assert retrained(confirmed(record, 0, 0.9, recipe_of=7)) == {}
    assert retrained([replace(each, trial_of=None) for each in confirmed(record, 0, 0.9)]) == {}


def test_show_tells_how_a_trial_was_trained(sixty: StudyRecord, record: Make) -> None:
    study = replace(sixty, confirmations=tuple(confirmed(record, 1, 0.7, 0.8)))
    text = printed(trial_drawing(study, study.trials[1]))
    words = " ".join(text.split())
    for part in (
        "trial 1 of mixed",
        "place rank 2 of 4, tied",
        "val_accuracy 0.6000 ±0.0632 after 2 epochs",
        "test_accuracy 0.7500, standard deviation 0.0707, 2 fresh seeds, 20 epochs of 45,000 images",
        "540 train, 60 validate; only 60 images",
        "seed 1",
        f"lr={0.1 + 0.2!r}",
        "1 0.1000 ±0.0387",
        "2 0.6000 ±0.0632",
    ):
        assert part in words
    failed = record(5, [], state="failed", reason="non_finite", message="loss is nan")
    text = printed(trial_drawing(replace(study, trials=(*study.trials, failed)), failed))
    assert "no rank, failed: non_finite" in text
    assert "loss is nan" in text
    assert "curve" not in text


def test_a_long_curve_is_thinned(study: StudyRecord, record: Make) -> None:
    trial = record(0, [number / 1000 for number in range(1, 201)])
    study = replace(study, trials=(trial,), manifest={**study.manifest, "shape": SHAPE})
    text = printed(trial_drawing(study, trial))
    assert "curve, 20 of 200 epochs" in text
    lines = [line.split() for line in text[text.index("curve,") :].splitlines()[4:] if line.strip()]
    assert len(lines) == 20
    assert (lines[0], lines[-1]) == (["1", "0.0010"], ["200", "0.2000"])
