"""Digits, decoded once for all tests of the room, which compute on one thread as the search's workers do."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ressearch.training.data import Images, load, prepare
from ressearch.training.source import Source


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def digits_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def digits(digits_cache: Path) -> Images:
    return load(prepare(Source(), seed=0, cache_dir=digits_cache), "cpu")
