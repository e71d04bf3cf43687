"""What messages say of a name that does not exist."""

import pytest

from ressearch.messages import did_you_mean, expected, printable, quoted

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


def test_a_long_text_is_shortened() -> None:
    assert len(quoted("x" * 1000)) < 70
    assert expected("projection" * 1000, NAMES).endswith("...', expected one of zero_pad, projection, none")
    assert did_you_mean("projection" * 1000, NAMES) == ""


def test_what_a_terminal_would_obey_is_shown() -> None:
    hostile = [chr(code) for code in (*range(32), 127, *range(128, 160), 0xAD, 0x200B, 0x2028, 0x202E, 0x2066, 0xDCFF)]
    for character in hostile:
        shown = printable(f"a{character}b")
        assert shown.isprintable()
        assert eval(f"'{shown}'") == f"a{character}b"
    assert printable("a\nb\tc", keep="\n") == r"a" + "\n" + r"b\tc"


@pytest.mark.parametrize("text", ["", "plain", "Größe", "日本語", r"a\x1b", "'\"", "\U0001f600"])
def test_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text
