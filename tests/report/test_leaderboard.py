"""The ranking: who has a rank, in which order, and that every form says the same."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from ressearch.ranking import Directions
from ressearch.report.leaderboard import leaderboard_rows
from ressearch.report.leaderboard_forms import as_csv, as_json, as_markdown, as_table, write_leaderboard
from ressearch.store.record import TrialRecord, best_of
from ressearch.store.study_record import StudyRecord

PROMISED = (
    "rank",
    "trial",
    "state",
    "val_accuracy",
    "num_params",
    "num_macs",
    "architecture_id",
    "baseline",
    "epochs",
    "seconds",
)


def printed(study: StudyRecord, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(as_table(leaderboard_rows(study), title="Leaderboard"))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_ranked_trials_come_first_then_by_state_and_how_far_they_came(study: StudyRecord) -> None:
    assert [(row.rank, row.trial.number) for row in leaderboard_rows(study)] == [
        (1, 4),
        (2, 7),
        (3, 0),
        (None, 1),  # the best accuracy of all, but outside the limits
        (None, 6),
        (None, 2),
        (None, 5),
        (None, 8),
        (None, 3),
    ]


def test_a_trial_that_waits_stands_between_the_running_and_the_pruned(
    study: StudyRecord, record: Callable[..., TrialRecord]
) -> None:
    trials = (*study.trials, record(9, [0.9], state="paused"))
    rows = leaderboard_rows(replace(study, trials=trials))
    assert [(row.trial.number, row.note) for row in rows[4:7]] == [(6, "running"), (9, "paused"), (2, "pruned")]
    assert rows[5].rank is None


def test_rank_one_is_the_best_trial_of_the_study(study: StudyRecord) -> None:
    best = best_of(study.trials, study.directions)
    assert best is not None
    assert leaderboard_rows(study)[0].trial == best == study.best


def test_json_holds_what_is_promised(study: StudyRecord) -> None:
    rows = json.loads(as_json(leaderboard_rows(study)))
    assert all(set(PROMISED) <= set(row) for row in rows)
    first = rows[0]
    assert (first["val_accuracy"], first["epochs"], first["seconds"]) == (0.9, 2, 1.5)
    assert first["num_params"] == 269_722
    assert rows[3]["rank"] is None
    assert rows[3]["baseline"] == "resnet-110"
    assert rows[-1]["message"] == "loss is nan | after 3 steps"
    assert "front" not in first


def test_csv_gives_the_json_form_back(study: StudyRecord) -> None:
    rows = leaderboard_rows(study)
    read = list(csv.DictReader(io.StringIO(as_csv(rows))))
    expected = [{name: "" if value is None else str(value) for name, value in row.to_dict().items()} for row in rows]
    assert read == expected


def test_markdown_has_one_line_per_trial_with_equal_cells(study: StudyRecord) -> None:
    rows = leaderboard_rows(study)
    lines = as_markdown(rows).splitlines()
    assert len(lines) == len(rows) + 2
    assert len({line.replace(r"\|", "").count("|") for line in lines}) == 1
    assert "**resnet-110**" in lines[5]
    assert r"loss is nan \| after 3 steps" in lines[-1]


def test_the_table_marks_baselines_and_says_what_rank_means(study: StudyRecord) -> None:
    text = printed(study)
    assert "baseline resnet-110, outside the limits" in text
    assert "failed: non_finite" in text
    assert "validation accuracy at the last epoch" in text


def test_the_table_keeps_to_one_line_per_trial_on_a_narrow_terminal(study: StudyRecord) -> None:
    lines = [line.split() for line in printed(study, width=80).splitlines()]
    numbers = [words[1] for words in lines if len(words) > 2 and words[0] in ("1", "2", "3", "-")]
    assert numbers == ["4", "7", "0", "1", "6", "2", "5", "8", "3"]


def test_an_empty_study_has_an_empty_leaderboard(study: StudyRecord) -> None:
    rows = leaderboard_rows(replace(study, trials=()))
    assert json.loads(as_json(rows)) == []
    assert as_csv(rows).startswith("rank,trial,state,val_accuracy")
    assert len(as_markdown(rows).splitlines()) == 2


def test_searched_recipe_values_are_told_and_fixed_ones_are_not(study: StudyRecord) -> None:
    rows = {row.trial.number: row for row in leaderboard_rows(study)}
    assert rows[4].settings == "lr=0.25"
    assert rows[7].settings == "lr=0.1"


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([(0.9, 10), (0.8, 5), (0.7, 7)], {0, 1}),
        ([(0.9, 10), (0.9, 10)], {0, 1}),
        ([(0.9, 10), (0.9, 9)], {1}),
    ],
)
def test_the_pareto_front_of_two_objectives(
    study: StudyRecord, record: Callable[..., TrialRecord], points: list[tuple[float, int]], front: set[int]
) -> None:
    trials = tuple(record(index, [accuracy], num_params=size) for index, (accuracy, size) in enumerate(points))
    several = replace(study, trials=trials, directions={"val_accuracy": "maximize", "num_params": "minimize"})
    rows = leaderboard_rows(several)
    assert {row.trial.number for row in rows if row.front == 1} == front
    assert {row["trial"] for row in json.loads(as_json(rows)) if row["front"] == 1} == front
    assert {trial.number for trial in several.front} == front
    assert several.best == several.front[0] == rows[0].trial


THREE: Directions = {"val_accuracy": "maximize", "num_params": "minimize", "num_activations": "minimize"}


@pytest.fixture
def several(study: StudyRecord, record: Callable[..., TrialRecord]) -> StudyRecord:
    points = [(0.9, 900, 70), (0.2, 100, 10), (0.6, 950, 80), (0.7, 400, 30)]
    trials = [
        record(number, [accuracy], num_params=params, num_activations=activations)
        for number, (accuracy, params, activations) in enumerate(points)
    ]
    return replace(study, trials=(*trials, record(4, [0.95], state="pruned", num_activations=5)), directions=THREE)


def test_the_front_comes_first_and_every_form_shows_all_objectives(several: StudyRecord) -> None:
    rows = leaderboard_rows(several)
    expected = [(1, 1, 0, 70), (2, 1, 3, 30), (3, 1, 1, 10), (4, 2, 2, 80), (None, None, 4, 5)]
    assert [(row.rank, row.front, row.trial.number, row.trial.num_activations) for row in rows] == expected
    read = json.loads(as_json(rows))
    assert [(row["rank"], row["front"], row["trial"], row["num_activations"]) for row in read] == expected
    in_csv = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [row["front"] for row in in_csv] == ["1", "1", "1", "2", ""]
    assert [row["num_activations"] for row in in_csv] == ["70", "30", "10", "80", "5"]
    header, rule, *lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in as_markdown(rows).splitlines()]
    front, activations = header.index("front"), header.index("num_activations")
    assert (rule[front], rule[activations]) == ("---:", "---:")
    assert [(line[front], line[activations]) for line in lines] == [
        ("1", "70"),
        ("1", "30"),
        ("1", "10"),
        ("2", "80"),
        ("-", "5"),
    ]


def test_the_table_and_the_file_say_what_a_front_is(several: StudyRecord) -> None:
    several.directory.mkdir()
    write_leaderboard(several)
    words = " ".join(printed(several).split())
    for text in (words, (several.directory / "leaderboard.md").read_text()):
        assert "Rank: front, then validation accuracy at the last epoch" in text
        assert "that no other dominates in val_accuracy, num_params, num_activations" in text
    header = next(line for line in printed(several).splitlines() if "trial" in line)
    assert header.split()[:9] == [
        "rank",
        "front",
        "trial",
        "accuracy",
        "params",
        "MACs",
        "epochs",
        "time",
        "num_activations",
    ]


def test_with_one_objective_nothing_is_said_of_fronts(study: StudyRecord) -> None:
    study.directory.mkdir()
    write_leaderboard(study)
    assert "front" not in printed(study) + (study.directory / "leaderboard.md").read_text()


def test_an_objective_that_no_record_has_a_field_for_is_shown(study: StudyRecord) -> None:
    trials = tuple(
        replace(trial, measures={**trial.measures, "latency": 0.0125}) for trial in study.trials[:1] if trial.measures
    )
    rows = leaderboard_rows(
        replace(study, trials=trials, directions={"val_accuracy": "maximize", "latency": "minimize"})
    )
    assert json.loads(as_json(rows))[0]["latency"] == 0.0125
    console = Console(file=io.StringIO(), width=200)
    console.print(as_table(rows, title=""))
    assert "0.0125" in console.file.getvalue()  # type: ignore[attr-defined]
