"""Fusion by rank: reciprocal ranks, points, majorities, turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from ltr.arguments import check_choice, check_flag, check_number, check_whole
from ltr.fusion.pool import Pool, RankTies, Runs, pool_runs
from ltr.queries import FloatArray

_BLOCK = 2**24  # comparisons held in memory at once


def rrf(
    runs: Runs,
    *,
    k: float = 60.0,
    weights: Sequence[float] | None = None,
    ties: RankTies = "trec",
    depth: int | None = None,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    r"""Reciprocal rank fusion.

    .. math:: s(d) = \sum_{\text{runs } j \text{ with } d} \frac{w_j}{k + r_j(d)}

    Parameters
    ----------
    runs : sequence or mapping of runs
        Runs as :func:`ltr.datasets.read_run` takes them.
    k : float, default=60.0
        Added to the ranks 1, 2, …; the larger it is, the smaller the lead of the top.
    weights : sequence of float, default=None
        Weight of each run. None: 1 for all.
    ties : {"trec", "average", "first"}, default="trec"
        Ranks of equal scores of a run: by descending document id, as
        trec_eval; the mean of their ranks; or in the order of the file.
    depth : int, default=None
        Documents to read of each query of a run. None: all.
    encoding : str, default="utf-8"
        Encoding of files.

    Returns
    -------
    run : DataFrame
        Columns ``qid``, ``docid`` and ``score``, best first within each query.

    Raises
    ------
    ValueError
        If an input is malformed, or ``k`` is negative.

    References
    ----------
    .. [1] Cormack, Clarke & Büttcher, "Reciprocal rank fusion outperforms Condorcet and
       individual rank learning methods", SIGIR 2009.

    Examples
    --------
    >>> fused = rrf([{"q": {"a": 3, "b": 2}}, {"q": {"b": 9}}], k=1)
    >>> fused["docid"].tolist(), fused["score"].round(4).tolist()
    (['b', 'a'], [0.8333, 0.5])
    """
    check_number("k", k, low=0.0)
    pool = pool_runs(runs, depth, ties, encoding)
    reciprocal = np.where(pool.returned, 1.0 / (k + pool.ranks), 0.0)
    return pool.run_of(reciprocal @ pool.weights(weights))


def log_isr(
    runs: Runs,
    *,
    ties: RankTies = "trec",
    depth: int | None = None,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    r"""Logarithmic inverse square rank fusion.

    .. math:: s(d) = \log(1 + N(d)) \sum_j \frac{1}{r_j(d)^2}

    where N(d) is the number of runs that returned d. The paper has log N(d), which is 0
    for every document that only one run returned; the 1 tells these apart.

    Parameters
    ----------
    runs : sequence or mapping of runs
        Runs as :func:`ltr.datasets.read_run` takes them.
    ties : {"trec", "average", "first"}, default="trec"
        Ranks of equal scores of a run; see :func:`rrf`.
    depth : int, default=None
        Documents to read of each query of a run. None: all.
    encoding : str, default="utf-8"
        Encoding of files.

    Returns
    -------
    run : DataFrame
        Columns ``qid``, ``docid`` and ``score``, best first within each query.

    Raises
    ------
    ValueError
        If an input is malformed.

    References
    ----------
    .. [1] Mourão, Martins & Magalhães, "Inverse square rank fusion for multimodal
       search", CBMI 2014.

    Examples
    --------
    >>> fused = log_isr([{"q": {"a": 3, "b": 2}}, {"q": {"b": 9}}])
    >>> fused["docid"].tolist(), fused["score"].round(4).tolist()
    (['b', 'a'], [1.3733, 0.6931])
    """
    pool = pool_runs(runs, depth, ties, encoding)
    inverse_squares = np.where(pool.returned, 1.0 / pool.ranks**2, 0.0).sum(axis=1)
    return pool.run_of(np.log1p(pool.returned.sum(axis=1)) * inverse_squares)


def borda(
    runs: Runs,
    *,
    missing: Literal["none", "share"] = "none",
    weights: Sequence[float] | None = None,
    ties: RankTies = "trec",
    depth: int | None = None,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    """Borda count: n points for the first document of a run, n − 1 for the next, ….

    Parameters
    ----------
    runs : sequence or mapping of runs
        Runs as :func:`ltr.datasets.read_run` takes them.
    missing : {"none", "share"}, default="none"
        Documents that a run did not return. ``"none"``: they get no points, and n is
        the number of documents that the longest run returned for the query.
        ``"share"``: n counts the documents of all runs, and missing ones share the
        remaining points.
    weights : sequence of float, default=None
        Weight of each run. None: 1 for all.
    ties : {"trec", "average", "first"}, default="trec"
        Ranks of equal scores of a run; see :func:`rrf`.
    depth : int, default=None
        Documents to read of each query of a run. None: all.
    encoding : str, default="utf-8"
        Encoding of files.

    Returns
    -------
    run : DataFrame
        Columns ``qid``, ``docid`` and ``score``, best first within each query.

    Raises
    ------
    ValueError
        If an input is malformed or an option unknown.

    References
    ----------
    .. [1] Aslam & Montague, "Models for metasearch", SIGIR 2001, section 3.1, which
       has ``missing="share"``.

    Examples
    --------
    >>> runs = [{"q": {"a": 3, "b": 2}}, {"q": {"b": 9, "c": 1}}]
    >>> borda(runs)["docid"].tolist(), borda(runs)["score"].tolist()
    (['b', 'a', 'c'], [3.0, 2.0, 1.0])
    >>> borda(runs, missing="share")["score"].tolist()
    [5.0, 4.0, 3.0]
    """
    check_choice("missing", missing, ("none", "share"))
    pool = pool_runs(runs, depth, ties, encoding)
    n_returned = pool.n_returned()
    if missing == "none":
        n, points_of_missing = n_returned.max(axis=1, keepdims=True), np.zeros(1)
    else:  # the mean of the points 1, …, n − n_returned that no document has
        n = np.bincount(pool.query, minlength=pool.n_queries)[pool.query][:, None]
        points_of_missing = (n - n_returned + 1.0) / 2.0
    points = np.where(pool.returned, n - pool.ranks + 1.0, points_of_missing)
    return pool.run_of(points @ pool.weights(weights))


def condorcet(
    runs: Runs,
    *,
    ties: RankTies = "trec",
    depth: int | None = None,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    """Majority contests won minus lost (Copeland); a Condorcet winner comes first.

    A document beats another if more runs rank it above than below the other; a returned
    document is above one that was not returned.

    Parameters
    ----------
    runs : sequence or mapping of runs
        Runs as :func:`ltr.datasets.read_run` takes them.
    ties : {"trec", "average", "first"}, default="trec"
        Ranks of equal scores of a run; see :func:`rrf`.
    depth : int, default=None
        Documents to read of each query of a run. None: all. The work grows with the
        square of the number of candidates.
    encoding : str, default="utf-8"
        Encoding of files.

    Returns
    -------
    run : DataFrame
        Columns ``qid``, ``docid`` and ``score``, best first within each query.

    Raises
    ------
    ValueError
        If an input is malformed.

    References
    ----------
    .. [1] Montague & Aslam, "Condorcet fusion for improved retrieval", CIKM 2002;
       Copeland, "A reasonable social welfare function", 1951.

    Examples
    --------
    >>> runs = [{"q": {"a": 3, "b": 2, "c": 1}}] * 2 + [{"q": {"b": 3, "c": 2, "a": 1}}]
    >>> condorcet(runs)["score"].tolist()
    [2.0, 0.0, -2.0]
    """
    pool = pool_runs(runs, depth, ties, encoding)
    ranks = _ranks_with_missing_last(pool).astype(np.float32)
    value = np.empty(len(ranks))
    for rows in pool.rows_of_queries():
        column = ranks[rows]
        step = max(1, _BLOCK // len(column))
        for low in range(0, len(column), step):
            # runs that rank the row's document above the column's, minus those below
            lead = np.zeros((min(step, len(column) - low), len(column)), dtype=np.int16)
            for rank in column.T:
                block = rank[low : low + step, None]
                lead += block < rank
                lead -= block > rank
            contests = np.sign(lead).sum(axis=1, dtype=np.int64)
            value[rows.start + low : rows.start + low + len(lead)] = contests
    return pool.run_of(value)


def round_robin(
    runs: Runs,
    *,
    repeats: bool = False,
    ties: RankTies = "trec",
    depth: int | None = None,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    """Take turns: the first of each run in the order of the runs, then the second, ….

    A document that has been taken before is skipped. The score is minus the turn.

    Parameters
    ----------
    runs : sequence or mapping of runs
        Runs as :func:`ltr.datasets.read_run` takes them.
    repeats : bool, default=False
        Keep documents that have been taken before: how often one is there says how many
        runs agree on it, for a judge that reads the list. The result is then a table,
        not a run, which has a document only once.
    ties : {"trec", "average", "first"}, default="trec"
        Ranks of equal scores of a run; see :func:`rrf`.
    depth : int, default=None
        Documents to read of each query of a run. None: all.
    encoding : str, default="utf-8"
        Encoding of files.

    Returns
    -------
    run : DataFrame
        Columns ``qid``, ``docid`` and ``score``, best first within each query.

    Raises
    ------
    ValueError
        If an input is malformed.

    Examples
    --------
    >>> runs = [{"q": {"a": 3, "b": 2}}, {"q": {"a": 9, "c": 1}}]
    >>> round_robin(runs)["docid"].tolist()
    ['a', 'b', 'c']
    >>> round_robin(runs, repeats=True)["docid"].tolist()
    ['a', 'a', 'b', 'c']
    """
    pool = pool_runs(runs, depth, ties, encoding)
    turns = (pool.ranks - 1.0) * pool.n_runs + np.arange(pool.n_runs)
    check_flag("repeats", repeats)
    if not repeats:
        return pool.run_of(-np.where(pool.returned, turns, np.inf).min(axis=1))
    row, run = np.nonzero(pool.returned)
    taken = replace(pool, query=pool.query[row], document=pool.document[row])
    return taken.run_of(-turns[row, run])


def pool_union(runs: Runs, k: int, *, encoding: str = "utf-8") -> pd.DataFrame:
    """Pool the first k documents of each run, each once, to be ranked by a judge.

    The runs may be those of several queries for one need, such as the parts of a
    question, under the id of that need; the judge then reads the need itself.

    Parameters
    ----------
    runs : sequence or mapping of runs
        Runs as :func:`ltr.datasets.read_run` takes them.
    k : int
        Documents of each query of a run.
    encoding : str, default="utf-8"
        Encoding of files.

    Returns
    -------
    run : DataFrame
        Columns ``qid``, ``docid`` and ``score``, in the order of :func:`round_robin`.

    Raises
    ------
    ValueError
        If an input is malformed, or ``k`` is below 1.

    References
    ----------
    .. [1] Ammann, Golde & Akbik, "Question decomposition for retrieval-augmented
       generation", 2025.

    Examples
    --------
    >>> runs = [{"q": ["a", "b", "c"]}, {"q": ["d", "a", "e"]}]
    >>> pool_union(runs, 2)["docid"].tolist()
    ['a', 'd', 'b']
    """
    check_whole("k", k, low=1)
    return round_robin(runs, depth=k, encoding=encoding)


def kemeny(
    runs: Runs,
    *,
    ties: RankTies = "trec",
    depth: int | None = None,
    encoding: str = "utf-8",
    max_candidates: int = 200,
    time_limit_s: float | None = None,
    random_state: int = 0,
) -> pd.DataFrame:
    """Kemeny's order, with the fewest pairwise disagreements with the runs.

    A pair counts once for every run that returned at least one of its two documents; a
    returned document is above one that was not returned.

    Parameters
    ----------
    runs : sequence or mapping of runs
        Runs as :func:`ltr.datasets.read_run` takes them.
    ties : {"trec", "average", "first"}, default="trec"
        Ranks of equal scores of a run; see :func:`rrf`.
    depth : int, default=None
        Documents to read of each query of a run. None: all.
    encoding : str, default="utf-8"
        Encoding of files.
    max_candidates : int, default=200
        Maximum number of documents of a query; more raise an error.
    time_limit_s : float, default=None
        Seconds for each query. None: the solver's own limit on its work.
    random_state : int, default=0
        Seed of the solver.

    Returns
    -------
    run : DataFrame
        Columns ``qid``, ``docid`` and ``score`` (minus the rank), best first within
        each query. ``run.attrs["is_optimal"]`` says for each query whether its order is
        proven to be optimal.

    Raises
    ------
    ValueError
        If an input is malformed, or a query has more than ``max_candidates`` documents.

    References
    ----------
    .. [1] Kemeny, "Mathematics without numbers", Daedalus 1959; Dwork et al., "Rank
       aggregation methods for the web", WWW 2001, section 2.

    Examples
    --------
    >>> runs = [{"q": {"a": 3, "b": 2, "c": 1}}] * 2 + [{"q": {"b": 3, "c": 2, "a": 1}}]
    >>> fused = kemeny(runs)
    >>> fused["docid"].tolist(), fused.attrs["is_optimal"]
    (['a', 'b', 'c'], {'q': True})
    """
    from ltr.solvers import solve_orderings

    pool = pool_runs(runs, depth, ties, encoding)
    ranks = _ranks_with_missing_last(pool)
    matrices = []
    for rows in pool.rows_of_queries():
        n = rows.stop - rows.start
        if n > max_candidates:
            raise ValueError(
                f"a query must have at most max_candidates={max_candidates} documents; "
                f"got {n} for {pool.qids[pool.query[rows.start]]!r}. Pass depth=…, or "
                "raise max_candidates."
            )
        column = ranks[rows]  # (n, n_runs)
        above = (column[:, None, :] < column[None, :, :]).sum(axis=2)  # (n, n)
        matrices.append(above.astype(np.float64))
    solutions = solve_orderings(
        matrices, time_limit_s=time_limit_s, random_state=random_state
    )
    value = np.empty(len(ranks))
    optimal = {}
    for rows, solution in zip(pool.rows_of_queries(), solutions, strict=True):
        qid = pool.qids[pool.query[rows.start]]
        if solution.order is None:
            raise ValueError(
                f"no order was found for query {qid!r} in time. Raise time_limit_s."
            )
        value[rows.start + solution.order] = -np.arange(1.0, len(solution.order) + 1.0)
        optimal[qid] = bool(solution.is_optimal)
    fused = pool.run_of(value)
    fused.attrs["is_optimal"] = optimal
    return fused


def _ranks_with_missing_last(pool: Pool) -> FloatArray:
    """Ranks of shape (n_rows, n_runs), infinite where a document was not returned."""
    return np.where(pool.returned, pool.ranks, np.inf)
