"""Schedulers: what ends unpromising trials early. One file and one row each. Plain arithmetic: no torch, no Optuna."""

from ressearch.schedulers.asha import Asha
from ressearch.schedulers.calibrated import Calibrated
from ressearch.schedulers.hyperband import Hyperband
from ressearch.schedulers.median import Median
from ressearch.schedulers.none import NoStopping
from ressearch.schedulers.rule import Decision, Rule, SchedulerSettings

SCHEDULERS: dict[str, type[SchedulerSettings]] = {
    "asha": Asha,
    "calibrated": Calibrated,
    "hyperband": Hyperband,
    "median": Median,
    "none": NoStopping,
}
"""Every scheduler by its YAML name."""
DEFAULT_SCHEDULER = "calibrated"

__all__ = [
    "DEFAULT_SCHEDULER",
    "SCHEDULERS",
    "Asha",
    "Calibrated",
    "Decision",
    "Hyperband",
    "Median",
    "NoStopping",
    "Rule",
    "SchedulerSettings",
]
