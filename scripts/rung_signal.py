"""From which epoch on does accuracy predict the accuracy of the last one? Rank correlations on recorded curves.

    ressearch run SPACE --trials 30 --study signal     # a space with `scheduler: {name: none}`
    python scripts/rung_signal.py trials/signal

Uses the trials that were trained to the end, and trains nothing; `ressearch audit` compares with full training. Beside
Spearman's rho with its 95 % bootstrap interval over trials: how many of the best third at the end are in the better
half at this epoch, which is what a rung needs.
"""

import argparse
from pathlib import Path

from ressearch.search.agreement import Resamples
from ressearch.store.study_record import open_study


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    study = open_study(parser.parse_args().study)
    curves = [[e["val_accuracy"] for e in trial.curve] for trial in study.trials if trial.state == "complete"]
    last = [curve[-1] for curve in curves]
    best_third = sorted(range(len(last)), key=lambda i: -last[i])[: max(1, len(last) // 3)]
    resamples = Resamples(len(curves), seed=0)
    print(f"{len(curves)} trials trained to the end of {len(curves[0])} epochs\n")
    print("| epoch | Spearman's rho with the last epoch | 95 % interval | best third in the better half |")
    print("|---|---|---|---|")
    for epoch in range(len(curves[0])):
        now = [curve[epoch] for curve in curves]
        rho = resamples.agreement(now, last).spearman
        better_half = set(sorted(range(len(now)), key=lambda i: -now[i])[: (len(now) + 1) // 2])
        kept = sum(i in better_half for i in best_third)
        numbers = "- | -" if rho.interval is None else "{:.2f} | {:.2f} to {:.2f}".format(rho.value, *rho.interval)
        print(f"| {epoch + 1} | {numbers} | {kept} of {len(best_third)} |")


if __name__ == "__main__":
    main()
