"""The backends by name. Each is imported when it is asked for: the other one is not paid for."""

from functools import partial
from typing import Literal

from ressearch.search.contract import Backend


def backend_named(name: Literal["ray", "local"]) -> Backend:
    """Return the backend that does the one training: ray on the whole machine, local in this process."""
    from ressearch.search.trainer import train_once

    if name == "ray":
        from ressearch.search.ray_backend import run_on_ray

        return partial(run_on_ray, do=train_once)
    from ressearch.search.local_backend import run_in_process

    return partial(run_in_process, do=train_once)
