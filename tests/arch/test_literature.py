"""What the literature prints, held against the reference collection that it was copied from."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from ressearch.arch import architecture_id, named
from ressearch.arch.literature import PUBLISHED, SOURCES, dataset_of, lowest_error, notes_on
from ressearch.reference import read_structure
from ressearch.space.yaml_nodes import compose

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "architectures.yaml"

NAMES = {
    # identifiers of the collection, and the names of the same networks here
    "resnet20-cifar": "resnet-20",
    "resnet32-cifar": "resnet-32",
    "resnet44-cifar": "resnet-44",
    "resnet56-cifar": "resnet-56",
    "resnet110-cifar": "resnet-110",
    "resnet1202-cifar": "resnet-1202",
    "plain20-cifar": "plain-20",
    "plain32-cifar": "plain-32",
    "plain44-cifar": "plain-44",
    "plain56-cifar": "plain-56",
    "plain110-cifar": "plain-110",
    "im-shortcut-original": "resnet-110",
    "im-shortcut-constant-scale-0-1": "plain-110",
    "im-shortcut-constant-scale-0.5-1": "resnet-110-scaled-0.5-1",
    "im-shortcut-constant-scale-0.5-0.5": "resnet-110-scaled-0.5-0.5",
    "im-shortcut-exclusive-gate-b0-to-b-5": "resnet-110-exclusive-gate-b0",
    "im-shortcut-exclusive-gate-b-6": "resnet-110-exclusive-gate-b-6",
    "im-shortcut-exclusive-gate-b-7": "resnet-110-exclusive-gate-b-7",
    "im-shortcut-only-gate-b-6": "resnet-110-shortcut-only-gate-b-6",
    "im-shortcut-conv1x1": "resnet-110-conv1x1-shortcut",
    "im-shortcut-dropout-0.5": "resnet-110-dropout-shortcut-0.5",
    "im-order-original-110": "resnet-110",
    "im-order-original-164": "resnet-164",
    "im-order-bn-after-addition-110": "resnet-110-bn-after-addition",
    "im-order-bn-after-addition-164": "resnet-164-bn-after-addition",
    "im-order-relu-before-addition-110": "resnet-110-relu-before-addition",
    "im-order-relu-before-addition-164": "resnet-164-relu-before-addition",
    "im-order-relu-only-preactivation-110": "resnet-110-relu-only-preactivation",
    "im-order-relu-only-preactivation-164": "resnet-164-relu-only-preactivation",
    "im-order-full-preactivation-110": "preresnet-110",
    "im-order-full-preactivation-164": "preresnet-164",
    "preresnet110-cifar": "preresnet-110",
    "resnet164-cifar": "resnet-164",
    "preresnet164-cifar": "preresnet-164",
    "resnet1001-cifar": "resnet-1001",
    "preresnet1001-cifar": "preresnet-1001",
    "preresnet110-1layer-cifar": "preresnet-110-single",
    "wrn-16-8-cifar": "wrn-16-8",
    "wrn-40-4-cifar": "wrn-40-4",
    "wrn-28-10-cifar": "wrn-28-10",
    "wrn-28-10-dropout-cifar": "wrn-28-10-dropout",
    "wrn-16-4-cifar": "wrn-16-4",
    "wrn-16-4-dropout-cifar": "wrn-16-4-dropout",
    "wrn-52-1-cifar": "wrn-52-1",
    "wrn-52-1-dropout-cifar": "wrn-52-1-dropout",
    "wrn-40-1-cifar": "wrn-40-1",
    "wrn-40-2-cifar": "wrn-40-2",
    "wrn-40-8-cifar": "wrn-40-8",
    "wrn-28-12-cifar": "wrn-28-12",
    "wrn-22-10-cifar": "wrn-22-10",
    "wrn-16-10-cifar": "wrn-16-10",
    "wrn-40-10-dropout-cifar": "wrn-40-10-dropout",
    "resnext29-8x64d-cifar": "resnext-29-8x64d",
    "resnext29-16x64d-cifar": "resnext-29-16x64d",
    "pyramidnet110-add-a48-cifar": "pyramidnet-110-a48",
    "pyramidnet110-add-a84-cifar": "pyramidnet-110-a84",
    "pyramidnet110-add-a270-cifar": "pyramidnet-110-a270",
    "pyramidnet110-mul-a4.75-cifar": "pyramidnet-110-m4.75",
    "pyramidnet110-mul-a27-cifar": "pyramidnet-110-m27",
    "pyramidnet164-add-a48-cifar": "pyramidnet-164-a48",
    "pyramidnet164-add-a84-cifar": "pyramidnet-164-a84",
    "pyramidnet164-add-a270-cifar": "pyramidnet-164-a270",
    "pyramidnet200-add-a240-cifar": "pyramidnet-200-a240",
    "pyramidnet272-add-a200-cifar": "pyramidnet-272-a200",
    "se-preresnet110-cifar": "se-preresnet-110",
    "se-preresnet164-cifar": "se-preresnet-164",
    "se-wrn-16-8-cifar": "se-wrn-16-8",
    "se-resnet110-cifar": "se-resnet-110",
    "stochastic-depth-resnet110-cifar": "stochastic-depth-resnet-110",
    "stochastic-depth-resnet1202-cifar": "stochastic-depth-resnet-1202",
    "ror3-56-cifar": "ror3-56",
    "ror3-110-cifar": "ror3-110",
    "ror3-164-cifar": "ror3-164",
    "ror3-wrn-40-2-cifar": "ror3-wrn-40-2",
    "resnet18-imagenet": "resnet-18-imagenet",
    "resnet34-imagenet": "resnet-34-imagenet",
    "resnet50-imagenet": "resnet-50-imagenet",
    "resnet101-imagenet": "resnet-101-imagenet",
    "resnet152-imagenet": "resnet-152-imagenet",
    "plain18-imagenet": "plain-18-imagenet",
    "resnext50-32x4d-imagenet": "resnext-50-32x4d-imagenet",
    "resnext101-32x4d-imagenet": "resnext-101-32x4d-imagenet",
    "resnext101-32x8d-imagenet": "resnext-101-32x8d-imagenet",
    "wide-resnet50-2-imagenet": "wrn-50-2-imagenet",
    "se-resnet50-imagenet": "se-resnet-50-imagenet",
    "se-resnet101-imagenet": "se-resnet-101-imagenet",
    "se-resnet152-imagenet": "se-resnet-152-imagenet",
    "pyramidnet200-a300-imagenet": "pyramidnet-200-a300-imagenet",
    "pyramidnet200-a450-imagenet": "pyramidnet-200-a450-imagenet",
    "pyramidnet101-a360-imagenet": "pyramidnet-101-a360-imagenet",
}


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    if not REFERENCE.exists():
        pytest.skip("the reference collection is not beside this checkout")
    return yaml.load(REFERENCE.read_bytes(), Loader=yaml.CSafeLoader)


@pytest.fixture(scope="module")
def collection(reference: dict[str, Any]) -> dict[str, Any]:
    """Entries by their identifiers."""
    return {entry["id"]: entry for entry in reference["architectures"]}


def test_every_entry_is_the_network_of_a_name(collection: dict[str, Any]) -> None:
    assert set(NAMES) == set(collection)

    def id_of(structure: object) -> str:
        return architecture_id(read_structure(compose(yaml.safe_dump(structure), "structure.yaml")).architecture)

    read = {name: id_of(collection[name]["structure"]) for name in NAMES}
    assert read == {name: architecture_id(named(ours)) for name, ours in NAMES.items()}
    assert len(set(read.values())) == len(set(NAMES.values()))  # one name for one network


def test_printed_errors_are_copied_exactly(collection: dict[str, Any]) -> None:
    def row_of(name: str, row: dict[str, Any]) -> tuple[Any, ...]:
        source = row.get("source", collection[name]["source"])
        texts = (row.get("stat", ""), row["verified"], source, row.get("note", ""))
        return (NAMES[name], row["dataset"], row["error"], *texts, *(row.get(key) for key in ("top5", "mean", "std")))

    printed = {row_of(name, row) for name, entry in collection.items() for row in entry["error_paper"]}
    assert printed == {
        (name, row.dataset, row.error, row.statistic, row.verified, row.source, row.note, row.top5, row.mean, row.std)
        for name, rows in PUBLISHED.items()
        for row in rows
    }


def test_notes_and_sources_are_copied_exactly(reference: dict[str, Any], collection: dict[str, Any]) -> None:
    for name, entry in collection.items():
        assert entry.get("notes") is None or entry["notes"] in notes_on(NAMES[name])
    written = {entry.get("notes") for entry in collection.values()} | {*reference["known_discrepancies"]}
    ours = {text for name in PUBLISHED for text in notes_on(name)} - written
    assert ours == {"The row of the table stands for biases that start between 0 and -5."}
    assert SOURCES.items() <= reference["sources"].items()


def test_sources_are_papers_or_repositories() -> None:
    for rows in PUBLISHED.values():
        assert all(row.verified == "official_repo" or row.source.split()[0] in SOURCES for row in rows)


def test_the_best_error_is_of_the_very_network() -> None:
    best = lowest_error("ror3-wrn-40-2")
    assert best is not None
    assert (best.error, best.statistic) == (5.01, "500 epochs")  # 4.59 is with stochastic depth, 4.80 without levels
    assert lowest_error("ror3-164") is None
    assert lowest_error("resnet-110-exclusive-gate-b0") is None  # "fail" is no number
    assert lowest_error("nobody-20") is None


def test_one_network_has_all_its_errors() -> None:
    """He et al. 2016 print the ResNet-110 of He et al. 2015 in two tables more."""
    assert [(row.error, row.source) for row in PUBLISHED["resnet-110"]] == [
        (6.43, "he2015 Table 6"),
        (6.61, "he2016 Table 1"),
        (6.61, "he2016 Table 2"),
    ]


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_name_exists(name: str) -> None:
    assert len(named(name).stages) == (4 if dataset_of(name) == "imagenet" else 3)
