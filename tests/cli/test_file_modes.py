"""Whoever the user lets read new files may read all that is written: modes follow the umask, of weights, too."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import ressearch


@pytest.fixture(params=[0o022, 0o007], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_modes_of_all_files_follow_the_umask(
    umask: int, space_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("RESSEARCH_CACHE", str(home / "cache"))
    text = space_text.replace("name: none", "name: hyperband").replace("[resnet-8]", "[]")
    Path("digits.yaml").write_text(text.replace("stem_width: 8", "stem_width: 4"))
    ressearch.run("digits.yaml", trials=2, backend="local")
    ressearch.confirm("digits", top=1, seeds=1, backend="local")
    ressearch.export("digits", "best")
    ressearch.train("resnet-8", "digits.yaml", epochs=1)
    paths = [home, *home.rglob("*")]
    assert len([path for path in paths if path.suffix == ".safetensors"]) >= 4
    wrong = {
        str(path.relative_to(home)): oct(mode)
        for path in paths
        if (mode := stat.S_IMODE(path.stat().st_mode)) != (0o777 if path.is_dir() else 0o666) & ~umask
    }
    assert not wrong
