"""Hypothesis strategies: ranked lists with ties and masks, and layouts of qid."""

from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np

SIZE = 6  # every drawn list is padded to this, so that JAX compiles once


class RankedList(NamedTuple):
    """A padded list; rows where ``where`` is False are not there."""

    scores: np.ndarray
    labels: np.ndarray
    where: np.ndarray
    weights: np.ndarray
    other: np.ndarray  # scores of a teacher or a reference model
    position: np.ndarray

    def extras(self, names) -> dict[str, np.ndarray]:
        """Further inputs of a loss by name."""
        return {
            name: self.position if name == "position" else self.other for name in names
        }

    def real(self) -> "RankedList":
        """The list without padding."""
        return RankedList(*(column[self.where] for column in self))

    def permute(self, order) -> "RankedList":
        """The list in another order."""
        return RankedList(*(column[np.asarray(order)] for column in self))


def scores(ties: bool = True):
    """Scores: some from a small grid, so that they tie, some free."""
    free = st.floats(-4, 4, allow_subnormal=False).map(lambda x: round(x, 6))
    if not ties:
        return free
    return st.one_of(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), free)


@st.composite
def ranked_lists(draw, ties: bool = True, min_size: int = 0, spread: float = 0.0):
    """A list of 0 to SIZE items in SIZE places, gaps anywhere.

    Parameters
    ----------
    ties : bool
        Whether scores may tie.
    min_size : int
        Fewest items.
    spread : float
        Least distance of two scores.
    """
    masks = st.integers(0, 2**SIZE - 1)
    mask = draw(masks.filter(lambda mask: mask.bit_count() >= min_size))
    values = draw(
        st.lists(scores(ties), min_size=SIZE, max_size=SIZE).filter(
            lambda x: not spread or np.diff(np.sort(x)).min() > spread
        )
    )
    return RankedList(
        np.array(values, np.float64),
        digits(draw(st.integers(0, 4**SIZE - 1)), 4),
        digits(mask, 2).astype(bool),
        digits(draw(st.integers(0, 3**SIZE - 1)), 3) + 1.0,
        np.array([-1.0, 0.0, 0.5, 2.0])[
            digits(draw(st.integers(0, 4**SIZE - 1)), 4).astype(int)
        ],
        digits(draw(st.integers(0, 9**SIZE - 1)), 9) + 1.0,
    )


def digits(number: int, base: int) -> np.ndarray:
    """SIZE digits of one drawn integer, which is faster than drawing each."""
    return np.array([number // base**i % base for i in range(SIZE)], np.float64)


def permutations():
    """Orders of SIZE places."""
    return st.permutations(range(SIZE))


@st.composite
def query_ids(draw, max_rows: int = 30):
    """A qid of 1 to ``max_rows`` rows: integers, strings or tuples, interleaved."""
    codes = draw(st.lists(st.integers(0, 5), min_size=1, max_size=max_rows))
    name = draw(
        st.sampled_from(
            [
                lambda c: c,
                lambda c: -7 * c,
                lambda c: f"query {c}",
                lambda c: ("day", c),
                lambda c: c + 0.5,
            ]
        )
    )
    return [name(code) for code in codes]


@st.composite
def labelled_rows(draw, max_rows: int = 24, max_label: int = 3):
    """Rows for metrics: labels, scores that tie, and list numbers."""
    n = draw(st.integers(1, max_rows))
    rows = st.lists(
        st.tuples(
            st.integers(0, max_label),
            st.sampled_from([-1.0, 0.0, 0.25, 1.0, 3.0]),
            st.integers(0, 4),
        ),
        min_size=n,
        max_size=n,
    )
    y, s, qid = zip(*draw(rows), strict=True)
    return np.array(y, float), np.array(s), np.array(qid)


def ragged(n_lists=60, seed=0, ties=True):
    """Interleaved lists of 2 to 30 rows with tied scores and blank lists."""
    rng = np.random.default_rng(seed)
    qid = np.repeat(np.arange(n_lists), rng.integers(2, 31, n_lists))
    y = rng.integers(0, 5, len(qid)) * (rng.random(len(qid)) < 0.4)
    y[qid % 10 == 0] = 0
    s = rng.normal(size=len(qid))
    s = s.round(1) if ties else s
    shuffled = rng.permutation(len(qid))
    return y[shuffled].astype(float), s[shuffled], qid[shuffled]


def each_list(y, s, qid):
    """Labels and scores of each list, by first appearance."""
    for q in dict.fromkeys(qid.tolist()):
        yield y[qid == q], s[qid == q]
