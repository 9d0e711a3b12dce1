"""What a loss of :mod:`ltr.losses` asks of the training data, for every learner."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from ltr.losses import LossInfo
from ltr.queries import FloatArray
from ltr.rankers.inputs import TrainingSet


def check_loss_inputs(info: LossInfo, name: object, data: TrainingSet) -> None:
    """Raise if a loss cannot learn from these columns.

    Parameters
    ----------
    info : LossInfo
        Facts about the loss.
    name : object
        The parameter ``loss``, for messages.
    data : TrainingSet
        Training rows.
    """
    for extra in sorted(set(data.extras) - set(info.extras)):
        raise ValueError(f"loss={name!r} takes no {extra}. Leave it out of fit.")
    for extra in sorted(set(info.required_extras) - set(data.extras)):
        raise ValueError(
            f"{extra} is required by loss={name!r}. Pass it to fit(..., {extra}=...)."
        )
    if data.weights is not None and not info.takes("weights"):
        raise ValueError(
            f"loss={name!r} takes no weights, so sample_weight has no effect. "
            "Leave it out, or give the loss an argument weights."
        )
    if info.labels == "from_0":
        _check_labels_from_0(data.y, name)


def learns_from(
    info: LossInfo, extras: Collection[str]
) -> Literal["two_items", "two_labels"]:
    """What a list must have to be informative, given the extras that are passed."""
    optional_extras = set(info.extras) - set(info.required_extras)
    if "teacher_scores" in optional_extras & set(extras):
        return "two_items"
    return info.learns_from


def _check_labels_from_0(y: FloatArray, loss: object) -> None:
    """Raise if a label is negative although the loss turns labels into gains."""
    if (y < 0).any():
        row = int((y < 0).argmax())
        raise ValueError(
            f"y must be >= 0 for loss={loss!r}; got {y[row]:g} at row {row}. Shift the "
            "labels, or use a loss that takes any label: 'ranknet', 'listnet', "
            "'listmle', 'hinge' or 'mse'."
        )
