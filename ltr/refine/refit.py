"""Relevance feedback by gradient: the query that agrees with a reranker's scores."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, check_choice, check_number, check_whole
from ltr.queries import FloatArray
from ltr.refine.vectors import check_finite, read_floats, read_query, read_vectors


def refit_query(
    query: ArrayLike,
    items: ArrayLike,
    target: ArrayLike,
    *,
    loss: str | Callable[..., Any] = "kl_distillation",
    steps: int = 100,
    learning_rate: float = 5e-3,
    scale: float | Literal["range"] = "range",
) -> FloatArray:
    r"""Refit the embedding of a query to the scores that a reranker gave its items.

    Adam minimizes, from q on,

    .. math:: \ell(c\, q^\top D,\ target)

    :func:`search` with the new query then finds items that neither the retriever nor
    the reranker had seen.

    Parameters
    ----------
    query : array-like of shape (width,)
        Embedding of the query.
    items : array-like of shape (n_items, width)
        Embeddings D of the items that were reranked.
    target : array-like of shape (n_items,)
        Their scores, higher is better.
    loss : str or callable, default="kl_distillation"
        A key of :data:`ltr.losses.LOSSES`, or a loss with options set by
        ``functools.partial``. It gets ``target`` as labels and, if it requires them, as
        teacher scores.
    steps : int, default=100
        Steps of Adam. 0 leaves the query as it is.
    learning_rate : float, default=0.005
        Step size of Adam.
    scale : float or "range", default="range"
        The factor c. ``"range"``: the range of ``target`` over twice that of the
        initial scores, so that both have as much to say in a softmax.

    Returns
    -------
    query : float array of shape (width,)

    Raises
    ------
    ArgumentError
        If an embedding or a score is not finite (with its row), shapes differ, or the
        loss is unknown or needs other inputs.

    Notes
    -----
    Adam works coordinate by coordinate, so the result depends on the axes of the
    embeddings. A target without differences, or without items, leaves the query as it
    is.

    References
    ----------
    .. [1] Gangi Reddy et al., "FIRST: faster improved listwise reranking with single
       token decoding", EMNLP 2024, section 4.

    Examples
    --------
    >>> items = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> query = refit_query([1.0, 0.5], items, [0.0, 1.0], steps=200)
    >>> (items @ query).argmax()
    np.int64(1)
    """
    check_whole("steps", steps, low=0)
    check_number("learning_rate", learning_rate, low=0.0, open_low=True)
    q = read_query("query", query)
    d = read_vectors("items", items, len(q)).astype(np.float64)
    t = check_finite("target", read_floats("target", target)).astype(np.float64)
    if t.shape != (len(d),):
        raise ArgumentError(
            f"target must be one score for each of {len(d)} items; got shape {t.shape}."
        )
    if isinstance(scale, str):
        check_choice("scale", scale, ("range",), alternative="a number")
    else:
        check_number("scale", scale, low=0.0, open_low=True)
    function = _loss(loss, t)
    if steps == 0 or len(t) == 0 or np.ptp(t) == 0.0:
        return q
    spread = np.ptp(d @ q)
    factor = scale
    if isinstance(factor, str):
        factor = float(np.ptp(t) / (2.0 * spread)) if spread > 0.0 else 1.0
    import jax

    with jax.enable_x64(True):
        fitted = _fit(q, d, t, factor, learning_rate, function, steps)
    return np.asarray(fitted, dtype=np.float64)


def _loss(loss: Any, target: FloatArray) -> Any:
    """The loss as ``f(scores, target)``, hashed by its function and options."""
    from ltr.losses import get_loss, loss_info

    if not isinstance(loss, str) and not callable(loss):
        raise ArgumentError(
            f"loss must be a name or a function; got {type(loss).__name__}."
        )
    function = get_loss(loss) if isinstance(loss, str) else loss
    info = loss_info(function)
    others = [name for name in info.required if name != "teacher_scores"]
    if others:
        raise ArgumentError(
            f"loss must need labels or teacher_scores only; got {loss!r}, which needs "
            f"{others[0]}."
        )
    if info.labels == "from_0" and (target < 0.0).any():
        raise ArgumentError(
            f"target must be >= 0 for loss={loss!r}; got {target.min():g} at "
            f"{int(target.argmin())}. Subtract the minimum, or choose another loss."
        )
    return _Objective(function, "teacher_scores" in info.required_extras)


class _Objective:
    """A loss that is equal to another one of the same function and options."""

    def __init__(self, loss: Any, wants_teacher: bool) -> None:
        self.loss, self.wants_teacher = loss, wants_teacher

    def __call__(self, scores: Any, target: Any) -> Any:
        extras = {"teacher_scores": target} if self.wants_teacher else {}
        return self.loss(scores, target, **extras).sum()

    def _key(self) -> tuple[Any, ...]:
        options: Mapping[str, Any] = getattr(self.loss, "keywords", {})
        function = getattr(self.loss, "func", self.loss)
        return function, repr(sorted(options.items())), self.wants_teacher

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Objective) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


@functools.cache
def _program() -> Any:
    """The compiled fit: one program for a loss, a number of steps and a shape."""
    import jax
    import jax.numpy as jnp

    beta_1, beta_2, epsilon = 0.9, 0.999, 1e-8  # of Adam, as published

    def fit(
        q: Any,
        d: Any,
        t: Any,
        factor: Any,
        rate: Any,
        objective: Callable[[Any, Any], Any],
        steps: int,
    ) -> Any:
        gradient = jax.grad(lambda query: objective(factor * (d @ query), t))

        def step(i: Any, state: Any) -> Any:
            query, mean, square = state
            g = gradient(query)
            mean = beta_1 * mean + (1.0 - beta_1) * g
            square = beta_2 * square + (1.0 - beta_2) * g * g
            unbiased_mean = mean / (1.0 - beta_1 ** (i + 1.0))
            unbiased_square = square / (1.0 - beta_2 ** (i + 1.0))
            change = unbiased_mean / (jnp.sqrt(unbiased_square) + epsilon)
            return query - rate * change, mean, square

        zeros = jnp.zeros_like(q)
        return jax.lax.fori_loop(0, steps, step, (q, zeros, zeros))[0]

    return jax.jit(fit, static_argnums=(5,))


def _fit(
    q: FloatArray,
    d: FloatArray,
    t: FloatArray,
    factor: float,
    rate: float,
    objective: _Objective,
    steps: int,
) -> Any:
    return _program()(q, d, t, factor, rate, objective, steps)
