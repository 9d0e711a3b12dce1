"""Rewards of rankings, for reinforcement learning of whatever writes them.

Pure functions of ids and arrays in NumPy, one number per answer. Rewards by rank,
advantages of a group and the loss over them are in :mod:`ltr.losses`:
:func:`~ltr.losses.causal_dcg_rewards`, :func:`~ltr.losses.group_advantages` and
:func:`~ltr.losses.rank_grpo_loss`. A Plackett-Luce policy over six items, of which two
are relevant, learns their best order in ten lines:

>>> import jax, jax.numpy as jnp
>>> from ltr.losses import causal_dcg_rewards, order_log_probs, rank_grpo_loss
>>> from ltr.losses import sample_orders
>>> hits, scores = jnp.array([0.0, 1.0, 0.0, 1.0, 0.0, 0.0]), jnp.zeros(6)
>>> loss = lambda s, old, orders, rewards: rank_grpo_loss(
...     order_log_probs(s, orders), old, rewards
... )
>>> for step in range(20):
...     orders = sample_orders(scores, jax.random.key(step), n_samples=8)
...     old, rewards = order_log_probs(scores, orders), causal_dcg_rewards(hits[orders])
...     scores -= 2.0 * jax.grad(loss)(scores, old, orders, rewards)
>>> sorted(jnp.argsort(-scores)[:2].tolist())
[1, 3]
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_number, check_whole
from ltr.queries import FloatArray, IntArray

__all__ = [
    "exact_choice_reward",
    "format_reward",
    "inverse_cube_reward",
    "length_normalized",
    "listwise_rank_reward",
    "multi_view_reward",
    "pool_ranks",
    "prefix_deviation",
    "weighted_edit_distance",
]


def multi_view_reward(
    predicted: Any,
    gold: Sequence[Hashable],
    relevant: Collection[Hashable],
    *,
    weights: tuple[float, float, float] = (1.0, 0.2, 0.1),
    k: int = 10,
) -> float:
    r"""Reward of a whole order: NDCG, recall and overlap with a reference order.

    .. math:: w_1 \operatorname{NDCG@}k + w_2 \operatorname{recall@}k
        + w_3 \operatorname{AO}

    where AO, the average overlap with ``gold``, is the mean over depths d of the share
    of ids that the first d of both have in common: RBO with p = 1.

    Parameters
    ----------
    predicted : list of ids
        The answer, best first. Anything else has the reward −1.
    gold : sequence of ids
        The reference order. An answer that does not have each of its ids once has the
        reward 0.
    relevant : collection of ids
        Ids with relevance 1; others have 0.
    weights : tuple of float, default=(1.0, 0.2, 0.1)
        Of NDCG, recall and overlap.
    k : int, default=10
        Cut-off of NDCG and recall.

    Returns
    -------
    reward : float
        At most the sum of the weights. NDCG and recall are 0 if nothing is relevant.

    Raises
    ------
    ValueError
        If ``gold`` is empty or repeats an id, or ``k`` is below 1.

    References
    ----------
    .. [1] Liu et al., "ReasonRank: Empowering passage ranking with strong reasoning
       ability", 2025; weights as in its code.

    Examples
    --------
    >>> round(multi_view_reward([2, 1, 3, 4], [1, 2, 3, 4], {1, 4}), 6)
    0.925921
    >>> multi_view_reward("2 1 3 4", [1, 2, 3, 4], {1, 4})
    -1.0
    """
    check_whole("k", k, low=1)
    if not len(gold) or len(set(gold)) < len(gold):
        raise ValueError(f"gold must be distinct ids; got {list(gold)!r}.")
    if not isinstance(predicted, (list, tuple, np.ndarray)):
        return -1.0
    order = list(predicted)
    if not all(isinstance(word, Hashable) for word in order):
        return -1.0
    if len(order) != len(gold) or set(order) != set(gold):
        return 0.0
    hits = np.array([word in relevant for word in order], dtype=np.float64)
    n_relevant = len(set(relevant))
    discounts = 1.0 / np.log2(2.0 + np.arange(max(len(order), n_relevant)))
    ideal = discounts[: min(k, n_relevant)].sum()
    dcg = (hits * discounts[: len(hits)])[:k].sum()
    ndcg = dcg / ideal if n_relevant else 0.0
    recall = hits[:k].sum() / n_relevant if n_relevant else 0.0
    place = {word: i for i, word in enumerate(gold)}
    # a common id counts at every depth that reaches it in both orders
    depth = np.maximum(np.arange(len(order)), [place[word] for word in order])
    common = np.cumsum(np.bincount(depth, minlength=len(order)))
    overlap = float(np.mean(common / np.arange(1, len(order) + 1)))
    return float(np.dot(weights, (ndcg, recall, overlap)))


def pool_ranks(scores: ArrayLike) -> IntArray:
    """Rank scores of all rollouts of all documents in one pool.

    Parameters
    ----------
    scores : array of shape (n_docs, n_rollouts)
        Scores; NaN for an answer without one.

    Returns
    -------
    ranks : int array of shape (n_docs, n_rollouts)
        1 is the best; equal scores have the best of their ranks, and NaN the rank
        after all scores.

    Examples
    --------
    >>> pool_ranks([[9, 7], [8, 3], [5, 2]]).tolist()
    [[1, 3], [2, 5], [4, 6]]
    """
    array = np.asarray(scores, dtype=np.float64)
    values = -array.ravel()
    # NaN is sorted last, and found before the first NaN
    ranks = 1 + np.searchsorted(np.sort(values), values, side="left")
    return ranks.reshape(array.shape)


def listwise_rank_reward(
    scores: ArrayLike,
    positive: ArrayLike,
    reference: ArrayLike,
    penalty: float = 1.0,
) -> FloatArray:
    r"""Reward of pointwise scores by their ranks in the list.

    Each document is scored several times; all scores of a query form one pool. With the
    rank φ of :func:`pool_ranks`, the score s and the reference t of a document

    .. math:: r = \begin{cases} 1 / \varphi & \text{positive} \\
        -p & \text{no score, or negative and not below all positives} \\
        -\min(p, (s - t)^2) & \text{negative, below all positives}\end{cases}

    Parameters
    ----------
    scores : array of shape (n_docs, n_rollouts)
        Scores s; NaN for an answer without one.
    positive : bool array of shape (n_docs,)
        Whether a document is relevant.
    reference : array of shape (n_docs,), or float
        Scores t that negatives should have.
    penalty : float, default=1.0
        p ≥ 0.

    Returns
    -------
    rewards : float array of shape (n_docs, n_rollouts)
        In [−p, 1].

    Notes
    -----
    The form is that of the paper; its constants could not be verified, so that the
    parameters carry them.

    References
    ----------
    .. [1] Cai et al., "ERank: Fusing supervised fine-tuning and reinforcement learning
       for effective and efficient text reranking", 2025.

    Examples
    --------
    >>> scores = [[9, 7], [8, 3], [5, float("nan")]]
    >>> listwise_rank_reward(scores, [True, False, False], 4.5).round(3).tolist()
    [[1.0, 0.333], [-1.0, -1.0], [-0.25, -1.0]]
    """
    check_number("penalty", penalty, low=0)
    array = np.asarray(scores, dtype=np.float64)
    is_positive = np.asarray(positive, dtype=bool)
    if array.ndim != 2 or is_positive.shape != array.shape[:1]:
        raise ValueError(
            "scores must have shape (n_docs, n_rollouts), and positive (n_docs,); got "
            f"{array.shape} and {is_positive.shape}."
        )
    target = np.broadcast_to(np.asarray(reference, np.float64), is_positive.shape)
    # ∞ where no positive has a score
    lowest = np.nanmin(np.append(array[is_positive], np.inf))
    rewards = -np.minimum(penalty, (array - target[:, None]) ** 2)
    rewards = np.where(array < lowest, rewards, -penalty)
    rewards = np.where(is_positive[:, None], 1.0 / pool_ranks(array), rewards)
    return np.where(np.isnan(array), -penalty, rewards)


def inverse_cube_reward(ranks: ArrayLike, n_positive: int) -> float:
    r"""Reward of the ranks that the positives got: their inverse cubes.

    .. math:: \sum_p \frac{1}{r_p^3} \Bigm/ \sum_{i=1}^{n} \frac{1}{i^3}

    Parameters
    ----------
    ranks : array of int
        Rank from 1 of each positive that is in the answer; distinct.
    n_positive : int
        Number n of positives, in the answer or not.

    Returns
    -------
    reward : float
        In [0, 1]; 1 if all positives come first.

    Raises
    ------
    ValueError
        If ranks are no distinct whole numbers from 1, or more than ``n_positive``.

    References
    ----------
    .. [1] Xu et al., "MM-R5: MultiModal reasoning-enhanced reranker via reinforcement
       learning for document retrieval", 2025.

    Examples
    --------
    >>> inverse_cube_reward([2, 4], 2)
    0.125
    """
    check_whole("n_positive", n_positive, low=1)
    array = np.asarray(ranks, dtype=np.float64).ravel()
    is_rank = (array >= 1) & (array == np.floor(array))
    if not is_rank.all() or len(np.unique(array)) < len(array):
        raise ValueError(
            f"ranks must be distinct whole numbers from 1; got {array.tolist()}."
        )
    if len(array) > n_positive:
        raise ValueError(
            f"ranks must be those of at most n_positive={n_positive} items; got "
            f"{len(array)}."
        )
    # terms from 10⁶ on add less than 10⁻¹²
    best = np.arange(1.0, min(n_positive, 10**6) + 1.0)
    return float((array**-3.0).sum() / (best**-3.0).sum())


def format_reward(raw: Sequence[Any], n: int) -> float:
    r"""Reward of the form of an answer: its length, and the share of valid numbers.

    .. math:: \frac{\max(0, n - |m - n|)}{n} \cdot \frac{v}{m}

    for m numbers of which v are distinct and from 1 to n. A repeat does not count, so
    that writing the first number n times earns nothing.

    Parameters
    ----------
    raw : sequence
        Numbers of the answer, from 1.
    n : int
        Number of items that the answer should order.

    Returns
    -------
    reward : float
        In [0, 1]; 1 for a permutation.

    References
    ----------
    .. [1] MM-R5, as in :func:`inverse_cube_reward`; its own code counts repeats.

    Examples
    --------
    >>> format_reward([2, 2, 9], 4), format_reward([3, 1, 2], 3)
    (0.25, 1.0)
    """
    check_whole("n", n, low=1)
    size = len(raw)
    if not size:
        return 0.0
    valid = {
        int(number)
        for number in raw
        if isinstance(number, (int, np.integer))
        and not isinstance(number, bool)
        and 1 <= number <= n
    }
    return max(0, n - abs(size - n)) / n * len(valid) / size


def exact_choice_reward(predicted: Any, gold: Any) -> float:
    """1 if the right item was picked, else 0.

    Parameters
    ----------
    predicted, gold : ids
        The pick, and the right one.

    Returns
    -------
    reward : float

    References
    ----------
    .. [1] Zhuang et al., "Rank-R1: Enhancing reasoning in LLM-based document rerankers
       via reinforcement learning", 2025.

    Examples
    --------
    >>> exact_choice_reward("d3", "d3"), exact_choice_reward(None, "d3")
    (1.0, 0.0)
    """
    return float(predicted == gold)


def length_normalized(
    log_probs: ArrayLike, lengths: ArrayLike, alpha: float = 2.0
) -> FloatArray:
    r"""Scores of generated candidates: log-probability by length to the power α.

    Parameters
    ----------
    log_probs : array of shape (...)
        Log-probability of each candidate, the sum over its tokens.
    lengths : array of shape (...)
        Number of its tokens, at least 1.
    alpha : float, default=2.0
        α; 0 ranks by the probability, 1 by its mean per token.

    Returns
    -------
    scores : float array of shape (...)

    Raises
    ------
    ValueError
        If a length is below 1.

    References
    ----------
    .. [1] Liu et al., "BRIO: Bringing order to abstractive summarization", ACL 2022,
       equation 9.

    Examples
    --------
    >>> length_normalized([-4.0, -9.0], [2, 3]).tolist()
    [-1.0, -1.0]
    """
    sizes = np.asarray(lengths, dtype=np.float64)
    if (sizes < 1).any() or np.isnan(sizes).any():
        raise ValueError(f"lengths must be >= 1; got {np.nanmin(sizes)}.")
    return np.asarray(np.asarray(log_probs, np.float64) / sizes**alpha)


def weighted_edit_distance(
    a: Sequence[Any],
    b: Sequence[Any],
    substitution: Callable[[Any, Any], float],
    gap: float = 1.0,
) -> float:
    """Least total cost of edits that turn one sequence into another.

    A target for a ranker of candidates whose distance to the truth is known in
    training: fit ``loss="mse"`` on minus the distance.

    Parameters
    ----------
    a, b : sequences
        Such as strings.
    substitution : callable
        Cost ≥ 0 of replacing an element of ``a`` by one of ``b``; 0 if they are equal.
    gap : float, default=1.0
        Cost of an element without a counterpart.

    Returns
    -------
    distance : float

    References
    ----------
    .. [1] Qiu et al., "RankNovo: A universal reranking approach for robust de novo
       peptide sequencing", 2025: the peptide mass deviation.

    Examples
    --------
    >>> weighted_edit_distance("kitten", "sitting", lambda x, y: float(x != y))
    3.0
    """
    # D(i, j) = min(D(i−1, j−1) + c(aᵢ, bⱼ), D(i−1, j) + gap, D(i, j−1) + gap)
    above = [gap * j for j in range(len(b) + 1)]
    for i, x in enumerate(a, 1):
        row = [gap * i]
        for j, y in enumerate(b, 1):
            replaced = above[j - 1] + substitution(x, y)
            row.append(min(replaced, above[j] + gap, row[-1] + gap))
        above = row
    return float(above[-1])


def prefix_deviation(
    a: Sequence[Any], b: Sequence[Any], mass: Mapping[Any, float]
) -> FloatArray:
    """By how much each prefix of a sequence misses the nearest prefix of another.

    Parameters
    ----------
    a : sequence
        A candidate.
    b : sequence
        The truth, not empty.
    mass : mapping
        Mass of each element; the mass of a prefix is their sum.

    Returns
    -------
    deviations : float array of shape (len(a),)
        Mass of the prefix less that of the nearest prefix of ``b``.

    Raises
    ------
    ValueError
        If ``b`` is empty.

    References
    ----------
    .. [1] RankNovo, as in :func:`weighted_edit_distance`: the residue mass deviation.

    Examples
    --------
    >>> prefix_deviation("GGK", "NK", {"G": 1.0, "N": 2.5, "K": 3.0}).tolist()
    [-1.5, -0.5, -0.5]
    """
    if not len(b):
        raise ValueError("b must have at least one element; got none.")
    prefixes, targets = (
        np.cumsum([mass[element] for element in sequence], dtype=np.float64)
        for sequence in (a, b)
    )
    nearest = np.abs(prefixes[:, None] - targets).argmin(axis=1)
    return np.asarray(prefixes - targets[nearest])
