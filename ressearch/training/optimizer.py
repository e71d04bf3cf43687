"""The optimizer that a recipe describes."""

import torch
from torch import nn

from ressearch.training.recipe import Recipe


def optimizer_of(module: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD; norms and biases, the parameters of one dimension, decay only where the recipe says so."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {
            "params": [p for p in parameters if p.ndim <= 1],
            "weight_decay": recipe.weight_decay if recipe.decay_norms else 0.0,
        },
    ]
    nesterov = recipe.nesterov and recipe.momentum > 0  # torch refuses Nesterov without momentum
    optimizer = torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=nesterov, fused=True)
    for parameter in parameters if recipe.momentum else ():
        # Torch begins all momenta in one step, but a branch that stochastic depth leaves out at first joins later.
        optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer
