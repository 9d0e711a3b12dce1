"""Likelihood of the label order under a Plackett-Luce model: ListMLE and its ties."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses._contract import Lists, divide, masked_max, prepare
from ltr.losses._draws import DrawGroups, draw_groups, log_left

TieRule = Literal["efron", "breslow", "stable", "random"]
_TIE_RULES = ("efron", "breslow", "stable", "random")


def plackett_luce_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    ties: TieRule = "efron",
    normalize: bool = False,
) -> jax.Array:
    r"""Negative log-likelihood of the label order under a Plackett-Luce model.

    Groups of equal labels :math:`A_1 \succ A_2 \succ …` are drawn one after the other
    from what remains; with :math:`R_g = A_g \cup A_{g+1} \cup …` and
    :math:`W_S = \sum_{i \in S} e^{s_i}`, the Efron form is

    .. math:: \ell = \sum_{g < G} \Bigl[ \sum_{l=0}^{|A_g| - 1}
        \log\bigl(W_{R_g} - \tfrac{l}{|A_g|} W_{A_g}\bigr) - \sum_{i \in A_g} s_i \Bigr]

    The last group says nothing and contributes 0.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores: log-worths.
    labels : array of shape (..., list_size)
        Labels, any real numbers.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums. Under ``ties="breslow"`` weight 2 is the item
        twice; the Efron correction uses the mean weight of a group. None: 1.
    key : PRNG key, default=None
        For ``ties="random"``.
    ties : {"efron", "breslow", "stable", "random"}, default="efron"
        Equal labels: Efron's or Breslow's approximation from survival analysis; or
        break them by position (depends on the order of rows: for comparisons with
        other tools only) or at random.
    normalize : bool, default=False
        Divide by the weight of the items above the last group.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0 without ties; 0 for a list without two distinct labels.

    Raises
    ------
    ValueError
        If ``ties`` is unknown, or ``"random"`` without ``key``.

    Notes
    -----
    O(n²) adding up to 512 items, which is faster than sorting there; O(n log n) beyond.
    With distinct labels all rules agree and give ListMLE.

    References
    ----------
    .. [1] Plackett, "The analysis of permutations", 1975; ties after Efron, "The
       efficiency of Cox's likelihood function for censored data", JASA 1977, and
       Breslow, "Covariance analysis of censored survival data", Biometrics 1974.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> loss = plackett_luce_loss(jnp.zeros(3), jnp.array([2, 1, 0]))  # log 3!
    >>> round(float(loss), 4)
    1.7918
    """
    lists = prepare(scores, labels, where, weights)
    return _draws(lists, ties, key, None, normalize)


def listmle_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    k: int | None = None,
    ties: TieRule = "efron",
    normalize: bool = False,
) -> jax.Array:
    r"""ListMLE: negative log-likelihood of the first ``k`` draws of the label order.

    .. math:: \ell = \sum_{r \le k} \Bigl[ \log \sum_{q \ge r} e^{s_{\pi_q}}
        - s_{\pi_r} \Bigr]

    with π the items by descending label. Equal labels follow
    :func:`plackett_luce_loss`; without a cut-off the two are the same.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores: log-worths.
    labels : array of shape (..., list_size)
        Labels, any real numbers.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums. None: 1.
    key : PRNG key, default=None
        For ``ties="random"``.
    k : int, default=None
        Number of draws that count; a tie group that ``k`` cuts in two counts in part.
        None: all.
    ties : {"efron", "breslow", "stable", "random"}, default="efron"
        Equal labels, see :func:`plackett_luce_loss`.
    normalize : bool, default=False
        Divide by the weight of the draws.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0 without ties; 0 for a list without two distinct labels.

    Raises
    ------
    ValueError
        If ``ties`` is unknown, or ``"random"`` without ``key``.

    References
    ----------
    .. [1] Xia et al., "Listwise approach to learning to rank: theory and algorithm",
       ICML 2008, section 4; top-k in Xia, Liu & Li, "Statistical consistency of top-k
       ranking", NIPS 2009, eq. (6).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(listmle_loss(jnp.zeros(3), jnp.array([2, 1, 0]), k=1)), 4)  # log 3
    1.0986
    """
    lists = prepare(scores, labels, where, weights)
    return _draws(lists, ties, key, k, normalize)


def _draws(
    lists: Lists,
    ties: TieRule,
    key: jax.Array | None,
    k: int | None,
    normalize: bool,
) -> jax.Array:
    """Sum over the draws of log(weight of what is left) − score.

    An item of a tie group of m items is drawn when ``gone`` of them are gone. Under
    Efron's rule each member is then left by the share 1 − gone / m, under Breslow's
    altogether.
    """
    labels = jnp.where(lists.where, lists.labels, jnp.nan)
    groups = draw_groups(labels, lists.weights, _tie_break(labels, ties, key))
    if ties in ("stable", "random"):  # each item is a group of its own
        rank = groups.before + groups.gone
        labels = jnp.where(lists.where, -rank.astype(labels.dtype), jnp.nan)
        one, none = jnp.ones_like(rank), jnp.zeros_like(rank)
        groups = DrawGroups(rank, one, none, lists.weights)
    n_items = jnp.sum(lists.where, axis=-1, keepdims=True, dtype=jnp.int32)
    counts = lists.where & (groups.before + groups.size < n_items)  # not the last group

    m = jnp.maximum(groups.size, 1).astype(lists.scores.dtype)
    draw_weights, item_weights = lists.weights, lists.weights
    share = jnp.ones_like(m)
    if ties == "efron":
        share -= groups.gone.astype(m.dtype) / m
        draw_weights = groups.weight / m
    if k is not None:
        draw_weights = jnp.where(groups.before + groups.gone < k, draw_weights, 0.0)
        item_weights *= jnp.clip((k - groups.before).astype(m.dtype), 0.0, m) / m
    top = jax.lax.stop_gradient(masked_max(lists.scores, lists.where))
    scores = lists.scores - top
    left = log_left(scores, labels, lists.weights, share)
    terms = draw_weights * left - item_weights * scores
    total = jnp.sum(jnp.where(counts, terms, 0.0), axis=-1)
    weight = jnp.sum(jnp.where(counts, item_weights, 0.0), axis=-1)
    return divide(total, weight, normalize)


def _tie_break(labels: jax.Array, ties: TieRule, key: jax.Array | None) -> jax.Array:
    """Order of equal labels: by position, or at random."""
    if ties not in _TIE_RULES:
        raise ValueError(f"ties must be one of {_TIE_RULES}; got {ties!r}.")
    if ties != "random":
        return jax.lax.broadcasted_iota(jnp.int32, labels.shape, labels.ndim - 1)
    if key is None:
        raise ValueError("key is required by ties='random'. Pass a JAX PRNG key.")
    return jnp.argsort(jax.random.uniform(key, labels.shape), axis=-1)
