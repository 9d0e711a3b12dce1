"""Rank-biased overlap of two runs with different documents, lengths and ties."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import check_choice, check_fraction
from ltr.metrics.overlap import expected_common
from ltr.metrics.ranked import TIES, Ties, sort_lists
from ltr.queries import FloatArray, IntArray, Queries

if TYPE_CHECKING:
    import pandas as pd

    from ltr.datasets.runs import Rows
    from ltr.metrics.runs import Source


def run_overlap(
    first: Source,
    second: Source,
    *,
    persistence: float = 0.9,
    ties: Ties = "average",
    encoding: str = "utf-8",
) -> pd.DataFrame:
    r"""Rank-biased overlap of what two runs returned, query by query.

    It measures how much two systems, or two versions of one, differ: neither run is the
    truth, they may hold different documents, and one may be longer. With s and l the
    lengths of the shorter and of the longer one, and :math:`X_d` the documents that are
    among the first d of both,

    .. math:: \mathrm{RBO} = (1 - p) \sum_{d=1}^{l} p^{d-1} A_d + p^l A_l, \quad
        A_d = \frac{X_d}{d} + [d > s] \frac{X_s (d - s)}{s d}

    assumes that the agreement at the ends holds beyond them.

    Parameters
    ----------
    first, second : path, DataFrame or {qid: {docid: score}}
        Runs; see :func:`ltr.datasets.read_run`.
    persistence : float, default=0.9
        Probability p that the reader goes on to the next depth, in (0, 1).
    ties : {"average", "first", "trec"}, default="average"
        Equal scores: expected value over their orders in both runs, independently;
        order of the rows; trec_eval's rule.
    encoding : str, default="utf-8"
        Encoding of files.

    Returns
    -------
    table : DataFrame
        A row per query that both runs have, in the order of the first; columns ``rbo``,
        in [0, 1]; ``low``, its lower bound over all continuations of both lists; and
        ``residual``: ``low + residual`` is the upper bound.

    Raises
    ------
    ValueError
        If an input is malformed, ``persistence`` is outside (0, 1), ``ties`` is
        unknown, or no query is in both runs.

    Notes
    -----
    ``rbo_score`` compares scores with labels of the same rows. Documents beyond the
    ends are new ones in the lower bound, and the best possible in the upper.

    References
    ----------
    .. [1] Webber, Moffat & Zobel, "A similarity measure for indefinite rankings", TOIS
       2010, eq. (11), (30) and (32); ties: Corsi & Urbano, "The treatment of ties in
       rank-biased overlap", SIGIR 2024, RBO^a.

    Examples
    --------
    >>> run, other = {"q": {"a": 3, "b": 2, "c": 1}}, {"q": {"b": 2, "a": 1}}
    >>> run_overlap(run, other, persistence=0.5).round(4).to_dict("records")
    [{'rbo': 0.5, 'low': 0.3863, 'residual': 0.1137}]
    """
    import pandas as pd

    from ltr.datasets.runs import run_rows

    check_fraction("persistence", persistence)
    check_choice("ties", ties, [rule for rule in TIES if rule != "worst"])
    runs = (
        run_rows(first, encoding=encoding, name="first"),
        run_rows(second, encoding=encoding, name="second"),
    )
    ids, numbers = _common_queries(*runs)
    rows_of_run = [np.flatnonzero(number >= 0) for number in numbers]
    lists = [number[rows] for number, rows in zip(numbers, rows_of_run, strict=True)]
    places = [
        _tie_groups(run, rows, Queries(number, ids), ties)
        for run, rows, number in zip(runs, rows_of_run, lists, strict=True)
    ]
    in_first = _match(runs, rows_of_run, lists)
    rows = np.flatnonzero(in_first >= 0)  # documents of the second run that both have
    begin, end = places[0]
    sizes = np.stack([np.bincount(number, minlength=len(ids)) for number in lists])
    common = expected_common(
        sizes.max(axis=0),
        lists[1][rows],
        (begin[in_first[rows]], end[in_first[rows]]),
        (places[1][0][rows], places[1][1][rows]),
    )
    values = _rbo(common, sizes.min(axis=0), sizes.max(axis=0), persistence)
    return pd.DataFrame(values, index=pd.Index(ids, name="qid"))


def _common_queries(
    first: Rows, second: Rows
) -> tuple[NDArray[np.object_], list[IntArray]]:
    """Queries of both runs, and their number at each row of either run, or −1."""
    matched = first.qid.find(second.qid)[second.qid.codes]
    n_ids = len(first.qid.names)
    in_both = np.bincount(first.qid.codes, minlength=n_ids) > 0
    in_both &= np.bincount(matched[matched >= 0], minlength=n_ids) > 0
    if not in_both.any():
        raise ValueError(
            "the runs must have a query in common; the first has "
            f"{list(first.qid.text[:3])}, the second {list(second.qid.text[:3])}."
        )
    # the appended −1 is the number of the query −1, which the first run does not have
    number = np.append(np.where(in_both, np.cumsum(in_both) - 1, -1), -1)
    return first.qid.text[in_both], [number[first.qid.codes], number[matched]]


def _match(
    runs: tuple[Rows, Rows], rows_of_run: list[IntArray], lists: list[IntArray]
) -> IntArray:
    """For each row of the second run, the row of its document in the first, or −1."""
    import pandas as pd

    first, second = runs
    n_documents = len(first.docid.names)
    document = first.docid.find(second.docid)[second.docid.codes[rows_of_run[1]]]
    pairs = lists[0] * n_documents + first.docid.codes[rows_of_run[0]]
    pairs_of_second = np.where(document < 0, -1, lists[1] * n_documents + document)
    return np.asarray(pd.Index(pairs).get_indexer(pairs_of_second), dtype=np.intp)


def _tie_groups(
    run: Rows, rows: IntArray, queries: Queries, ties: Ties
) -> tuple[IntArray, IntArray]:
    """Begin and end of the tie group of each of the rows."""
    names, document = run.docid.names, run.docid.codes[rows]
    scores = run.values[rows]
    ranked = sort_lists(queries, scores, scores, ties, lambda r: names[document[r]])
    begin, end = np.empty_like(ranked.rows), np.empty_like(ranked.rows)
    begin[ranked.rows], end[ranked.rows] = ranked.tie_begin, ranked.tie_end
    return begin, end


def _rbo(
    common: FloatArray, short: IntArray, long: IntArray, p: float
) -> dict[str, FloatArray]:
    """Extrapolated value, lower bound and residual from X_d at d = 1 … l.

    All are (1 − p) / p Σ_d p^d A_d, and differ in the agreement A_d beyond the ends.
    """
    starts = np.cumsum(long) - long
    d = np.arange(1.0, len(common) + 1.0) - np.repeat(starts, long)
    s, l = short.astype(np.float64), long.astype(np.float64)
    x_s, x_l = common[starts + short - 1], common[starts + long - 1]
    beyond = np.maximum(d - np.repeat(s, long), 0.0)  # d − s, 0 up to s
    power = p**d

    def total(values: FloatArray) -> FloatArray:
        return np.add.reduceat(values, starts)

    # Extrapolated: the formula of run_overlap.
    agreement = (common + np.repeat(x_s / s, long) * beyond) / d
    rbo = (1 - p) / p * total(agreement * power) + agreement[starts + long - 1] * p**l
    # Lower bound, only new documents: X_d = X_l for d > l, with
    # Σ_{d>l} p^d / d = −ln(1 − p) − H_l, where H_n = Σ_{i≤n} p^i / i.
    i = np.arange(1.0, (short + long).max() + 1.0)
    harmonic = np.append(0.0, np.cumsum(p**i / i))
    tail = -np.log1p(-p) - harmonic[long]
    low = (1 - p) / p * (total(common * power / d) + x_l * tail)
    # Upper bound: from s to l each new document of the short list is a common one,
    # X_d + d − s. From there two a depth, 2 d − f with f = s + l − X_l, until all d are
    # common at d = f, and A_d = 1 from there on:
    # Σ_{l<d≤f} (2 d − f) p^d / d = 2 (p^{l+1} − p^{f+1}) / (1 − p) − f (H_f − H_l).
    f = s + l - x_l
    between = harmonic[np.rint(f).astype(np.intp)] - harmonic[long]
    most = total((common + beyond) * power / d)
    most += 2 * (p ** (l + 1) - p ** (f + 1)) / (1 - p) - f * between
    most += p ** (f + 1) / (1 - p)
    high = (1 - p) / p * most
    return {
        "rbo": np.clip(rbo, 0.0, 1.0),
        "low": np.clip(low, 0.0, 1.0),
        "residual": np.clip(high - low, 0.0, 1.0),
    }
