"""Ray Tune's OptunaSearch and ASHAScheduler as they come; an infeasible network is told to the search as an error."""

from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace

from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from ressearch.experiment import Experiment
from ressearch.schedulers import Decision
from ressearch.space import Value
from ressearch.store.distributions import suggested


class Adapter:
    """Asks and tells both."""

    def __init__(self, experiment: Experiment, seed: int) -> None:
        space, self._epochs = experiment.space, experiment.recipe.epochs
        self._num_asked = 0
        self._search = OptunaSearch(
            lambda trial: dict(space.draw(partial(suggested, trial))),
            metric="accuracy",
            mode="max",
            seed=seed,
        )
        self._scheduler = ASHAScheduler(metric="accuracy", mode="max", max_t=max(self._epochs, 1))

    def suggest(self) -> tuple[str, Mapping[str, Value]]:
        """Ask the search."""
        name = f"{self._num_asked:06d}"
        self._num_asked += 1
        return name, self._search.suggest(name)

    def refuse(self, name: str) -> None:
        """Tell the search of an error."""
        self._search.on_trial_complete(name, error=True)

    def tell(self, name: str, epoch: int, accuracy: float) -> Decision:
        """Tell both; the scheduler decides."""
        trial, result = SimpleNamespace(trial_id=name), {"accuracy": accuracy, "training_iteration": epoch}
        if epoch == 1:
            self._scheduler.on_trial_add(None, trial)
        self._search.on_trial_result(name, result)
        is_stopped = self._scheduler.on_trial_result(None, trial, result) == "STOP"
        if is_stopped or epoch == self._epochs:
            self._search.on_trial_complete(name, result)
        return Decision.STOP if is_stopped else Decision.GO
