"""YAML text gets the values that it leaves out, however it is written."""

import pytest

from ressearch.experiment.completion import completed, left_out
from ressearch.experiment.loader import parse_experiment

ARCHITECTURE = "architecture: {stages: 1, stem_width: 8, depth: 1, width: 8}\n"
KEYS = {("data", "subset"), ("data", "val_images"), ("recipe", "epochs")}
SPACES = [
    "version: 1\n" + ARCHITECTURE,
    "# A question?\n---\nversion: 1\n" + ARCHITECTURE + "data:\n    # mine\n    name: digits   # small\nrecipe: {}\n",
    "version: 1\ndata: {name: digits}\nrecipe:\n  lr: 0.2\n\n  batch_size: 32\n" + ARCHITECTURE + "...\n",
    "{version: 1, recipe: {lr: 0.2}, architecture: {stages: 1, stem_width: 8, depth: 1, width: 8}}",
    "  version: 1\n  data:\n    name: digits\n  architecture: {stages: 1, stem_width: 8, depth: 1, width: 8}",
    "\ufeffversion: 1\n# \u00e4\u4f60 and more\ndata: &d {name: digits}\n" + ARCHITECTURE,
]


@pytest.mark.parametrize("text", SPACES)
def test_what_is_left_out_is_given_and_the_rest_stays(text: str) -> None:
    before = parse_experiment(text, "x")
    assert left_out(text, KEYS) == KEYS
    values = {("data", "subset"): 300, ("data", "val_images"): 100, ("recipe", "epochs"): 3}
    after = completed(text, values, "because of this")
    assert after.endswith("\n# because of this\n")
    assert not left_out(after, KEYS)
    found = parse_experiment(after, "x")
    assert (found.images.subset, found.images.val_images, found.recipe.epochs) == (300, 100, 3)
    changed = {key for key, value in found.terms().items() if before.terms()[key] != value}
    assert changed == {"data.subset", "data.val_images", "recipe.epochs"}
    assert found.origin.question == (before.origin.question or "because of this")
    assert all(comment in after for comment in ("# mine", "# small", "# A question?") if comment in text)


def test_null_is_given() -> None:
    text = "version: 1\ndata: {subset: null}\nrecipe: {epochs: 6}\n" + ARCHITECTURE
    assert left_out(text, KEYS) == {("data", "val_images")}
