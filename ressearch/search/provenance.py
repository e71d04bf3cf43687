"""Where results come from: the manifest of a study, with versions, machine, commit and command."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ressearch.experiment import Experiment
from ressearch.training.data import Prepared, counted, load
from ressearch.training.fingerprint import Fingerprint


def new_manifest(experiment: Experiment, images: Prepared, prints: Mapping[str, Fingerprint]) -> dict[str, Any]:
    """Return the manifest that a study begins with; `prints` are the fingerprints of its images by split."""
    held_out = {"test_images": prints["test"].to_dict()} if "test" in prints else {}
    return {
        "version": 1,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "space": experiment.name,
        "question": experiment.origin.question,
        "command": command(),
        "seed": experiment.seed,
        "shape": asdict(experiment.shape),
        "normalisation": load(images, "cpu").normalisation,
        "num_images": counted(images)._asdict(),
        **held_out,
        "epochs": experiment.fidelity.epochs,
        "objectives": list(experiment.objectives),
        "commit": _commit(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "torchvision", "optuna", "ray")},
        },
        "device": _device(),
    }


def command() -> str:
    """Return the command line of this process."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _commit() -> str | None:
    """Return the commit of the code that runs, None outside a checkout: a repository around it may know none of it."""
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("describe", "--always", "--dirty", "--abbrev=12")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _device() -> dict[str, Any]:
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {"machine": platform.machine(), "system": platform.platform(), "cpus": os.cpu_count(), "gpus": gpus}
