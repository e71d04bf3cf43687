"""The written module: equal to ours, clean to a linter, and nothing in it that its network does not use."""

import ast
import inspect
import itertools
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ressearch.arch import Architecture, Plan, Stage, named, plan
from ressearch.arch.initialisation import InitRule
from ressearch.arch.layers import (
    Act,
    Activation,
    AvgPool,
    Conv,
    Dropout,
    MaxPool,
    Norm,
    Scale,
    Subsample,
    ZeroPad,
)
from ressearch.arch.layers import Path as Layers
from ressearch.arch.orderings import Ordering
from ressearch.arch.plan_tree import Block, Group
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.arch.survival import DropPath, StochasticDepth, linear_survival
from ressearch.codegen import model_source
from ressearch.model import build, modules

RULES = "E,F,W,I,UP,B,SIM,RUF,N,C4,PIE,RET,ARG"


def resolved(architecture: Architecture) -> Plan:
    return plan(architecture, in_channels=2, num_classes=5)


def source_of(found: Plan, name: str = "a network") -> str:
    return model_source(found, name=name, resolution=9)


def executed(source: str, seed: int = 0) -> nn.Module:
    namespace: dict[str, Any] = {}
    exec(compile(source, "model.py", "exec"), namespace)
    torch.manual_seed(seed)
    network = namespace["build"]()
    assert isinstance(network, nn.Module)
    return network


def seeded(network: nn.Module, images: Tensor, seed: int) -> Tensor:
    torch.manual_seed(seed)
    logits: Tensor = network(images)
    return logits


def check_equal(found: Plan) -> None:
    """One seed starts both modules from equal weights; in training they draw alike, and trained they stay equal."""
    torch.manual_seed(0)
    ours = build(found)
    source = source_of(found)
    written = executed(source)
    state = ours.state_dict()
    pairs = list(zip(state.values(), written.state_dict().values(), strict=True))
    assert all(first.shape == second.shape and first.allclose(second, atol=1e-6) for first, second in pairs)
    written.load_state_dict(dict(zip(written.state_dict(), state.values(), strict=True)))
    images = torch.randn(4, 2, 9, 9)
    for seed in (1, 2):  # also moves the running statistics
        assert torch.equal(seeded(ours, images, seed), seeded(written, images, seed))
    assert torch.equal(ours.eval()(images), written.eval()(images))
    check_nothing_unused(ast.parse(source))


def check_nothing_unused(tree: ast.Module) -> None:
    """Only torch is imported; every class is built, every argument read and given, every attribute applied."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert {module.split(".")[0] for module in modules} == {"torch"}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    for found in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == found.name]
        assert made, f"class {found.name} is never built"
        attributes = [node for node in ast.walk(found) if isinstance(node, ast.Attribute)]
        of_self = [node for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "self"]
        stored = {node.attr for node in of_self if isinstance(node.ctx, ast.Store)}
        loaded = {node.attr for node in of_self if isinstance(node.ctx, ast.Load)}
        assert stored <= loaded, f"{found.name} never uses {sorted(stored - loaded)}"
        for function in (node for node in found.body if isinstance(node, ast.FunctionDef)):
            read = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
            arguments = {argument.arg for argument in function.args.args} - {"self"}
            assert arguments <= read, f"{found.name}.{function.name} never reads {sorted(arguments - read)}"
            if function.name == "__init__" and function.args.defaults:
                optional = {argument.arg for argument in function.args.args[-len(function.args.defaults) :]}
                given = {keyword.arg for call in made for keyword in call.keywords}
                assert optional <= given, f"{found.name} is never given {sorted(optional - given)}"


def test_every_combination_equals_ours(combination: Architecture) -> None:
    check_equal(resolved(combination))


@settings(max_examples=100)
@given(data=st.data())
def test_the_grid_equals_ours(architectures: st.SearchStrategy[Architecture], data: st.DataObject) -> None:
    check_equal(resolved(data.draw(architectures)))


@pytest.mark.slow
@settings(max_examples=2000)
@given(data=st.data())
def test_much_of_the_grid_equals_ours(architectures: st.SearchStrategy[Architecture], data: st.DataObject) -> None:
    check_equal(resolved(data.draw(architectures)))


def test_networks_equal_ours(network: Architecture) -> None:
    check_equal(resolved(network))


def keeps_shape(c_in: int, c_out: int, stride: int) -> bool:
    return (c_in, stride) == (c_out, 1)


def resnet_d(c_in: int, c_out: int, stride: int) -> Layers:
    pool = (AvgPool(stride),) if stride != 1 else ()
    return () if keeps_shape(c_in, c_out, stride) else (*pool, Conv(c_in, c_out, 1), Norm(c_out))


def pooled_everywhere(c_in: int, c_out: int, stride: int) -> Layers:
    return (AvgPool(stride), Conv(c_in, c_out, 1))


def scaled_projection(c_in: int, c_out: int, stride: int) -> Layers:
    scale = Scale(0.5 if keeps_shape(c_in, c_out, stride) else 0.25)
    return (scale,) if keeps_shape(c_in, c_out, stride) else (Conv(c_in, c_out, 1, stride), scale)


def scaled_by_width(c_in: int, c_out: int, stride: int) -> Layers:
    return (Scale(1 / c_in), Subsample(stride), ZeroPad(c_in, c_out))


def padded_max_pool(c_in: int, c_out: int, stride: int) -> Layers:
    pool = (MaxPool(3, stride),) if stride != 1 else ()
    return (*pool, *((ZeroPad(c_in, c_out),) if c_in != c_out else ()))


def bottleneck(c_in: int, c_out: int, stride: int) -> Layers:
    inner = c_in // 2
    path = (Conv(c_in, inner, 1), Norm(inner), Act(Activation.RELU), Conv(inner, c_out, 3, stride))
    return () if keeps_shape(c_in, c_out, stride) else path


def noisy(c_in: int, c_out: int, stride: int) -> Layers:
    path = (Dropout(0.25), Subsample(stride), ZeroPad(c_in, c_out), Act(Activation.RELU))
    return () if keeps_shape(c_in, c_out, stride) else path


MadeUp = Callable[[int, int, int], Layers]
MADE_UP: tuple[MadeUp, ...] = (
    resnet_d,
    pooled_everywhere,
    scaled_projection,
    scaled_by_width,
    padded_max_pool,
    bottleneck,
    noisy,
)


def with_shortcut(item: Block | Group, shortcut: MadeUp) -> Any:
    if isinstance(item, Group):
        return replace(item, items=tuple(with_shortcut(inner, shortcut) for inner in item.items))
    convs = [layer for layer in item.branch if isinstance(layer, Conv)]
    stride = prod(conv.stride for conv in convs)
    return replace(item, shortcut=shortcut(convs[0].c_in, convs[-1].c_out, stride))


def made_up(shortcut: MadeUp, widths: tuple[int, int, int]) -> Plan:
    stages = tuple(Stage(depth=2, width=width, stride=s) for width, s in zip(widths, (1, 2, 2), strict=True))
    found = resolved(Architecture(stages=stages, stem_width=8))
    return replace(found, body=with_shortcut(found.body, shortcut))


@pytest.mark.parametrize("widths", [(8, 16, 32), (16, 16, 32), (8, 8, 8)])
@pytest.mark.parametrize("shortcut", MADE_UP)
def test_a_new_shortcut_needs_nothing_here(shortcut: MadeUp, widths: tuple[int, int, int]) -> None:
    """A path of known layers is all that the source asks of a shortcut."""
    check_equal(made_up(shortcut, widths))


def test_the_shortcut_of_resnet_d_reads_as_if_written_by_hand() -> None:
    lines = (
        "        self.shortcut: nn.Module = nn.Identity()",
        "        if stride != 1 or in_channels != out_channels:",
        "            self.shortcut = nn.Sequential(",
        "                nn.AvgPool2d(stride, ceil_mode=True) if stride != 1 else nn.Identity(),",
        "                nn.Conv2d(in_channels, out_channels, 1, bias=False),",
        "                nn.BatchNorm2d(out_channels),",
        "            )",
    )
    assert "\n".join(lines) in source_of(made_up(resnet_d, (16, 16, 32)))


def ruff(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ruff", *arguments[:1], "--isolated", "--no-cache", "--line-length=100"]
    return subprocess.run([*command, *arguments[1:]], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def written(
    tmp_path_factory: pytest.TempPathFactory,
    every_combination: dict[str, Architecture],
    networks: dict[str, Architecture],
) -> Path:
    """A directory with the source of every combination, of the networks and of made-up shortcuts."""
    directory = tmp_path_factory.mktemp("written")
    plans = {name: resolved(found) for name, found in {**every_combination, **networks}.items()}
    plans |= {shortcut.__name__: made_up(shortcut, (16, 16, 32)) for shortcut in MADE_UP}
    for name, found in plans.items():
        (directory / f"{name}.py").write_text(source_of(found, name), encoding="utf-8")
    return directory


def test_the_linter_finds_nothing(written: Path) -> None:
    """N812: `import torch.nn.functional as F` is the field's habit."""
    checked = ruff("check", f"--select={RULES}", "--ignore=N812", str(written))
    assert checked.returncode == 0, checked.stdout


def test_the_formatter_changes_nothing(written: Path) -> None:
    checked = ruff("format", "--diff", str(written))
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", ["mixed", "ror", "scales"])
def test_shape_comments_are_true(name: str, networks: dict[str, Architecture]) -> None:
    """Each comment behind a stage names the shape that the stage gives."""
    source = source_of(resolved(networks[name]))
    network = executed(source)
    shapes = {}
    for part, module in network.named_children():
        module.register_forward_hook(lambda _module, _args, output, part=part: shapes.update({part: output.shape}))
    network(torch.randn(2, 2, 9, 9))
    for number, _ in enumerate(networks[name].stages, start=1):
        channels, height, width = shapes[f"stage{number}"][1:]
        assert f"self.stage{number}(" in source
        line = next(line for line in source.splitlines() if f" = self.stage{number}(" in line)
        assert line.endswith(f"# (N, {channels}, {height}, {width})")


def test_resnet_20_reads_as_if_written_by_hand() -> None:
    """Word for word: who changes how modules are written sees it here first."""
    golden = Path(__file__).with_name("resnet_20.txt").read_text(encoding="utf-8")
    assert model_source(plan(named("resnet-20"), 3, 10), name="resnet-20", resolution=32) == golden


def test_stochastic_depth_and_levels_read_as_if_written_by_hand(networks: dict[str, Architecture]) -> None:
    source = source_of(resolved(networks["ror"]))
    classes = [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    assert classes == ["SqueezeExcite", "Subsample", "ZeroPad", "BasicBlock", "Group", "ResNet"]
    stage = """\
        survival = linear_survival(0.3, 15)
        self.stage1 = Group(
            Group(
                BasicBlock(16, 16, survival=survival[0]),
                BasicBlock(16, 16, survival=survival[1]),
                BasicBlock(16, 16, last=True, survival=survival[2]),
                shortcut=nn.Conv2d(16, 16, 1, bias=False),
                after=nn.ReLU(),
            ),
"""
    assert stage in source
    long = replace(networks["ror"], levels=1, stages=(replace(networks["ror"].stages[0], depth=15),))
    assert "nn.Sequential(*(BasicBlock(16, survival=p) for p in survival))" in source_of(resolved(long))


def test_a_gate_behind_some_additions_makes_a_class_of_its_own() -> None:
    """Only norms and activations may be missing, in the last blocks of groups, and only there."""
    stages = (Stage(depth=2, width=8), Stage(depth=2, width=8, se=SqueezeExcitation.POST, se_ratio=4))
    for ordering, levels in itertools.product(Ordering, (1, 3)):
        found = resolved(Architecture(stages=stages, stem_width=8, ordering=ordering, levels=levels))
        source = source_of(found)
        assert "class SEBasicBlock" in source
        assert ("last=True" in source) is (levels > 1 and bool(ordering.merged))
        check_equal(found)


def early_certain_survival(rate: float, num_blocks: int) -> tuple[float, ...]:
    return tuple(1 - rate * (block // 2) for block in range(1, num_blocks + 1))


class MadeUpRule(Enum):
    """A row as in `DropPath`."""

    EARLY_CERTAIN = (early_certain_survival,)

    def __init__(self, function: Callable[[float, int], tuple[float, ...]]) -> None:
        self.function = function

    def survival(self, rate: float, num_blocks: int) -> tuple[float, ...]:
        return self.function(rate, num_blocks)


@pytest.mark.parametrize(
    ("rule", "texts"),
    [
        (DropPath.UNIFORM, ("self.survival = 0.75",)),
        (DropPath.LINEAR, ("survival = linear_survival(0.25, 3)", inspect.getsource(linear_survival))),
        (
            MadeUpRule.EARLY_CERTAIN,  # a certain survival draws no number
            (
                inspect.getsource(early_certain_survival),
                "if self.training and self.survival < 1 and torch.rand(()) >= self.survival:",
            ),
        ),
    ],
)
def test_a_rule_of_stochastic_depth_is_written_as_its_own_function(rule: Any, texts: tuple[str, ...]) -> None:
    stages = (Stage(depth=3, width=8, dropout=0.5),)
    found = replace(resolved(Architecture(stages=stages, stem_width=8)), stochastic_depth=StochasticDepth(rule, 0.25))
    source = source_of(found)
    assert all(text in source for text in texts)
    check_equal(found)


SMALL_MODULES = [
    name for name, found in vars(modules).items() if inspect.isclass(found) and found.__module__ == modules.__name__
]


@pytest.mark.parametrize("name", SMALL_MODULES)
def test_small_modules_are_exported_from_their_own_source(
    name: str, every_combination: dict[str, Architecture], networks: dict[str, Architecture]
) -> None:
    """What is trained is what is exported: the very text of the class."""
    architectures = (*every_combination.values(), *networks.values())
    sources = [source_of(found) for found in (*map(resolved, architectures), made_up(scaled_by_width, (16, 16, 32)))]
    users = [source for source in sources if re.search(rf"\b{name}\(", source)]
    assert all(inspect.getsource(getattr(modules, name)) in source for source in users)
    assert users or name == "GlobalAvgPool"  # an expression in the head


def test_equal_blocks_alone_in_a_group_are_drawn_before_its_shortcut() -> None:
    """Python would ask a generator for its blocks after making the shortcut."""
    stages = (Stage(depth=3, width=8, se=SqueezeExcitation.STANDARD, se_ratio=4),)
    found = resolved(Architecture(stages=stages, stem_width=8, levels=3))
    closed = found.stages[0].items[-1]
    assert isinstance(closed, Block)
    stage = replace(found.stages[0], items=(closed,) * 3)
    found = replace(found, body=replace(found.body, items=(stage,)))
    assert "*[BasicBlock(8) for _ in range(3)]," in source_of(found)
    check_equal(found)


@pytest.mark.parametrize("rule", InitRule)
def test_only_the_rule_of_the_network_is_written(rule: InitRule) -> None:
    words = {
        InitRule.HE: 'kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")',
        InitRule.LECUN: 'kaiming_normal_(module.weight, nonlinearity="linear")',
        InitRule.XAVIER: "xavier_normal_(module.weight)",
        InitRule.DEPTH_SCALED: "conv.weight.data *= branch_gain(2, 2, 1.0) ** 0.5",
    }
    found = resolved(Architecture(stages=(Stage(depth=2, width=8),), stem_width=8, init=rule))
    source = source_of(found)
    assert words[rule] in source
    assert source.count("nn.init.") == 1
    check_equal(found)


def test_the_source_is_a_function_of_the_plan(networks: dict[str, Architecture]) -> None:
    mixed = networks["mixed"]
    assert source_of(resolved(mixed)) == source_of(resolved(Architecture.from_dict(mixed.to_dict())))
