"""Whether runs are about the same queries and documents."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ltr.arguments import check_whole
from ltr.datasets import read_qrels
from ltr.fusion.pool import Pool, Runs, pool_runs
from ltr.queries import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from ltr.datasets.runs.files import Source

_LEVEL = 0.05
_FEWEST = 10  # queries from which on a missing agreement means something


def check_alignment(
    runs: Runs,
    qrels: Source | None = None,
    *,
    k: int = 10,
    n_permutations: int = 200,
    random_state: int = 0,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    """Check whether runs agree on more documents than chance would have it.

    Two systems that read the same collection make some of the same mistakes. If the
    ids of one run were permuted, such as by another order of the rows of a matrix of
    similarities, its mistakes are unrelated to those of others, and fusing them seems
    to help far too much. Chance is the agreement with the queries of one run permuted.

    Parameters
    ----------
    runs : sequence or mapping of runs
        At least two, each as :func:`ltr.datasets.read_run` takes it.
    qrels : path, table or mapping, default=None
        Judgments. Relevant documents are left out, so that agreement on the truth,
        which is right even where the rest was permuted, does not count. None: all
        documents count.
    k : int, default=10
        Compare the first k documents of each query, without the relevant ones.
    n_permutations : int, default=200
        Permutations of queries.
    random_state : int, default=0
        Seed of the permutations.
    encoding : str, default="utf-8"
        Encoding of files.

    Returns
    -------
    table : DataFrame
        A row per pair of runs: their names ``a`` and ``b``, ``n_queries`` that both
        have, ``agreement`` (documents in common among the first k, a mean over
        queries), ``chance``, ``p`` (share of permutations with at least that agreement,
        the observed one included) and ``is_aligned``: p ≤ .05.

    Warns
    -----
    UserWarning
        For a pair with 10 queries or more that is not aligned.

    Raises
    ------
    ValueError
        If there are fewer than two runs, or an input is malformed.

    Notes
    -----
    Where each query has candidates of its own, runs agree by their candidates alone.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scores = rng.normal(size=(30, 50))
    >>> run = {q: dict(enumerate(row)) for q, row in enumerate(scores)}
    >>> other = {q: dict(enumerate(row + 0.1)) for q, row in enumerate(scores)}
    >>> check_alignment({"a": run, "b": other})["is_aligned"].tolist()
    [True]
    """
    check_whole("k", k, low=1)
    check_whole("n_permutations", n_permutations, low=20)
    pool = pool_runs(runs, encoding=encoding)
    if pool.n_runs < 2:
        raise ValueError("runs must have at least two runs; got one.")
    names = list(runs) if isinstance(runs, Mapping) else list(range(pool.n_runs))
    counts = ~_relevant(pool, qrels, encoding)
    heads = [_head(pool, j, counts, k) for j in range(pool.n_runs)]
    rng = np.random.default_rng(random_state)
    rows = []
    for i, j in itertools.combinations(range(pool.n_runs), 2):
        agreement, by_chance, n = _agreement(
            heads[i], heads[j], len(pool.docids), n_permutations, rng
        )
        p = float(1 + (by_chance >= agreement).sum()) / (1 + n_permutations)
        is_aligned = p <= _LEVEL
        rows.append((names[i], names[j], n, agreement, by_chance.mean(), p, is_aligned))
        if not is_aligned and n >= _FEWEST:
            warnings.warn(
                f"runs {names[i]!r} and {names[j]!r} have {agreement:.3f} "
                f"{'documents' if qrels is None else 'wrong documents'} in common "
                f"among the first {k}, {by_chance.mean():.3f} by chance (p {p:.3f}): "
                "their ids may not mean the same. Check how each run was numbered.",
                stacklevel=2,
            )
    columns = ["a", "b", "n_queries", "agreement", "chance", "p", "is_aligned"]
    return pd.DataFrame(rows, columns=columns)


def _relevant(pool: Pool, qrels: Any, encoding: str) -> BoolArray:
    """Whether each row of the pool has a label above 0."""
    if qrels is None:
        return np.zeros(len(pool.query), dtype=bool)
    table = read_qrels(qrels, encoding=encoding)
    table = table[table["label"] > 0]
    pairs = set(zip(table["qid"], table["docid"], strict=True))
    rows = zip(pool.qids[pool.query], pool.docids[pool.document], strict=True)
    return np.fromiter((row in pairs for row in rows), bool, len(pool.query))


def _head(pool: Pool, run: int, counts: BoolArray, k: int) -> tuple[IntArray, IntArray]:
    """Query and document of the first k rows of each query of a run that count."""
    rows = np.flatnonzero(counts & pool.returned[:, run])
    query = pool.query[rows]
    rows = rows[np.lexsort((pool.ranks[rows, run], query))]
    query = pool.query[rows]
    starts = np.flatnonzero(np.diff(query, prepend=-1))
    sizes = np.diff(starts, append=len(query))
    place = np.arange(len(query)) - np.repeat(starts, sizes)
    return query[place < k], pool.document[rows[place < k]]


def _agreement(
    head: tuple[IntArray, IntArray],
    other: tuple[IntArray, IntArray],
    n_docs: int,
    n_permutations: int,
    rng: np.random.Generator,
) -> tuple[float, FloatArray, int]:
    """Mean number of common documents, the same by chance, and the common queries."""
    common = np.intersect1d(head[0], other[0])
    n = len(common)
    if n == 0:
        return 0.0, np.zeros(n_permutations), 0
    # (query, document) pairs as one integer, queries numbered from 0
    pairs = []
    for query, document in (head, other):
        has_both = np.isin(query, common)
        number = np.searchsorted(common, query[has_both])
        pairs.append((number.astype(np.int64), document[has_both]))
    (query, document), (other_query, other_document) = pairs
    key = query * n_docs + document

    def agreement(numbers: NDArray[np.int64]) -> float:
        """Pairs in common, with the queries of the other run numbered otherwise."""
        return float(np.isin(numbers * n_docs + other_document, key).sum()) / n

    by_chance = [
        agreement(rng.permutation(n)[other_query]) for _ in range(n_permutations)
    ]
    return agreement(other_query), np.array(by_chance), n
