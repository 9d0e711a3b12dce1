"""Losses on pairs of items: RankNet, with its weights and soft targets, and hinge."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_choice
from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import Lists, as_dtype, check_positive, divide, prepare
from ltr.losses.kernels.loops import positions
from ltr.losses.kernels.pairs import (
    PairWeight,
    difference,
    label_pair_sum,
    logistic,
    pair_sum,
)
from ltr.losses.kernels.ranks import mean_ranks

PairWeightName = Literal[
    "uniform", "label_difference", "squared_label_difference", "rank_sum"
]
_PAIR_WEIGHTS = ("uniform", "label_difference", "squared_label_difference", "rank_sum")


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="pairs",
)
def ranknet_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    label_weights: ArrayLike | None = None,
    teacher_scores: ArrayLike | None = None,
    sigma: float = 1.0,
    pair_weight: PairWeightName = "uniform",
    ties: Literal["drop", "half"] = "drop",
    normalize: bool = False,
) -> jax.Array:
    r"""RankNet: logistic loss on every pair of items with different labels.

    .. math:: \ell = \sum_{y_i > y_j} w_i w_j \, v_{ij}
        \log\bigl(1 + e^{-\sigma (s_i - s_j)}\bigr)

    With ``teacher_scores`` t the labels are not read: every pair has the soft target
    :math:`\bar P_{ij} = 1 / (1 + e^{-(t_i - t_j)})` and costs
    :math:`\log(1 + e^{\sigma (s_i - s_j)}) - \bar P_{ij} \sigma (s_i - s_j)`, least
    where σs = t + const.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels, any real numbers; pairs with equal labels do not count.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    label_weights : array of shape (..., list_size), default=None
        A factor for the pairs in which the item is the better one (rax's ``weights``).
        None: 1.
    teacher_scores : array of shape (..., list_size), default=None
        Scores of a teacher, whose pairs are learned instead of those of the labels.
    sigma : float, default=1.0
        Steepness, > 0.
    pair_weight : str, default="uniform"
        v: 1; ``"label_difference"`` \|y_i − y_j\|; ``"squared_label_difference"``
        \|y_i² − y_j²\|; ``"rank_sum"`` 1 / (r_i + r_j) with the ranks by label, where
        equal labels share their mean rank.
    ties : {"drop", "half"}, default="drop"
        Pairs with equal labels do not count, or have the target ½, so that they cost
        at least log 2.
    normalize : bool, default=False
        Divide by the weight of the pairs.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without two distinct labels, or with soft targets and
        ``ties="half"`` without two items.

    Raises
    ------
    ValueError
        If ``pair_weight`` or ``ties`` is unknown, or if ``teacher_scores`` or
        ``ties="half"`` is combined with a ``pair_weight`` other than ``"uniform"`` or
        with ``label_weights``.

    Notes
    -----
    O(list_size²) time and O(list_size) memory; the gradient is in closed form.

    References
    ----------
    .. [1] Burges et al., "Learning to rank using gradient descent", ICML 2005, eq. (3)
       with target probability 1, ½ for ``ties="half"``, or that of the teacher.
    .. [2] Reddy et al., "FIRST: faster improved listwise reranking with single token
       decoding", 2024: ``pair_weight="rank_sum"`` (after its code, which divides by
       the number of pairs).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(ranknet_loss(jnp.array([1.0, 0.0]), jnp.array([1, 0]))), 4)
    0.3133
    """
    check_choice("pair_weight", pair_weight, _PAIR_WEIGHTS)
    check_choice("ties", ties, ("drop", "half"))
    check_positive("sigma", sigma)
    lists = prepare(scores, labels, where, weights, teacher_scores=teacher_scores)
    if teacher_scores is not None or ties == "half":
        if pair_weight != "uniform" or label_weights is not None:
            raise ValueError(
                "teacher_scores and ties='half' need pair_weight='uniform' and no "
                f"label_weights; got pair_weight={pair_weight!r}. Leave one out."
            )
        return _ranknet_all_pairs(lists, teacher_scores, sigma, normalize)
    weight_of_pair, terms = _pair_weight(lists, pair_weight)
    total, weight = label_pair_sum(
        logistic,
        sigma * lists.scores,
        lists,
        label_weights=label_weights,
        pair_weight=weight_of_pair,
        terms=terms,
    )
    return divide(total, weight, normalize)


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="ones",
)
def hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    label_weights: ArrayLike | None = None,
    margin: float = 1.0,
    normalize: bool = False,
) -> jax.Array:
    r"""Hinge loss on every pair of items with different labels, as in ranking SVMs.

    .. math:: \ell = \sum_{y_i > y_j} w_i w_j \max(0, \delta - (s_i - s_j))

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels, any real numbers; pairs with equal labels do not count.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    label_weights : array of shape (..., list_size), default=None
        A factor for the pairs in which the item is the better one (rax's ``weights``).
        None: 1.
    margin : float, default=1.0
        Margin δ that a pair must reach, > 0.
    normalize : bool, default=False
        Divide by the weight of the pairs.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 where every margin is reached, or without two distinct labels. The
        gradient at the kink is 0.

    Notes
    -----
    O(list_size²) time and O(list_size) memory; the gradient is in closed form.

    References
    ----------
    .. [1] Herbrich, Graepel & Obermayer, "Large margin rank boundaries for ordinal
       regression", 2000; Joachims, "Optimizing search engines using clickthrough data",
       KDD 2002, optimization problem 1.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> hinge_loss(jnp.array([0.25, 0.0]), jnp.array([1, 0]))
    Array(0.75, dtype=float32)
    """
    check_positive("margin", margin)
    lists = prepare(scores, labels, where, weights)
    total, weight = label_pair_sum(
        _falls_short_of_1, lists.scores / margin, lists, label_weights=label_weights
    )
    return divide(margin * total, weight, normalize)


class TargetTerms(NamedTuple):
    """Terms of an item that give the soft target of a pair, and its weight.

    Attributes
    ----------
    target : array of shape (..., list_size)
        t: a teacher's score, or the label.
    weight : array of shape (..., list_size)
        w of the item.
    position : array of shape (..., list_size)
        Place in the list, to tell an item from another.
    """

    target: jax.Array
    weight: jax.Array
    position: jax.Array


def _falls_short_of_1(margin: jax.Array) -> tuple[jax.Array, jax.Array]:
    """max(0, 1 − margin) and its derivative, 0 at the kink."""
    return jnp.maximum(1.0 - margin, 0.0), jnp.where(margin < 1.0, -1.0, 0.0)


def soft_ranknet(
    scores: jax.Array,
    targets: jax.Array,
    weights: jax.Array,
    where: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """RankNet on all pairs with targets σ(t_i − t_j): sum, and weight of the pairs."""
    terms = TargetTerms(targets, weights, positions(scores))
    return pair_sum(logistic, _sigmoid_target, scores, terms, where)


def _ranknet_all_pairs(
    lists: Lists, teacher_scores: ArrayLike | None, sigma: float, normalize: bool
) -> jax.Array:
    scores = sigma * lists.scores
    if teacher_scores is None:
        terms = TargetTerms(lists.labels, lists.weights, positions(scores))
        total, weight = pair_sum(logistic, _order_or_half, scores, terms, lists.where)
    else:
        teacher = jnp.where(lists.where, as_dtype(teacher_scores, scores), 0.0)
        total, weight = soft_ranknet(scores, teacher, lists.weights, lists.where)
    return divide(total, weight, normalize)


# A pair with target P is two pairs: i over j with weight P, and j over i with 1 − P,
# because log(1 + e^d) − P d = P log(1 + e^−d) + (1 − P) log(1 + e^d).


def _sigmoid_target(i: TargetTerms, j: TargetTerms) -> tuple[jax.Array, jax.Array]:
    """P_ij = σ(t_i − t_j)."""
    return _two_pairs(i, j, jax.nn.sigmoid(i.target - j.target))


def _order_or_half(i: TargetTerms, j: TargetTerms) -> tuple[jax.Array, jax.Array]:
    """P_ij = 1, ½ or 0."""
    return _two_pairs(i, j, 0.5 + 0.5 * jnp.sign(i.target - j.target))


def _two_pairs(
    i: TargetTerms, j: TargetTerms, target: jax.Array
) -> tuple[jax.Array, jax.Array]:
    weight = jnp.where(i.position == j.position, 0.0, i.weight * j.weight)
    return weight * target, weight * (1.0 - target)


def _pair_weight(
    lists: Lists, name: PairWeightName
) -> tuple[PairWeight | None, jax.Array | tuple[()]]:
    """Weight v of a pair as a function of one term per item, and this term."""
    if name == "uniform":
        return None, ()
    if name == "label_difference":
        return difference, lists.labels
    if name == "squared_label_difference":
        return difference, lists.labels**2
    return _inverse_sum, mean_ranks(lists.labels, lists.where)


def _inverse_sum(i: jax.Array, j: jax.Array) -> jax.Array:
    return 1.0 / (i + j)
