"""Likelihood of the label order under a Plackett-Luce model: ListMLE and its ties."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_choice, check_whole
from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import Lists, check_key, divide, masked_max, prepare
from ltr.losses.kernels.draws import DrawGroups, draw_groups, log_remaining
from ltr.losses.kernels.log_sums import LOG_0, log_pair_sum
from ltr.losses.kernels.loops import positions
from ltr.losses.kernels.pairs import LabelTerms
from ltr.losses.kernels.ranks import log2_discount
from ltr.losses.listwise import lower_label

TieRule = Literal["efron", "breslow", "exact", "stable", "random"]
StageWeights = Literal["uniform", "position", "importance"]
_TIE_RULES = ("efron", "breslow", "exact", "stable", "random")
_STAGE_WEIGHTS = ("uniform", "position", "importance")


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    bounds=(0.0, math.inf),
)
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
    from the items that remain; with :math:`R_g = A_g \cup A_{g+1} \cup …` and
    :math:`W_S = \sum_{i \in S} e^{s_i}`, the Efron form is

    .. math:: \ell = \sum_{g < G} \Bigl[ \sum_{l=0}^{|A_g| - 1}
        \log\bigl(W_{R_g} - \tfrac{l}{|A_g|} W_{A_g}\bigr) - \sum_{i \in A_g} s_i \Bigr]

    The last group has no alternative and contributes 0.

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
    ties : {"efron", "breslow", "exact", "stable", "random"}, default="efron"
        Equal labels: Efron's or Breslow's approximation from survival analysis;
        ``"exact"``, the probability of all orders within the groups together, by
        quadrature, O(n²) memory; or break them by position (depends on the order of
        rows: for comparisons with other tools only) or at random.
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
    check_choice("ties", ties, _TIE_RULES)
    lists = prepare(scores, labels, where, weights)
    if ties == "exact":
        return _exact(lists, normalize)
    stages = draw_stages(lists, lists.labels, ties, key)
    return stages.loss(None, normalize)


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    bounds=(0.0, math.inf),
)
def listmle_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    k: int | None = None,
    ties: Literal["efron", "breslow", "stable", "random"] = "efron",
    stage_weights: StageWeights = "uniform",
    normalize: bool = False,
) -> jax.Array:
    r"""ListMLE: negative log-likelihood of the first ``k`` draws of the label order.

    .. math:: \ell = \sum_{r \le k} \alpha_r \Bigl[ \log \sum_{q \ge r}
        e^{s_{\pi_q}} - s_{\pi_r} \Bigr]

    with π the items by descending label and α = 1. Equal labels follow
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
    stage_weights : {"uniform", "position", "importance"}, default="uniform"
        α_r: 1; :math:`2^{n-r} - 1` of position-aware ListMLE (of n real items: use
        ``normalize=True`` for long lists); or :math:`1 + 1 / \log_2(1 + r)`.
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
    .. [2] ``"position"``: Lan et al., "Position-aware ListMLE", UAI 2014, eq. (5).
       ``"importance"``: after the code of Liu et al., "Sliding windows are not the end:
       exploring full ranking with long-context large language models", 2024.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(listmle_loss(jnp.zeros(3), jnp.array([2, 1, 0]), k=1)), 4)  # log 3
    1.0986
    """
    check_choice("ties", ties, tuple(rule for rule in _TIE_RULES if rule != "exact"))
    check_choice("stage_weights", stage_weights, _STAGE_WEIGHTS)
    check_whole("k", k, low=1, optional=True)
    lists = prepare(scores, labels, where, weights)
    stages = draw_stages(lists, lists.labels, ties, key)
    if k is None and stage_weights == "uniform":
        return stages.loss(None, normalize)
    by_stage = _stage_weights(lists, stage_weights, k)
    if stage_weights == "position" and not normalize:
        n_items = jnp.sum(lists.where, axis=-1).astype(lists.scores.dtype)
        return jnp.exp2(n_items) * stages.loss(by_stage, normalize)
    return stages.loss(by_stage, normalize)


class Stages(NamedTuple):
    """The draws of the items of each list, arrays of shape (..., list_size).

    Attributes
    ----------
    lists : Lists
        The lists.
    groups : DrawGroups
        Tie group of each item. When an item of a group of m is drawn, ``drawn`` of them
        are gone: under Efron's rule the share 1 − drawn / m of each member remains,
        under Breslow's the whole group.
    log_remaining : array
        Log of the worth that remains when the item is drawn.
    draw_weights : array
        Weight of the draw.
    counts : bool array
        False for the last group, whose draws have no alternative.
    """

    lists: Lists
    groups: DrawGroups
    log_remaining: jax.Array
    draw_weights: jax.Array
    counts: jax.Array

    def loss(self, by_stage: jax.Array | None, normalize: bool) -> jax.Array:
        """Σ over the draws of α (log of the remaining worth − score).

        ``by_stage`` is α by the number of the draw, shape (..., list_size); the members
        of a group share the mean α of their draws. None: 1.
        """
        draw_weights, item_weights = self.draw_weights, self.lists.weights
        if by_stage is not None:
            before, size, drawn, _ = self.groups
            n = by_stage.shape[-1]
            stage = jnp.clip(before + drawn, 0, n - 1)
            draw_weights = draw_weights * jnp.take_along_axis(by_stage, stage, -1)
            # Σ α over the draws of the group: a difference of prefix sums, (..., n + 1)
            prefix = jnp.cumsum(by_stage, axis=-1)
            prefix = jnp.concatenate([jnp.zeros_like(prefix[..., :1]), prefix], axis=-1)
            total = jnp.take_along_axis(prefix, jnp.clip(before + size, 0, n), -1)
            total -= jnp.take_along_axis(prefix, jnp.clip(before, 0, n), -1)
            m = jnp.maximum(size, 1).astype(total.dtype)
            item_weights = item_weights * total / m
        return self.weighted(draw_weights, item_weights, normalize)

    def weighted(
        self, draw_weights: jax.Array, item_weights: jax.Array, normalize: bool
    ) -> jax.Array:
        """Σ of the weighted logs of the remaining worth − Σ of the weighted scores."""
        centered = center(self.lists)
        terms = draw_weights * self.log_remaining - item_weights * centered
        total = jnp.sum(jnp.where(self.counts, terms, 0.0), axis=-1)
        weight = jnp.sum(jnp.where(self.counts, item_weights, 0.0), axis=-1)
        return divide(total, weight, normalize)


def draw_stages(
    lists: Lists, labels: jax.Array, ties: TieRule, key: jax.Array | None
) -> Stages:
    """Draw the items by descending ``labels``."""
    labels = jnp.where(lists.where, labels, jnp.nan)
    groups = draw_groups(labels, lists.weights, _tie_break(labels, ties, key))
    if ties in ("stable", "random"):  # each item is a group of its own
        rank = groups.before + groups.drawn
        labels = jnp.where(lists.where, -rank.astype(labels.dtype), jnp.nan)
        one, zero = jnp.ones_like(rank), jnp.zeros_like(rank)
        groups = DrawGroups(rank, one, zero, lists.weights)
    n_items = jnp.sum(lists.where, axis=-1, keepdims=True, dtype=jnp.int32)
    # The group drawn last is drawn with probability 1 and costs nothing.
    counts = lists.where & (groups.before + groups.size < n_items)
    m = jnp.maximum(groups.size, 1).astype(lists.scores.dtype)
    draw_weights, share = lists.weights, jnp.ones_like(m)
    # Efron: before draw d = 0 … m − 1 of a group of m a member is gone with probability
    # d / m, so it counts with the share 1 − d / m in the worth that remains.
    if ties == "efron":
        share -= groups.drawn.astype(m.dtype) / m
        draw_weights = groups.weight / m
    remaining = log_remaining(center(lists), labels, lists.weights, share)
    return Stages(lists, groups, remaining, draw_weights, counts)


def center(lists: Lists) -> jax.Array:
    """Scores relative to the highest of the list."""
    return lists.scores - jax.lax.stop_gradient(masked_max(lists.scores, lists.where))


def _tie_break(
    labels: jax.Array, ties: TieRule, key: jax.Array | None
) -> jax.Array | None:
    """Order of equal labels at random, or None: by position."""
    if ties != "random":
        return None
    key = check_key(key, "ties='random'")
    return jnp.argsort(jax.random.uniform(key, labels.shape), axis=-1)


def _stage_weights(lists: Lists, name: StageWeights, k: int | None) -> jax.Array:
    """α by the number of the draw; ``"position"`` is divided by 2^n."""
    stage = positions(lists.scores) + 1.0
    alpha = jnp.ones_like(stage)
    if name == "importance":
        alpha += log2_discount(stage)
    elif name == "position":
        n_items = jnp.sum(lists.where, axis=-1, keepdims=True).astype(stage.dtype)
        alpha = jnp.maximum(jnp.exp2(-stage) - jnp.exp2(-n_items), 0.0)
    return alpha if k is None else jnp.where(stage <= k, alpha, 0.0)


def _exact(lists: Lists, normalize: bool) -> jax.Array:
    r"""−Σ over the groups of log P(all of the group are drawn before all below).

    Let an item of worth w arrive after an exponential time of rate w; the order of
    arrival is Plackett-Luce. With worths relative to that of all below the group, the
    first of those arrives at a time x of density :math:`e^{-x}`, so

    .. math:: P = \int_0^\infty e^{-x} \prod_{a} (1 - e^{-w_a x}) \, dx.

    In log x the integrand is smooth and falls off at both ends, where the trapezoid
    rule is exact up to rounding.
    """
    labels = jnp.where(lists.where, lists.labels, jnp.nan)
    groups = draw_groups(labels, lists.weights)
    n_items = jnp.sum(lists.where, axis=-1, keepdims=True, dtype=jnp.int32)
    counts = lists.where & (groups.before + groups.size < n_items)
    scores = jnp.where(lists.where, center(lists), LOG_0)
    below = log_pair_sum(lower_label, scores, LabelTerms(labels, lists.weights))
    log_worths = jnp.where(counts, scores - jnp.where(counts, below, 0.0), 0.0)
    step = 0.25
    log_x = jnp.arange(-42.0, 6.0, step, dtype=scores.dtype)
    log_x = log_x.reshape((1,) * scores.ndim + (-1,))  # (1, …, 1, n_nodes)
    log_factors = log_1_minus_exp_minus_exp(log_worths[..., None] + log_x)
    weighted = jnp.where(counts, lists.weights, 0.0)[..., None] * log_factors
    same = (labels[..., :, None] == labels[..., None, :]).astype(scores.dtype)
    # e^{-x} dx = e^{log x − x} d log x; the product over the group is a sum of logs.
    log_integrand = log_x - jnp.exp(log_x) + same @ weighted  # (..., n, n_nodes)
    log_p = jax.nn.logsumexp(log_integrand, axis=-1) + math.log(step)
    m = jnp.maximum(groups.size, 1).astype(scores.dtype)  # each member has a share of P
    total = jnp.sum(jnp.where(counts, -log_p / m, 0.0), axis=-1)
    weight = jnp.sum(jnp.where(counts, lists.weights, 0.0), axis=-1)
    return divide(total, weight, normalize)


def log_1_minus_exp_minus_exp(x: jax.Array) -> jax.Array:
    """log(1 − e^(−e^x)), without cancellation; close to x for small x."""
    clipped = jnp.clip(x, -8.0, 5.0)
    exact = jnp.log(-jnp.expm1(-jnp.exp(clipped)))
    low = jnp.minimum(x, -8.0)
    z = jnp.exp(low)
    series = low - z / 2.0 + z * z / 24.0  # log((1 − e^−z) / z) = −z/2 + z²/24 − …
    return jnp.where(x < -8.0, series, jnp.where(x > 5.0, 0.0, exact))
