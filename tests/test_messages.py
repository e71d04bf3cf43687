"""What messages say of a name that does not exist."""

import pytest

from ressearch.messages import did_you_mean, expected

NAMES = ("zero_pad", "projection", "none")


@pytest.mark.parametrize(
    ("got", "message"),
    [
        ("projektion", "got 'projektion', expected one of zero_pad, projection, none; did you mean 'projection'?"),
        ("Projection", "got 'Projection', expected one of zero_pad, projection, none; did you mean 'projection'?"),
        ("x", "got 'x', expected one of zero_pad, projection, none"),
        (False, "got False, expected one of zero_pad, projection, none"),
    ],
)
def test_a_name_that_does_not_exist(got: object, message: str) -> None:
    assert expected(got, NAMES) == message


def test_another_verb() -> None:
    assert expected("non", iter(NAMES), "unknown key").startswith("unknown key 'non', expected one of zero_pad, ")


def test_several_guesses() -> None:
    names = ("resnet-20", "resnet-29", "shake")
    assert did_you_mean("resnet-2", names, at_most=3) == "did you mean 'resnet-29' or 'resnet-20'?"
    assert did_you_mean("resnet-2", names).count("'") == 2
    assert did_you_mean("", names) == ""
