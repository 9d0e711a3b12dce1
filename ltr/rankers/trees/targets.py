"""What trees learn: LightGBM's objective, the labels in its form, and the gains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ltr.metrics.gains import Gain
from ltr.queries import FloatArray
from ltr.rankers.inputs import check_single_precision
from ltr.rankers.trees.boosting import GroupedRows
from ltr.rankers.trees.label_gains import label_gains
from ltr.rankers.trees.objectives import LIGHTGBM_MAX_LIST_SIZE, LambdaRankObjective
from ltr.rankers.trees.parameters import LIGHTGBM_OBJECTIVES


@dataclass(frozen=True)
class BoostingTarget:
    """What LightGBM is told to learn.

    Attributes
    ----------
    labels : float array of shape (n_rows,)
        Labels as LightGBM wants them.
    params : dict of str to object
        ``objective``, a name or a function, and ``label_gain`` unless LightGBM's own
        table, 2^y - 1, is meant.
    """

    labels: FloatArray
    params: dict[str, Any]


def boosting_target(
    rows: GroupedRows,
    loss: str,
    label_gain: Gain | Any,
    truncation_level: int,
    *,
    norm: bool,
) -> BoostingTarget:
    """Choose the objective, and translate the labels for it.

    Parameters
    ----------
    rows : GroupedRows
        Training rows.
    loss : {"lambdarank", "xe_ndcg", "mse"}
        The loss; the others are parameters of it.
    label_gain : {"auto", "exp2", "linear"}, array-like or callable
        See :func:`label_gains`.
    truncation_level : int
        Pairs without an item among the first ``truncation_level`` are left out.
    norm : bool
        LightGBM's ``lambdarank_norm``.

    Returns
    -------
    target : BoostingTarget

    Raises
    ------
    ValueError
        If the labels, ``position`` or the size of a list do not fit the loss.
    """
    objective = LIGHTGBM_OBJECTIVES[loss]
    if rows.position is not None and loss != "lambdarank":
        raise ValueError(
            f"loss={loss!r} takes no position. Leave it out of fit, or use "
            "loss='lambdarank'."
        )
    if loss == "mse":
        check_single_precision(rows.y, "y", "Shift or scale the labels.")
        return BoostingTarget(rows.y, {"objective": objective})
    gains = label_gains(rows.y, label_gain)
    if loss == "xe_ndcg":
        if gains.table is not None:
            raise ValueError(
                "loss='xe_ndcg' takes whole labels from 0 to 30 with gain 2^y - 1; "
                f"got labels from {rows.y.min():g} to {rows.y.max():g} and "
                f"label_gain={label_gain!r}. Use loss='lambdarank'."
            )
        return BoostingTarget(rows.y, {"objective": objective})
    longest = int(rows.queries.sizes.max())
    if longest <= LIGHTGBM_MAX_LIST_SIZE:
        table = {} if gains.table is None else {"label_gain": gains.table}
        return BoostingTarget(gains.labels, {"objective": objective, **table})
    if rows.position is not None:
        raise ValueError(
            "position needs queries of at most 10,000 rows, LightGBM's limit; got "
            f"one of {longest}. Split it, or leave position out."
        )
    lambdarank = LambdaRankObjective(
        gains.gains, rows.queries, rows.weights, truncation_level, norm
    )
    return BoostingTarget(gains.labels, {"objective": lambdarank})
