"""The training loop of every JAX ranker: one jitted step, early stopping, history."""

from ltr.training.batches import Data
from ltr.training.loop import StepNumbers, train
from ltr.training.optimizers import OPTIMIZERS, get_optimizer
from ltr.training.plan import LossPlan, TrainingPlan, plan_loss
from ltr.training.result import TrainingResult

__all__ = [
    "OPTIMIZERS",
    "Data",
    "LossPlan",
    "StepNumbers",
    "TrainingPlan",
    "TrainingResult",
    "get_optimizer",
    "plan_loss",
    "train",
]
