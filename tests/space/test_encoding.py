"""Which entries of an encoded point measure something."""

from ressearch.experiment.loader import parse_experiment
from ressearch.space.encoding import NUM_COSTS, Encoding

TEXT = """
version: 1
data: {name: digits}
architecture:
  stages: 2
  depth: {int: {low: 1, high: 4}}
  width: [16, {choice: [16, 24]}]
  transform: {choice: [basic, bottleneck]}
  bottleneck_ratio: {choice: [0.25, 0.5], when: {transform: bottleneck}}
recipe:
  batch_size: {choice: [32, 64]}
  lr: {float: {low: 0.01, high: 1.0, log: true}}
"""


def test_measures_are_the_recipe_and_the_costs() -> None:
    experiment = parse_experiment(TEXT, "x")
    encoding = Encoding(experiment.space)
    base = {"depth": 2, "width_2": 24, "transform": "basic", "batch_size": 32, "lr": 0.1}
    cost = experiment.candidate(base).cost

    def moved_by(**params: float) -> list[int]:
        vectors = encoding.vector({**base, **params}, cost), encoding.vector(base, cost)
        return [place for place, (one, other) in enumerate(zip(*vectors, strict=True)) if one != other]

    by_size, by_lr, costs, rate = map(list, encoding.measures)
    assert sorted([moved_by(batch_size=64), moved_by(lr=0.3)]) == sorted([by_size + rate, by_lr + rate])
    assert moved_by(batch_size=64, lr=0.2) == sorted(by_size + by_lr)  # twice the rate for twice the images
    length = len(encoding.vector(base, cost))
    assert costs + rate == list(range(length - NUM_COSTS - 1, length))


def test_without_a_searched_batch_size_there_is_no_rate_for_one_image() -> None:
    encoding = Encoding(parse_experiment(TEXT.replace("{choice: [32, 64]}", "64"), "x").space)
    assert [len(measure) for measure in encoding.measures] == [1, NUM_COSTS]
