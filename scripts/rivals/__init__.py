"""Searches by other tools, replayed beside ours: none of them is a dependency of the package."""

from rivals.contestant import Contestant

RIVALS = {
    "ray": Contestant(
        name="Ray OptunaSearch + ASHA",
        module="ray_asha",
        packages=("ray", "optuna"),
        install="pip install 'ray[tune]' optuna",
        start_seconds=4.0,  # a process per trial: what searches of bench_live lose, 3.9 and 4.2 s on two cores
    ),
    "smac": Contestant(
        name="SMAC random forest",
        module="smac_forest",
        packages=("smac",),
        install="pip install smac==2.4.1",
    ),
    "syne-tune": Contestant(
        name="Syne Tune ASHA + CQR",
        module="syne_tune_asha",
        packages=("syne_tune", "huggingface_hub"),
        install="pip install syne-tune==0.16.0 huggingface_hub",
    ),
    "neps": Contestant(
        name="NePS PriorBand",
        module="neps_priorband",
        packages=("neps",),
        install="pip install neural-pipeline-search==0.17.0, in an environment of its own: it wants pandas below 3",
    ),
}
"""By the names that the command line takes."""
