"""Recording and replaying on the command line."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ressearch
from ressearch.store.table import read_table

Call = Callable[..., Any]
SIZES = ("--random", 4, "--mutations", 2, "--repeats", 1, "--seeds", 1)


@pytest.fixture
def there(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a space and decoded images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESSEARCH_CACHE", str(home / "cache"))
    text = (home / "digits.yaml").read_text().replace("choice: [8, 16]", "choice: [8, 12, 16, 20]")
    (tmp_path / "digits.yaml").write_text(text)
    return tmp_path


@pytest.fixture
def macro(there: Path) -> Path:
    """A table like NAS-Bench-Macro's, of whose networks three differ."""
    rows = []
    for index in range(3**8):
        digits = "".join(str(index // 3**place % 3) for place in range(8))
        accuracies = {f"test_accuracy_{run}": 0.8 + 0.01 * digits.count("2") for run in (1, 2, 3)}
        rows.append({"architecture": digits, "num_params": 1, "num_macs": 1 + digits.count("1"), **accuracies})
    pq.write_table(pa.Table.from_pylist(rows), there / "macro.parquet")
    return there / "macro.parquet"


def test_record_trains_and_writes_a_table_that_later_calls_extend(call: Call, there: Path) -> None:
    first = call("record", "digits.yaml", "-o", "table.parquet", *SIZES, "--backend", "local")
    assert first.code == 0, first.err
    assert first.out.endswith("table.parquet: networks 6, repeats 1\n")
    table = read_table(Path("table.parquet"))
    assert [len(run.curve) for run in (*table.trials, *table.repeats)] == [2] * 7
    assert table.trials[0].baseline == "resnet-8"
    more = call(
        "record", "digits.yaml", "-o", "table.parquet", *SIZES[:2], *SIZES[4:], "--backend", "local", "--mutations", 3
    )
    assert more.code == 0, more.err
    extended = read_table(Path("table.parquet"))
    assert len(extended.trials) == 7
    assert extended.trials[:6] == table.trials
    assert extended.repeats[: len(table.repeats)] == table.repeats
    assert {entry.name for entry in there.iterdir()} == {"digits.yaml", "table.parquet", "table"}


@pytest.mark.parametrize("name", ["table", "table.csv"])
def test_record_needs_a_place_for_the_table_before_it_trains(name: str, call: Call, there: Path) -> None:
    ended = call("record", "digits.yaml", "-o", name, *SIZES, "--backend", "local")
    assert (ended.code, ended.out) == (1, "")
    assert name in ended.err
    assert {entry.name for entry in there.iterdir()} == {"digits.yaml"}


def test_a_table_whose_study_is_gone_is_not_overwritten(call: Call, there: Path) -> None:
    (there / "table.parquet").write_bytes(b"hours of training")
    ended = call("record", "digits.yaml", "-o", "table.parquet", *SIZES, "--backend", "local")
    said = "table.parquet: is there already, without the study table to carry on; a new table needs another name"
    assert ended == (1, "", f"ressearch: {said}\n")
    assert (there / "table.parquet").read_bytes() == b"hours of training"
    assert {entry.name for entry in there.iterdir()} == {"digits.yaml", "table.parquet"}


def test_replay_prints_regret_and_factors_and_draws_a_picture(call: Call, macro: Path) -> None:
    settings = ("--sampler", "random", "--sampler", "{name: evolution, population_size: 8}", "--scheduler", "none")
    ended = call("replay", macro, *settings, "--hours", 0.5, "--repeats", 4, "--format", "md", "--picture", "a.html")
    assert ended.code == 0, ended.err
    assert "Regret in points:" in ended.out
    assert "Factor in time to equal regret:" in ended.out
    assert re.search(r"^\| random, none \| 60 \| ", ended.out, re.MULTILINE)
    page = Path("a.html").read_text()
    assert page.count("evolution, population_size: 8") >= 1
    assert "http" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sampler", "ranndom"), "did you mean 'random'?"),
        (("--scheduler", "{name: asha, first: 1}"), "first"),
        (("--hours", 0), "hours > 0 must hold, got 0"),
        (("--repeat-share", 1.5), "0 <= repeat_share < 1 must hold, got 1.5"),
    ],
)
def test_wrong_options_end_in_one_line(options: tuple[object, ...], message: str, call: Call, macro: Path) -> None:
    ended = call("replay", macro, *options)
    assert ended.code == 1
    assert message in ended.err
    assert ended.err.count("\n") == 1


def test_what_is_no_table_is_refused(call: Call, there: Path) -> None:
    (there / "text.parquet").write_text("no table")
    for name in ("text.parquet", "none.parquet", "digits.yaml"):
        ended = call("replay", name)
        assert ended.code == 1
        assert ended.err.startswith(f"ressearch: {name}")
        assert ended.err.count("\n") == 1


def test_the_verbs_are_functions(macro: Path) -> None:
    found = ressearch.replay(macro, samplers=["random"], schedulers=["none"], hours=0.1, repeats=2)
    assert [len(replays) for replays in found.replays] == [2]
