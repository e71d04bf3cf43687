"""What a network is: described once as an `Architecture`, resolved to a `Plan`, counted by arithmetic. No torch."""

from ressearch.arch.architecture import AXES, Architecture, InfeasibleError, Stage
from ressearch.arch.axes import Axis
from ressearch.arch.counting import Cost, cost
from ressearch.arch.identity import architecture_id, plan_id
from ressearch.arch.initialisation import InitRule
from ressearch.arch.layers import Activation, Normalisation
from ressearch.arch.merges import Merge
from ressearch.arch.names import named
from ressearch.arch.options import name_of
from ressearch.arch.orderings import Ordering
from ressearch.arch.plan_tree import Plan
from ressearch.arch.planning import plan
from ressearch.arch.shortcuts import ProjectionInput, ProjectionNorm, Shortcut
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.arch.stems import Places, Stem
from ressearch.arch.survival import DropPath
from ressearch.arch.transforms import StrideOn, Transform
from ressearch.arch.widening import Widening

__all__ = [
    "AXES",
    "Activation",
    "Architecture",
    "Axis",
    "Cost",
    "DropPath",
    "InfeasibleError",
    "InitRule",
    "Merge",
    "Normalisation",
    "Ordering",
    "Places",
    "Plan",
    "ProjectionInput",
    "ProjectionNorm",
    "Shortcut",
    "SqueezeExcitation",
    "Stage",
    "Stem",
    "StrideOn",
    "Transform",
    "Widening",
    "architecture_id",
    "cost",
    "name_of",
    "named",
    "plan",
    "plan_id",
]
