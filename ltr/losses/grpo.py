"""Rank-GRPO: policy gradient relative to a group of lists, rank by rank.

For policies that give the log-probability of each item that they put on a list, such
as language models. The advantages, rewards relative to those of other samples, are here
as well.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.kernels.contract import as_dtype, divide, prepare

_MAX_LOG_RATIO = 60.0  # e^60 is finite in single precision


def leave_one_out_advantages(rewards: ArrayLike) -> jax.Array:
    r"""Reward of each sample minus the mean reward of the other samples.

    .. math:: A_b = R_b - \frac{1}{N - 1} \sum_{c \ne b} R_c
        = \frac{N}{N - 1} (R_b - \bar R)

    Parameters
    ----------
    rewards : array of shape (..., n_samples)
        R, for two samples or more.

    Returns
    -------
    advantages : array of shape (..., n_samples)
        They sum to 0. As weights of ∇ log-probability they leave the gradient unbiased.

    Raises
    ------
    ValueError
        If there are fewer than two samples.

    References
    ----------
    .. [1] Kool, van Hoof & Welling, "Buy 4 REINFORCE samples, get a baseline for
       free!", 2019; for ranking Gao et al., arXiv 2310.04407.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> leave_one_out_advantages(jnp.array([1.0, 2.0, 4.0]))
    Array([-2. , -0.5,  2.5], dtype=float32)
    """
    r = jnp.asarray(rewards)
    if r.ndim == 0 or r.shape[-1] < 2:
        raise ValueError(
            "rewards must have shape (..., n_samples) with two samples or more; got "
            f"shape {r.shape}."
        )
    sum_of_others = jnp.sum(r, axis=-1, keepdims=True) - r
    return r - sum_of_others / (r.shape[-1] - 1)


def causal_dcg_rewards(
    relevance: ArrayLike, *, where: ArrayLike | None = None
) -> jax.Array:
    r"""Reward of each rank: the DCG from that rank on.

    .. math:: r_k = \sum_{j \ge k} \frac{\rho_j}{\log_2(1 + j)}

    An item is credited only with what comes at its rank or later, since it cannot have
    changed what came before. The other reward of the paper, exp∞, is the relevance.

    Parameters
    ----------
    relevance : array of shape (..., n_ranks)
        Relevance ρ of the item at each rank.
    where : bool array of shape (..., n_ranks), default=None
        True for ranks that exist. None: all.

    Returns
    -------
    rewards : array of shape (..., n_ranks)
        0 where a rank does not exist.

    References
    ----------
    .. [1] Rank-GRPO, official code ``reward_funcs.py`` ("DCG@k:N", log decay); the
       paper's equation was not read.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> causal_dcg_rewards(jnp.array([0.0, 1.0, 0.0]))
    Array([0.63092977, 0.63092977, 0.        ], dtype=float32)
    """
    lists = prepare(relevance, relevance, where, None)
    shape, last = lists.scores.shape, lists.scores.ndim - 1
    ranks = 1.0 + jax.lax.broadcasted_iota(lists.scores.dtype, shape, last)
    to_come = jax.lax.cumsum(lists.scores / jnp.log2(1.0 + ranks), last, reverse=True)
    return jnp.where(lists.where, to_come, 0.0)


def group_advantages(
    rewards: ArrayLike, *, where: ArrayLike | None = None, scale: bool = True
) -> jax.Array:
    r"""Rewards relative to the other lists of the group, at the same rank.

    .. math:: A_{ik} = \frac{r_{ik} - \bar r_{\cdot k}}
        {\operatorname{std}_i(r_{ik}) + 10^{-4}}

    Parameters
    ----------
    rewards : array of shape (..., group_size, n_ranks)
        r, for each list i of a group (answers to one query) and each rank k.
    where : bool array of shape (..., group_size, n_ranks), default=None
        True for ranks that exist. None: all.
    scale : bool, default=True
        Divide by the standard deviation (with n − 1).

    Returns
    -------
    advantages : array of shape (..., group_size, n_ranks)
        They sum to 0 over the group; 0 where rewards are equal or a rank exists in one
        list only.

    References
    ----------
    .. [1] Rank-GRPO, official code ``rank_grpo_trainer.py``; the paper's equation was
       not read. A mean over the ranks of one list, as in a tutorial, is another thing.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> group_advantages(jnp.array([[1.0, 0.0], [3.0, 0.0]]), scale=False)
    Array([[-1.,  0.],
           [ 1.,  0.]], dtype=float32)
    """
    group = prepare(rewards, rewards, where, None)
    count = jnp.sum(group.weights, axis=-2, keepdims=True)
    # Relative to the best, so that the mean of equal rewards has no rounding error.
    best = jnp.max(
        group.scores, axis=-2, keepdims=True, where=group.where, initial=-jnp.inf
    )
    below = jnp.where(group.where, group.scores - best, 0.0)
    mean = jnp.sum(below, axis=-2, keepdims=True) / jnp.maximum(count, 1.0)
    apart = jnp.where(group.where, below - mean, 0.0)
    if not scale:
        return apart
    squares = jnp.sum(apart**2, axis=-2, keepdims=True) / jnp.maximum(count - 1.0, 1.0)
    return apart / (jnp.sqrt(squares) + 1e-4)


def rank_grpo_loss(
    log_prob_new: ArrayLike,
    log_prob_old: ArrayLike,
    rewards: ArrayLike,
    *,
    where: ArrayLike | None = None,
    log_prob_ref: ArrayLike | None = None,
    clip: tuple[float, float] = (0.06, 0.08),
    beta: float = 1e-3,
    scale: bool = True,
) -> jax.Array:
    r"""Rank-GRPO: clipped policy gradient with an advantage for each rank.

    .. math:: \ell = -\operatorname{mean}_{ik} \bigl[ \min(w_{ik} A_{ik},
        \operatorname{clip}(w_{ik}, 1 - \varepsilon_-, 1 + \varepsilon_+) A_{ik})
        \bigr] + \beta \operatorname{mean}_{ik} [e^{d_{ik}} - d_{ik} - 1]

    with :math:`w = e^{\log \pi - \log \pi_{old}}`,
    :math:`d = \log \pi_{ref} - \log \pi` and A from :func:`group_advantages`. With a
    Plackett-Luce policy the log-probabilities come from
    :func:`ltr.losses.order_log_probs`.

    Parameters
    ----------
    log_prob_new : array of shape (..., group_size, n_ranks)
        Log-probability, by the policy that is trained, of the item at each rank of each
        list of a group. If an item has several tokens: the mean over them.
    log_prob_old : array of shape (..., group_size, n_ranks)
        The same by the policy that drew the lists; no gradient flows into it.
    rewards : array of shape (..., group_size, n_ranks)
        Reward of each rank, such as :func:`causal_dcg_rewards`.
    where : bool array of shape (..., group_size, n_ranks), default=None
        True for ranks that exist. None: all.
    log_prob_ref : array of shape (..., group_size, n_ranks), default=None
        The same by a reference policy. None: no penalty.
    clip : tuple of float, default=(0.06, 0.08)
        ε₋ and ε₊.
    beta : float, default=0.001
        Weight β of the penalty.
    scale : bool, default=True
        See :func:`group_advantages`.

    Returns
    -------
    loss : array of shape (...)
        One number per group; 0 where all rewards of each rank are equal (without a
        reference), or where nothing exists.

    Notes
    -----
    Not in :data:`ltr.losses.LOSSES`: it takes log-probabilities of a group of lists.
    Ratios are cut at e^60, so that they stay finite.

    References
    ----------
    .. [1] Rank-GRPO, official code ``rank_grpo_trainer.py``; the paper's equation was
       not read.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> old = jnp.log(jnp.array([[0.5], [0.5]]))
    >>> loss = rank_grpo_loss(old, old, jnp.array([[1.0], [0.0]]))
    >>> abs(float(loss)) < 1e-6
    True
    """
    group = prepare(log_prob_new, log_prob_old, where, None)
    advantages = jax.lax.stop_gradient(
        group_advantages(
            as_dtype(rewards, group.scores), where=group.where, scale=scale
        )
    )
    old = jax.lax.stop_gradient(group.labels)
    ratio = jnp.exp(jnp.minimum(group.scores - old, _MAX_LOG_RATIO))
    clipped = jnp.clip(ratio, 1.0 - clip[0], 1.0 + clip[1])
    # The pessimistic of two bounds: no reward for leaving [1 − ε_low, 1 + ε_high].
    items = -jnp.minimum(ratio * advantages, clipped * advantages)
    if log_prob_ref is not None:
        ref = jnp.where(group.where, as_dtype(log_prob_ref, group.scores), 0.0)
        d = jax.lax.stop_gradient(ref) - group.scores
        items += beta * (jnp.expm1(jnp.minimum(d, _MAX_LOG_RATIO)) - d)
    total = jnp.sum(jnp.where(group.where, items, 0.0), axis=(-2, -1))
    return divide(total, jnp.sum(group.weights, axis=(-2, -1)), True)
