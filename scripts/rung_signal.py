"""From which epoch on does accuracy predict the accuracy of the last one? Rank correlations on recorded curves.

    ressearch run SPACE --trials 30 --study signal     # a space with `scheduler: {name: none}`
    python scripts/rung_signal.py trials/signal

Uses the trials that were trained to the end. Spearman's rho with a 95 % bootstrap interval over trials; beside it,
how many of the best third at the end are in the better half at this epoch, which is what a rung needs.
"""

import argparse
import random
from pathlib import Path

from ressearch.store.study_record import open_study


def ranks(values: list[float]) -> list[float]:
    """Ranks from 0, equal values sharing the mean of theirs."""
    return [sum(other < value for other in values) + (values.count(value) - 1) / 2 for value in values]


def spearman(first: list[float], second: list[float]) -> float:
    a, b = ranks(first), ranks(second)
    mean = (len(a) - 1) / 2
    covariance = sum((x - mean) * (y - mean) for x, y in zip(a, b, strict=True))
    spread = (sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b)) ** 0.5
    return covariance / spread if spread else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    study = open_study(parser.parse_args().study)
    curves = [[e["val_accuracy"] for e in trial.curve] for trial in study.trials if trial.state == "complete"]
    last = [curve[-1] for curve in curves]
    best_third = sorted(range(len(last)), key=lambda i: -last[i])[: max(1, len(last) // 3)]
    print(f"{len(curves)} trials trained to the end of {len(curves[0])} epochs\n")
    print("| epoch | Spearman's rho with the last epoch | 95 % interval | best third in the better half |")
    print("|---|---|---|---|")
    for epoch in range(len(curves[0])):
        now = [curve[epoch] for curve in curves]
        rng = random.Random(0)
        resampled = []
        for _ in range(2000):
            chosen = rng.choices(range(len(curves)), k=len(curves))
            resampled.append(spearman([now[i] for i in chosen], [last[i] for i in chosen]))
        resampled.sort()
        better_half = set(sorted(range(len(now)), key=lambda i: -now[i])[: (len(now) + 1) // 2])
        kept = sum(i in better_half for i in best_third)
        print(
            f"| {epoch + 1} | {spearman(now, last):.2f} | {resampled[49]:.2f} to {resampled[1949]:.2f} "
            f"| {kept} of {len(best_third)} |"
        )


if __name__ == "__main__":
    main()
