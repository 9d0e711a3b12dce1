"""Hypothesis strategies: ranked lists with ties and masks, and layouts of qid."""

import hypothesis.strategies as st
import numpy as np


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
