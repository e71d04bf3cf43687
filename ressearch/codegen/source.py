"""Plan -> the source of a module that needs torch only, written as a person would write it."""

from ressearch.arch.counting import cost
from ressearch.arch.layers import Conv, Linear
from ressearch.arch.plan_tree import Plan
from ressearch.codegen.blocks import block_source
from ressearch.codegen.classes import block_classes
from ressearch.codegen.groups import group_class
from ressearch.codegen.lines import prose
from ressearch.codegen.network import network_source
from ressearch.codegen.parts import parts_of
from ressearch.codegen.pieces import pieces

LOADED = """\
    from safetensors.torch import load_file
    network = build(load_file("weights.safetensors")).eval()"""


def model_source(
    plan: Plan, *, name: str, resolution: int, origin: str = "", inputs: str = "", has_weights: bool = True
) -> str:
    """Write the module of a network.

    `name`, `origin` and `inputs` are words for its docstring: what the network is called, where it comes from and how
    well it did, what images it expects. `has_weights` tells whether a file of weights lies beside it.
    The modules stand in the order of `plan.layers()` as those of `model.build` do: parameters of the two can be
    paired one by one, one seed starts both from equal weights, and both draw the same numbers in training.
    """
    classes = block_classes(plan)
    parts = {found: parts_of(found) for found in dict.fromkeys(classes.values())}
    groups = group_class(plan)
    is_plain = all(found.is_plain for found in parts) and groups is None and plan.body.shortcut is None
    network = "PlainNet" if is_plain else "ResNet"
    sources = [
        *(block_source(found, made, plan.survival) for found, made in parts.items()),
        *([groups.source()] if groups else []),
        network_source(plan, classes, parts, network, resolution),
        _build_source(network),
    ]
    sources = [*pieces("\n".join(sources)), *sources]
    docstring = _docstring(plan, name, resolution, (origin, inputs), has_weights)
    header = f"{docstring}\n\n{_imports(sources)}"
    return "\n\n\n".join((header, *sources)) + "\n"


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
