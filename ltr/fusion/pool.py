"""The documents that several runs returned, one row for each query and document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ltr.arguments import ArgumentError, check_choice, check_whole
from ltr.datasets.runs import is_one_run, run_rows
from ltr.metrics.ranked import sort_lists
from ltr.queries import BoolArray, FloatArray, IntArray, Queries

Runs = Sequence[Any] | Mapping[str, Any]
Norm = Literal["minmax", "zscore", "rank", "none"] | Callable[[FloatArray], FloatArray]
RankTies = Literal["trec", "average", "first"]
RANK_TIES = ("trec", "average", "first")
NORMS = ("minmax", "zscore", "rank", "none")


class Normalized(NamedTuple):
    """Scores of a pool on one scale.

    Attributes
    ----------
    scores : float array of shape (n_rows, n_runs)
        NaN where a run did not return the document.
    worst : float array of shape (n_rows, n_runs)
        Value of a document that was not returned: that of the worst returned one, or 0.
    """

    scores: FloatArray
    worst: FloatArray


@dataclass(frozen=True)
class Pool:
    """Scores and ranks of every document that a run returned, keyed by ids.

    Attributes
    ----------
    qids, docids : array of str
        Ids of queries and of documents, in order of first appearance.
    query, document : int arrays of shape (n_rows,)
        Numbers of the query and the document of each row; rows of a query are adjacent.
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
    def returned(self) -> BoolArray:
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
        by_id = np.argsort(self.docids, kind="stable")
        rank = np.empty(len(by_id), dtype=np.intp)
        rank[by_id] = np.arange(len(by_id))
        order = np.lexsort((-rank[self.document], -values, self.query))
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

    def normalized(self, norm: Norm) -> Normalized:
        """Scores made comparable within each query and run.

        Parameters
        ----------
        norm : {"minmax", "zscore", "rank", "none"} or callable
            See :func:`ltr.fusion.comb_sum`.

        Returns
        -------
        normalized : Normalized

        Raises
        ------
        ValueError
            If ``norm`` is unknown, or a score is infinite and ``norm`` needs its value.
        """
        if not callable(norm):
            check_choice("norm", norm, NORMS, alternative="a function")
        if norm == "none":
            return Normalized(self.scores, np.zeros_like(self.scores))
        if norm == "rank":
            n = np.maximum(self.n_returned(), 1.0)
            scores = (n - self.ranks + 1.0) / n
            return Normalized(scores, np.zeros_like(scores))
        if np.isinf(self.scores).any():
            raise ValueError(
                f"scores must be finite for norm={norm!r}; got an infinite one. Pass "
                "norm='rank'."
            )
        if callable(norm):
            return self._mapped(norm)
        return self._minmax() if norm == "minmax" else self._zscore()

    def _mapped(self, norm: Callable[[FloatArray], FloatArray]) -> Normalized:
        """A function of the scores of each query and run."""
        scores = np.full_like(self.scores, np.nan)
        for j in range(self.n_runs):
            rows = np.flatnonzero(self.returned[:, j])
            ends = np.flatnonzero(np.diff(self.query[rows])) + 1
            for rows_of_query in np.split(rows, ends):
                scores[rows_of_query, j] = norm(self.scores[rows_of_query, j])
        low = self._by_query(np.where(self.returned, scores, np.inf), np.minimum)
        return Normalized(scores, np.where(np.isfinite(low), low, 0.0))

    def _minmax(self) -> Normalized:
        """(s − min) / (max − min), 1/2 where all scores are equal."""
        low, high = self._extremes()
        is_constant = low == high
        scores = (self.scores - low) / np.where(is_constant, 1.0, high - low)
        scores = np.where(is_constant & self.returned, 0.5, scores)
        return Normalized(scores, np.zeros_like(scores))

    def _zscore(self) -> Normalized:
        """(s − mean) / standard deviation, 0 where all scores are equal."""
        low, high = self._extremes()
        n = np.maximum(self.n_returned(), 1.0)
        mean = self._by_query(np.where(self.returned, self.scores, 0.0), np.add) / n
        centered = np.where(self.returned, self.scores - mean, 0.0)
        deviation = np.sqrt(self._by_query(centered**2, np.add) / n)
        # equal scores give exactly 0, although their mean may be rounded
        is_constant = low == high
        deviation = np.where(is_constant, np.inf, deviation)
        return Normalized((self.scores - mean) / deviation, (low - mean) / deviation)

    def _extremes(self) -> tuple[FloatArray, FloatArray]:
        """Least and greatest score of each query and run; 0 where a run has none."""
        low = self._by_query(np.where(self.returned, self.scores, np.inf), np.minimum)
        high = self._by_query(np.where(self.returned, self.scores, -np.inf), np.maximum)
        has_scores = np.isfinite(low)
        return np.where(has_scores, low, 0.0), np.where(has_scores, high, 0.0)

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
        """Yield the rows of each query in turn."""
        ends = np.flatnonzero(np.diff(self.query, append=-1)) + 1
        begin = 0
        for end in ends.tolist():
            yield slice(begin, end)
            begin = end

    def _by_query(self, values: FloatArray, combine: np.ufunc) -> FloatArray:
        """Combine the rows of each query, and give every row the result."""
        heads = np.flatnonzero(np.diff(self.query, prepend=-1))
        return np.asarray(combine.reduceat(values, heads, axis=0)[self.query])


def pool_runs(
    runs: Runs,
    depth: int | None = None,
    ties: RankTies = "trec",
    encoding: str = "utf-8",
) -> Pool:
    """Line up runs by query and document id.

    Parameters
    ----------
    runs : sequence or mapping of runs
        At least one run, each as :func:`ltr.datasets.read_run` takes it.
    depth : int, default=None
        Documents to read of each query of a run. None: all.
    ties : {"trec", "average", "first"}, default="trec"
        Ranks of equal scores of a run: by descending document id; all the
        mean of their ranks; or in the order of the rows.
    encoding : str, default="utf-8"
        Encoding of files.

    Returns
    -------
    pool : Pool

    Raises
    ------
    ValueError
        If there is no run, or ``depth`` is below 1.
    ArgumentError
        If ``runs`` is a single run, or no collection of runs.

    Examples
    --------
    >>> pool = pool_runs([{"q": {"a": 2, "b": 1}}, {"q": {"c": 5, "b": 4}}])
    >>> pool.docids.tolist(), pool.ranks.tolist()
    (['a', 'b', 'c'], [[1.0, nan], [2.0, 2.0], [nan, 1.0]])
    """
    if is_one_run(runs):
        raise ArgumentError(
            "runs must be a sequence or mapping of runs; got a single run. Put it in a "
            "list."
        )
    if isinstance(runs, Set) or not isinstance(runs, Iterable):
        raise ArgumentError(
            f"runs must be a sequence or mapping of runs; got {type(runs).__name__}."
        )
    check_choice("ties", ties, RANK_TIES)
    check_whole("depth", depth, low=1, optional=True)
    sources = dict(runs if isinstance(runs, Mapping) else enumerate(runs))
    if not sources:
        raise ValueError("runs must have at least one run; got none.")
    tables = [
        run_rows(source, encoding=encoding, name=f"runs[{name!r}]").as_table("score")
        for name, source in sources.items()
    ]
    query, qids = _common_numbers([table["qid"] for table in tables])
    document, docids = _common_numbers([table["docid"] for table in tables])
    # A query and a document make one integer; sorted, rows of a query are adjacent.
    keys = [q * len(docids) + d for q, d in zip(query, document, strict=True)]
    pairs, place = np.unique(np.concatenate(keys), return_inverse=True)
    places = np.split(place, np.cumsum([len(key) for key in keys])[:-1])
    scores = np.full((len(pairs), len(tables)), np.nan)
    ranks = np.full_like(scores, np.nan)
    for j, table in enumerate(tables):
        columns = query[j], table["score"].to_numpy(), docids[document[j]]
        rank = _ranks(*columns, ties)
        in_depth = np.ones(len(rank), dtype=bool)
        if depth is not None:
            order: RankTies = "trec" if ties == "average" else ties
            in_depth = _ranks(*columns, order) <= depth
        scores[places[j][in_depth], j] = columns[1][in_depth]
        ranks[places[j][in_depth], j] = rank[in_depth]
    is_returned = ~np.isnan(ranks).all(axis=1)
    pairs = pairs[is_returned]
    return Pool(
        qids,
        docids,
        query=pairs // len(docids),
        document=pairs % len(docids),
        scores=scores[is_returned],
        ranks=ranks[is_returned],
    )


def _common_numbers(columns: list[Any]) -> tuple[list[IntArray], NDArray[Any]]:
    """Number the ids of several columns by first appearance; also the ids."""
    categories = [column.cat.categories.to_numpy() for column in columns]
    codes, ids = pd.factorize(np.concatenate(categories))
    ends = np.cumsum([len(names) for names in categories])[:-1]
    numbers = [
        codes_of_column[column.cat.codes.to_numpy()].astype(np.intp)
        for column, codes_of_column in zip(columns, np.split(codes, ends), strict=True)
    ]
    return numbers, np.asarray(ids)


def _ranks(
    query: IntArray, scores: FloatArray, docids: NDArray[Any], ties: RankTies
) -> FloatArray:
    """Ranks from 1 of the documents of each query; a tie group has its mean rank."""
    query_numbers, codes = np.unique(query, return_inverse=True)
    ranked = sort_lists(
        Queries(codes, query_numbers), scores, scores, ties, lambda rows: docids[rows]
    )
    ranks = np.empty(len(scores))
    ranks[ranked.rows] = (ranked.tie_begin + ranked.tie_end + 1) / 2.0
    return ranks
