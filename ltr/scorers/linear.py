"""Linear scorer: one weight per feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ltr.scorers.base import (
    OUTPUT_SCALE,
    Array,
    Params,
    Scorer,
    init_dense,
    outline_dense,
)

if TYPE_CHECKING:
    import jax


@dataclass(frozen=True)
class LinearScorer(Scorer):
    """s = w · x + b; only pointwise losses see the bias b.

    Examples
    --------
    >>> import numpy as np
    >>> from ltr.scorers.base import Dense
    >>> scorer = LinearScorer()
    >>> params = Dense(np.array([[2.0], [1.0]]), np.array([0.5]))
    >>> scorer.apply(params, np.array([[1.0, 0.0], [0.0, 1.0]])).tolist()
    [2.5, 1.5]
    """

    is_linear: ClassVar[bool] = True
    takes_sparse: ClassVar[bool] = True

    def init(self, key: jax.Array, n_features: int) -> Params:
        """Draw small weights."""
        return init_dense(key, n_features, 1, scale=OUTPUT_SCALE)

    def outline(self, n_features: int) -> Params:
        """Shapes of the parameters, see :meth:`Scorer.outline`."""
        return outline_dense(n_features, 1)

    def apply(
        self,
        params: Params,
        X: Array,
        where: Array | None = None,
        weights: Array | None = None,
    ) -> Array:
        """Score items, see :meth:`Scorer.apply`."""
        return params(X)[..., 0]
