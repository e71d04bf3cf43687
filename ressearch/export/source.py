"""Plan -> the source of a module that needs torch only, written as a person would write it."""

from collections.abc import Mapping
from itertools import groupby

from ressearch.arch.cost import cost
from ressearch.arch.layers import Act, Conv, Layer, Linear, Norm, SqueezeExcite, ZeroPad
from ressearch.arch.plan import Block, Plan
from ressearch.export.blocks import COUNTS, Step, applied, block_source, construct, conv_arguments, numbered
from ressearch.export.classes import BlockClass, ShortcutKind, block_classes
from ressearch.export.lines import prose

SQUEEZE_EXCITE = '''\
class SqueezeExcite(nn.Module):
    """Scale each channel by a gate computed from the globally pooled map."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        return x * gate[:, :, None, None]'''

SUBSAMPLE = '''\
class Subsample(nn.Module):
    """Keep every stride-th row and column."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride]'''

ZERO_PAD = '''\
class ZeroPadShortcut(nn.Module):
    """Append channels of zeros."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.extra_channels = out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, 0, 0, 0, 0, self.extra_channels))'''

ZERO_PAD_AND_SUBSAMPLE = '''\
class ZeroPadShortcut(nn.Module):
    """Keep every stride-th row and column, and append channels of zeros."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.extra_channels = out_channels - in_channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.extra_channels))'''


def model_source(plan: Plan, *, name: str, resolution: int, origin: str = "", inputs: str = "") -> str:
    """Write the module of a network.

    `name`, `origin` and `inputs` are words for its docstring: what the network is called, where it comes from and how
    well it did, what images it expects.
    The modules stand in the order of `plan.layers()` as those of `model.build` do: parameters of the two can be
    paired one by one, and one seed starts both from equal weights.
    """
    classes = block_classes(plan)
    distinct = list(dict.fromkeys(classes.values()))
    layers = list(plan.layers())
    network = "PlainNet" if all(found.shortcut is ShortcutKind.PLAIN for found in distinct) else "ResNet"
    header = [_docstring(plan, name, resolution, (origin, inputs)), "", *_imports(layers)]
    parts = [
        "\n".join(header),
        *([SQUEEZE_EXCITE] if any(isinstance(layer, SqueezeExcite) for layer in layers) else []),
        *_shortcut_classes(distinct),
        *(block_source(found) for found in distinct),
        _network_source(plan, classes, network, resolution),
        _build_source(network),
    ]
    return "\n\n\n".join(parts) + "\n"


def _docstring(plan: Plan, name: str, resolution: int, words: tuple[str, ...]) -> str:
    counted = cost(plan, resolution)
    stem, classifier = plan.stem[0], plan.head[-1]
    assert isinstance(stem, Conv)
    assert isinstance(classifier, Linear)
    paragraphs = [
        prose(f"{name}: (N, {stem.c_in}, {resolution}, {resolution}) images to (N, {classifier.c_out}) logits."),
        f"{counted.num_params:,} parameters, {counted.num_macs:,} multiply-adds per image.",
        *(prose(text) for text in words),
        "    from safetensors.torch import load_file",
        '    network = build(load_file("weights.safetensors")).eval()',
    ]
    return '"""' + "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + '\n"""'


def _imports(layers: list[Layer]) -> list[str]:
    gated = any(isinstance(layer, SqueezeExcite) for layer in layers)
    functional = gated or any(isinstance(layer, Act | ZeroPad) for layer in layers)
    return [
        *(["import torch"] if gated else []),
        *(["import torch.nn.functional as F"] if functional else []),
        "from torch import Tensor, nn",
    ]


def _shortcut_classes(distinct: list[BlockClass]) -> list[str]:
    """Write the classes of parameter-free shortcuts, with the steps that this network takes."""
    terms = [found.expressions for found in distinct if found.shortcut is ShortcutKind.ZERO_PAD]
    widening = [term for term in terms if term["in_channels"] != term["out_channels"]]
    sources = [SUBSAMPLE] if len(widening) < len(terms) else []
    if any(term["stride"] != "1" for term in widening):
        sources.append(ZERO_PAD_AND_SUBSAMPLE)
    elif widening:
        sources.append(ZERO_PAD)
    return sources


def _network_source(plan: Plan, classes: Mapping[Block, BlockClass], network: str, resolution: int) -> str:
    stem = numbered(plan.stem)
    head = [(layer, f"final_{name}" if isinstance(layer, Norm) else name) for layer, name in numbered(plan.head)]
    stages = [_stage(number, stage, classes) for number, stage in enumerate(plan.stages, start=1)]
    count = COUNTS.get(len(stages), str(len(stages)))
    lines = [
        f"class {network}(nn.Module):",
        f'    """A convolution, {count} stage{"s" * (len(stages) > 1)} of blocks and a linear classifier."""',
        "",
        "    def __init__(self) -> None:",
        "        super().__init__()",
        *_constructions(stem),
        *stages,
        *_constructions(head),
        "        for module in self.modules():",
        "            if isinstance(module, nn.Conv2d):",
        '                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")',
        "",
        "    def forward(self, x: Tensor) -> Tensor:",
        *_forward(plan, stem, head, resolution),
    ]
    return "\n".join(lines)


def _constructions(steps: list[Step]) -> list[str]:
    """Write the modules of the stem or the head."""
    lines = []
    for layer, name in steps:
        match layer:
            case Conv(c_in, c_out, _, stride, groups):
                arguments = conv_arguments(layer, str(c_in), str(c_out), str(stride), str(groups))
                lines.append(construct(name, "nn.Conv2d", arguments))
            case Norm(channels):
                lines.append(construct(name, "nn.BatchNorm2d", [str(channels)]))
            case Linear(c_in, c_out):
                lines.append(construct(name, "nn.Linear", [str(c_in), str(c_out)]))
            case _:
                assert not name, f"{layer} has no place in a stem or head"
    return lines


def _stage(number: int, stage: tuple[Block, ...], classes: Mapping[Block, BlockClass]) -> str:
    """Write a stage; three or more equal blocks in a row become one line."""
    items: list[str] = []
    for construction, run in groupby(classes[block].construction(block) for block in stage):
        length = len(list(run))
        items += [construction] * length if length < 3 else [f"*({construction} for _ in range({length}))"]
    if len(items) == 1:
        return construct(f"stage{number}", "nn.Sequential", items)
    lines = (f"            {item}," for item in items)
    return "\n".join((f"        self.stage{number} = nn.Sequential(", *lines, "        )"))


def _forward(plan: Plan, stem: list[Step], head: list[Step], resolution: int) -> list[str]:
    """Write `forward` with the shape behind every line that changes it."""
    conv = plan.stem[0]
    assert isinstance(conv, Conv)
    side = -(-resolution // conv.stride)
    before = f"(N, {conv.c_in}, {resolution}, {resolution})"
    lines = [f"        x = {applied(stem, 'x')}  # {before} -> (N, {conv.c_out}, {side}, {side})"]
    for number, stage in enumerate(plan.stages, start=1):
        for block in stage:
            for layer in block.branch:
                side = -(-side // layer.stride) if isinstance(layer, Conv) else side
        c_out = next(layer.c_out for layer in reversed(stage[-1].branch) if isinstance(layer, Conv))
        lines.append(f"        x = self.stage{number}(x)  # (N, {c_out}, {side}, {side})")
    *tail, pool, (classifier, name) = head
    assert isinstance(classifier, Linear)
    lines += [f"        x = {applied(tail, 'x')}"] if tail else []
    lines.append(f"        x = {applied([pool], 'x')}  # (N, {c_out})")
    return [*lines, f"        return {applied([(classifier, name)], 'x')}  # (N, {classifier.c_out})"]


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
