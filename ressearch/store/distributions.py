"""Domains in Optuna's words."""

from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from ressearch.space.domains import Choice, Domain, FloatRange, IntRange


def distribution_of(domain: Domain) -> BaseDistribution:
    """Return Optuna's form of a domain."""
    match domain:
        case Choice(values):
            return CategoricalDistribution(values)
        case IntRange(low, high, step, log):
            return IntDistribution(low, high, log=log, step=step)
        case FloatRange(low, high, step, log):
            return FloatDistribution(low, high, log=log, step=step)


def suggested(trial: Trial, name: str, domain: Domain) -> Any:
    """Ask an Optuna trial for one parameter."""
    match domain:
        case Choice(values):
            return trial.suggest_categorical(name, values)
        case IntRange(low, high, step, log):
            return trial.suggest_int(name, low, high, log=log, step=step)
        case FloatRange(low, high, step, log):
            return trial.suggest_float(name, low, high, log=log, step=step)
