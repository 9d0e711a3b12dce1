"""RankList: RankNet over given distances in the label order of a list."""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_choice
from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import as_dtype, divide, prepare
from ltr.losses.kernels.log_sums import LOG_0, log_pair_sum
from ltr.losses.kernels.pairs import logistic, pair_sum
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
    A pair counts if the distance of its groups, :math:`g_j - g_i`, is one of the
    *skips*, with weight :math:`c`: ``local_weight`` for neighboring groups,
    ``nonlocal_weight`` for others. With :math:`d_{ij} = s_i - s_j`

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
        Weight of pairs of neighboring groups.
    nonlocal_weight : float, default=1.0
        Weight of pairs farther apart.
    approx : {"none", "anchor", "global"}, default="none"
        Exact likelihood of the pairs, or one log-sum-exp per better item, or one per
        list. With all skips and distinct labels ``"anchor"`` is ListMLE.
    epochs_per_skip : int, default=None
        Curriculum: start with skip 1, and admit one more after every
        ``epochs_per_skip`` epochs. None: all ``skips`` at once.
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
    approximation are taken from them; the formulas are our reading.

    With its defaults it is RankNet to the digit. What sets it apart is the curriculum:
    ``functools.partial(ranklist_loss, epochs_per_skip=3)`` is a good start where labels
    are subjective.

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
        raise ValueError(
            f"skips must be one or more whole numbers >= 1; got {skips!r}."
        )
    farthest: ArrayLike = jnp.inf
    if epochs_per_skip is not None:
        if epoch is None:
            raise ValueError(
                "epochs_per_skip needs the epoch; got epoch=None. Pass epoch=..., or "
                "train with NeuralRanker, which does."
            )
        farthest = 1.0 + jnp.floor(jnp.asarray(epoch) / epochs_per_skip)
    lists = prepare(scores, labels, where, weights)
    terms = SkipTerms(
        group=dense_ranks(lists.labels, lists.where),
        label=lists.labels,
        weight=lists.weights,
        local_weight=as_dtype(local_weight, lists.scores),
        nonlocal_weight=as_dtype(nonlocal_weight, lists.scores),
        margin=as_dtype(margin, lists.scores),
        farthest=as_dtype(farthest, lists.scores),
    )
    pairs = _Skips(None if skips is None else tuple(sorted(set(skips))))
    if approx == "none":
        total, weight = pair_sum(logistic, pairs, lists.scores, terms, lists.where)
        return divide(total, weight, normalize)
    top = jax.lax.stop_gradient(lists.scores.max(axis=-1, keepdims=True))
    centered = jnp.where(lists.where, lists.scores - top, 0.0)
    log_worths = jnp.where(lists.where, centered, LOG_0)
    # log Σ_j c_ij e^{−d_ij} = log Σ_j c_ij e^{s_j} − s_i
    beaten = log_pair_sum(pairs.beaten_share, log_worths, terms)
    has_pair = lists.where & (beaten > LOG_0 / 2)
    log_odds = jnp.where(has_pair, beaten - centered, LOG_0)
    if approx == "anchor":
        anchors = jnp.where(has_pair, lists.weights, 0.0)
        total = jnp.sum(anchors * jax.nn.softplus(log_odds), axis=-1)
        return divide(total, anchors.sum(-1), normalize)
    log_weights = jnp.log(jnp.where(lists.weights > 0, lists.weights, 1.0))
    return jax.nn.softplus(jax.nn.logsumexp(log_odds + log_weights, axis=-1))


class SkipTerms(NamedTuple):
    """Terms of an item that give the weight of a pair.

    Attributes
    ----------
    group : array of shape (..., list_size)
        g: 0 for the best label, 1 for the next; NaN at masked positions.
    label, weight : arrays of shape (..., list_size)
        y and w.
    local_weight, nonlocal_weight, margin, farthest : arrays of shape ()
        The options, and the largest skip of the curriculum.
    """

    group: jax.Array
    label: jax.Array
    weight: jax.Array
    local_weight: jax.Array
    nonlocal_weight: jax.Array
    margin: jax.Array
    farthest: jax.Array


@dataclass(frozen=True)
class _Skips:
    """Weights of the pairs whose groups are one of the skips apart. None: any."""

    skips: tuple[int, ...] | None

    def __call__(self, i: SkipTerms, j: SkipTerms) -> tuple[jax.Array, jax.Array]:
        weight = i.weight * j.weight
        return weight * self._factor(i, j), weight * self._factor(j, i)

    def beaten_share(self, j: SkipTerms, i: SkipTerms) -> jax.Array:
        """Weight w_j c_ij of item j in the sum of the anchor i."""
        return j.weight * self._factor(i, j)

    def _factor(self, i: SkipTerms, j: SkipTerms) -> jax.Array:
        """c_ij, 0 unless i is the better one of a pair that counts."""
        skip = j.group - i.group
        counts = (skip >= 1) & (skip <= i.farthest) & (i.label - j.label >= i.margin)
        if self.skips is not None:
            counts &= functools.reduce(operator.or_, (skip == k for k in self.skips))
        factor = jnp.where(skip == 1, i.local_weight, i.nonlocal_weight)
        return jnp.where(counts, factor, 0.0)
