"""Memory of each further worker that trains on the same images.

    python scripts/bench_memory.py --data DIRECTORY     # CIFAR-10 at 32 pixels, with train.parquet
    python scripts/bench_memory.py --noise 20000        # so many random images of 224 pixels, in a scratch cache

One, two and three processes load the images, read all of them once in batches of random order, as an epoch does,
train a network of one layer on a few batches, and wait.
PSS counts a page that n processes share as 1/n of a page, USS counts pages that no other process has. Linux only.
"""

import argparse
import multiprocessing
import tempfile
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ressearch.training.data import Prepared, load, prepare
from ressearch.training.loop import train
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source
from ressearch.training.sources import SOURCES, SourceKind
from ressearch.training.sources.kind import Decoded

MAX_WORKERS = 3
BATCH = 64
MEASURES = ("Pss", "Private_Clean", "Private_Dirty")


def noise(count: int) -> SourceKind:
    def decode(_: Path, __: str, resolution: int) -> Decoded:
        generator = np.random.default_rng(0)
        size = (3, resolution, resolution)
        images = (generator.integers(0, 256, size, dtype=np.uint8) for _ in range(count))
        return Decoded([index % 10 for index in range(count)], tuple("0123456789"), images)

    return SourceKind(
        summary="random pixels", channels=3, num_classes=lambda _: 10, content=lambda *_: str(count), decode=decode
    )


def work(prepared: Prepared, is_ready: Event, may_end: Event) -> None:
    """Load and train as a worker does, then wait to be measured."""
    torch.set_num_threads(1)
    images = load(prepared, "cpu")
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, images.shape.num_classes))
    for rows in torch.split(torch.randperm(len(images.train_images)), BATCH):  # as an epoch reads them
        images.train_images[rows]
    few = slice(8 * BATCH)
    some = replace(images, train_images=images.train_images[few], train_labels=images.train_labels[few])
    list(train(network, some, Recipe(epochs=1, batch_size=BATCH), seed=0, device="cpu"))
    is_ready.set()
    may_end.wait()


def memory(pid: int | None) -> dict[str, float]:
    """PSS and USS of a process in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.split(":")[0] in MEASURES}
    return {"PSS": kib["Pss"] / 1024, "USS": (kib["Private_Clean"] + kib["Private_Dirty"]) / 1024}


def measured(prepared: Prepared, num_workers: int) -> dict[str, float]:
    """PSS and USS of so many workers together, in MiB."""
    context = multiprocessing.get_context("spawn")
    ready, may_end = [context.Event() for _ in range(num_workers)], context.Event()
    workers = [context.Process(target=work, args=(prepared, is_ready, may_end), daemon=True) for is_ready in ready]
    for worker in workers:
        worker.start()
    for worker, is_ready in zip(workers, ready, strict=True):
        while not is_ready.wait(1):
            assert worker.is_alive(), "a worker has ended"
    found = [memory(worker.pid) for worker in workers]
    may_end.set()
    for worker in workers:
        worker.join()
    return {name: sum(each[name] for each in found) for name in found[0]}


def report(prepared: Prepared) -> None:
    images = load(prepared, "cpu")
    bytes_each = images.shape.channels * images.shape.resolution**2
    count = len(images.train_images) + len(images.val_images)
    del images
    print(f"{count:,} images of {bytes_each / 1024:.0f} KiB: {count * bytes_each / 2**20:,.0f} MiB", flush=True)
    before = {"PSS": 0.0, "USS": 0.0}
    for num_workers in range(1, MAX_WORKERS + 1):
        total = measured(prepared, num_workers)
        further = ", ".join(f"{name} {total[name]:,.0f} ({total[name] - before[name]:+,.0f})" for name in total)
        print(f"{num_workers} workers together, and more than without the last: {further} MiB", flush=True)
        before = total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    images = parser.add_mutually_exclusive_group(required=True)
    images.add_argument("--data", type=Path, metavar="DIRECTORY")
    images.add_argument("--noise", type=int, metavar="N")
    parser.add_argument("--resolution", type=int, default=224, help="of --noise")
    options = parser.parse_args()
    if options.data:
        report(prepare(Source(name="parquet", root=options.data), seed=0))
        return
    SOURCES["noise"] = noise(options.noise)
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as scratch:
        source = Source(name="noise", resolution=options.resolution)
        report(prepare(source, seed=0, cache_dir=Path(scratch)))


if __name__ == "__main__":
    main()
