"""Plan -> the source of a module that needs torch only, written as a person would write it."""

import inspect
import re
from collections.abc import Callable, Iterator

from ressearch.arch.counting import cost
from ressearch.arch.initialisation import branch_gain
from ressearch.arch.layers import Conv, Linear
from ressearch.arch.plan_tree import Plan
from ressearch.codegen.block_parts import parts_of
from ressearch.codegen.block_sorting import block_classes
from ressearch.codegen.block_source import block_text
from ressearch.codegen.network_source import network_text
from ressearch.codegen.python_text import prose
from ressearch.codegen.stage_source import group_class
from ressearch.model import modules

LOADED = """\
    from safetensors.torch import load_file
    network = build(load_file("weights.safetensors")).eval()"""


def model_source(
    plan: Plan,
    *,
    name: str,
    resolution: int,
    origin: str = "",
    training: str = "",
    inputs: str = "",
    has_weights: bool = True,
) -> str:
    """Write the module of a network.

    `name`, `origin`, `training` and `inputs` are words for its docstring: what the network is called, where it comes
    from and how well it did, how it was trained, what images it expects. `has_weights` tells whether a file of
    weights lies beside it.
    The modules are in the order of `plan.layers()` as those of `model.build` do: parameters of the two can be
    paired one by one, one seed starts both from equal weights, and both draw the same numbers in training.
    """
    classes = block_classes(plan)
    parts = {found: parts_of(found) for found in dict.fromkeys(classes.values())}
    groups = group_class(plan)
    is_plain = all(found.is_plain for found in parts) and groups is None and plan.body.shortcut is None
    network = "PlainNet" if is_plain else "ResNet"
    sources = [
        *(block_text(found, made, plan.survival) for found, made in parts.items()),
        *([groups.source()] if groups else []),
        network_text(plan, classes, parts, network, resolution),
        _build_source(network),
    ]
    sources = [*_helpers(plan, "\n".join(sources)), *sources]
    docstring = _docstring(plan, name, resolution, (origin, training, inputs), has_weights)
    header = f"{docstring}\n\n{_imports(sources)}"
    return "\n\n\n".join((header, *sources)) + "\n"


def _helpers(plan: Plan, source: str) -> Iterator[str]:
    """Return the source of what some source uses of ours: small modules, the gain and the survival of branches."""
    helpers: list[Callable[..., object]] = [one for one in vars(modules).values() if _is_ours(one)]
    helpers.append(branch_gain)
    if rule := plan.stochastic_depth.rule.function:
        helpers.append(rule)
    for helper in helpers:
        if re.search(rf"\b{helper.__name__}\(", source):
            yield inspect.getsource(helper).rstrip()


def _is_ours(found: object) -> bool:
    return inspect.isclass(found) and found.__module__ == modules.__name__


def _docstring(plan: Plan, name: str, resolution: int, words: tuple[str, ...], has_weights: bool) -> str:
    counted = cost(plan, resolution)
    stem, classifier = plan.stem[0], plan.head[-1]
    assert isinstance(stem, Conv)
    assert isinstance(classifier, Linear)
    paragraphs = [
        prose(f"{name}: (N, {stem.c_in}, {resolution}, {resolution}) images to (N, {classifier.c_out}) logits."),
        f"{counted.num_params:,} parameters, {counted.num_macs:,} multiply-adds per image.",
        *(prose(text) for text in words),
        LOADED if has_weights else "    network = build()",
    ]
    return '"""' + "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + '\n"""'


def _imports(sources: list[str]) -> str:
    text = "\n".join(sources)
    lines = ["import torch"] if "torch." in text else []
    lines += ["import torch.nn.functional as F"] if "F." in text else []
    return "\n".join((*lines, "from torch import Tensor, nn"))


def _build_source(network: str) -> str:
    return "\n".join(
        (
            f"def build(weights: dict[str, Tensor] | None = None) -> {network}:",
            '    """Return the network, with the weights where a state dict is given."""',
            f"    network = {network}()",
            "    if weights is not None:",
            "        network.load_state_dict(weights)",
            "    return network",
        )
    )
