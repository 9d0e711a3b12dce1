"""What trees learn: an objective of LightGBM, or any loss of ``ltr.losses``."""

from __future__ import annotations

from typing import Any

from ltr.metrics.gains import Gain
from ltr.queries import BoolArray
from ltr.rankers.inputs import check_single_precision
from ltr.rankers.trees.boosting import BoostingTarget
from ltr.rankers.trees.grouped_rows import GroupedRows
from ltr.rankers.trees.label_gains import label_gains
from ltr.rankers.trees.loss_objective import LossObjective, StartSums
from ltr.rankers.trees.losses import LIGHTGBM_OBJECTIVES, make_loss
from ltr.rankers.trees.objectives import LIGHTGBM_MAX_LIST_SIZE, LambdaRankObjective
from ltr.training.plan import plan_loss


def loss_target(
    rows: GroupedRows,
    loss: Any,
    informative: BoolArray,
    *,
    curvature: str,
    normalize: bool,
    n_trees: int,
    seed: int,
    start: StartSums | None = None,
) -> BoostingTarget:
    """Make a loss of :mod:`ltr.losses` the objective.

    Parameters
    ----------
    rows : GroupedRows
        Training rows.
    loss : str or callable
        The parameter of the ranker; the others are parameters of it.
    informative : bool array of shape (n_lists,)
        Lists of these rows to learn from.
    curvature : str
        For :func:`ltr.losses.derivatives`.
    normalize : bool
        Whether to divide the loss of a list by the weight of its terms.
    n_trees, seed : int
        For :class:`LossObjective`.
    start : StartSums, optional
        For :class:`LossObjective`.

    Returns
    -------
    target : BoostingTarget
        ``start`` has the sums of these rows.
    """
    plan, numbers = plan_loss(make_loss(loss), normalize=normalize)
    check_single_precision(rows.y, "y", "Shift or scale the labels.")
    objective = LossObjective(
        plan,
        numbers,
        rows,
        informative,
        loss_name=loss,
        curvature=curvature,
        n_trees=n_trees,
        seed=seed,
        start=start,
    )
    return BoostingTarget(
        rows.y, lambda scores, _: objective(scores), start=objective.start
    )


def lightgbm_target(
    rows: GroupedRows,
    loss: str,
    label_gain: Gain | Any,
    truncation_level: int,
    *,
    norm: bool,
) -> BoostingTarget:
    """Choose the objective of LightGBM, and translate the labels for it.

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
    inputs: dict[str, Any] = {"weights": rows.weights, "position": rows.position}
    if rows.position is not None and loss != "lambdarank":
        raise ValueError(
            f"loss={loss!r} takes no position. Leave it out of fit, or use "
            "loss='lambdarank'."
        )
    if loss == "mse":
        check_single_precision(rows.y, "y", "Shift or scale the labels.")
        return BoostingTarget(rows.y, objective, **inputs)
    gains = label_gains(rows.y, label_gain)
    if loss == "xe_ndcg":
        if gains.table is not None:
            raise ValueError(
                "loss='xe_ndcg' takes whole labels from 0 to 30 with gain 2^y - 1; "
                f"got labels from {rows.y.min():g} to {rows.y.max():g} and "
                f"label_gain={label_gain!r}. Use loss='lambdarank'."
            )
        return BoostingTarget(rows.y, objective, **inputs)
    longest = int(rows.queries.sizes.max())
    if longest <= LIGHTGBM_MAX_LIST_SIZE:
        table = {} if gains.table is None else {"label_gain": gains.table}
        return BoostingTarget(gains.labels, objective, table, **inputs)
    if rows.position is not None:
        raise ValueError(
            "position needs queries of at most 10,000 rows, LightGBM's limit; got "
            f"one of {longest}. Split it, or leave position out."
        )
    lambdarank = LambdaRankObjective(
        gains.gains, rows.queries, rows.weights, truncation_level, norm
    )
    return BoostingTarget(
        gains.labels, lambda scores, _: lambdarank(scores), weights=rows.weights
    )
