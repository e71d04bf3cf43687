"""Which short training ranks networks as a long one does? Rank correlations between audits of one study.

    ressearch audit STUDY --sample 16 --epochs 8 --subset 24000     # the long one
    ressearch audit STUDY --sample 16 --epochs 8 --subset 8000      # many passes over few images
    ressearch audit STUDY --sample 16 --epochs 2 --subset 32000     # as many steps, on more images
    python scripts/proxy_signal.py trials/STUDY

All audits of one sample size train the same networks. What saw most images is the long training; the others are
compared with it, and so are the search's own trials. Trains nothing.
"""

import argparse
from collections import defaultdict
from pathlib import Path
from statistics import median

from ressearch.search.agreement import Resamples
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import open_study

Length = tuple[int, int]
"""Epochs, and training images."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    study = open_study(parser.parse_args().study)
    trials = {trial.number: trial for trial in study.trials if trial.state == "complete"}
    trained: dict[str, dict[int, TrialRecord]] = defaultdict(dict)
    for record in study.audits:
        if record.state == "complete" and record.trial_of in trials:
            trained[_length(record)][record.trial_of] = record
    long = max(trained, key=lambda length: length[0] * length[1])
    common = sorted(set.intersection(*(set(records) for records in trained.values())))
    resamples = Resamples(len(common), seed=0)
    target = [trained[long][number].val_accuracy or 0.0 for number in common]
    rows = {"the search's own": trials, **{f"{e} x {n:,}": trained[e, n] for e, n in sorted(trained)}}
    print(f"{len(common)} networks; the long training is {long[0]} epochs of {long[1]:,} images\n")
    print("| epochs x images | Kendall's tau | 95 % interval | Spearman's rho | 95 % interval | median seconds |")
    print("|---|---|---|---|---|---|")
    for name, records in rows.items():
        own = resamples.agreement([records[number].val_accuracy or 0.0 for number in common], target)
        cells = [
            "- | -" if one.interval is None else "{:.2f} | {:.2f} to {:.2f}".format(one.value, *one.interval)
            for one in (own.kendall, own.spearman)
        ]
        print(f"| {name} | {' | '.join(cells)} | {median(records[number].seconds for number in common):.0f} |")


def _length(record: TrialRecord) -> Length:
    assert record.num_images
    return int(record.recipe["epochs"]), record.num_images


if __name__ == "__main__":
    main()
