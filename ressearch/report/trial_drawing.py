"""What `ressearch show STUDY TRIAL` prints beneath the network: place, score, recipe and curve of a trial."""

from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ressearch.messages import printable
from ressearch.noise import Estimate, few_images_text, std_error
from ressearch.report.drawing import architecture_table
from ressearch.report.formatting import duration, estimate_text
from ressearch.report.leaderboard import Row, leaderboard_rows
from ressearch.report.recipe_text import recipe_values
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import StudyRecord

MOST_EPOCHS = 20
"""Rows of a curve; of a longer one every so many epochs are shown, the first and the last among them."""
_CURVE = {"epoch": "d", "train_loss": ".4f", "val_loss": ".4f", "val_accuracy": ".4f", "lr": ".3g", "seconds": ".1f"}
"""Columns of a curve, as far as its version has kept them, and their forms."""


def trial_drawing(study: StudyRecord, trial: TrialRecord, *, every_layer: bool = False) -> RenderableType:
    """Draw the network of a trial, then say how it was trained, what came of it and where it ranks."""
    title = f"trial {trial.number} of {study.name}"
    network = architecture_table(trial.build_architecture(), study.shape, title=title, every_layer=every_layer)
    rows = leaderboard_rows(study)
    row = next(row for row in rows if row.trial.number == trial.number)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    for name, words in _facts(row, sum(each.rank is not None for each in rows)):
        facts.add_row(name, Text(words))
    return Group(network, Text(), facts, *_curve(trial))


def _facts(row: Row, num_ranked: int) -> Iterator[tuple[str, str]]:
    """Say what a trial came to, and by which means; values are as they are kept."""
    trial = row.trial
    place = f"rank {row.rank} of {num_ranked}" if row.rank else "no rank"
    yield "place", ", ".join(part for part in (place, row.note) if part)
    if trial.message:
        yield "message", printable(trial.message)
    yield "val_accuracy", f"{estimate_text(trial.score)} after {trial.epochs} epochs, {duration(trial.seconds)}"
    if row.retrained:
        retrained = row.retrained
        spread = "" if retrained.std is None else f", standard deviation {retrained.std:.4f}"
        yield (
            "test_accuracy",
            f"{retrained.mean:.4f}{spread}, {len(retrained.accuracies)} fresh seeds, {retrained.terms}",
        )
    if images := _images(trial):
        yield "images", images
    yield "seed", f"{trial.seed}"
    yield "recipe", " ".join(f"{name}={value}" for name, value in recipe_values(trial).items())


def _images(trial: TrialRecord) -> str:
    """Say how many images train and validate, and whether these are few; "" where nobody knows."""
    told = [
        f"{number:,} {verb}"
        for number, verb in ((trial.num_images, "train"), (trial.num_val_images, "validate"))
        if number is not None
    ]
    warning = "" if trial.num_val_images is None else few_images_text(trial.num_val_images)
    return ", ".join(told) + (f"; {warning}" if warning else "")


def _curve(trial: TrialRecord) -> tuple[RenderableType, ...]:
    if not trial.curve:
        return ()
    shown = _some(trial.curve)
    part = "" if len(shown) == len(trial.curve) else f", {len(shown)} of {len(trial.curve)} epochs"
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    names = [name for name in _CURVE if all(name in epoch for epoch in shown)]
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for epoch in shown:
        table.add_row(*(_value(name, epoch[name], trial.num_val_images) for name in names))
    return Text(f"\ncurve{part}", style="bold"), table


def _some(curve: Sequence[Mapping[str, float]]) -> list[Mapping[str, float]]:
    """Return epochs at even distances, the first and the last among them."""
    if len(curve) <= MOST_EPOCHS:
        return list(curve)
    return [curve[round(index * (len(curve) - 1) / (MOST_EPOCHS - 1))] for index in range(MOST_EPOCHS)]


def _value(name: str, value: float, num_val_images: int | None) -> str:
    if name == "val_accuracy" and num_val_images is not None:
        return estimate_text(Estimate(value, std_error(value, num_val_images)))
    return f"{int(value) if name == 'epoch' else value:{_CURVE[name]}}"
