"""The command line: parses, calls the verb, prints. Torch, Ray, Optuna and Rich load only when a verb needs them."""

# In the order in which `ressearch --help` lists the commands.
from ressearch.cli import study_commands, training_commands, network_commands  # isort: skip
from ressearch.cli.application import main

__all__ = ["main", "network_commands", "study_commands", "training_commands"]
