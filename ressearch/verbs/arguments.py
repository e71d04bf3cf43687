"""What verbs take: experiments, networks and studies, by their values or by what names them."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ressearch.arch import Architecture
    from ressearch.experiment import Experiment
    from ressearch.images import ImageShape


BackendName = Literal["ray", "local"]


def loaded(experiment: "Experiment | str | Path") -> "Experiment":
    """Return an experiment, read from its file if a path is given."""
    from ressearch.experiment import Experiment, load_experiment

    return experiment if isinstance(experiment, Experiment) else load_experiment(experiment)


def study_path(study: "str | Path | Architecture") -> str | Path:
    """Return what names a study.

    Raises:
        ValueError: If an architecture is given, which has no trials.
    """
    if isinstance(study, str | Path):
        return study
    raise ValueError("a trial belongs to a study, got an architecture; leave the trial out")


def find_network(what: "str | Path | Architecture") -> "tuple[str, Architecture, ImageShape]":
    """Return the name of a network, the network, and the images that it was made for."""
    from ressearch.arch import Architecture, architecture_id
    from ressearch.arch.literature import DATASETS
    from ressearch.space.lookup import find_architecture

    if isinstance(what, Architecture):
        return architecture_id(what), what, DATASETS["cifar10"]
    return find_architecture(what)
