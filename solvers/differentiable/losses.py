r"""Learn through a solver: losses and gradients for a best order.

A solver answers "which order y gains most under the scores θ?" Written with the 0/1
indicator of its parts (arcs, first and last item; or "i before j"), that is
:math:`y^*(\theta) = \arg\max_y \langle \theta, y \rangle`: piecewise constant, so that
its derivative is 0 almost everywhere. This module has what to use in its place.

===============================  ========================================  ============
function                         gradient with respect to θ                solves
===============================  ========================================  ============
:func:`structured_hinge`         y*(θ + margin) − y                        1
:func:`perturbed_fenchel_young`  mean of y*(θ + σZ) − y                    n_samples
:func:`blackbox`                 (y*(θ) − y*(θ − λg)) / λ                  2
:func:`identity`                 g, through a projection                   1
:func:`sinkhorn_loss`            relaxed arcs − y                          0
===============================  ========================================  ============

(g is the gradient of a loss with respect to y*.) Up to 15 items
:func:`ltr.solvers.dynamic.path_log_partition` has an exact gradient instead.

The solver is an *oracle*: :class:`PathOracle` or :class:`OrderingOracle`, by default
the dynamic programme up to 12 items and ``solve_paths`` or ``solve_orderings`` beyond;
any other one plugs in. In all functions the last two axes of ``matrix`` are the list,
leading axes the batch, and ``where`` is True for real items.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.solvers.differentiable.host_callbacks import (
    STATUSES,
    GraphSolutions,
    solve_in_graph,
)
from ltr.solvers.differentiable.oracles import (
    Oracle,
    OrderingOracle,
    Parts,
    PathOracle,
    checked_scores,
    diagonal,
    given,
    inner,
    path_parts,
)
from ltr.solvers.differentiable.sinkhorn import sinkhorn, sinkhorn_loss
from ltr.solvers.dynamic.inputs import both_real


def structured_hinge(
    oracle: Oracle,
    matrix: ArrayLike,
    target: Parts,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    margin: float = 1.0,
) -> jax.Array:
    r"""Structured hinge loss: the target must win by a margin for each other part.

    .. math:: \ell = \max_y \langle \theta + m (1 - y_0), y \rangle
        - \langle \theta, y_0 \rangle

    At least 0; 0 if and only if the margin holds. Its gradient is y − y₀.

    Parameters
    ----------
    oracle : Oracle
        Finds the best order.
    matrix : array of shape (..., n, n)
        θ; −inf forbids.
    target : Parts
        y₀, see :func:`path_parts`.
    start, end : array of shape (..., n), default=None
        θ of the first, of the last item. None: 0, and no margin.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    margin : float, default=1.0
        m ≥ 0.

    Returns
    -------
    loss : array of shape (...)

    References
    ----------
    .. [1] Tsochantaridis et al., "Large margin methods for structured and
       interdependent output variables", JMLR 2005, margin re-scaling. With
       m = 1/2, half the SPO+ loss of Elmachtoub & Grigas, "Smart 'predict, then
       optimize'", Management Science 2022.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> structured_hinge(PathOracle(), jnp.zeros((3, 3)), path_parts([0, 1, 2]))
    Array(2., dtype=float32)
    """
    scores, real = checked_scores(matrix, start, end, where)
    has = given(start, end)
    raised = jax.tree.map(
        lambda score, used, free: (
            score + margin * free * (1.0 - jnp.broadcast_to(used, score.shape))
        ),
        scores,
        target,
        has,
    )
    best = oracle(raised, real)
    return inner(raised, best) - inner(scores, target)


def perturbed_fenchel_young(
    oracle: Oracle,
    matrix: ArrayLike,
    target: Parts,
    key: jax.Array,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    sigma: float = 1.0,
    n_samples: int = 8,
    noise: Literal["normal", "gumbel"] = "normal",
) -> jax.Array:
    r"""Fenchel-Young loss of the perturbed maximum.

    .. math:: \ell = \mathbb{E}_Z \max_y \langle \theta + \sigma Z, y \rangle
        - \langle \theta, y_0 \rangle

    Convex in θ; the gradient E[y*(θ + σZ)] − y₀ is estimated without bias. With σ → 0
    it is the structured perceptron.

    Parameters
    ----------
    oracle : Oracle
        Finds the best order.
    matrix : array of shape (..., n, n)
        θ; −inf forbids.
    target : Parts
        y₀, see :func:`path_parts`.
    key : PRNG key
        All lists of a call share their noise (common random numbers).
    start, end : array of shape (..., n), default=None
        θ of the first, of the last item. None: 0, without noise.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    sigma : float, default=1.0
        σ > 0.
    n_samples : int, default=8
        Draws of Z, and solves per list.
    noise : {"normal", "gumbel"}, default="normal"
        Distribution of Z; Gumbel noise is shifted to mean 0.

    Returns
    -------
    loss : array of shape (...)
        Its expectation is at least 0; an estimate may be below.

    References
    ----------
    .. [1] Berthet et al., "Learning with differentiable perturbed optimizers", NeurIPS
       2020, section 4 and eq. (8).

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> key, matrix = jax.random.key(0), 9 * jnp.eye(3, k=1)
    >>> target = path_parts([0, 1, 2])
    >>> loss = perturbed_fenchel_young(PathOracle(), matrix, target, key, sigma=0.1)
    >>> bool(jnp.abs(loss) < 0.2)
    True
    """
    scores, real = checked_scores(matrix, start, end, where)
    has = given(start, end)
    noisy = jax.tree.map(
        lambda score, z, free: score[None] + sigma * free * z,
        scores,
        _noise(key, scores, n_samples, noise),
        has,
    )
    best = oracle(noisy, jnp.broadcast_to(real[None], (n_samples, *real.shape)))
    return inner(noisy, best).mean(axis=0) - inner(scores, target)


def blackbox(
    oracle: Oracle,
    matrix: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
    strength: float = 1.0,
) -> Parts:
    r"""Best order, with the gradient of an interpolation of the loss.

    For a loss L(y*) with gradient g, the gradient with respect to θ is

    .. math:: \frac{y^*(\theta) - y^*(\theta - \lambda g)}{\lambda}

    (y* maximises; in the paper it minimises, and both signs are turned.)

    Parameters
    ----------
    oracle : Oracle
        Finds the best order; hashable, as its instances are.
    matrix : array of shape (..., n, n)
        θ; −inf forbids. Keep its scale fixed, λ is in its units.
    start, end : array of shape (..., n), default=None
        θ of the first, of the last item. None: 0.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.
    strength : float, default=1.0
        λ > 0: larger is smoother and less faithful.

    Returns
    -------
    best : Parts
        Indicator y*.

    References
    ----------
    .. [1] Vlastelica et al., "Differentiation of blackbox combinatorial solvers", ICLR
       2020, algorithm 1.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> cost = jnp.array([[0.0, 1.0], [-1.0, 0.0]])  # of using an arc
    >>> loss = lambda A: (blackbox(PathOracle(), A, strength=9.0).matrix * cost).sum()
    >>> jax.grad(loss)(jnp.array([[0.0, 3.0], [1.0, 0.0]])) * 9
    Array([[ 0.,  1.],
           [-1.,  0.]], dtype=float32)
    """
    scores, real = checked_scores(matrix, start, end, where)
    return _blackbox(oracle, scores, real, jnp.asarray(strength, scores.matrix.dtype))


def identity(
    oracle: Oracle,
    matrix: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> Parts:
    """Best order, with the gradient of its scores, centred and normalised.

    Backwards the solver is taken for the identity. Before it, the mean over all arcs of
    a tour is taken off and the result divided by its norm, which changes no best order
    and keeps the gradient from moving along what does not matter.

    Parameters
    ----------
    oracle : Oracle
        Finds the best order; hashable, as its instances are.
    matrix : array of shape (..., n, n)
        Scores; −inf forbids.
    start, end : array of shape (..., n), default=None
        Scores of the first, of the last item. None: 0, and no gradient.
    where : bool array of shape (..., n), default=None
        True for real items. None: all.

    Returns
    -------
    best : Parts
        Indicator y*.

    References
    ----------
    .. [1] Sahoo et al., "Backpropagation through combinatorial algorithms: identity
       with projection works", ICLR 2023, sections 3.2 and 3.3.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> matrix = jnp.array([[0.0, 3, 1], [1, 0, 2], [4, 1, 0]])
    >>> used = lambda A: identity(PathOracle(), A).matrix[2, 0]  # is arc (2, 0) in?
    >>> used(matrix), jax.grad(used)(matrix)[2, 0] > 0
    (Array(1., dtype=float32), Array(True, dtype=bool))
    """
    scores, real = checked_scores(matrix, start, end, where)
    pairs = both_real(real) & ~diagonal(scores.matrix)
    used = Parts(
        pairs & (scores.matrix > -jnp.inf),
        real & (scores.start > -jnp.inf) & (start is not None),
        real & (scores.end > -jnp.inf) & (end is not None),
    )
    return _identity(oracle, _project(scores, used), real)


def _noise(key: jax.Array, scores: Parts, n_samples: int, kind: str) -> Parts:
    """The same for all lists: (n_samples, 1, …, n, n) and (n_samples, 1, …, n)."""
    n = scores.start.shape[-1]
    if kind == "normal":
        draws = jax.random.normal(key, (n_samples, n + 2, n), jnp.float32)
    elif kind == "gumbel":
        draws = jax.random.gumbel(key, (n_samples, n + 2, n), jnp.float32)
        draws = draws - float(jnp.euler_gamma)
    else:
        raise ValueError(f"noise must be 'normal' or 'gumbel'; got {kind!r}.")
    draws = draws.astype(scores.matrix.dtype)
    lead = (n_samples, *(1,) * (scores.start.ndim - 1))
    return Parts(
        draws[:, :n].reshape(*lead, n, n),
        draws[:, n].reshape(*lead, n),
        draws[:, n + 1].reshape(*lead, n),
    )


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _blackbox(
    oracle: Oracle, scores: Parts, where: jax.Array, strength: jax.Array
) -> Parts:
    return oracle(scores, where)


def _blackbox_forward(
    oracle: Oracle, scores: Parts, where: jax.Array, strength: jax.Array
) -> tuple[Parts, tuple[Parts, Parts, jax.Array, jax.Array]]:
    best = oracle(scores, where)
    return best, (scores, best, where, strength)


def _blackbox_backward(
    oracle: Oracle,
    saved: tuple[Parts, Parts, jax.Array, jax.Array],
    cotangent: Parts,
) -> tuple[Parts, None, None]:
    scores, best, where, strength = saved
    pushed = jax.tree.map(lambda s, g: s - strength * g, scores, cotangent)
    moved = oracle(pushed, where)
    return jax.tree.map(lambda b, m: (b - m) / strength, best, moved), None, None


_blackbox.defvjp(_blackbox_forward, _blackbox_backward)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _identity(oracle: Oracle, scores: Parts, where: jax.Array) -> Parts:
    return oracle(scores, where)


_identity.defvjp(
    lambda oracle, scores, where: (oracle(scores, where), None),
    lambda oracle, _, cotangent: (cotangent, None),
)


def _project(scores: Parts, used: Parts) -> Parts:
    """Centred over the parts that may be used, and of norm 1."""

    def total(parts: list[jax.Array]) -> jax.Array:
        return parts[0].sum(axis=(-2, -1)) + (parts[1] + parts[2]).sum(axis=-1)

    def along(value: jax.Array) -> Parts:
        return Parts(value[..., None, None], value[..., None], value[..., None])

    safe = [jnp.where(u, s, 0.0) for s, u in zip(scores, used, strict=True)]
    count = total([u.astype(scores.matrix.dtype) for u in used])
    mean = along(total(safe) / jnp.maximum(count, 1.0))
    centred = [
        jnp.where(u, s - m, 0.0) for s, m, u in zip(safe, mean, used, strict=True)
    ]
    square = total([c**2 for c in centred])
    norm = along(jnp.sqrt(jnp.where(square > 0, square, 1.0)))
    return Parts(
        *(
            jnp.where(u, c / m, jax.lax.stop_gradient(s))
            for u, c, m, s in zip(used, centred, norm, scores, strict=True)
        )
    )


__all__ = [
    "STATUSES",
    "GraphSolutions",
    "Oracle",
    "OrderingOracle",
    "Parts",
    "PathOracle",
    "blackbox",
    "identity",
    "inner",
    "path_parts",
    "perturbed_fenchel_young",
    "sinkhorn",
    "sinkhorn_loss",
    "solve_in_graph",
    "structured_hinge",
]
