"""The losses of trees: LightGBM's own objectives, and any loss of ``ltr.losses``."""

from __future__ import annotations

from typing import Any, Literal

from ltr.arguments import ArgumentError
from ltr.losses import PATH_LOSSES, get_loss, loss_info
from ltr.queries import BoolArray
from ltr.rankers.inputs import TrainingSet
from ltr.rankers.loss_inputs import check_loss_inputs, learns_from

LIGHTGBM_OBJECTIVES = {
    "lambdarank": "lambdarank",
    "xe_ndcg": "rank_xendcg",
    "mse": "regression",
}


def is_lightgbm_loss(loss: Any) -> bool:
    """Whether a loss is an objective of LightGBM, and not in JAX."""
    return isinstance(loss, str) and loss in LIGHTGBM_OBJECTIVES


def make_loss(loss: Any) -> Any:
    """Look up a loss that is none of LightGBM's.

    Parameters
    ----------
    loss : str or callable
        The parameter of the ranker.

    Returns
    -------
    loss : callable

    Raises
    ------
    ValueError
        If there is no such loss, or it needs scores of pairs.
    """
    if not isinstance(loss, str) and not callable(loss):
        raise ArgumentError(
            "loss must be a name of ltr.losses.LOSSES or a function of its signature; "
            f"got {loss!r}."
        )
    if loss in (PATH_LOSSES if isinstance(loss, str) else PATH_LOSSES.values()):
        raise ArgumentError(
            f"loss={loss!r} learns scores of pairs of items, but trees score items. "
            "Use it in TSPRanker, or a loss of ltr.losses.LOSSES here."
        )
    if isinstance(loss, str):
        return get_loss(loss)
    return loss


def learned_lists(loss: Any, data: TrainingSet) -> BoolArray:
    """Lists that a loss can learn from, shape (n_lists,).

    Parameters
    ----------
    loss : str or callable
        The parameter of the ranker.
    data : TrainingSet
        Training rows.
    """
    if is_lightgbm_loss(loss):
        kind: Literal["two_items", "two_labels"]
        kind = "two_items" if loss == "mse" else "two_labels"
        return data.informative_lists(kind)
    return data.informative_lists(learns_from(loss_info(make_loss(loss)), data.extras))


def check_loss_data(loss: Any, data: TrainingSet) -> None:
    """Raise if a loss cannot learn from these columns.

    Parameters
    ----------
    loss : str or callable
        The parameter of the ranker.
    data : TrainingSet
        Training rows.
    """
    if not is_lightgbm_loss(loss):
        info = loss_info(make_loss(loss))
        if info.per_batch:
            raise ValueError(
                f"loss={loss!r} gives one number per batch of lists, but trees learn "
                "from each list. Use it in NeuralRanker, or another loss here."
            )
        check_loss_inputs(info, loss, data)
        return
    for extra in sorted(set(data.extras) - {"position"}):
        raise ValueError(f"loss={loss!r} takes no {extra}. Leave it out of fit.")
