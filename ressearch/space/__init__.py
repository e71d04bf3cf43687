"""Which networks are allowed: a YAML file read as a `Space`, its points, and what it holds. No torch."""

from ressearch.space.domains import Choice, Domain, FloatRange, IntRange, Value, random_choose
from ressearch.space.loader import load_space
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
    "load_space",
    "random_choose",
]
