"""Who may use a Ray session: whoever reaches Ray's ports runs code in the user's name unless Ray asks for a token."""

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray
from ray import _raylet
from ray._private import ray_constants

_RAYLET: Any = _raylet

FIRST_WITH_TOKENS = (2, 52)
"""The first version of Ray that can ask for a token (its documentation, "Ray token authentication")."""


@contextmanager
def private_session() -> Iterator[None]:
    """Let the Ray session that is started and ended inside belong to this process and its workers alone.

    Whatever the environment says, Ray asks for a random token that is known in the environment of its processes only,
    and listens on the loopback address only. Afterwards the environment is as before.

    Raises:
        ValueError: If the installed Ray cannot ask for a token.
    """
    version = tuple(map(int, re.findall(r"\d+", ray.__version__)[:2]))
    if version < FIRST_WITH_TOKENS:
        needed = ".".join(map(str, FIRST_WITH_TOKENS))
        raise ValueError(
            f"Ray {ray.__version__} lets everybody who reaches its ports run code in your name; "
            f"expected {needed} or later, which asks for a token: pip install 'ray[tune]>={needed}'"
        )
    before = {name: os.environ.get(name) for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")}
    is_reachable = ray_constants.ENABLE_RAY_CLUSTER
    try:
        ray_constants.ENABLE_RAY_CLUSTER = False  # Ray's own way to loopback, made for firewalls that ask questions
        _use({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)})
        if not _asks_for_token():
            raise ValueError(f"Ray {ray.__version__} does not ask for a token though it was told to")
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = is_reachable
        _use(before)


def _use(variables: Mapping[str, str | None]) -> None:
    """Set environment variables, or take them away, and let Ray read them again: it does so once, at its import."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    _RAYLET.Config.initialize("")  # first, or threads that still run would look for a token that is gone
    _RAYLET.AuthenticationTokenLoader.instance().reset_cache()


def _asks_for_token() -> bool:
    return bool(_RAYLET.get_authentication_mode() == _RAYLET.AuthenticationMode.TOKEN)
