"""Ranking losses: pure JAX functions of scores and labels, one value per list.

Every loss has the same contract::

    <name>_loss(scores, labels, *, where=None, weights=None, key=None, …) -> loss

* the last axis is the list, all leading axes are the batch, one value per list comes
  back: ``scores`` of shape (..., list_size) give a loss of shape (...);
* ``where`` is True for real items. What stands elsewhere, NaN included, changes neither
  value nor gradient, and its own gradient is exactly 0;
* ``weights`` repeat: an item of weight 2 is the item twice, one of weight 0 is not
  there. Losses in which that is not possible say so. ``label_weights`` is the one-sided
  weight of rax;
* a list that holds no information (empty, one item, all labels equal) has loss 0 and
  gradient 0. ListNet and the pointwise losses, by nature, only when it is empty;
* no loss depends on the order of the rows: tied scores share their mean rank, tied
  labels follow a rule that treats them alike;
* the value is the sum over the terms of the list; ``normalize=True`` divides by their
  weight, which is what the rankers train with;
* scores of ±1e4 are finite in value and gradient; weights made from ranks (λ-weights)
  are constants in the gradient.

Symbols of the papers are these arguments: σ, κ ``sigma``; δ ``margin``; τ, T
``temperature``; a cut-off ``k``.

Reduction over lists is not a matter of the loss: the training loop takes the mean over
*informative* lists, those with two distinct labels, or with two items for the losses in
:data:`NEEDS_TWO_ITEMS`. The losses in :data:`NEEDS_LABELS_FROM_0` take no negative
labels.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

import jax

from ltr.losses.lambdas import lambdarank_loss
from ltr.losses.listwise import listnet_loss, softmax_loss
from ltr.losses.pairwise import hinge_loss, ranknet_loss
from ltr.losses.plackett_luce import listmle_loss, plackett_luce_loss
from ltr.losses.pointwise import bce_loss, mse_loss
from ltr.losses.relaxations import approx_ndcg_loss

LOSSES: dict[str, Callable[..., jax.Array]] = {
    "mse": mse_loss,
    "bce": bce_loss,
    "ranknet": ranknet_loss,
    "hinge": hinge_loss,
    "lambdarank": lambdarank_loss,
    "softmax": softmax_loss,
    "listnet": listnet_loss,
    "listmle": listmle_loss,
    "plackett_luce": plackett_luce_loss,
    "approx_ndcg": approx_ndcg_loss,
}

NEEDS_TWO_ITEMS = frozenset({mse_loss, bce_loss, listnet_loss})
NEEDS_LABELS_FROM_0 = frozenset({lambdarank_loss, softmax_loss, approx_ndcg_loss})


def get_loss(name: str) -> Callable[..., jax.Array]:
    """Look up a loss by name.

    Parameters
    ----------
    name : str
        A key of :data:`LOSSES`.

    Returns
    -------
    loss : callable
        With the signature of this module's docstring.

    Raises
    ------
    ValueError
        If there is no such loss; the message suggests the nearest name.

    Examples
    --------
    >>> get_loss("ranknet") is ranknet_loss
    True
    """
    if name in LOSSES:
        return LOSSES[name]
    message = f"loss={name!r} is not a known loss. Known losses: "
    message += ", ".join(repr(known) for known in sorted(LOSSES)) + "."
    close = difflib.get_close_matches(str(name), LOSSES, 1)
    raise ValueError(message + (f" Did you mean {close[0]!r}?" if close else ""))


__all__ = [
    "LOSSES",
    "NEEDS_LABELS_FROM_0",
    "NEEDS_TWO_ITEMS",
    "approx_ndcg_loss",
    "bce_loss",
    "get_loss",
    "hinge_loss",
    "lambdarank_loss",
    "listmle_loss",
    "listnet_loss",
    "mse_loss",
    "plackett_luce_loss",
    "ranknet_loss",
    "softmax_loss",
]
