"""The verbs of the command line as functions. Torch, Ray and Optuna load only when a verb needs them."""

from ressearch.verbs.network_verbs import build, export, list_architectures, show
from ressearch.verbs.study_verbs import check, dashboard, leaderboard, pace, record, replay, run
from ressearch.verbs.training_verbs import audit, confirm, train

__all__ = [
    "audit",
    "build",
    "check",
    "confirm",
    "dashboard",
    "export",
    "leaderboard",
    "list_architectures",
    "pace",
    "record",
    "replay",
    "run",
    "show",
    "train",
]
