"""Modules of other libraries as scorers: Equinox, Flax NNX, or any JAX pytree."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ltr.scorers.base import Array, Params, Scorer

if TYPE_CHECKING:
    import jax


@dataclass(frozen=True)
class ModuleScorer(Scorer):
    """A module that maps the features of an item to its score.

    The module must be a pytree of JAX, as those of Equinox and of Flax NNX (from 0.12)
    are. Its arrays of floats are trained; its other leaves, such as activation
    functions, stay as they are. It must not change when it is called: no batch
    normalization, no dropout.

    Parameters
    ----------
    make : callable
        ``make(key, n_features)`` returns a new module, which is called with an array of
        shape (n_features,) and returns a number, or an array of one number. An
        importable function, so that the ranker can be pickled.

    Notes
    -----
    The module runs in JAX in predict, too, and in single precision unless JAX is set to
    another one.

    Examples
    --------
    With Equinox, ``return equinox.nn.MLP(n_features, "scalar", 8, 1, key=key)``; here a
    function with one parameter is the module:

    >>> import jax, numpy as np
    >>> from jax.tree_util import Partial
    >>> def make(key, n_features):
    ...     return Partial(jax.numpy.dot, jax.random.normal(key, (n_features,)))
    >>> scorer = ModuleScorer(make)
    >>> params = scorer.init(jax.random.key(0), 3)
    >>> [leaf.shape for leaf in params], scorer.apply(params, np.zeros((5, 4, 3))).shape
    ([(3,)], (5, 4))
    """

    make: Callable[[jax.Array, int], Any]

    def init(self, key: jax.Array, n_features: int) -> Params:
        """Make a module; its arrays of floats are the parameters."""
        import jax

        leaves = jax.tree.leaves(self.make(key, n_features))
        params = tuple(leaf for leaf in leaves if _is_trained(leaf))
        if not params:
            raise TypeError(
                f"make={self.make!r} must return a pytree with arrays of floats; got "
                "none in it. Of Flax NNX, that takes version 0.12 or later."
            )
        return params

    def apply(
        self,
        params: Params,
        X: Array,
        where: Array | None = None,
        weights: Array | None = None,
    ) -> Array:
        """Score each item by itself, see :meth:`Scorer.apply`."""
        import jax
        import jax.numpy as jnp

        static, structure = _structure(self.make, X.shape[-1])
        trained = iter(params)
        leaves = [jnp.asarray(next(trained)) if x is _TRAINED else x for x in static]
        module = jax.tree.unflatten(structure, leaves)
        rows = jnp.asarray(X).reshape(-1, X.shape[-1])
        return jax.vmap(module)(rows).reshape(X.shape[:-1])


_TRAINED = object()  # the place of a parameter among the leaves of a module


def _is_trained(leaf: Any) -> bool:
    import jax.numpy as jnp

    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)


@functools.lru_cache(maxsize=64)
def _structure(
    make: Callable[[jax.Array, int], Any], n_features: int
) -> tuple[tuple[Any, ...], Any]:
    """Leaves of a module that are not trained, each in its place, and its structure."""
    import jax

    with jax.ensure_compile_time_eval():  # no tracers: the result outlives a trace
        leaves, structure = jax.tree.flatten(make(jax.random.key(0), n_features))
    return tuple(_TRAINED if _is_trained(leaf) else leaf for leaf in leaves), structure
