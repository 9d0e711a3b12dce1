"""The documents that several runs returned, one row for each query and document."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ltr.datasets import read_run
from ltr.metrics.ranked import sort_lists
from ltr.queries import Queries

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
Runs = Sequence[Any] | Mapping[str, Any]
Norm = Literal["minmax", "zscore", "rank", "none"] | Callable[[FloatArray], FloatArray]
RankTies = Literal["trec", "average", "first"]
RANK_TIES = ("trec", "average", "first")
NORMS = ("minmax", "zscore", "rank", "none")


@dataclass(frozen=True)
class Pool:
    """Scores and ranks of every document that a run returned, keyed by ids.

    Attributes
    ----------
    qids, docids : array of str
        Ids of queries and of documents, in order of first appearance.
    query, document : int arrays of shape (n_rows,)
        Their numbers in each row; the rows of a query stand together.
    scores : float array of shape (n_rows, n_runs)
        NaN where a run did not return the document.
    ranks : float array of shape (n_rows, n_runs)
        1 for the first document of a run; NaN where it was not returned.
    """

    qids: NDArray[Any]
    docids: NDArray[Any]
    query: IntArray
    document: IntArray
    scores: FloatArray
    ranks: FloatArray

    @property
    def n_queries(self) -> int:
        """Number of queries."""
        return len(self.qids)

    @property
    def n_runs(self) -> int:
        """Number of runs."""
        return self.scores.shape[1]

    @property
    def returned(self) -> NDArray[np.bool_]:
        """Whether a run returned a document, shape (n_rows, n_runs)."""
        return ~np.isnan(self.ranks)

    def run_of(self, values: FloatArray) -> pd.DataFrame:
        """Turn a value per row into a run, best first within each query.

        Parameters
        ----------
        values : float array of shape (n_rows,)
            Fused score of each row.

        Returns
        -------
        run : DataFrame
            Columns ``qid``, ``docid`` and ``score``; equal scores by descending
            document id, as trec_eval ranks them.
        """
        ids = self.docids[self.document].astype(str)
        by_id = np.argsort(ids, kind="stable")[::-1]
        order = by_id[np.lexsort((-values[by_id], self.query[by_id]))]
        return pd.DataFrame(
            {
                "qid": pd.Categorical.from_codes(
                    self.query[order], pd.Index(self.qids)
                ),
                "docid": pd.Categorical.from_codes(
                    self.document[order], pd.Index(self.docids)
                ),
                "score": values[order],
            }
        )

    def normalized(self, norm: Norm) -> tuple[FloatArray, FloatArray]:
        """Scores made comparable within each query and run.

        Parameters
        ----------
        norm : {"minmax", "zscore", "rank", "none"} or callable
            See :func:`ltr.fusion.comb_sum`.

        Returns
        -------
        scores : float array of shape (n_rows, n_runs)
            NaN where a run did not return the document.
        worst : float array of shape (n_rows, n_runs)
            Value of a document that was not returned: that of the worst returned one,
            and 0 if the run has nothing for the query.
        """
        if norm == "none":
            return self.scores, np.zeros_like(self.scores)
        if norm == "rank":
            n = np.maximum(self.n_returned(), 1.0)
            scores = (n - self.ranks + 1.0) / n
            return scores, np.zeros_like(scores)
        if np.isinf(self.scores).any():
            raise ValueError(
                f"scores must be finite for norm={norm!r}; got an infinite one. Pass "
                "norm='rank'."
            )
        if callable(norm):
            scores = np.full_like(self.scores, np.nan)
            for j in range(self.n_runs):
                rows = np.flatnonzero(self.returned[:, j])
                for part in np.split(
                    rows, np.flatnonzero(np.diff(self.query[rows])) + 1
                ):
                    scores[part, j] = norm(self.scores[part, j])
            low = self._by_query(np.where(self.returned, scores, np.inf), np.minimum)
            return scores, np.where(np.isfinite(low), low, 0.0)
        if norm not in NORMS:
            raise ValueError(
                f"norm must be one of {NORMS} or a function; got {norm!r}."
            )
        low = self._by_query(np.where(self.returned, self.scores, np.inf), np.minimum)
        high = self._by_query(np.where(self.returned, self.scores, -np.inf), np.maximum)
        has_any, constant = np.isfinite(low), high == low
        low = np.where(has_any, low, 0.0)
        if norm == "minmax":
            span = np.where(constant | ~has_any, 1.0, high - low)
            scores = np.where(
                constant, self.scores * 0.0 + 0.5, (self.scores - low) / span
            )
            return scores, np.zeros_like(scores)
        n = np.maximum(self.n_returned(), 1.0)
        filled = np.where(self.returned, self.scores, 0.0)
        mean = self._by_query(filled, np.add) / n
        centred = np.where(self.returned, self.scores - mean, 0.0)
        deviation = np.sqrt(self._by_query(centred**2, np.add) / n)
        deviation = np.where(constant | ~has_any, 1.0, deviation)
        scores = np.where(constant, self.scores * 0.0, (self.scores - mean) / deviation)
        return scores, np.where(constant | ~has_any, 0.0, (low - mean) / deviation)

    def n_returned(self) -> FloatArray:
        """Documents that each run has for the query of a row, (n_rows, n_runs)."""
        return self._by_query(self.returned.astype(np.float64), np.add)

    def weights(self, weights: Sequence[float] | None) -> FloatArray:
        """Check the weights of the runs; None is 1 for each.

        Parameters
        ----------
        weights : sequence of float or None
            One finite number per run.

        Returns
        -------
        weights : float array of shape (n_runs,)
        """
        if weights is None:
            return np.ones(self.n_runs)
        checked = np.asarray(weights, dtype=np.float64)
        if checked.shape != (self.n_runs,) or not np.isfinite(checked).all():
            raise ValueError(
                f"weights must be one finite number for each of {self.n_runs} runs; "
                f"got {list(weights)!r}."
            )
        return checked

    def rows_of_queries(self) -> Iterator[slice]:
        """Rows of one query after the other."""
        ends = np.flatnonzero(np.diff(self.query, append=-1)) + 1
        begin = 0
        for end in ends.tolist():
            yield slice(begin, end)
            begin = end

    def _by_query(self, values: FloatArray, combine: np.ufunc) -> FloatArray:
        """Combine the rows of each query, and give every row the result."""
        first = np.flatnonzero(np.diff(self.query, prepend=-1))
        return np.asarray(combine.reduceat(values, first, axis=0)[self.query])


def pool_runs(runs: Runs, depth: int | None = None, ties: RankTies = "trec") -> Pool:
    """Line up runs by query and document id.

    Parameters
    ----------
    runs : sequence or mapping of runs
        At least one run, each as :func:`ltr.datasets.read_run` takes it.
    depth : int, default=None
        Read only so many documents of each query of a run. None: all.
    ties : {"trec", "average", "first"}, default="trec"
        Ranks of equal scores of a run: by descending document id after rounding to
        float32; all the mean of their ranks; or in the order of the rows.

    Returns
    -------
    pool : Pool

    Raises
    ------
    ValueError
        If there is no run, or ``depth`` is below 1.
    TypeError
        If ``runs`` is a single run.

    Examples
    --------
    >>> pool = pool_runs([{"q": {"a": 2, "b": 1}}, {"q": {"c": 5, "b": 4}}])
    >>> pool.docids.tolist(), pool.ranks.tolist()
    (['a', 'b', 'c'], [[1.0, nan], [2.0, 2.0], [nan, 1.0]])
    """
    if isinstance(runs, (str, pd.DataFrame)) or _is_a_run(runs):
        raise TypeError(
            f"runs must be a sequence or mapping of runs; got a {type(runs).__name__}. "
            "Put it in a list."
        )
    if ties not in RANK_TIES:
        raise ValueError(f"ties must be one of {RANK_TIES}; got {ties!r}.")
    if depth is not None and depth < 1:
        raise ValueError(f"depth must be >= 1, or None; got {depth!r}.")
    sources = list(runs.values() if isinstance(runs, Mapping) else runs)
    if not sources:
        raise ValueError("runs must have at least one run; got none.")
    tables = [read_run(source) for source in sources]
    query, qids = _number([table["qid"] for table in tables])
    document, docids = _number([table["docid"] for table in tables])
    keys = [q * len(docids) + d for q, d in zip(query, document, strict=True)]
    rows, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    scores = np.full((len(rows), len(tables)), np.nan)
    ranks = np.full_like(scores, np.nan)
    end = 0
    for j, table in enumerate(tables):
        place, end = inverse[end : end + len(table)], end + len(table)
        given = query[j], table["score"].to_numpy(), docids[document[j]]
        rank = _ranks(*given, ties)
        kept = np.ones(len(rank), dtype=bool)
        if depth is not None:
            cut: RankTies = "trec" if ties == "average" else ties
            kept = _ranks(*given, cut) <= depth
        scores[place[kept], j] = given[1][kept]
        ranks[place[kept], j] = rank[kept]
    held = ~np.isnan(ranks).all(axis=1)
    rows = rows[held]
    return Pool(
        qids, docids, rows // len(docids), rows % len(docids), scores[held], ranks[held]
    )


def _is_a_run(runs: Any) -> bool:
    """Whether it is {qid: {docid: score}}, and not {name: run}."""
    if not isinstance(runs, Mapping) or not runs:
        return False
    first = next(iter(runs.values()))
    return isinstance(first, Mapping) and any(
        isinstance(score, numbers.Real) for score in first.values()
    )


def _number(columns: list[Any]) -> tuple[list[IntArray], NDArray[Any]]:
    """Common numbers for the ids of several columns."""
    categories = [column.cat.categories.to_numpy() for column in columns]
    codes, ids = pd.factorize(np.concatenate(categories))
    numbers, end = [], 0
    for column, names in zip(columns, categories, strict=True):
        part, end = codes[end : end + len(names)], end + len(names)
        numbers.append(part[column.cat.codes.to_numpy()].astype(np.intp))
    return numbers, np.asarray(ids)


def _ranks(
    query: IntArray, scores: FloatArray, docids: NDArray[Any], ties: RankTies
) -> FloatArray:
    used, codes = np.unique(query, return_inverse=True)
    ranked = sort_lists(
        Queries(codes, used), scores, scores, ties, lambda rows: docids[rows]
    )
    ranks = np.empty(len(scores))
    ranks[ranked.rows] = (ranked.tie_begin + ranked.tie_end + 1) / 2.0
    return ranks
