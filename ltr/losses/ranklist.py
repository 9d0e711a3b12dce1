"""RankList: RankNet over chosen distances in the label order of a list."""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import Lists, check_choice, divide, prepare
from ltr.losses.kernels.log_sums import NEVER, log_pair_sum
from ltr.losses.kernels.pairs import Terms, logistic, pair_sum
from ltr.losses.kernels.ranks import dense_ranks


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="pairs",
)
def ranklist_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    epoch: ArrayLike | None = None,
    skips: tuple[int, ...] | None = None,
    margin: float = 0.0,
    local_weight: float = 1.0,
    nonlocal_weight: float = 1.0,
    approx: Literal["none", "anchor", "global"] = "none",
    epochs_per_skip: int | None = None,
    normalize: bool = False,
) -> jax.Array:
    r"""RankList: likelihood of local and non-local order constraints of a list.

    Items of the same label form a group; :math:`g` numbers the groups from the best.
    A pair counts if its groups are a *skip* :math:`g_j - g_i` apart that is asked for,
    with weight :math:`c`: ``local_weight`` for neighbouring groups, ``nonlocal_weight``
    for others. With :math:`d_{ij} = s_i - s_j`

    .. math:: \ell_{none} = \sum_{ij} c_{ij} \log(1 + e^{-d_{ij}}), \quad
        \ell_{anchor} = \sum_i \log\bigl(1 + \sum_j c_{ij} e^{-d_{ij}}\bigr), \quad
        \ell_{global} = \log\bigl(1 + \sum_{ij} c_{ij} e^{-d_{ij}}\bigr)

    and :math:`\ell_{global} \le \ell_{anchor} \le \ell_{none}` for c ≥ 1.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels, any real numbers.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    epoch : float, default=None
        Epochs done so far; the training loop passes it. Read by ``epochs_per_skip``.
    skips : tuple of int, default=None
        Distances that count, ≥ 1. None: all.
    margin : float, default=0.0
        Only pairs whose labels differ by at least this count.
    local_weight : float, default=1.0
        Weight of pairs of neighbouring groups.
    nonlocal_weight : float, default=1.0
        Weight of pairs farther apart.
    approx : {"none", "anchor", "global"}, default="none"
        Exact likelihood of the pairs, or one log-sum-exp per better item, or one per
        list. With all skips and distinct labels ``"anchor"`` is ListMLE.
    epochs_per_skip : int, default=None
        Curriculum: start with skip 1 and admit one more every so many epochs.
        None: all ``skips`` at once.
    normalize : bool, default=False
        Divide by the weight of the pairs (``"none"``) or of the anchors
        (``"anchor"``).

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without two distinct labels.

    Raises
    ------
    ValueError
        If a skip is not a positive integer, ``approx`` is unknown, or
        ``epochs_per_skip`` is set without ``epoch``.

    Notes
    -----
    Reconstructed. The abstract and figure captions of [1]_ are all that was available:
    local and non-local constraints, skips, a minimum margin and a log-sum-exp
    approximation are its, the formulas here are our reading of them.

    O(list_size²) time and O(list_size) memory; the gradient is in closed form.

    References
    ----------
    .. [1] After Naini, Diaz & Busso, "RankList", arXiv 2508.09826, 2025.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> scores, labels = jnp.array([2.0, 1.0, 0.0]), jnp.array([2, 1, 0])
    >>> round(float(ranklist_loss(scores, labels, skips=(1,))), 4)
    0.6265
    """
    check_choice("approx", approx, ("none", "anchor", "global"))
    if skips is not None and not (
        skips and all(isinstance(k, int) and k >= 1 for k in skips)
    ):
        raise ValueError(f"skips must be positive integers; got {skips!r}.")
    farthest: ArrayLike = jnp.inf
    if epochs_per_skip is not None:
        if epoch is None:
            raise ValueError(
                "epochs_per_skip needs the epoch; got epoch=None. Pass epoch=..., or "
                "train with NeuralRanker, which does."
            )
        farthest = 1.0 + jnp.floor(jnp.asarray(epoch) / epochs_per_skip)
    lists = prepare(scores, labels, where, weights)
    numbers = (local_weight, nonlocal_weight, margin, farthest)
    terms = (
        dense_ranks(lists.labels, lists.where),
        lists.labels,
        lists.weights,
        *(jnp.full_like(lists.scores, number) for number in numbers),
    )
    pairs = _Skips(None if skips is None else tuple(sorted(set(skips))))
    if approx == "none":
        total, weight = pair_sum(logistic, pairs, lists.scores, terms)
        return divide(total, weight, normalize)
    top = jax.lax.stop_gradient(lists.scores.max(axis=-1, keepdims=True))
    centred = jnp.where(lists.where, lists.scores - top, 0.0)
    log_worths = jnp.where(lists.where, centred, NEVER)
    beaten = log_pair_sum(pairs.counts_below, log_worths, terms)
    has_pair = lists.where & (beaten > NEVER / 2)
    excess = jnp.where(has_pair, beaten - centred, NEVER)
    if approx == "anchor":
        return _anchors(lists, excess, has_pair, normalize)
    log_weights = jnp.log(jnp.where(lists.weights > 0, lists.weights, 1.0))
    return jax.nn.softplus(jax.nn.logsumexp(excess + log_weights, axis=-1))


@dataclass(frozen=True)
class _Skips:
    """Which pairs of (group, label, weight, four numbers) count, and how much."""

    skips: tuple[int, ...] | None

    def __call__(self, items: Terms, other: Terms) -> tuple[jax.Array, jax.Array]:
        weight = items[2] * other[2]
        return weight * self._factor(items, other), weight * self._factor(other, items)

    def counts_below(self, worse: Terms, better: Terms) -> jax.Array:
        return worse[2] * self._factor(better, worse)

    def _factor(self, better: Terms, worse: Terms) -> jax.Array:
        group, label, _, local_weight, nonlocal_weight, margin, farthest = better
        skip = worse[0] - group  # NaN at masked positions
        counts = (skip >= 1) & (skip <= farthest) & (label - worse[1] >= margin)
        if self.skips is not None:
            counts &= functools.reduce(operator.or_, (skip == k for k in self.skips))
        factor = jnp.where(skip == 1, local_weight, nonlocal_weight)
        return jnp.where(counts, factor, 0.0)


def _anchors(
    lists: Lists, excess: jax.Array, has_pair: jax.Array, normalize: bool
) -> jax.Array:
    anchors = jnp.where(has_pair, lists.weights, 0.0)
    total = jnp.sum(anchors * jax.nn.softplus(excess), axis=-1)
    return divide(total, anchors.sum(-1), normalize)
