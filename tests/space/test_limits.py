"""Which networks are within the limits: those at the limit itself are."""

import pytest

from ressearch.arch import Cost, InfeasibleError
from ressearch.space.limits import Bounds, Limits

COST = Cost(num_params=100, num_macs=2000, num_activations=30)


@pytest.mark.parametrize("name", ["num_params", "num_macs"])
@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0, 0, None),
        (None, 0, None),
        (0, None, None),
        (None, None, None),
        (None, -1, "exceeds the limit of"),
        (1, None, "falls short of the limit of"),
        (-1, 1, None),
    ],
)
def test_both_ends_are_allowed(name: str, low: int | None, high: int | None, said: str | None) -> None:
    """Bounds are given as differences from what is counted."""
    got = getattr(COST, name)
    bounds = Bounds(*(None if bound is None else got + bound for bound in (low, high)))
    limits = Limits(**{name: bounds})
    assert limits.allow(COST) is (said is None)
    if said is None:
        limits.check(COST)
    else:
        with pytest.raises(InfeasibleError, match=f"{name} {got:,} {said}") as refused:
            limits.check(COST)
        assert refused.value.rule == name


def test_each_limit_holds_by_itself() -> None:
    limits = Limits(num_params=Bounds(max=100), num_macs=Bounds(max=2000))
    assert limits.allow(COST)
    assert not limits.allow(Cost(101, 2000, 30))
    assert not limits.allow(Cost(100, 2001, 30))
