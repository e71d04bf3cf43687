"""The built module: laws over every variant, and blocks against forward passes written out by hand."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ressearch.arch import Architecture, Stage, architecture_id, cost, named, plan
from ressearch.arch.layers import Activation, Normalisation
from ressearch.arch.merges import Merge
from ressearch.arch.orderings import Ordering
from ressearch.arch.plan_tree import Group, Plan
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.arch.survival import DropPath
from ressearch.model import Block, Network, build

RESOLUTION = 9  # odd, so that strides round


def shapes(resolved: Plan) -> Iterator[torch.Size]:
    """Shapes of the parameters of a plan's layers, in the order in which they are created."""
    for layer in resolved.layers():
        alone = nn.Sequential(build(Plan((layer,), Group(()), ())))
        yield from (parameter.shape for parameter in alone.parameters())


def check_laws(architecture: Architecture) -> None:
    """Counts equal the module's, logits and gradients are finite, and every parameter gets a gradient."""
    resolved = plan(architecture, in_channels=2, num_classes=5)
    counted = cost(resolved, RESOLUTION)
    torch.manual_seed(0)
    network = build(resolved)
    assert counted.num_params == sum(parameter.numel() for parameter in network.parameters())
    assert [tensor.shape for tensor in network.parameters()] == list(shapes(resolved))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.randn(1, 2, RESOLUTION, RESOLUTION))
    assert 2 * counted.num_macs == counter.get_total_flops()
    for module in network.train().modules():
        if isinstance(module, Block) and module.survival < 1:
            module.training = False  # every branch takes part, while its layers train
    logits = network(torch.randn(3, 2, RESOLUTION, RESOLUTION))
    assert logits.shape == (3, 5)
    assert logits.isfinite().all()
    logits.logsumexp(1).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_laws_hold_for_every_combination(combination: Architecture) -> None:
    check_laws(combination)


@settings(max_examples=300)
@given(data=st.data())
def test_laws_hold_over_the_grid(architectures: st.SearchStrategy[Architecture], data: st.DataObject) -> None:
    check_laws(data.draw(architectures))


@pytest.mark.slow
@settings(max_examples=2000)
@given(data=st.data())
def test_laws_hold_over_much_of_the_grid(architectures: st.SearchStrategy[Architecture], data: st.DataObject) -> None:
    check_laws(data.draw(architectures))


def built(architecture: Architecture, channels: int = 3) -> Network:
    """Build with random weights whose norms are no identities, so that their places show; in eval mode."""
    torch.manual_seed(0)
    network = build(plan(architecture, channels, 10))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean):
                assert tensor is not None
                tensor.normal_()
            assert module.running_var is not None
            module.running_var.uniform_(0.5, 2)
    return network.eval()


def test_the_same_seed_gives_the_same_weights() -> None:
    torch.manual_seed(3)
    first = build(plan(named("resnet-8"), 3, 10)).state_dict()
    torch.manual_seed(3)
    second = build(plan(named("resnet-8"), 3, 10)).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_equal_ids_build_equal_networks() -> None:
    stages = (Stage(depth=2, width=8),)
    flat = Architecture(stages=stages, stem_width=8, activation=Activation.SILU)
    same = Architecture(
        stages=(Stage(depth=2, width=8, shortcut=Shortcut.PROJECTION, se_ratio=4),),
        stem_width=8,
        activation=Activation.SILU,
    )
    assert architecture_id(flat) == architecture_id(same)
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(built(flat)(images), built(same)(images))


ACTIVATIONS = {
    Activation.RELU: F.relu,
    Activation.LEAKY_RELU: lambda x: F.leaky_relu(x, 0.01),
    Activation.ELU: F.elu,
    Activation.SILU: F.silu,
    Activation.GELU: F.gelu,
}


def block_of(ordering: Ordering, **values: Any) -> tuple[Block, list[nn.Module]]:
    """The second of two equal blocks of width 8, and its convolutions and norms in order."""
    whole = {"activation": values.pop("activation", Activation.RELU)}
    stages = (Stage(depth=2, width=8, **values),)
    network = built(Architecture(stages=stages, stem_width=8, ordering=ordering, **whole))
    block = network.blocks[1]
    layers = [module for module in block.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.Linear)]
    return block, layers


def by_hand(ordering: Ordering, layers: list[nn.Module], x: Tensor, act: Any) -> Tensor:
    """He et al. 2016, figure 4 a-e, and Han et al. 2017, figure 6d, as equations."""
    match ordering:
        case Ordering.ORIGINAL:
            conv1, norm1, conv2, norm2 = layers
            return act(x + norm2(conv2(act(norm1(conv1(x))))))
        case Ordering.BN_AFTER_ADDITION:
            conv1, norm1, conv2, norm2 = layers
            return act(norm2(x + conv2(act(norm1(conv1(x))))))
        case Ordering.RELU_BEFORE_ADDITION:
            conv1, norm1, conv2, norm2 = layers
            return x + act(norm2(conv2(act(norm1(conv1(x))))))
        case Ordering.RELU_ONLY_PREACTIVATION:
            conv1, norm1, conv2, norm2 = layers
            return x + norm2(conv2(act(norm1(conv1(act(x))))))
        case Ordering.FULL_PREACTIVATION:
            norm1, conv1, norm2, conv2 = layers
            return x + conv2(act(norm2(conv1(act(norm1(x))))))
        case Ordering.PYRAMID_PREACTIVATION:
            norm1, conv1, norm2, conv2, norm3 = layers
            return x + norm3(conv2(act(norm2(conv1(norm1(x))))))
        case _:
            raise AssertionError(f"write the equation of {ordering.name} here")


@pytest.mark.parametrize("activation", Activation)
@pytest.mark.parametrize("ordering", Ordering)
def test_blocks_against_their_equations(ordering: Ordering, activation: Activation) -> None:
    """An activation must not write into the x that the shortcut still reads."""
    block, layers = block_of(ordering, activation=activation)
    x = torch.randn(2, 8, 5, 5)
    kept = x.clone()
    assert torch.equal(block(x), by_hand(ordering, layers, kept, ACTIVATIONS[activation]))
    assert torch.equal(x, kept)


def test_a_plain_block_adds_nothing() -> None:
    block, (conv1, norm1, conv2, norm2) = block_of(Ordering.ORIGINAL, shortcut=Shortcut.NONE)
    x = torch.randn(2, 8, 5, 5)
    assert torch.equal(block(x), F.relu(norm2(conv2(F.relu(norm1(conv1(x)))))))


def test_squeeze_excitation_scales_the_branch_before_the_addition() -> None:
    block, layers = block_of(Ordering.ORIGINAL, se=SqueezeExcitation.STANDARD, se_ratio=4)
    conv1, norm1, conv2, norm2, squeeze, excite = layers
    assert (squeeze.out_features, excite.out_features) == (2, 8)
    x = torch.randn(2, 8, 5, 5)
    y = norm2(conv2(F.relu(norm1(conv1(x)))))
    gate = torch.sigmoid(excite(F.relu(squeeze(y.mean((2, 3))))))
    assert torch.equal(block(x), F.relu(x + y * gate[:, :, None, None]))


@pytest.mark.parametrize("resolution", [8, 9])
def test_zero_pad_subsamples_and_appends_zeros(resolution: int) -> None:
    stages = (Stage(depth=1, width=8), Stage(depth=1, width=12, stride=2))
    block = built(Architecture(stages=stages, stem_width=8)).blocks[1]
    x = torch.randn(2, 8, resolution, resolution)
    y = block.branch(x)
    y[:, :8] += x[:, :, ::2, ::2]
    assert torch.equal(block(x), F.relu(y))


def test_a_preactivated_projection_reads_the_activated_input() -> None:
    stages = (Stage(depth=1, width=8), Stage(depth=1, width=12, stride=2, shortcut=Shortcut.PROJECTION))
    network = built(Architecture(stages=stages, stem_width=8, ordering=Ordering.FULL_PREACTIVATION))
    block = network.blocks[1]
    norm1, conv1, norm2, conv2, projection = (
        module for module in block.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    )
    x = torch.randn(2, 8, 6, 6)
    activated = F.relu(norm1(x))
    assert torch.equal(block(x), conv2(F.relu(norm2(conv1(activated)))) + projection(activated))


def test_average_pooling_divides_by_what_it_covers() -> None:
    """At an odd size the last window is cut, as PyramidNet's authors have it."""
    stages = (Stage(depth=1, width=8), Stage(depth=1, width=12, stride=2, shortcut=Shortcut.AVG_POOL_ZERO_PAD))
    block = built(Architecture(stages=stages, stem_width=8)).blocks[1]
    x = torch.randn(2, 8, 5, 5)
    y = block.branch(x)
    pooled = torch.stack([x[:, :, i : i + 2, j : j + 2].mean((2, 3)) for i in (0, 2, 4) for j in (0, 2, 4)], 2)
    y[:, :8] += pooled.reshape(2, 8, 3, 3)
    assert torch.allclose(block(x), F.relu(y), atol=1e-6)


def test_merges_against_their_equations() -> None:
    """He et al. 2016, arXiv:1603.05027, section 3.1, the gate on the block's input."""
    x = torch.randn(2, 8, 5, 5)

    def parts(**values: Any) -> tuple[Tensor, Tensor, Tensor]:
        block, (conv1, norm1, conv2, norm2, *gate) = block_of(Ordering.ORIGINAL, **values)
        weight = torch.sigmoid(gate[0](x)) if gate else torch.ones(())
        return block(x), norm2(conv2(F.relu(norm1(conv1(x))))), weight

    y, branch, _ = parts(merge=Merge.CONSTANT_SCALE, shortcut_scale=0.5, branch_scale=0.25)
    assert torch.allclose(y, F.relu(0.25 * branch + 0.5 * x))
    y, branch, gate = parts(merge=Merge.EXCLUSIVE_GATE, gate_bias=0.0)
    assert torch.allclose(y, F.relu(gate * branch + (1 - gate) * x))
    y, branch, gate = parts(merge=Merge.SHORTCUT_ONLY_GATE, gate_bias=-1.0)
    assert torch.allclose(y, F.relu(branch + (1 - gate) * x))
    y, branch, _ = parts(merge=Merge.DROPOUT, shortcut_dropout=0.25)
    assert torch.allclose(y, F.relu(branch + 0.75 * x))


def test_gates_start_at_their_bias() -> None:
    _block, layers = block_of(Ordering.ORIGINAL, merge=Merge.EXCLUSIVE_GATE, gate_bias=-6.0)
    assert isinstance(layers[-1], nn.Conv2d)
    assert layers[-1].bias is not None
    assert layers[-1].bias.eq(-6).all()
    assert all(layer.bias is None for layer in layers[:-1] if isinstance(layer, nn.Conv2d))


def test_shortcut_dropout_is_unscaled() -> None:
    """In training an element is x or 0, never x / keep: the expectation is the paper's 0.5 x."""
    block, _ = block_of(Ordering.ORIGINAL, merge=Merge.DROPOUT, shortcut_dropout=0.5)
    x = torch.rand(4, 8, 32, 32) + 1
    dropped = block.shortcut.train()(x)
    assert ((dropped == x) | (dropped == 0)).all()
    assert (dropped == x).float().mean().item() == pytest.approx(0.5, abs=0.02)


def test_branch_dropout_stands_before_the_last_convolution() -> None:
    block, (conv1, norm1, conv2, norm2) = block_of(Ordering.ORIGINAL, dropout=0.3)
    x = torch.randn(2, 8, 5, 5)
    assert torch.equal(block(x), F.relu(norm2(conv2(F.relu(norm1(conv1(x))))) + x))
    block.train()
    torch.manual_seed(1)
    found = block(x)
    torch.manual_seed(1)
    assert torch.equal(found, F.relu(norm2(conv2(F.dropout(F.relu(norm1(conv1(x))), 0.3))) + x))


# Hu et al. 2018, arXiv:1709.01507, section 6
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("place", [place for place in SqueezeExcitation if place is not SqueezeExcitation.NONE])
def test_places_of_squeeze_excitation(place: SqueezeExcitation, bias: bool) -> None:
    block, layers = block_of(Ordering.ORIGINAL, se=place, se_ratio=4, se_bias=bias)
    conv1, norm1, conv2, norm2 = (layer for layer in layers if not isinstance(layer, nn.Linear))
    squeeze, excite = (layer for layer in layers if isinstance(layer, nn.Linear))
    assert ((squeeze.bias is None) or (excite.bias is None)) is not bias

    def gated(x: Tensor) -> Tensor:
        return x * torch.sigmoid(excite(F.relu(squeeze(x.mean((2, 3))))))[:, :, None, None]

    def branch(x: Tensor) -> Tensor:
        return norm2(conv2(F.relu(norm1(conv1(x)))))  # type: ignore[no-any-return]

    x = torch.randn(2, 8, 5, 5)
    expected = {
        SqueezeExcitation.STANDARD: lambda: F.relu(gated(branch(x)) + x),
        SqueezeExcitation.PRE: lambda: F.relu(branch(gated(x)) + x),
        SqueezeExcitation.POST: lambda: gated(F.relu(branch(x) + x)),
        SqueezeExcitation.IDENTITY: lambda: F.relu(branch(x) + gated(x)),
    }[place]()
    assert torch.equal(block(x), expected)


def test_group_normalisation() -> None:
    stages = (Stage(depth=1, width=8),)
    network = built(Architecture(stages=stages, stem_width=8, norm=Normalisation.GROUP, norm_groups=2))
    norms = [module for module in network.modules() if isinstance(module, nn.GroupNorm)]
    assert [norm.num_groups for norm in norms] == [2, 2, 2]
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_levels_against_their_equation() -> None:
    """Zhang et al. 2017, arXiv:1608.02908, figure 2: three sums end together, and one ReLU follows."""
    stages = (Stage(depth=2, width=8), Stage(depth=2, width=16, stride=2))
    network = built(Architecture(stages=stages, stem_width=8, levels=3))
    first, second = network.stages
    images = torch.randn(2, 3, 8, 8)
    x = network.stem(images)
    y = first.items[0](x)
    y = F.relu(first.items[1].branch(y) + y + first.shortcut(x))
    z = second.items[0](y)
    z = F.relu(second.items[1].branch(z) + z + second.shortcut(y) + network.shortcut(x))
    assert torch.allclose(network(images), network.head(z), atol=1e-6)


def stochastic(rate: float = 0.5, depth: int = 3, **whole: Any) -> Network:
    stages = (Stage(depth=depth, width=8),)
    return built(Architecture(stages=stages, stem_width=8, drop_path=DropPath.UNIFORM, drop_path_rate=rate, **whole))


def test_stochastic_depth_takes_the_expectation_in_evaluation() -> None:
    block = stochastic(0.25).blocks[1]
    x = torch.rand(2, 8, 5, 5)
    assert torch.equal(block(x), F.relu(block.branch(x) * 0.75 + x))


def test_stochastic_depth_leaves_whole_branches_out_in_training() -> None:
    """A branch that is left out costs no time and changes nothing: no gradient, no running statistics."""
    block = stochastic().blocks[1]
    conv, norm = block.branch[0], block.branch[1]
    x = torch.rand(2, 8, 5, 5)
    block.train()
    taken = 0
    for seed in range(40):
        block.zero_grad()
        before = norm.running_mean.clone()
        torch.manual_seed(seed)
        y = block(x)
        y.sum().backward() if y.requires_grad else None
        took_part = conv.weight.grad is not None
        assert took_part is not torch.equal(norm.running_mean, before)
        assert took_part is not torch.equal(y, F.relu(x))
        taken += took_part
    assert 10 <= taken <= 30


def test_the_drop_pattern_follows_the_generator() -> None:
    network = stochastic(depth=8).train()
    images = torch.randn(4, 3, 8, 8)

    def logits(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return network(images)  # type: ignore[no-any-return]

    assert torch.equal(logits(1), logits(1))
    assert not torch.equal(logits(1), logits(2))
