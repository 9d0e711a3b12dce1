"""Rank-biased overlap of two runs: other documents, other lengths, ties."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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
) -> pd.DataFrame:
    r"""Rank-biased overlap of what two runs returned, query by query.

    Neither run is the truth, they may hold different documents, and one may be longer:
    it tells how much two systems, or two versions of one, differ. With S of length s
    the shorter, L of length l the longer, and :math:`X_d` their common documents among
    the first d of each,

    .. math:: \mathrm{RBO} = (1 - p) \sum_{d=1}^{l} p^{d-1} A_d + p^l A_l, \quad
        A_d = \frac{X_d}{d} + [d > s] \frac{X_s (d - s)}{s d}

    takes the agreement at the ends to hold beyond them.

    Parameters
    ----------
    first, second : path, DataFrame or {qid: {docid: score}}
        Runs; see :func:`ltr.datasets.read_run`.
    persistence : float, default=0.9
        Probability p that the reader goes on to the next depth, in (0, 1).
    ties : {"average", "first", "trec"}, default="average"
        Equal scores: expected value over their orders in both runs, independently;
        order of the rows; trec_eval's rule.

    Returns
    -------
    table : DataFrame
        A row per query that both runs have, in the order of the first; columns ``rbo``,
        in [0, 1]; ``low``, what it is at least whatever follows in both lists; and
        ``residual``, how much more it could be: ``low + residual`` is the upper bound.

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

    if not 0.0 < persistence < 1.0:
        raise ValueError(f"persistence must be between 0 and 1; got {persistence!r}.")
    if ties not in TIES or ties == "worst":
        raise ValueError(f"ties must be 'average', 'first' or 'trec'; got {ties!r}.")
    one, two = run_rows(first), run_rows(second)
    ids, numbers = _common_queries(one, two)
    kept = [np.flatnonzero(number >= 0) for number in numbers]
    lists = [number[keep] for number, keep in zip(numbers, kept, strict=True)]
    places = [
        _places(rows, keep, Queries(number, ids), ties)
        for rows, keep, number in zip((one, two), kept, lists, strict=True)
    ]
    document = one.docid.find(two.docid)[two.docid.codes[kept[1]]]
    n_documents = len(one.docid.names)
    pairs = lists[0] * n_documents + one.docid.codes[kept[0]]
    wanted = np.where(document < 0, -1, lists[1] * n_documents + document)
    found = pd.Index(pairs).get_indexer(wanted)
    here = np.flatnonzero(found >= 0)
    sizes = np.stack([np.bincount(number, minlength=len(ids)) for number in lists])
    common = expected_common(
        sizes.max(axis=0),
        lists[1][here],
        (places[0][0][found[here]], places[0][1][found[here]]),
        (places[1][0][here], places[1][1][here]),
    )
    values = _rbo(common, sizes.min(axis=0), sizes.max(axis=0), persistence)
    return pd.DataFrame(values, index=pd.Index(ids, name="qid"))


def _common_queries(
    one: Rows, two: Rows
) -> tuple[np.ndarray[tuple[int], np.dtype[np.object_]], list[IntArray]]:
    """Queries that both have, and their number at each row of either, or −1."""
    other = one.qid.find(two.qid)
    n_ids = len(one.qid.names)
    present = np.bincount(one.qid.codes, minlength=n_ids) > 0
    matched = other[two.qid.codes]
    present &= np.bincount(matched[matched >= 0], minlength=n_ids) > 0
    if not present.any():
        raise ValueError(
            "the runs must have a query in common; the first has "
            f"{list(one.qid.text[:3])}, the second {list(two.qid.text[:3])}."
        )
    number = np.append(np.where(present, np.cumsum(present) - 1, -1), -1)  # of −1: −1
    return one.qid.text[present], [number[one.qid.codes], number[matched]]


def _places(
    rows: Rows, keep: IntArray, queries: Queries, ties: Ties
) -> tuple[IntArray, IntArray]:
    """Begin and end of the tie group of each kept row."""
    names, document = rows.docid.names, rows.docid.codes[keep]
    scores = rows.values[keep]
    ranked = sort_lists(queries, scores, scores, ties, lambda r: names[document[r]])
    begin, end = np.empty_like(ranked.rows), np.empty_like(ranked.rows)
    begin[ranked.rows], end[ranked.rows] = ranked.tie_begin, ranked.tie_end
    return begin, end


def _rbo(
    common: FloatArray, short: IntArray, long: IntArray, p: float
) -> dict[str, FloatArray]:
    """Extrapolated value, lower bound and residual from X_d at d = 1 … l."""
    starts = np.cumsum(long) - long
    d = np.arange(1.0, len(common) + 1.0) - np.repeat(starts, long)
    s, l = short.astype(np.float64), long.astype(np.float64)
    at_short, at_long = common[starts + short - 1], common[starts + long - 1]
    beyond = np.maximum(d - np.repeat(s, long), 0.0)
    power = p**d

    def total(values: FloatArray) -> FloatArray:
        return np.add.reduceat(values, starts)

    agreement = (common + np.repeat(at_short / s, long) * beyond) / d
    rbo = (1 - p) / p * total(agreement * power) + agreement[starts + long - 1] * p**l
    # Σ p^i / i over i = 1 … n, for any n up to s + l; −ln(1 − p) for all i
    i = np.arange(1.0, (short + long).max() + 1.0)
    harmonic = np.append(0.0, np.cumsum(p**i / i))
    after = -np.log1p(-p) - harmonic[long]
    low = (1 - p) / p * (total(common * power / d) + at_long * after)
    # the most there can be: one more a depth, then two, until all that is new is shared
    full = s + l - at_long  # depth at which that is so
    last = harmonic[np.rint(full).astype(np.intp)] - harmonic[long]
    most = total((common + beyond) * power / d)
    most += 2 * (p ** (l + 1) - p ** (full + 1)) / (1 - p) - full * last
    most += p ** (full + 1) / (1 - p)
    high = (1 - p) / p * most
    return {
        "rbo": np.clip(rbo, 0.0, 1.0),
        "low": np.clip(low, 0.0, 1.0),
        "residual": np.clip(high - low, 0.0, 1.0),
    }
