"""Likelihood of the label order under a Plackett-Luce model: ListMLE and its ties."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses._contract import Lists, divide, masked_max, prepare
from ltr.losses._ranks import group_bounds

TieRule = Literal["efron", "breslow", "stable", "random"]
_TIE_RULES = ("efron", "breslow", "stable", "random")
_NEVER = -1e30


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
    O(n log n). With distinct labels all rules agree and give ListMLE.

    References
    ----------
    .. [1] Plackett, "The analysis of permutations", 1975; ties after Efron, "The
       efficiency of Cox's likelihood function for censored data", JASA 1977, and
       Breslow, "Covariance analysis of censored survival data", Biometrics 1974.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> plackett_luce_loss(jnp.zeros(3), jnp.array([2, 1, 0])).round(4)  # log 3!
    Array(1.7918, dtype=float32)
    """
    lists = prepare(scores, labels, where, weights)
    return _stages(lists, ties, key, None, normalize)


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
    >>> listmle_loss(jnp.zeros(3), jnp.array([2, 1, 0]), k=1).round(4)  # log 3
    Array(1.0986, dtype=float32)
    """
    lists = prepare(scores, labels, where, weights)
    return _stages(lists, ties, key, k, normalize)


def _stages(
    lists: Lists,
    ties: TieRule,
    key: jax.Array | None,
    k: int | None,
    normalize: bool,
) -> jax.Array:
    """Sum over the draws of log(weight of what may still be drawn) − score.

    Works on the items sorted by label. ``log_rest`` is log W over an item and all that
    come later; at the begin of a group that is log W_R, at its end log W_B.
    """
    order = _label_order(lists, ties, key)

    def take(values: jax.Array) -> jax.Array:
        return jnp.take_along_axis(values, order, axis=-1)

    where, weights = take(lists.where), take(lists.weights)
    top = jax.lax.stop_gradient(masked_max(lists.scores, lists.where))
    scores = jnp.where(where, take(lists.scores - top), 0.0)
    n = scores.shape[-1]
    position = jnp.arange(n)
    if ties in ("stable", "random"):
        begin, end = jnp.broadcast_arrays(position, position + 1)
    else:
        begin, end = group_bounds(jnp.where(where, take(lists.labels), -jnp.inf))
    begin, end = (
        jnp.broadcast_to(begin, where.shape),
        jnp.broadcast_to(end, where.shape),
    )

    log_weights = jnp.log(jnp.where(where, weights, 1.0))
    log_rest = jax.lax.cumlogsumexp(
        jnp.where(where, scores + log_weights, _NEVER),
        axis=scores.ndim - 1,
        reverse=True,
    )
    log_rest = jnp.concatenate([log_rest, jnp.full_like(log_rest[..., :1], _NEVER)], -1)
    log_all = jnp.take_along_axis(log_rest, begin, axis=-1)
    log_below = jnp.take_along_axis(log_rest, end, axis=-1)
    counts = where & (log_below > _NEVER / 2)  # not in the last group

    size = (end - begin).astype(scores.dtype)
    draw = jnp.where(counts, log_all, 0.0)
    drawn_weight = weights
    if ties == "efron":
        below = jnp.where(counts, log_below - log_all, 0.0)
        share_of_group = -jnp.expm1(jnp.minimum(below, 0.0))
        gone = (position - begin).astype(scores.dtype) / size
        draw += jnp.log1p(-jnp.where(counts, gone * share_of_group, 0.0))
        drawn_weight = _group_mean(weights, begin, end)
    if k is None:
        stage, item_stage = jnp.ones_like(scores), jnp.ones_like(scores)
    else:
        stage = jnp.broadcast_to(position < k, scores.shape).astype(scores.dtype)
        item_stage = jnp.clip(k - begin, 0, size) / size
    item_weights = jnp.where(counts, item_stage * weights, 0.0)
    draw_weights = jnp.where(counts, stage * drawn_weight, 0.0)
    total = jnp.sum(draw_weights * draw - item_weights * scores, axis=-1)
    return divide(total, item_weights.sum(-1), normalize)


def _label_order(lists: Lists, ties: TieRule, key: jax.Array | None) -> jax.Array:
    """Items by descending label, masked ones last."""
    if ties not in _TIE_RULES:
        raise ValueError(f"ties must be one of {_TIE_RULES}; got {ties!r}.")
    last = jnp.where(lists.where, -lists.labels, jnp.inf)
    if ties != "random":
        return jnp.argsort(last, axis=-1)
    if key is None:
        raise ValueError("key is required by ties='random'. Pass a JAX PRNG key.")
    return jnp.lexsort((jax.random.uniform(key, last.shape), last), axis=-1)


def _group_mean(weights: jax.Array, begin: jax.Array, end: jax.Array) -> jax.Array:
    total = jnp.cumsum(weights, axis=-1)
    total = jnp.concatenate([jnp.zeros_like(total[..., :1]), total], axis=-1)
    group = jnp.take_along_axis(total, end, -1) - jnp.take_along_axis(total, begin, -1)
    return group / (end - begin)
