"""Torch begins here: a plan becomes a network whose parts have names."""

from ressearch.model.network import Block, Group, Network, build
from ressearch.model.old_states import renamed_state

__all__ = ["Block", "Group", "Network", "build", "renamed_state"]
