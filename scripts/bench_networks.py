"""How long it takes to count, build and export a network, beside constructing its plain PyTorch module; one thread.

python scripts/bench_networks.py [NAME ...]

`plain` constructs the module that `export` writes, which has the same layers and initialisation: what a person's own
code would take. `export` is everything: module and weights on disk, read again and compared with the network.
"""

import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ressearch.arch import architecture_id, cost, plan
from ressearch.codegen import model_source
from ressearch.model import build
from ressearch.packaging import export_bundle
from ressearch.space.lookup import find_architecture

ROUNDS = 9


def contestants(name: str, scratch: Path) -> dict[str, Callable[[], object]]:
    _, architecture, shape = find_architecture(name)
    resolved = plan(architecture, shape.channels, shape.num_classes)
    module: dict[str, Any] = {}
    exec(model_source(resolved, name=name, resolution=shape.resolution), module)
    state = build(resolved).state_dict()
    targets = (scratch / str(number) for number in itertools.count())
    return {
        "count": lambda: cost(plan(architecture, shape.channels, shape.num_classes), shape.resolution),
        "id": lambda: architecture_id(architecture),
        "build": lambda: build(resolved),
        "plain": lambda: module["build"](),
        "export": lambda: export_bundle(next(targets), architecture=architecture, shape=shape, state=state, name=name),
    }


def main() -> None:
    torch.set_num_threads(1)
    for name in sys.argv[1:] or ["resnet-20", "resnet-110", "resnet-50-imagenet"]:
        with tempfile.TemporaryDirectory() as scratch:
            runs = contestants(name, Path(scratch))
            times: dict[str, list[float]] = {what: [] for what in runs}
            for number in range(ROUNDS + 1):
                for what, run in runs.items():
                    started = time.perf_counter()
                    run()
                    if number:  # the first round warms up
                        times[what].append(1000 * (time.perf_counter() - started))
        texts = [f"{what} {statistics.median(t):.1f} ms ({min(t):.1f} to {max(t):.1f})" for what, t in times.items()]
        ratio = statistics.median(ours / plain for ours, plain in zip(times["build"], times["plain"], strict=True))
        print(f"{name}: {', '.join(texts)}; build / plain {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
