"""Distillation: losses that read the scores of a teacher."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_whole
from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import (
    Lists,
    check_key,
    check_positive,
    divide,
    masked_input,
    masked_log_softmax,
    prepare,
)
from ltr.losses.kernels.ranks import lexicographic_ranks
from ltr.losses.listwise import cross_entropy, top_2_cross_entropy
from ltr.losses.pairwise import soft_ranknet
from ltr.losses.plackett_luce import draw_stages, listmle_loss


@ranking_loss(
    learns_from="two_items",
    shift_invariant=True,
    convex=True,
    smooth=True,
    bounds=(0.0, math.inf),
)
def pld_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    teacher_scores: ArrayLike,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    temperature: float = 1.0,
    normalize: bool = False,
) -> jax.Array:
    r"""Plackett-Luce distillation: the teacher's order, weighted by the teacher's mass.

    .. math:: \ell = \sum_{r=1}^{n} \alpha_r \Bigl[ \log \sum_{q \ge r} e^{s_{\pi_q}}
        - s_{\pi_r} \Bigr], \quad
        \alpha_r = \mathrm{softmax}(t / T)_{\pi_r}

    π puts the items with higher labels first and orders equal labels by the teacher:
    with one label of 1 that is the teacher-optimal order of the paper, with equal
    labels the order of the teacher alone.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Scores of the student, higher is better.
    labels : array of shape (..., list_size)
        Labels, any real numbers; all equal if there are none.
    teacher_scores : array of shape (..., list_size)
        Scores of the teacher.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums. None: 1.
    temperature : float, default=1.0
        T > 0 of the teacher; the student is not softened.
    normalize : bool, default=False
        Divide by the teacher's mass of the items that are drawn from at least two.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0 without ties; 0 for an empty list or a single item.

    Notes
    -----
    Items that tie in label and teacher follow Efron's rule, so that the order of rows
    does not matter. Graded labels and lists without a label are our extension of the
    paper, which has one true class. A constant teacher gives ListMLE / n. O(n²) adding
    up to 512 items, O(n log n) beyond.

    References
    ----------
    .. [1] "Plackett-Luce distillation", NeurIPS 2025, section 4 and, for the gradient,
       appendix A.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> scores, teacher = jnp.array([1.0, 0.0]), jnp.array([0.0, 0.0])
    >>> loss = pld_loss(scores, jnp.array([1, 0]), teacher_scores=teacher)
    >>> round(float(loss), 4)  # ½ log(1 + 1 / e)
    0.1566
    """
    check_positive("temperature", temperature)
    lists = prepare(scores, labels, where, weights, teacher_scores=teacher_scores)
    teacher = masked_input(lists, teacher_scores)
    ranks = lexicographic_ranks(lists.labels, teacher, lists.where)
    # Items that tie in π tie in the teacher too, so each draw of their group has one α.
    alpha = jnp.exp(masked_log_softmax(lists, teacher / temperature))
    stages = draw_stages(lists, -ranks.astype(lists.scores.dtype), "efron", None)
    return stages.weighted(
        alpha * stages.draw_weights, alpha * lists.weights, normalize
    )


@ranking_loss(
    learns_from="two_items",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="softmax",
)
def kl_distillation_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    teacher_scores: ArrayLike,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    temperature: float = 1.0,
    symmetric: bool = False,
) -> jax.Array:
    r"""Knowledge distillation: divergence of the student's softmax from the teacher's.

    .. math:: \ell = T^2 \, \mathrm{KL}\bigl(\mathrm{softmax}(t / T) \,\|\,
        \mathrm{softmax}(s / T)\bigr)

    With ``symmetric``, :math:`\tfrac12 \mathrm{KL}(q \,\|\, p) + \tfrac12
    \mathrm{KL}(p \,\|\, q)` of the student's softmax p and the teacher's q.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Scores of the student, higher is better.
    labels : array of shape (..., list_size)
        Not read.
    teacher_scores : array of shape (..., list_size)
        Scores of the teacher.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums; weight 2 is the item twice. None: 1.
    temperature : float, default=1.0
        T > 0 of both.
    symmetric : bool, default=False
        The mean of both directions, without the factor T², as in [2]; not convex.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0, and 0 where s = t + const.

    References
    ----------
    .. [1] Hinton, Vinyals & Dean, "Distilling the knowledge in a neural network", 2015.
    .. [2] Gu et al., "UniME-V2", 2025: ``symmetric``, which it calls JS divergence.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> scores, labels = jnp.array([1.0, 0.0]), jnp.zeros(2)
    >>> float(kl_distillation_loss(scores, labels, teacher_scores=scores + 3.0))
    0.0
    """
    check_positive("temperature", temperature)
    lists = prepare(scores, labels, where, weights, teacher_scores=teacher_scores)
    teacher = masked_input(lists, teacher_scores)
    if not symmetric:
        return _tempered_kl(lists, teacher, temperature)
    log_p = masked_log_softmax(lists, lists.scores / temperature)
    log_q = masked_log_softmax(lists, teacher / temperature)
    # ½ KL(q ‖ p) + ½ KL(p ‖ q) = ½ Σ (q − p)(log q − log p)
    terms = (jnp.exp(log_q) - jnp.exp(log_p)) * (log_q - log_p)
    return 0.5 * jnp.sum(lists.weights * terms, axis=-1)


@ranking_loss(
    learns_from="two_items",
    shift_invariant=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.log(2.0)),
)
def js_distillation_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    teacher_scores: ArrayLike,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> jax.Array:
    r"""Jensen-Shannon divergence between the softmax of the student and of the teacher.

    .. math:: \ell = \tfrac12 \mathrm{KL}(p \,\|\, m)
        + \tfrac12 \mathrm{KL}(q \,\|\, m), \quad m = \tfrac12 (p + q)

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Scores of the student, higher is better.
    labels : array of shape (..., list_size)
        Not read.
    teacher_scores : array of shape (..., list_size)
        Scores of the teacher.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums; weight 2 is the item twice. None: 1.

    Returns
    -------
    loss : array of shape (...)
        In [0, log 2]; symmetric in student and teacher, and not convex.

    References
    ----------
    .. [1] Lin, "Divergence measures based on the Shannon entropy", 1991, eq. (3.1).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> scores, labels = jnp.array([1.0, 0.0]), jnp.zeros(2)
    >>> float(js_distillation_loss(scores, labels, teacher_scores=scores + 3.0))
    0.0
    """
    lists = prepare(scores, labels, where, weights, teacher_scores=teacher_scores)
    log_p = masked_log_softmax(lists, lists.scores)
    log_q = masked_log_softmax(lists, masked_input(lists, teacher_scores))
    log_m = jnp.logaddexp(log_p, log_q) - jnp.log(2.0).astype(log_p.dtype)
    # Logs are of one copy of an item, masses of all its w copies.
    p, q = lists.weights * jnp.exp(log_p), lists.weights * jnp.exp(log_q)
    terms = p * (log_p - log_m) + q * (log_q - log_m)
    return 0.5 * jnp.sum(jnp.where(lists.where, terms, 0.0), axis=-1)


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
)
def margin_mse_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    teacher_scores: ArrayLike,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> jax.Array:
    r"""MarginMSE: regression of score margins on the teacher's margins.

    .. math:: \ell = \frac{\sum_{y_i > 0 \ge y_j} w_i w_j
        \bigl((s_i - s_j) - (t_i - t_j)\bigr)^2}{\sum_{y_i > 0 \ge y_j} w_i w_j}

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Scores of the student, higher is better.
    labels : array of shape (..., list_size)
        Relevant if > 0.
    teacher_scores : array of shape (..., list_size)
        Scores of the teacher.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without a relevant or without an irrelevant item.

    Notes
    -----
    In O(list_size). The paper has one relevant and one irrelevant item; the mean over
    all such pairs is our extension.

    References
    ----------
    .. [1] Hofstätter et al., "Improving efficient neural ranking models with
       cross-architecture knowledge distillation", 2020, eq. (5).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> scores, labels = jnp.array([1.0, 0.0]), jnp.array([1, 0])
    >>> margin_mse_loss(scores, labels, teacher_scores=jnp.array([5.0, 1.0]))
    Array(9., dtype=float32)
    """
    # With errors e = s − t, the mean over the pairs of (e_i − e_j)² is the sum of the
    # two variances plus the squared difference of the two means.
    lists = prepare(scores, labels, where, weights, teacher_scores=teacher_scores)
    error = lists.scores - masked_input(lists, teacher_scores)
    positive = jnp.where(lists.labels > 0, lists.weights, 0.0)
    negative = lists.weights - positive
    mean, spread, weight = zip(
        *(_moments(error, share) for share in (positive, negative)), strict=True
    )
    value = spread[0] + spread[1] + (mean[0] - mean[1]) ** 2
    return jnp.where((weight[0] > 0) & (weight[1] > 0), value, 0.0)


@ranking_loss(
    learns_from="two_items",
    shift_invariant=True,
    convex=True,
    smooth=True,
    bounds=(0.0, math.inf),
)
def rankdistil_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    teacher_scores: ArrayLike,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    k: int = 2,
    n_samples: int = 8,
    normalize: bool = False,
) -> jax.Array:
    r"""RankDistil: likelihood of the teacher's top k, expected over the teacher.

    .. math:: \ell = -\mathbb{E}_{\pi \sim PL_k(t)} \log PL_k(\pi \mid s)

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Scores of the student, higher is better.
    labels : array of shape (..., list_size)
        Not read.
    teacher_scores : array of shape (..., list_size)
        Scores of the teacher.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums. None: 1.
    key : PRNG key, default=None
        Draws the orders if k > 2.
    k : int, default=2
        Length of the top. Up to 2 the expectation is exact.
    n_samples : int, default=8
        Orders drawn from the teacher if ``k`` > 2.
    normalize : bool, default=False
        No effect for ``k`` up to 2; beyond, divide by the draws of each order.

    Returns
    -------
    loss : array of shape (...)
        At least the entropy of the teacher's top k, reached where s = t + const.

    Raises
    ------
    ValueError
        If ``k`` > 2 without ``key``.

    Notes
    -----
    The paper also pushes down the items outside the top; as in TF-Ranking, that part
    is omitted.

    References
    ----------
    .. [1] Reddi et al., "RankDistil: knowledge distillation for ranking", AISTATS 2021,
       section 4.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> zeros, teacher = jnp.zeros(2), jnp.array([9.0, 1.0])
    >>> loss = rankdistil_loss(zeros, zeros, teacher_scores=teacher, k=1)
    >>> round(float(loss), 4)  # log 2
    0.6931
    """
    check_whole("k", k, low=1, optional=True)
    lists = prepare(scores, labels, where, weights, teacher_scores=teacher_scores)
    teacher = masked_input(lists, teacher_scores)
    if k <= 2:
        return (cross_entropy if k == 1 else top_2_cross_entropy)(lists, teacher)
    key = check_key(key, f"k={k} > 2")
    # Sorting t + Gumbel noise draws an order from PL(t) (Yellott 1977), and ListMLE@k
    # of the student on that order is −log PL_k(π | s).
    noise = jax.random.gumbel(key, (n_samples, *teacher.shape), teacher.dtype)
    losses = listmle_loss(
        jnp.broadcast_to(lists.scores, noise.shape),
        teacher[None] + noise,
        where=jnp.broadcast_to(lists.where, noise.shape),
        weights=jnp.broadcast_to(lists.weights, noise.shape),
        k=k,
        normalize=normalize,
    )
    return losses.mean(axis=0)


@ranking_loss(
    labels="from_0",
    learns_from="two_items",
    shift_invariant=True,
    convex=True,
    smooth=True,
    bounds=(0.0, math.inf),
)
def dear_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    teacher_scores: ArrayLike,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    alpha: float = 0.1,
    beta: float = 0.5,
    temperature: float = 2.0,
    normalize: bool = False,
) -> jax.Array:
    r"""DeAR: a mixture of label losses and distillation for pointwise rerankers.

    .. math:: \ell = (1 - \alpha) \bigl[ \beta \, \mathrm{RankNet}_{soft}(s, y)
        + (1 - \beta) \, \mathrm{CE}(s, y) \bigr]
        + \alpha T^2 \mathrm{KL}\bigl(\mathrm{softmax}(t / T) \,\|\,
        \mathrm{softmax}(s / T)\bigr)

    RankNet is the mean over all pairs with targets :math:`1 / (1 + e^{-(y_i - y_j)})`,
    CE the softmax cross-entropy with the labels divided by their sum.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Scores of the student, higher is better.
    labels : array of shape (..., list_size)
        Labels ≥ 0; in the paper 1 for one item and 0 for the others.
    teacher_scores : array of shape (..., list_size)
        Scores of the teacher.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums; weight 2 is the item twice. None: 1.
    alpha : float, default=0.1
        Share α of the teacher in [0, 1].
    beta : float, default=0.5
        Share β of RankNet within the other part, in [0, 1].
    temperature : float, default=2.0
        T > 0.
    normalize : bool, default=False
        No effect: all parts are means.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for an empty list or a single item.

    References
    ----------
    .. [1] After the code of Abdallah et al., "DeAR: dual-stage document reranking with
       reasoning agents", 2025; the equations of the paper were not checked.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> scores, labels = jnp.array([1.0, 0.0]), jnp.array([1, 0])
    >>> loss = dear_loss(scores, labels, teacher_scores=jnp.array([2.0, 0.0]))
    >>> round(float(loss), 4)
    0.4135
    """
    check_positive("temperature", temperature)
    lists = prepare(scores, labels, where, weights, teacher_scores=teacher_scores)
    teacher = masked_input(lists, teacher_scores)
    total, weight = soft_ranknet(lists.scores, lists.labels, lists.weights, lists.where)
    pairs = divide(total, weight, normalize=True)
    targets = lists.weights * lists.labels
    log_p = masked_log_softmax(lists, lists.scores)
    entropy = divide(-jnp.sum(targets * log_p, axis=-1), targets.sum(-1), True)
    kl = _tempered_kl(lists, teacher, temperature)
    main = beta * pairs + (1.0 - beta) * entropy
    return (1.0 - alpha) * main + alpha * kl


def _tempered_kl(lists: Lists, teacher: jax.Array, temperature: float) -> jax.Array:
    log_p = masked_log_softmax(lists, lists.scores / temperature)
    log_q = masked_log_softmax(lists, teacher / temperature)
    terms = lists.weights * jnp.exp(log_q) * (log_q - log_p)
    return temperature**2 * jnp.sum(terms, axis=-1)


def _moments(
    values: jax.Array, share: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Mean, variance and weight of the items with a share."""
    weight = share.sum(axis=-1, keepdims=True)
    mean = jnp.sum(share * values, axis=-1, keepdims=True)
    mean /= jnp.where(weight > 0, weight, 1.0)
    variance = jnp.sum(share * (values - mean) ** 2, axis=-1)
    variance /= jnp.where(weight > 0, weight, 1.0)[..., 0]
    return mean[..., 0], variance, weight[..., 0]
