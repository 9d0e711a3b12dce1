"""Pointwise losses with more than one number per item: ordinal logits, a variance."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import as_dtype, divide, prepare


@ranking_loss(
    learns_from="two_items",
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="items",
)
def ordinal_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    fractional: bool = False,
    normalize: bool = False,
) -> jax.Array:
    r"""Ordinal regression: one binary cross-entropy for each grade to be reached.

    .. math:: \ell = \sum_i w_i \sum_{k=1}^{K}
        \bigl(\log(1 + e^{s_{ik}}) - t_{ik} s_{ik}\bigr), \quad
        t_{ik} = \mathbf{1}[y_i \ge k]

    Parameters
    ----------
    scores : array of shape (..., list_size, n_grades)
        Logits: ``scores[..., i, k - 1]`` is that of "the label of item i is at least
        k". :func:`ordinal_scores` turns them into one score per item.
    labels : array of shape (..., list_size)
        Labels from 0 to ``n_grades``; labels outside count as the nearest of these.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    fractional : bool, default=False
        Labels between two grades reach the upper one in part: the target is
        y − k + 1, clipped to [0, 1]. With whole labels it changes nothing.
    normalize : bool, default=False
        Divide by the weight of the items.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for an empty list.

    Raises
    ------
    ValueError
        If ``scores`` has no axis of grades.

    Notes
    -----
    Not in :data:`ltr.losses.LOSSES`: its scores have one axis more.

    References
    ----------
    .. [1] Cheng, Wang & Pollastri, "A neural network approach to ordinal regression",
       IJCNN 2008; for ranking as in allRank (``ordinal.py``) and TF-Ranking
       (``OrdinalLoss``), which has the fractions.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> logits = jnp.zeros((2, 3))  # two items, grades 1 to 3
    >>> round(float(ordinal_loss(logits, jnp.array([3, 0]))), 4)  # 6 log 2
    4.1589
    """
    logits = jnp.asarray(scores)
    if logits.ndim < 2 or logits.shape[-1] == 0:
        raise ValueError(
            "scores must have shape (..., list_size, n_grades), with one logit or more "
            f"per item; got shape {logits.shape}."
        )
    lists = prepare(logits[..., 0], labels, where, weights)
    logits = jnp.where(lists.where[..., None], as_dtype(logits, lists.scores), 0.0)
    grades = as_dtype(jnp.arange(1, logits.shape[-1] + 1), logits)
    above = lists.labels[..., None] - jnp.expand_dims(
        grades, tuple(range(lists.labels.ndim))
    )  # y_i − k, (..., n, n_grades)
    reached = as_dtype(above >= 0, logits)
    targets = jnp.clip(above + 1.0, 0.0, 1.0) if fractional else reached
    items = jnp.sum(jax.nn.softplus(logits) - targets * logits, axis=-1)
    total = jnp.sum(lists.weights * items, axis=-1)
    return divide(total, lists.weights.sum(-1), normalize)


def ordinal_scores(logits: ArrayLike) -> jax.Array:
    r"""Scores of items by their ordinal logits: the expected grade.

    .. math:: s_i = \sum_{k=1}^{K} \frac{1}{1 + e^{-s_{ik}}}

    Parameters
    ----------
    logits : array of shape (..., list_size, n_grades)
        As given to :func:`ordinal_loss`.

    Returns
    -------
    scores : array of shape (..., list_size)
        From 0 to ``n_grades``, higher is better.

    References
    ----------
    .. [1] allRank, ``ordinal.py``: the sum over the outputs.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> ordinal_scores(jnp.zeros((1, 3)))
    Array([1.5], dtype=float32)
    """
    return jnp.sum(jax.nn.sigmoid(jnp.asarray(logits)), axis=-1)


@ranking_loss(
    learns_from="two_items",
    convex=True,
    smooth=True,
    repeats=True,
    curvature="items",
)
def gaussian_nll_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    log_variance: ArrayLike | None = None,
    max_log_variance: float = 10.0,
    normalize: bool = False,
) -> jax.Array:
    r"""Regression with a variance per item: negative log-likelihood of a Gaussian.

    .. math:: \ell = \sum_i \frac{w_i}{2} \Bigl[ \log \sigma_i^2 +
        \frac{(y_i - s_i)^2}{\sigma_i^2} + \log 2\pi \Bigr]

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Means.
    labels : array of shape (..., list_size)
        Labels, any real numbers.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    log_variance : array of shape (..., list_size), default=None
        :math:`\log \sigma_i^2`, a second output of the model: gradients flow into it.
        None: 0, which is half the squared error plus a constant per item.
    max_log_variance : float, default=10.0
        ``log_variance`` is clipped to ± this, with gradient 0 outside.
    normalize : bool, default=False
        Divide by the weight of the items.

    Returns
    -------
    loss : array of shape (...)
        Any real number; 0 for an empty list.

    References
    ----------
    .. [1] Nix & Weigend, "Estimating the mean and variance of the target probability
       distribution", ICNN 1994. The clipping is ours.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> loss = gaussian_nll_loss(jnp.array([1.0]), jnp.array([1]))  # log(2π) / 2
    >>> round(float(loss), 4)
    0.9189
    """
    lists = prepare(scores, labels, where, weights)
    log_var = jnp.zeros_like(lists.scores)
    if log_variance is not None:
        log_var = as_dtype(log_variance, lists.scores)
        log_var = jnp.where(lists.where, log_var, 0.0)
    log_var = jnp.clip(log_var, -max_log_variance, max_log_variance)
    errors = (lists.labels - lists.scores) ** 2
    items = 0.5 * (log_var + errors * jnp.exp(-log_var) + math.log(2.0 * math.pi))
    total = jnp.sum(lists.weights * items, axis=-1)
    return divide(total, lists.weights.sum(-1), normalize)
