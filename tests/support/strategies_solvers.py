"""Hypothesis strategies: matrices of the kinds that trip solvers."""

import hypothesis.strategies as st
import numpy as np

from ltr.solvers import Precedence, Together, Window

KINDS = (
    "normal",
    "tied",
    "constant",
    "symmetric",
    "skew",
    "preference",
    "huge",
    "tiny",
)


@st.composite
def matrices(draw, min_size: int = 0, max_size: int = 6, kinds=KINDS):
    """A square matrix, its diagonal rubbish."""
    n = draw(st.integers(min_size, max_size))
    kind = draw(st.sampled_from(kinds))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    matrix = rng.normal(size=(n, n))
    if kind == "tied":
        matrix = rng.integers(0, 3, size=(n, n)).astype(float)
    elif kind == "constant":
        matrix = np.full((n, n), -2.5)
    elif kind == "symmetric":
        matrix = matrix + matrix.T
    elif kind == "skew":
        matrix = matrix - matrix.T
    elif kind == "preference":
        s = rng.normal(size=n)
        matrix = 1 / (1 + np.exp(s[None] - s[:, None]))
    elif kind == "huge":
        matrix = matrix * 1e12
    elif kind == "tiny":
        matrix = matrix * 1e-12 - 3e-12
    np.fill_diagonal(matrix, rng.choice([0.0, 77.0, np.nan]))
    return matrix


def nearly_symmetric(n, seed):
    """Cosines with a little skew: the assignment bound is weak."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 8))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    noise = rng.normal(size=(n, n))
    return points @ points.T + 0.03 * (noise - noise.T)


@st.composite
def rules(draw, n, kinds=("window", "precedence", "together")):
    """One to three constraints, one of them a window."""
    drawn = []
    for kind in ["window", *draw(st.lists(st.sampled_from(kinds), max_size=2))]:
        items = draw(st.permutations(range(n)))
        if kind == "window":
            first = draw(st.integers(0, n - 1))
            last = draw(st.none() | st.integers(first, n))
            drawn.append(Window(items[0], first, last))
        elif kind == "precedence":
            drawn.append(Precedence(*items[:2]))
        else:
            drawn.append(Together(tuple(items[: draw(st.integers(2, n))])))
    return tuple(drawn)
