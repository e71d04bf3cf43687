"""What a network is: described once as an `Architecture`, resolved to a `Plan`, counted by arithmetic. No torch."""

from ressearch.arch.architecture import AXES, Architecture, InfeasibleError, Stage
from ressearch.arch.axes import Axis, name_of
from ressearch.arch.counting import Cost, cost
from ressearch.arch.identity import architecture_id
from ressearch.arch.names import named
from ressearch.arch.plan_tree import Plan
from ressearch.arch.planning import plan

__all__ = [
    "AXES",
    "Architecture",
    "Axis",
    "Cost",
    "InfeasibleError",
    "Plan",
    "Stage",
    "architecture_id",
    "cost",
    "name_of",
    "named",
    "plan",
]
