"""Calibrated losses: the scores themselves predict a label or a probability."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import (
    divide,
    has_two_labels,
    masked_input,
    masked_log_softmax,
    masked_max,
    prepare,
)
from ltr.losses.pointwise import bce_loss


@ranking_loss(
    labels="from_0",
    learns_from="two_items",
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="softmax",
)
def calibrated_softmax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    virtual_label: float = 1.0,
    normalize: bool = False,
) -> jax.Array:
    r"""Softmax loss with a virtual item of score 0, which anchors the scores.

    .. math:: \ell = -\sum_i w_i y_i \log p_i - y_0 \log p_0, \quad
        p_i = \frac{e^{s_i}}{1 + \sum_j w_j e^{s_j}}, \quad
        p_0 = \frac{1}{1 + \sum_j w_j e^{s_j}}

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels ≥ 0, not normalized.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums; weight 2 is the item twice. None: 1.
    virtual_label : float, default=1.0
        Label y₀ > 0 of the virtual item: scores of about log(y / y₀) are best.
    normalize : bool, default=False
        Divide by the sum of the weighted labels, y₀ included.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for an empty list. Adding a constant to the scores changes it.

    References
    ----------
    .. [1] Yan et al., "Scale calibration of deep ranking models", KDD 2022, eq. (9).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> loss = calibrated_softmax_loss(jnp.zeros(1), jnp.array([1]))  # 2 log 2
    >>> round(float(loss), 4)
    1.3863
    """
    lists = prepare(scores, labels, where, weights)
    targets = lists.weights * lists.labels
    # log(1 + Σ_j w_j e^{s_j}), shifted by the highest exponent, that of the virtual
    # item included.
    top = jnp.maximum(masked_max(lists.scores, lists.where), 0.0)
    top = jax.lax.stop_gradient(top)
    shifted = jnp.where(lists.where, lists.scores - top, 0.0)
    worths = jnp.sum(lists.weights * jnp.exp(shifted), axis=-1)
    log_total = top[..., 0] + jnp.log(worths + jnp.exp(-top[..., 0]))
    weight = targets.sum(-1) + virtual_label
    total = weight * log_total - jnp.sum(targets * lists.scores, axis=-1)
    total = jnp.where(lists.where.any(-1), total, 0.0)
    return divide(total, weight, normalize)


@ranking_loss(
    learns_from="two_items",
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
)
def clid_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    teacher_scores: ArrayLike,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> jax.Array:
    r"""CLID: cross-entropy of normalized sigmoids, which keeps scores calibrated.

    .. math:: \ell = -\sum_i q_i \log p_i, \quad
        p_i = \frac{\sigma(s_i)}{\sum_j w_j \sigma(s_j)}, \quad
        q_i = \frac{w_i \sigma(t_i)}{\sum_j w_j \sigma(t_j)}

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Scores of the student, higher is better.
    labels : array of shape (..., list_size)
        Not read; mix with ``bce`` by :func:`combine` as in the paper.
    teacher_scores : array of shape (..., list_size)
        Scores of the teacher.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums; weight 2 is the item twice. None: 1.

    Returns
    -------
    loss : array of shape (...)
        At least the entropy of the teacher, reached where s = t. Adding a constant to
        the scores changes it.

    References
    ----------
    .. [1] Gui et al., "Calibration-compatible listwise distillation of privileged
       features for CTR prediction", WSDM 2024, eq. (15), as quoted elsewhere.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> scores = jnp.zeros(2)
    >>> loss = clid_loss(scores, jnp.zeros(2), teacher_scores=jnp.array([3.0, 0.0]))
    >>> round(float(loss), 4)  # log 2
    0.6931
    """
    lists = prepare(scores, labels, where, weights, teacher_scores=teacher_scores)
    teacher = masked_input(lists, teacher_scores)
    log_p = masked_log_softmax(lists, jax.nn.log_sigmoid(lists.scores))
    log_q = masked_log_softmax(lists, jax.nn.log_sigmoid(teacher))
    return -jnp.sum(lists.weights * jnp.exp(log_q) * log_p, axis=-1)


@ranking_loss(
    labels="from_0",
    learns_from="two_items",
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
)
def rcr_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    alpha: float = 0.5,
    normalize: bool = False,
) -> jax.Array:
    r"""Regression compatible ranking: calibrated probabilities and a list-wise part.

    .. math:: \ell = (1 - \alpha) \, \mathrm{BCE}(s, y) - \alpha \sum_i
        \frac{w_i y_i}{\sum_j w_j y_j} \log \frac{\sigma(s_i)}{\sum_j w_j \sigma(s_j)}

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Logits.
    labels : array of shape (..., list_size)
        Labels in [0, 1]; BCE clips others.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums; weight 2 is the item twice. None: 1.
    alpha : float, default=0.5
        Share α of the list-wise part, in [0, 1].
    normalize : bool, default=False
        Divide the BCE by the weight of the items.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; the list-wise part is 0 without two distinct labels. Both parts have their
        minimum at σ(s) = y, so they do not conflict.

    References
    ----------
    .. [1] Bai et al., "Regression compatible listwise objectives for calibrated ranking
       with binary relevance", CIKM 2023, eq. (10).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(rcr_loss(jnp.zeros(2), jnp.array([1, 0]))), 4)  # 1.5 log 2
    1.0397
    """
    lists = prepare(scores, labels, where, weights)
    pointwise = bce_loss(
        scores, labels, where=where, weights=weights, normalize=normalize
    )
    targets = jnp.where(has_two_labels(lists), lists.weights * lists.labels, 0.0)
    log_p = masked_log_softmax(lists, jax.nn.log_sigmoid(lists.scores))
    listwise = divide(-jnp.sum(targets * log_p, axis=-1), targets.sum(-1), True)
    return (1.0 - alpha) * pointwise + alpha * listwise
