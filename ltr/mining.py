"""Training lists from similarities and judges: positives to trust, hard negatives.

Similarities are arrays with a row per query and a column per item; a judge is a
function of yours, such as a model that reads both texts. Queries and items are numbered
by rows and columns. What comes back are numbers of items, or the lists of a round of
mining as :class:`ltr.datasets.RankingData`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_number, check_whole
from ltr.datasets import RankingData, read_qrels
from ltr.files import id_text
from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.rewards import multi_view_reward

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "consistency_filter",
    "mine_hard_negatives",
    "mine_rounds",
    "rewrite_queries",
    "sample_negatives",
    "self_consistency_filter",
]
Model = TypeVar("Model")


def _pairs(similarity: ArrayLike, positives: ArrayLike) -> tuple[FloatArray, IntArray]:
    """Check similarities, and the item that is the positive of each query."""
    matrix = np.asarray(similarity, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(
            f"similarity must have shape (n_queries, n_items); got {matrix.shape}."
        )
    bad = np.argwhere(np.isnan(matrix))
    if len(bad):
        row, column = bad[0].tolist()
        raise ValueError(
            f"similarity must have no NaN; got one for query {row}, item {column}."
        )
    items = np.asarray(positives)
    n_queries, n_items = matrix.shape
    is_whole = items.dtype.kind in "iu" and items.shape == (n_queries,)
    if not is_whole or (items < 0).any() or (items >= n_items).any():
        raise ValueError(
            f"positives must be an item from 0 to {n_items - 1} for each of "
            f"{n_queries} queries; got {positives!r}."
        )
    return matrix, items.astype(np.intp)


def consistency_filter(
    similarity: ArrayLike,
    positives: ArrayLike,
    *,
    top: int = 2,
    threshold: float | None = None,
) -> BoolArray:
    """Which pairs of a query and its positive to keep: those that a model confirms.

    Parameters
    ----------
    similarity : array of shape (n_queries, n_items)
        By an embedding model that was not trained on these pairs.
    positives : int array of shape (n_queries,)
        The item that is said to be relevant to each query.
    top : int, default=2
        The positive must be among this many nearest items.
    threshold : float, default=None
        The positive must have at least this similarity. None: any.

    Returns
    -------
    is_consistent : bool array of shape (n_queries,)
        An item as near as the positive counts as nearer: a tie is no evidence.

    Raises
    ------
    ValueError
        If ``top`` is below 1, a similarity is NaN or a positive is no item.

    References
    ----------
    .. [1] Suresh et al., "CoRNStack: High-quality contrastive data for better code
       retrieval and reranking", ICLR 2025.

    Examples
    --------
    >>> similarity = [[0.9, 0.2, 0.1], [0.8, 0.6, 0.7], [0.1, 0.65, 0.64]]
    >>> consistency_filter(similarity, [0, 1, 2], threshold=0.62).tolist()
    [True, False, True]
    """
    check_whole("top", top, low=1)
    check_number("threshold", threshold, optional=True)
    matrix, items = _pairs(similarity, positives)
    value = np.take_along_axis(matrix, items[:, None], axis=1)
    is_near = (matrix >= value).sum(axis=1) <= top
    return is_near if threshold is None else is_near & (value[:, 0] >= threshold)


class HardNegatives(NamedTuple):
    """Negatives of each query, and what the judge thinks of them.

    Attributes
    ----------
    indices : int array of shape (n_queries, k)
        Items; repeated where a query has fewer than k.
    scores : float array of shape (n_queries, k)
        The judge's scores, soft labels for
        ``kl_distillation_loss(symmetric=True)``.
    """

    indices: IntArray
    scores: FloatArray


def mine_hard_negatives(
    similarity: ArrayLike,
    positives: ArrayLike,
    judge: Callable[[int, IntArray], ArrayLike],
    *,
    depth: int = 50,
    beta: float = 0.1,
    step: int = 5,
    k: int = 10,
    random_state: int | None = None,
) -> HardNegatives:
    """Mine near items that a judge does not think relevant, and spread out.

    Of the ``depth`` nearest items of a query, those that the judge scores higher than
    its positive less ``beta`` are dropped as false negatives. Of the others, nearest
    first, every ``step``-th is taken, then from the second on every ``step``-th, and so
    forth, until there are k.

    Parameters
    ----------
    similarity : array of shape (n_queries, n_items)
        Of a query to every item.
    positives : int array of shape (n_queries,)
        The relevant item of each query, which is never a negative.
    judge : callable
        ``judge(query, items)`` with the number of a query and an array of items returns
        a score for each, such as the probability of relevance.
    depth : int, default=50
        Nearest items to be judged.
    beta : float, default=0.1
        How much below the positive a negative must be, ≥ 0.
    step : int, default=5
        Distance of negatives in the order of similarity.
    k : int, default=10
        Negatives per query. If a query has fewer, they are repeated in turn.
    random_state : int or None, default=None
        Seed for queries without any: their negatives are drawn from the items that were
        not among the nearest.

    Returns
    -------
    negatives : HardNegatives

    Raises
    ------
    ValueError
        If the judge does not return a number for each item, or a query has no item but
        its positive and false negatives.

    References
    ----------
    .. [1] Gu et al., "UniME-V2: MLLM-as-a-judge for universal multimodal embedding
       learning", 2025. There, drawn negatives have the score 1.0 unjudged.

    Examples
    --------
    >>> judged = np.array([0.95, 0.3, 0.85, 0.2, 0.6, 0.1, 0.7, 0.05, 0.9])
    >>> nearness = np.append(np.linspace(0.8, 0.1, 8), 0.9)  # item 8 is the positive
    >>> negatives = mine_hard_negatives(
    ...     nearness[None], [8], lambda query, items: judged[items], step=3, k=4
    ... )
    >>> negatives.indices.tolist(), negatives.scores.tolist()
    ([[1, 5, 3, 6]], [[0.3, 0.1, 0.2, 0.7]])
    """
    for name, value in (("depth", depth), ("step", step), ("k", k)):
        check_whole(name, value, low=1)
    check_number("beta", beta, low=0)
    matrix, items = _pairs(similarity, positives)
    rng = np.random.default_rng(random_state)

    def judged(query: int, candidates: IntArray) -> FloatArray:
        scores = np.asarray(judge(query, candidates), dtype=np.float64)
        if scores.shape != candidates.shape or np.isnan(scores).any():
            raise ValueError(
                f"judge must return a number for each of {len(candidates)} items; got "
                f"{scores.tolist()!r} for query {query}."
            )
        return scores

    indices = np.empty((len(items), k), dtype=np.intp)
    scores = np.empty((len(items), k))
    for query, positive in enumerate(items.tolist()):
        order = np.argsort(-matrix[query], kind="stable")
        order = order[order != positive]
        near, far = order[:depth], order[depth:]
        # the positive first: one call for the pool and the bar that it sets
        values = judged(query, np.concatenate([[positive], near]))
        is_negative = values[1:] <= values[0] - beta
        pool, pool_scores = near[is_negative], values[1:][is_negative]
        if not len(pool):
            if not len(far):
                raise ValueError(
                    f"query {query} has no item but its positive and {len(near)} that "
                    "the judge thinks relevant. Raise depth or lower beta."
                )
            pool = rng.choice(far, min(k, len(far)), replace=False)
            pool_scores = judged(query, pool)
        spread = np.concatenate([np.arange(i, len(pool), step) for i in range(step)])
        spread = np.resize(spread, k)  # repeated in turn
        indices[query], scores[query] = pool[spread], pool_scores[spread]
    return HardNegatives(indices, scores)


def sample_negatives(
    similarity: ArrayLike,
    positives: ArrayLike,
    n: int,
    *,
    temperature: float,
    upper: float | None = None,
    random_state: int | None = None,
) -> IntArray:
    r"""Draw distinct negatives with a probability that grows with similarity.

    The next negative is item j with :math:`p_j \propto e^{s_j / \tau}` among those not
    drawn yet. For a curriculum, lower the temperature from epoch to epoch.

    Parameters
    ----------
    similarity : array of shape (n_queries, n_items)
        s; −inf is never drawn.
    positives : int array of shape (n_queries,)
        The relevant item of each query, which is never drawn.
    n : int
        Negatives per query.
    temperature : float
        τ > 0; the smaller, the harder.
    upper : float, default=None
        Items with a greater similarity are never drawn: they may be relevant. None:
        all may be.
    random_state : int or None, default=None
        Seed.

    Returns
    -------
    indices : int array of shape (n_queries, n)
        Items, in the order in which they were drawn.

    Raises
    ------
    ValueError
        If a query has fewer than ``n`` items to draw from.

    References
    ----------
    .. [1] CoRNStack, as in :func:`consistency_filter`.

    Examples
    --------
    >>> similarity = [[0.9, 0.8, 0.5, 0.2, 1.0]]
    >>> sample_negatives(
    ...     similarity, [4], 2, temperature=0.01, upper=0.88, random_state=0
    ... ).tolist()
    [[1, 2]]
    """
    check_whole("n", n, low=1)
    check_number("temperature", temperature, low=0, open_low=True)
    check_number("upper", upper, optional=True)
    matrix, items = _pairs(similarity, positives)
    logits = matrix / temperature
    logits[np.arange(len(items)), items] = -np.inf
    if upper is not None:
        logits[matrix > upper] = -np.inf
    n_candidates = (logits > -np.inf).sum(axis=1)
    if (n_candidates < n).any():
        query = int((n_candidates < n).argmax())
        raise ValueError(
            f"a query must have at least n={n} items to draw from; got "
            f"{n_candidates[query]} for query {query}."
        )
    # the Gumbel trick: sorting logits + noise draws without replacement
    noise = np.random.default_rng(random_state).gumbel(size=matrix.shape)
    return np.argsort(-(logits + noise), axis=1, kind="stable")[:, :n]


def self_consistency_filter(
    order: Sequence[Hashable],
    relevant: Collection[Hashable],
    *,
    min_ndcg: float = 0.4,
    k: int = 10,
) -> bool:
    """Whether a judge's order agrees with what is known to be relevant.

    Parameters
    ----------
    order : sequence of ids
        All candidates, best first.
    relevant : collection of ids
        Those known to be relevant.
    min_ndcg : float, default=0.4
        Least NDCG@k of the order that is good enough to learn from.
    k : int, default=10
        Cut-off.

    Returns
    -------
    is_consistent : bool

    References
    ----------
    .. [1] Liu et al., "ReasonRank: Empowering passage ranking with strong reasoning
       ability", 2025.

    Examples
    --------
    >>> self_consistency_filter(["a", "b", "c"], {"a"})
    True
    >>> self_consistency_filter([*"bcdefga"], {"a"})
    False
    """
    ids = list(order)
    ndcg = multi_view_reward(ids, ids, relevant, weights=(1.0, 0.0, 0.0), k=k)
    return ndcg >= min_ndcg


def mine_rounds(
    fit: Callable[[RankingData], Model],
    search: Callable[[Model | None, int], RankingData],
    judge: Callable[[RankingData], ArrayLike],
    *,
    rounds: int = 2,
    depth: int = 50,
) -> Iterator[RankingData]:
    """Fit a model on what a judge thinks of what the model before it found.

    Parameters
    ----------
    fit : callable
        ``fit(data)`` returns a model.
    search : callable
        ``search(model, depth)`` returns the candidates of each query as lists, whose
        labels do not count; in the first round the model is None.
    judge : callable
        ``judge(data)`` returns a label for each row.
    rounds : int, default=2
        Times to search, judge and fit.
    depth : int, default=50
        Candidates per query, handed to ``search``.

    Yields
    ------
    data : RankingData
        The lists of a round with the judge's labels, after ``fit`` was called.

    Raises
    ------
    ValueError
        If the judge does not return a number for each row.

    References
    ----------
    .. [1] Li et al., "Unified demonstration retriever for in-context learning", ACL
       2023.

    Examples
    --------
    >>> items = np.arange(6.0)
    >>> def search(model, depth):
    ...     nearest = np.argsort(np.abs(items - (model or 0.0)))[:depth]
    ...     return RankingData(
    ...         items[nearest, None], np.zeros(depth), np.zeros(depth)
    ...     )
    >>> fit = lambda data: data.X[data.y.argmax(), 0]
    >>> judge = lambda data: data.X[:, 0]
    >>> [data.y.tolist() for data in mine_rounds(fit, search, judge, depth=3)]
    [[0.0, 1.0, 2.0], [2.0, 1.0, 3.0]]
    """
    check_whole("rounds", rounds, low=1)
    check_whole("depth", depth, low=1)
    model: Model | None = None
    for _ in range(rounds):
        candidates = search(model, depth)
        labels = np.asarray(judge(candidates), dtype=np.float64)
        if labels.shape != candidates.y.shape or np.isnan(labels).any():
            raise ValueError(
                f"judge must return a number for each of {len(candidates.y)} rows; got "
                f"shape {labels.shape}, {int(np.isnan(labels).sum())} NaN."
            )
        data = replace(candidates, y=labels)
        model = fit(data)
        yield data


def rewrite_queries(
    queries: pd.DataFrame | Mapping[Any, str],
    qrels: Any,
    rewrite: Callable[[str, list[str]], str | None],
    *,
    only: Collection[Any] | None = None,
) -> pd.DataFrame:
    """Rewrite training queries, with their relevant documents in view.

    A model is trained on the rewritten queries and used on queries as they come.

    Parameters
    ----------
    queries : DataFrame or mapping
        Columns ``qid`` and ``text``, as :func:`ltr.datasets.read_queries` returns them,
        or ``{qid: text}``.
    qrels : path, table or mapping
        As for :func:`ltr.datasets.read_qrels`; labels above 0 are relevant.
    rewrite : callable
        ``rewrite(text, docids)`` returns the new text, or None to leave out the query.
    only : collection of ids, default=None
        Queries to rewrite. None: all that have a relevant document.

    Returns
    -------
    rewritten : DataFrame
        Columns ``qid``, ``query`` (the new text) and ``original``.

    Raises
    ------
    ValueError
        If a query of ``only`` is not among the queries.

    References
    ----------
    .. [1] "CAR", query rewriting by contrast-aware reasoning, of which only the form is
       given here: on arrays it showed no effect (``python examples/papers 33``).

    Examples
    --------
    >>> rewritten = rewrite_queries(
    ...     {"q1": "wing", "q2": "flow"},
    ...     {"q1": {"a": 1, "b": 0}},
    ...     lambda text, docids: f"{text} as in {docids[0]}",
    ... )
    >>> rewritten.to_dict("list")
    {'qid': ['q1'], 'query': ['wing as in a'], 'original': ['wing']}
    """
    import pandas as pd

    pairs = (
        queries.items()
        if isinstance(queries, Mapping)
        else zip(queries["qid"], queries["text"], strict=True)
    )
    texts = {id_text(qid): text for qid, text in pairs}
    judged = read_qrels(qrels)
    positive = judged[judged["label"] > 0]
    relevant: dict[str, list[str]] = {}
    for qid, docid in zip(positive["qid"], positive["docid"], strict=True):
        relevant.setdefault(qid, []).append(docid)
    selected = list(texts) if only is None else [id_text(qid) for qid in only]
    unknown = [qid for qid in selected if qid not in texts]
    if unknown:
        raise ValueError(
            f"only must name some of the {len(texts)} queries; got {unknown[0]!r}."
        )
    rows = []
    for qid in selected:
        new = rewrite(texts[qid], relevant[qid]) if qid in relevant else None
        if new is not None:
            rows.append((qid, new, texts[qid]))
    return pd.DataFrame(rows, columns=["qid", "query", "original"])
