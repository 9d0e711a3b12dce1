"""Hypothesis strategies: matrices of the kinds that trip solvers."""

import hypothesis.strategies as st
import numpy as np

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
