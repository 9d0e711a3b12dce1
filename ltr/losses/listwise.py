"""Losses on the softmax of a list: cross-entropy, ListNet, XE-NDCG, InfoNCE, …."""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_choice
from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import (
    Lists,
    as_dtype,
    check_positive,
    divide,
    has_two_labels,
    masked_log_softmax,
    prepare,
)
from ltr.losses.kernels.log_sums import LOG_0, is_another, log_pair_sum
from ltr.losses.kernels.loops import positions
from ltr.losses.kernels.pairs import LabelTerms, label_terms


@ranking_loss(
    labels="from_0",
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="softmax",
)
def softmax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    label_weights: ArrayLike | None = None,
    normalize: bool = False,
) -> jax.Array:
    r"""Softmax cross-entropy with the labels as weights.

    .. math:: \ell = -\sum_i w_i y_i \log \frac{e^{s_i}}{\sum_j w_j e^{s_j}}

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels ≥ 0, not normalized.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in both sums; weight 2 is the item twice. None: 1.
    label_weights : array of shape (..., list_size), default=None
        A factor for the labels only (rax's ``weights``). None: 1.
    normalize : bool, default=False
        Divide by the sum of the weighted labels.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0 for labels ≥ 0; 0 for a list without two distinct labels.

    References
    ----------
    .. [1] Bruch et al., "An analysis of the softmax cost function for learning to
       rank", ICTIR 2019, eq. (3), without dividing by the sum of the labels.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(softmax_loss(jnp.array([1.0, 0.0]), jnp.array([1, 0]))), 4)
    0.3133
    """
    lists = prepare(scores, labels, where, weights)
    targets = lists.weights * lists.labels
    if label_weights is not None:
        targets = targets * as_dtype(label_weights, lists.scores)
        targets = jnp.where(lists.where, targets, 0.0)
    targets = jnp.where(has_two_labels(lists), targets, 0.0)
    total = -jnp.sum(targets * masked_log_softmax(lists, lists.scores), axis=-1)
    return divide(total, targets.sum(-1), normalize)


@ranking_loss(
    learns_from="two_items",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="softmax",
)
def listnet_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    temperature: float = 1.0,
    k: Literal[1, 2] = 1,
) -> jax.Array:
    r"""ListNet: cross-entropy between the top-k distributions of labels and scores.

    For k = 1 that is the cross-entropy between two softmax distributions,

    .. math:: \ell = -\sum_i w_i q_i \log \frac{e^{s_i}}{\sum_j w_j e^{s_j}}, \quad
        q_i = \frac{e^{y_i / \tau}}{\sum_j w_j e^{y_j / \tau}}

    and for k = 2 that over the ordered pairs of a first and a second item, drawn
    without replacement.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels, any real numbers.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums; weight 2 is the item twice. None: 1.
    temperature : float, default=1.0
        τ > 0 of the labels.
    k : {1, 2}, default=1
        Length of the top. With 2, weights are not repetitions: an item is never drawn
        twice.

    Returns
    -------
    loss : array of shape (...)
        At least the entropy of the targets, so log n for n equal labels; 0 for an empty
        list or a single item.

    References
    ----------
    .. [1] Cao et al., "Learning to rank: from pairwise approach to listwise approach",
       ICML 2007, eq. (6), and section 4.2 for k = 2.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(listnet_loss(jnp.array([1.0, 0.0]), jnp.array([1, 0]))), 4)
    0.5822
    """
    check_choice("k", k, (1, 2))
    check_positive("temperature", temperature)
    lists = prepare(scores, labels, where, weights)
    if k == 2:
        return top_2_cross_entropy(lists, lists.labels / temperature)
    return cross_entropy(lists, lists.labels / temperature)


@ranking_loss(
    labels="from_0",
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
)
def unique_softmax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    normalize: bool = False,
) -> jax.Array:
    r"""Unique softmax: each item against those with lower labels, weighted by its gain.

    .. math:: \ell = \sum_i w_i (2^{y_i} - 1) \Bigl[ \log\Bigl(e^{s_i}
        + \sum_{y_j < y_i} w_j e^{s_j}\Bigr) - s_i \Bigr]

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels ≥ 0.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums; weight 2 is the item twice. None: 1.
    normalize : bool, default=False
        Divide by the weighted gains of the items that beat another.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without two distinct labels.

    Notes
    -----
    O(list_size²) time and O(list_size) memory; the gradient is in closed form.

    References
    ----------
    .. [1] Zhu & Klabjan, "Listwise learning to rank by exploring unique ratings",
       WSDM 2020, eq. (6).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(unique_softmax_loss(jnp.array([1.0, 0.0]), jnp.array([1, 0]))), 4)
    0.3133
    """
    lists = prepare(scores, labels, where, weights)
    # log Σ_{y_j < y_i} w_j e^{s_j}, and log(e^{s_i} + Σ) − s_i = softplus(log Σ − s_i)
    beaten = log_pair_sum(lower_label, log_worths(lists), label_terms(lists))
    beats = lists.where & (beaten > LOG_0 / 2)
    gains = jnp.where(beats, lists.weights * (jnp.exp2(lists.labels) - 1.0), 0.0)
    terms = jax.nn.softplus(jnp.where(beats, beaten - lists.scores, LOG_0))
    return divide(jnp.sum(gains * terms, axis=-1), gains.sum(-1), normalize)


@ranking_loss(
    labels="from_0",
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="softmax",
)
def xe_ndcg_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    noise: ArrayLike | None = None,
) -> jax.Array:
    r"""XE-NDCG: softmax cross-entropy with gains perturbed by fresh noise at each step.

    .. math:: \ell = -\sum_i \phi_i \log p_i, \quad
        \phi_i = \frac{w_i (2^{y_i} - u_i)}{\sum_j w_j (2^{y_j} - u_j)}, \quad
        p = \mathrm{softmax}(s)

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels ≥ 0.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums; weight 2 is the item twice. None: 1.
    key : PRNG key, default=None
        Draws u uniformly from [0, 1). None: u = ½, its mean.
    noise : array of shape (..., list_size) or float, default=None
        u in [0, 1], instead of drawing it.

    Returns
    -------
    loss : array of shape (...)
        > 0; 0 for a list without two distinct labels.

    References
    ----------
    .. [1] Bruch, "An alternative cross entropy loss for learning-to-rank", WWW 2021,
       eq. (7) and (8).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(xe_ndcg_loss(jnp.zeros(2), jnp.array([1, 0]))), 4)  # log 2
    0.6931
    """
    lists = prepare(scores, labels, where, weights)
    if noise is None:
        shape, dtype = lists.scores.shape, lists.scores.dtype
        noise = 0.5 if key is None else jax.random.uniform(key, shape, dtype)
    gains = jnp.exp2(lists.labels) - as_dtype(noise, lists.scores)  # 2^y − u
    targets = jnp.where(lists.where, lists.weights * gains, 0.0)
    total = targets.sum(-1, keepdims=True)
    targets /= jnp.where(total > 0, total, 1.0)
    targets = jnp.where(has_two_labels(lists), targets, 0.0)
    return -jnp.sum(targets * masked_log_softmax(lists, lists.scores), axis=-1)


@ranking_loss(
    labels="from_0",
    learns_from="two_labels",
    shift_invariant=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="softmax",
)
def poly1_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    epsilon: float = 1.0,
) -> jax.Array:
    r"""Poly-1: softmax cross-entropy plus its first polynomial coefficient.

    .. math:: \ell = -\sum_i q_i \log p_i
        + \epsilon \Bigl(1 - \sum_i q_i p_i\Bigr), \quad
        q_i = \frac{w_i y_i}{\sum_j w_j y_j}, \quad p = \mathrm{softmax}(s)

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels ≥ 0.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums; weight 2 is the item twice. None: 1.
    epsilon : float, default=1.0
        Weight ε of the second part; 0 is the softmax loss with normalized labels.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without two distinct labels. Not convex.

    References
    ----------
    .. [1] Leng et al., "PolyLoss: a polynomial expansion perspective of classification
       loss functions", ICLR 2022, eq. (6).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(poly1_loss(jnp.zeros(2), jnp.array([1, 0]))), 4)  # log 2 + 1 / 2
    1.1931
    """
    lists = prepare(scores, labels, where, weights)
    targets = lists.weights * lists.labels
    total = targets.sum(-1, keepdims=True)
    informative = has_two_labels(lists) & (total > 0)
    targets = jnp.where(informative, targets / jnp.where(informative, total, 1.0), 0.0)
    log_p = masked_log_softmax(lists, lists.scores)
    # PolyLoss: −log p = Σ_k (1 − p)^k / k; Poly-1 adds ε to the coefficient of 1 − p.
    first_coefficient = targets.sum(-1) - jnp.sum(targets * jnp.exp(log_p), axis=-1)
    return -jnp.sum(targets * log_p, axis=-1) + epsilon * first_coefficient


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="softmax",
)
def infonce_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    temperature: float = 1.0,
    other_positives: Literal["removed", "kept"] = "removed",
) -> jax.Array:
    r"""InfoNCE: each relevant item against the irrelevant ones, on average.

    .. math:: \ell = -\frac{1}{\sum_{y_i > 0} w_i} \sum_{y_i > 0} w_i \log
        \frac{e^{s_i / T}}{e^{s_i / T} + \sum_{y_j \le 0} w_j e^{s_j / T}}

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Relevant if > 0.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    temperature : float, default=1.0
        T > 0.
    other_positives : {"removed", "kept"}, default="removed"
        Whether the other relevant items stand in the denominator too, as in supervised
        contrastive learning.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without a relevant or without an irrelevant item.

    References
    ----------
    .. [1] van den Oord, Li & Vinyals, "Representation learning with contrastive
       predictive coding", 2018, eq. (4); ``"kept"`` is L_out of Khosla et al.,
       "Supervised contrastive learning", NeurIPS 2020, eq. (2).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(infonce_loss(jnp.zeros(4), jnp.array([1, 0, 0, 0]))), 4)  # log 4
    1.3863
    """
    check_choice("other_positives", other_positives, ("removed", "kept"))
    check_positive("temperature", temperature)
    lists = prepare(scores, labels, where, weights)
    positive = lists.where & (lists.labels > 0)
    negative = lists.where & ~positive
    mixed = positive.any(-1, keepdims=True) & negative.any(-1, keepdims=True)
    share = jnp.where(positive & mixed, lists.weights, 0.0)
    total = share.sum(-1, keepdims=True)
    share /= jnp.where(total > 0, total, 1.0)
    scaled = lists.scores / temperature
    if other_positives == "kept":
        return -jnp.sum(share * masked_log_softmax(lists, scaled), axis=-1)
    # −log(e^a / (e^a + N)) = softplus(log N − a), with N the sum over the negatives.
    worths = scaled + jnp.log(jnp.where(negative, lists.weights, 1.0))
    log_negatives = jax.nn.logsumexp(
        jnp.where(negative, worths, LOG_0), axis=-1, keepdims=True
    )
    terms = jax.nn.softplus(jnp.where(share > 0, log_negatives - scaled, LOG_0))
    return jnp.sum(share * terms, axis=-1)


def cross_entropy(lists: Lists, target_logits: jax.Array) -> jax.Array:
    """−Σ q log p with q and p the softmax of the targets and of the scores."""
    targets = lists.weights * jnp.exp(masked_log_softmax(lists, target_logits))
    return -jnp.sum(targets * masked_log_softmax(lists, lists.scores), axis=-1)


def top_2_cross_entropy(lists: Lists, target_logits: jax.Array) -> jax.Array:
    r"""Cross-entropy over ordered pairs of a first and a second item.

    With q the softmax of the targets and p that of the scores, the pair (a, b) has the
    target :math:`q_a q_b / (1 - q_a)` and the log-probability
    :math:`\log p_a + s_b - \log \sum_{c \ne a} e^{s_c}`. Summed over b, resp. a, the
    targets are the probabilities of being first, :math:`q_a`, and of being second,
    :math:`q_b \sum_{a \ne b} q_a / (1 - q_a)`, so no pair needs to be formed.
    """
    index = positions(lists.scores)
    log_weights = jnp.log(jnp.where(lists.where, lists.weights, 1.0))

    def log_sum_of_others(logits: jax.Array) -> jax.Array:
        worths = jnp.where(lists.where, logits + log_weights, LOG_0)
        return log_pair_sum(is_another, worths, index)

    # P(i first) = q_i, P(i second) = q_i Σ_{j ≠ i} q_j / (1 − q_j), so that
    # −E log P(first, second | s) needs per item these two and log Σ_{j ≠ i} e^{s_j}.
    log_q = masked_log_softmax(lists, target_logits)
    log_1_minus_q = log_sum_of_others(log_q)
    has_other = lists.where & (log_1_minus_q > LOG_0 / 2)
    first = jnp.where(has_other, lists.weights * jnp.exp(log_q), 0.0)
    log_odds = jnp.where(has_other, log_q - log_1_minus_q, LOG_0)
    log_second = log_q + log_sum_of_others(log_odds)
    second = jnp.where(has_other, lists.weights * jnp.exp(log_second), 0.0)
    log_others = jnp.where(has_other, log_sum_of_others(lists.scores), 0.0)
    log_p = masked_log_softmax(lists, lists.scores)
    terms = first * log_p + second * lists.scores - first * log_others
    return -jnp.sum(terms, axis=-1)


def log_worths(lists: Lists) -> jax.Array:
    """Scores; LOG_0 at masked positions."""
    return jnp.where(lists.where, lists.scores, LOG_0)


def lower_label(j: LabelTerms, i: LabelTerms) -> jax.Array:
    """Share of item j in the sum of item i: its weight if its label is lower."""
    return jnp.where(j.label < i.label, j.weight, 0.0)
