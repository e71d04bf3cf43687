"""Neural architecture search over the residual design space.

The verbs of the command line are functions here; they load on first use, so that importing this package is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ressearch.arch import named
    from ressearch.verbs import (
        check,
        dashboard,
        export_network,
        export_trial,
        leaderboard,
        run,
        show,
        train_network,
    )

__version__ = "0.1.0"
__all__ = [
    "check",
    "dashboard",
    "export_network",
    "export_trial",
    "leaderboard",
    "named",
    "run",
    "show",
    "train_network",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("ressearch.arch" if name == "named" else "ressearch.verbs"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
