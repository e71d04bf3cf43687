"""Neural architecture search over the residual design space.

The verbs of the command line are functions here, beside what Python needs to go on from their results. All of it
loads on first use, so that importing this package is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ressearch.arch import Architecture, Stage, named
    from ressearch.experiment import Experiment, load_experiment
    from ressearch.images import ImageShape
    from ressearch.store.study_record import open_study
    from ressearch.verbs import (
        audit,
        build,
        check,
        confirm,
        dashboard,
        export,
        leaderboard,
        list_architectures,
        pace,
        record,
        replay,
        run,
        show,
        train,
    )

__version__ = "0.1.0"
__all__ = [
    "Architecture",
    "Experiment",
    "ImageShape",
    "Stage",
    "audit",
    "build",
    "check",
    "confirm",
    "dashboard",
    "export",
    "leaderboard",
    "list_architectures",
    "load_experiment",
    "named",
    "open_study",
    "pace",
    "record",
    "replay",
    "run",
    "show",
    "train",
]

_HOMES = {
    "ressearch.arch": ("Architecture", "Stage", "named"),
    "ressearch.experiment": ("Experiment", "load_experiment"),
    "ressearch.images": ("ImageShape",),
    "ressearch.store.study_record": ("open_study",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(_HOME_OF.get(name, "ressearch.verbs")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
