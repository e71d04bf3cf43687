"""Mistakes of the architecture section: domains, conditions, and widths that somebody must give."""

from collections.abc import Callable

import pytest

from ressearch.arch import AXES

DEPTH = "  depth: {int: {low: 1, high: 2}}"
WIDTH = "  width: [8, 16, {choice: [32, 64]}]"
SHORTCUT = "  shortcut: {choice: [zero_pad, projection]}"
WIDENING = "  widening: per_stage"
LR = "  lr: {float: {low: 0.01, high: 0.5, log: true}}"
SHORTCUTS = ", ".join(AXES["shortcut"].names)

# what is replaced, by what, and a part of the message behind the file name
MISTAKES = {
    # domains
    "member": (
        "projection]",
        "projecton]",
        f"8: architecture.shortcut.choice[1]: got 'projecton', expected one of {SHORTCUTS}; did you mean 'projection'?",
    ),
    "fixed member": (
        SHORTCUT,
        "  shortcut: Projection",
        "8: architecture.shortcut: got 'Projection', expected one of ",
    ),
    "empty choice": (
        "[zero_pad, projection]",
        "[]",
        "8: architecture.shortcut.choice: one or more values must be given, got none",
    ),
    "choice no list": (
        "[zero_pad, projection]",
        "zero_pad",
        "8: architecture.shortcut.choice: got 'zero_pad', expected a list",
    ),
    "twice": (
        "[zero_pad, projection]",
        "[none, none]",
        "8: architecture.shortcut.choice: every value must be given once, got none twice",
    ),
    "low > high": ("low: 1,", "low: 3,", "6: architecture.depth.int.low: low <= high must hold, got low 3 and high 2"),
    "high missing": (", high: 2", "", "6: architecture.depth.int: 'high' is missing, expected {low: ..., high: ...}"),
    "log of 0": ("low: 0.01", "low: 0.0", "12: recipe.lr.float.low: low > 0 must hold with log, got low 0"),
    "step": (
        "high: 2}",
        "high: 8, step: 3}",
        "6: architecture.depth.int.step: step must reach high from low, got step 3, which ends at 7 short of high 8",
    ),
    "float step": ("high: 0.5, log: true", "high: 0.5, step: 0.2", "ends at 0.41 short of high 0.5"),
    "step 0": ("high: 2}", "high: 2, step: 0}", "6: architecture.depth.int.step: step > 0 must hold, got 0"),
    "step and log": ("log: true", "log: true, step: 0.1", "12: recipe.lr.float.step: step and log exclude each other"),
    "log no bool": ("log: true", "log: 1", "12: recipe.lr.float.log: got 1, expected true or false"),
    "infinite range": ("high: 0.5", "high: .inf", "12: recipe.lr.float.low: low and high must be finite"),
    "below minimum": ("low: 1,", "low: 0,", "6: architecture.depth.int.low: depth >= 1 must hold, got 0"),
    "fixed below minimum": (DEPTH, "  depth: -1", "6: architecture.depth: depth >= 1 must hold, got -1"),
    "float for int axis": (
        "{int: {low: 1",
        "{float: {low: 1",
        "6: architecture.depth.float: got a range of kind float, expected {int: ...} or {choice: [...]} of whole",
    ),
    "range for names": (
        "{choice: [zero_pad, projection]}",
        "{int: {low: 1, high: 2}}",
        "8: architecture.shortcut.int: got a range of kind int, expected {choice: [...]}",
    ),
    "no kind": (DEPTH, "  depth: {}", "6: architecture.depth: got no kind, expected exactly one of choice, int, float"),
    "two kinds": (
        DEPTH,
        "  depth: {choice: [1], int: {low: 1, high: 2}}",
        "6: architecture.depth: got choice and int, expected exactly one of",
    ),
    "unknown kind": (
        DEPTH,
        "  depth: {chioce: [1]}",
        "6: architecture.depth: unknown key 'chioce', expected one of choice, int, float, when; did you mean 'choice'?",
    ),
    "list of 2": (
        DEPTH,
        "  depth: [1, 4]",
        "6: architecture.depth: got a list of 2, expected one entry for each of the 3 stages; say {choice: [...]}",
    ),
    "list for network": (
        WIDENING,
        "  activation: [relu, silu]",
        "9: architecture.activation: got a list, expected one value for the whole network; say {choice: [...]}",
    ),
    "list in list": (
        "width: [8,",
        "width: [[8, 16],",
        "7: architecture.width[0]: got a list, expected one value; say {choice: [...]}",
    ),
    "list for recipe": (LR, "  lr: [0.01, 0.1]", "12: recipe.lr: got a list, expected one value; say {choice: [...]}"),
    "in a stage": (
        "{choice: [32, 64]}",
        "{choice: [32, 0]}",
        "7: architecture.width[2].choice[1]: width >= 1 must hold, got 0",
    ),
    "below 1": (WIDENING, "  dropout: 1", "9: architecture.dropout: 0 <= dropout < 1 must hold, got 1"),
    "negative rate": (WIDENING, "  drop_path_rate: -0.1", "0 <= drop_path_rate < 1 must hold, got -0.1"),
    "range up to 1": (
        WIDENING,
        "  shortcut_dropout: {float: {low: 0.5, high: 1.0}}",
        "9: architecture.shortcut_dropout.float.high: 0 <= shortcut_dropout < 1 must hold, got 1.0",
    ),
    "infinite": (WIDENING, "  gate_bias: -.inf", "9: architecture.gate_bias: finite gate_bias must hold, got -.inf"),
    "no number": (WIDENING, "  gate_bias: .nan", "9: architecture.gate_bias: finite gate_bias must hold, got .nan"),
    "log of -7": (
        WIDENING,
        "  gate_bias: {float: {low: -7, high: -1, log: true}}",
        "9: architecture.gate_bias.float.low: low > 0 must hold with log, got low -7",
    ),
    "low > high, negative": (
        WIDENING,
        "  gate_bias: {int: {low: -5, high: -7}}",
        "9: architecture.gate_bias.int.low: low <= high must hold, got low -5 and high -7",
    ),
    "levels 0": (WIDENING, "  levels: {choice: [0, 1]}", "levels.choice[0]: levels >= 1 must hold, got 0"),
    "levels per stage": (
        WIDENING,
        "  levels: [1, 2, 3]",
        "9: architecture.levels: got a list, expected one value for the whole network; say {choice: [...]}",
    ),
    "merge": (
        WIDENING,
        "  merge: exclusive_gates",
        "expected one of add, constant_scale, exclusive_gate, shortcut_only_",
    ),
    "merge guess": (WIDENING, "  merge: exclusive_gates", "did you mean 'exclusive_gate'?"),
    "init guess": (
        WIDENING,
        "  init: {choice: [he, depthscaled]}",
        "init.choice[1]: got 'depthscaled', expected one of",
    ),
    "range for truth": (
        WIDENING,
        "  zero_init: {int: {low: 0, high: 1}}",
        "zero_init.int: got a range of kind int, expected {choice: [...]}; the values are true and false",
    ),
    "truth twice": (
        WIDENING,
        "  zero_init: {choice: [true, yes]}",
        "9: architecture.zero_init.choice: every value must be given once, got true twice",
    ),
    "truth or number": (WIDENING, "  se_bias: {choice: [true, 0]}", "se_bias.choice[1]: got 0, expected true or false"),
    "list of 1 truth": (
        WIDENING,
        "  se_bias: [true]",
        "9: architecture.se_bias: got a list of 1, expected one entry for",
    ),
    # conditions
    "unknown axis": (
        WIDENING,
        "  se_ratio: {choice: [4, 8], when: {sse: standard}}",
        "9: architecture.se_ratio.when: unknown key 'sse', expected one of ",
    ),
    "unknown axis guess": (WIDENING, "  se_ratio: {choice: [4, 8], when: {sse: standard}}", "did you mean 'se'?"),
    "unknown value": (
        WIDENING,
        "  se_ratio: {choice: [4, 8], when: {se: standart}}",
        "9: architecture.se_ratio.when.se: got 'standart', expected one of none, standard, pre, post, identity; "
        "did you mean 'standard'?",
    ),
    "never": (
        WIDENING,
        "  se_ratio: {choice: [4, 8], when: {se: standard}}",
        "9: architecture.se_ratio.when.se: never holds, since se is fixed at none (its default)",
    ),
    "never taken": (
        WIDENING,
        "  stem_width: {choice: [8], when: {shortcut: none}}",
        "9: architecture.stem_width.when.shortcut: got 'none', which shortcut never is; expected one of zero_pad, ",
    ),
    "never in stage": (
        "width: [8, 16, {choice: [32, 64]}]",
        "width: 8\n  stride: [1, {choice: [2], when: {depth: 9}}, 2]",
        "8: architecture.stride[1].when.depth: got 9, which depth never is; expected one of 1 to 2",
    ),
    "never while active": (
        WIDENING,
        "  se: {choice: [standard], when: {shortcut: projection}}\n  stem_width: {choice: [8], when: {se: none}}",
        "10: architecture.stem_width.when.se: got 'none', which se never is; expected one of standard",
    ),
    "never true": (
        WIDENING,
        "  stem_width: {choice: [8], when: {zero_init: true}}",
        "9: architecture.stem_width.when.zero_init: never holds, since zero_init is fixed at false (its default)",
    ),
    "fixed otherwise": (
        WIDENING,
        "  norm: group\n  init: {choice: [he, lecun], when: {norm: [batch, none]}}",
        "10: architecture.init.when.norm: never holds, since norm is fixed at group",
    ),
    "never false": (
        WIDENING,
        "  zero_init: {choice: [true]}\n  init: {choice: [he], when: {zero_init: off}}",
        "10: architecture.init.when.zero_init: got off, which zero_init never is; expected one of true",
    ),
    "never so many": (
        WIDENING,
        "  levels: {choice: [1, 3]}\n  level_shortcut: {choice: [projection], when: {levels: [2, 3]}}",
        "10: architecture.level_shortcut.when.levels[0]: got 2, which levels never is; expected one of 1, 3",
    ),
    "kind of a condition": (
        WIDENING,
        "  level_shortcut: {choice: [projection], when: {levels: two}}",
        "9: architecture.level_shortcut.when.levels: got 'two', expected a whole number",
    ),
    "range of a condition": (
        WIDENING,
        "  stem_width: {choice: [8], when: {dropout: 1.5}}",
        "9: architecture.stem_width.when.dropout: 0 <= dropout < 1 must hold, got 1.5",
    ),
    "empty when": (
        WIDENING,
        "  stem_width: {choice: [8], when: {shortcut: []}}",
        "9: architecture.stem_width.when.shortcut: got an empty list",
    ),
    "circle": (
        WIDENING,
        "  se: {choice: [none, standard], when: {se_ratio: 4}}\n  se_ratio: {choice: [4, 8], when: {se: standard}}",
        "conditions run in a circle: se",
    ),
    "itself": (
        WIDENING,
        "  se_ratio: {choice: [4, 8], when: {se_ratio: 4}}",
        "9: architecture.se_ratio: conditions run in a circle: se_ratio needs se_ratio",
    ),
    "continuous": (
        WIDENING,
        "  bottleneck_ratio: {float: {low: 0.1, high: 1}}\n  stem_width: {choice: [8], when: {bottleneck_ratio: 0.5}}",
        "10: architecture.stem_width.when.bottleneck_ratio: bottleneck_ratio is continuous",
    ),
    "recipe when": (LR, "  lr: {choice: [0.1], when: {se: none}}", "12: recipe.lr: unknown key 'when'"),
    "depth when": (
        DEPTH,
        "  depth: {choice: [1, 2], when: {shortcut: projection}}",
        "6: architecture.depth.when: every stage has a depth, so it takes no condition",
    ),
    # widening
    "no width": (
        WIDTH + "\n",
        "",
        "architecture: 'width' is missing, though widening can be per_stage; only a pyramid decides widths itself",
    ),
    "width when": (
        "{choice: [32, 64]}",
        "{choice: [32, 64], when: {shortcut: projection}}",
        "7: architecture.width[2].when: width must be there whenever widening is per_stage",
    ),
    "no alpha": (
        WIDENING,
        "  widening: {choice: [per_stage, additive]}",
        "architecture: 'alpha' is missing, though widening can be additive; a pyramid grows by it",
    ),
    "alpha when": (
        WIDENING,
        "  widening: {choice: [additive, multiplicative]}\n  alpha: {choice: [2, 4], when: {widening: additive}}",
        "10: architecture.alpha.when: alpha must be there whenever widening is additive or multiplicative",
    ),
    "alpha low": (
        WIDENING,
        "  widening: multiplicative\n  alpha: {float: {low: 0.5, high: 4.0}}",
        "10: architecture.alpha: alpha >= 1 must hold for multiplicative, got 0.5 to 4",
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(complaint: Callable[[str, str], str], old: str, new: str, said: str) -> None:
    got = complaint(old, new)
    assert said in got
    assert "\n" not in got
