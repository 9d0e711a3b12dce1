"""The training loop of every JAX ranker: one jitted step, early stopping, history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltr.lazy import lazy_names

if TYPE_CHECKING:
    from ltr.training.batches import Data
    from ltr.training.loop import train
    from ltr.training.optimizers import OPTIMIZERS, get_optimizer
    from ltr.training.plan import LossPlan, TrainingPlan, plan_loss
    from ltr.training.result import TrainingResult
    from ltr.training.schedules import Schedule
    from ltr.training.steps import StepNumbers

__all__ = [
    "OPTIMIZERS",
    "Data",
    "LossPlan",
    "Schedule",
    "StepNumbers",
    "TrainingPlan",
    "TrainingResult",
    "get_optimizer",
    "plan_loss",
    "train",
]
__getattr__ = lazy_names(
    __name__,
    {
        "Data": "ltr.training.batches",
        "LossPlan": "ltr.training.plan",
        "OPTIMIZERS": "ltr.training.optimizers",
        "Schedule": "ltr.training.schedules",
        "StepNumbers": "ltr.training.steps",
        "TrainingPlan": "ltr.training.plan",
        "TrainingResult": "ltr.training.result",
        "get_optimizer": "ltr.training.optimizers",
        "plan_loss": "ltr.training.plan",
        "train": "ltr.training.loop",
    },
)
