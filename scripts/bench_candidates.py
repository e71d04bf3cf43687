"""How many candidates a second can be drawn, checked and counted, refusals included; one core.

python scripts/bench_candidates.py [SPACE ...]
"""

import random
import statistics
import sys
import time
from pathlib import Path

from ressearch.arch import InfeasibleError
from ressearch.experiment import load_experiment
from ressearch.space import random_choose

SPACES = Path(__file__).parent.parent / "search_spaces"
CANDIDATES = 2000
ROUNDS = 5


def main() -> None:
    paths = sys.argv[1:] or [str(SPACES / "residual.yaml"), str(SPACES / "cifar10.yaml")]
    for path in paths:
        experiment = load_experiment(path)
        space, shape = experiment.space, experiment.shape
        rates = []
        for seed in range(ROUNDS):
            choose, feasible = random_choose(random.Random(seed)), 0
            started = time.process_time()
            for _ in range(CANDIDATES):
                try:
                    space.candidate(space.draw(choose), shape)
                    feasible += 1
                except InfeasibleError:
                    pass
            rates.append(CANDIDATES / (time.process_time() - started))
        print(
            f"{path}: {statistics.median(rates):,.0f} candidates/s of CPU time "
            f"(median of {ROUNDS} rounds of {CANDIDATES}, {min(rates):,.0f} to {max(rates):,.0f}), "
            f"{feasible / CANDIDATES:.0%} feasible in the last round"
        )


if __name__ == "__main__":
    main()
