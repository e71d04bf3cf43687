"""The backends by name. Each is imported when it is asked for: the other one is not paid for."""

from functools import partial
from typing import Literal

from ressearch.search.contract import Backend, TrialFunction

BackendName = Literal["ray", "local"]


def backend_named(name: BackendName, do: TrialFunction | None = None) -> Backend:
    """Return a backend.

    Args:
        name: ray uses the whole machine, local trains one trial after the other in this process.
        do: What runs a trial; the one training if None.
    """
    if do is None:
        from ressearch.search.trainer import train_once

        do = train_once
    if name == "ray":
        from ressearch.search.ray_backend import run_on_ray

        return partial(run_on_ray, do=do)
    from ressearch.search.local_backend import run_in_process

    return partial(run_in_process, do=do)
