"""Which networks are allowed: domains, conditions and limits, the points they span, and what these hold. No torch."""

from ressearch.space.domains import Choice, Domain, FloatRange, IntRange, Value, random_choose
from ressearch.space.parameters import Parameter
from ressearch.space.space import Candidate, Space
from ressearch.space.yaml_nodes import SpaceError

__all__ = [
    "Candidate",
    "Choice",
    "Domain",
    "FloatRange",
    "IntRange",
    "Parameter",
    "Space",
    "SpaceError",
    "Value",
    "random_choose",
]
