"""Tables: the trainings of a recording in one Parquet file, which searches are replayed on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ressearch.store.files import SPACE
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import StudyRecord
from ressearch.whole_files import write_whole

VERSION = 1
METADATA = b"ressearch"
"""Key of what the file tells of itself, in JSON."""

CURVE = ("train_loss", "val_loss", "val_accuracy", "lr", "seconds")
"""What is kept of every epoch: lists, one value per epoch."""
_ORIGIN = ("created", "question", "seed", "shape", "num_images", "epochs", "commit", "versions", "device")
"""What a table tells of its trainings, out of the manifest; neither the command nor a path."""
_JSON = ("params", "architecture", "recipe")
"""Fields that are mappings, each one column of JSON."""
_PLAIN = (
    ("trial", pa.int64()),
    ("trial_of", pa.int64()),
    ("baseline", pa.string()),
    ("state", pa.string()),
    ("reason", pa.string()),
    ("architecture_id", pa.string()),
    ("candidate_id", pa.string()),
    ("num_params", pa.int64()),
    ("num_macs", pa.int64()),
    ("num_activations", pa.int64()),
    ("within_limits", pa.bool_()),
    ("seed", pa.int64()),
    ("num_images", pa.int64()),
    ("num_val_images", pa.int64()),
    ("seconds", pa.float64()),
)
SCHEMA = pa.schema(
    [
        *_PLAIN,
        *((name, pa.string()) for name in _JSON),
        *((f"epoch_{name}", pa.list_(pa.float64())) for name in CURVE),
    ]
)
"""One row per training; `trial_of` is the number of the trial whose network and recipe a repeat has."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Trained networks.

    trials: one training of each network. repeats: further ones of some of them, with other seeds.
    origin: the space's YAML under `space`, the `shape` of its images, and where, when and with what they were trained.
    """

    trials: tuple[TrialRecord, ...]
    origin: Mapping[str, Any]
    repeats: tuple[TrialRecord, ...] = ()


def table_of(study: StudyRecord) -> Table:
    """Return the trainings of a recording that have come to their end, or failed by their own fault."""
    manifest = {name: value for name, value in study.manifest.items() if name in _ORIGIN}
    space = study.directory / SPACE
    return Table(
        trials=tuple(trial for trial in study.trials if trial.is_finished),
        repeats=tuple(trial for trial in study.repeats if trial.is_finished),
        origin={**manifest, "space": space.read_text(encoding="utf-8") if space.is_file() else None},
    )


def write_table(table: Table, path: Path) -> None:
    """Write a table so that a killed process leaves the old file or the new one.

    Raises:
        OSError: If it cannot be written.
    """
    rows = [_row(record) for record in (*table.trials, *table.repeats)]
    origin = {"version": VERSION, **table.origin}
    schema = SCHEMA.with_metadata({METADATA: json.dumps(origin).encode()})
    content = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), content, compression="zstd")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content.getvalue())


def read_table(path: Path) -> Table:
    """Read a table.

    Raises:
        TableError: If it is missing, damaged, of another version, or no table.
    """
    try:
        content = pq.read_table(path)
        origin = json.loads((content.schema.metadata or {})[METADATA])
        if origin.pop("version") != VERSION:
            raise ValueError(f"version {VERSION} must be given")
        records = [_record(row) for row in content.to_pylist()]
    except FileNotFoundError:
        raise TableError(f"{path}: there is no such file") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TableError(f"{path}: it is damaged, or no table of `ressearch record`: {error!r:.200}") from None
    for record in records:
        if fault := record.fault():
            raise TableError(f"{path}: trial {record.number} is damaged: {fault}")
    return Table(
        trials=tuple(record for record in records if record.trial_of is None),
        repeats=tuple(record for record in records if record.trial_of is not None),
        origin=origin,
    )


class TableError(ValueError):
    """A table that is missing, damaged, or of another version."""


def _row(record: TrialRecord) -> dict[str, Any]:
    plain = {name: getattr(record, name) for name, _ in _PLAIN[1:]}
    mappings = {name: json.dumps(getattr(record, name)) for name in _JSON}
    curve = {f"epoch_{name}": [epoch.get(name) for epoch in record.curve] for name in CURVE}
    return {"trial": record.number, **plain, **mappings, **curve}


def _record(row: Mapping[str, Any]) -> TrialRecord:
    plain = {name: row[name] for name, _ in _PLAIN[1:]}
    mappings = {name: json.loads(row[name]) for name in _JSON}
    columns = [row[f"epoch_{name}"] for name in CURVE]
    curve = tuple(
        {"epoch": epoch, **{name: value for name, value in zip(CURVE, values, strict=True) if value is not None}}
        for epoch, values in enumerate(zip(*columns, strict=True), start=1)
    )
    return TrialRecord(number=row["trial"], curve=curve, measures=_measures(curve), **plain, **mappings)


def _measures(curve: tuple[Mapping[str, float], ...]) -> dict[str, float] | None:
    return {"val_accuracy": curve[-1]["val_accuracy"]} if curve else None
