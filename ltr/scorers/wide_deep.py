"""A multilayer perceptron with a linear path beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ltr.scorers.base import Array, Dense, Params
from ltr.scorers.draws import constant
from ltr.scorers.mlp import MLPScorer
from ltr.scorers.parameters import outline
from ltr.scorers.products import product

if TYPE_CHECKING:
    import jax


class WideDeep(NamedTuple):
    """Parameters of a :class:`WideDeepScorer`.

    Attributes
    ----------
    deep : tuple of Dense
        The layers of the perceptron.
    wide : array of shape (n_features, 1)
        Weights of the linear path.
    """

    deep: tuple[Dense, ...]
    wide: Array

    def blended(self, share: float, weight: Array, bias: float) -> WideDeep:
        """Scores (1 − share) · s(x) + weight · x + bias, as parameters.

        Parameters
        ----------
        share : float
            What the present scores lose, in [0, 1].
        weight : float array of shape (n_features,)
            What the linear path gains.
        bias : float
            What every score gains.

        Returns
        -------
        params : WideDeep
            Of the same precision.
        """
        *hidden, output = self.deep
        wide = (1 - share) * self.wide + weight[:, None]
        output = Dense(
            ((1 - share) * output.weight).astype(output.weight.dtype),
            ((1 - share) * output.bias + bias).astype(output.bias.dtype),
        )
        return WideDeep((*hidden, output), wide.astype(self.wide.dtype))


@dataclass(frozen=True)
class WideDeepScorer(MLPScorer):
    """s = w · x + MLP(x): what is linear need not go through the hidden layers.

    The weights w are 0 at first and have no gradient: a ranker computes them from the
    training rows, and folds them in. Steps of Adam, which are the same for all features
    whatever they are worth, would let many useless ones win.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(128, 64)
        Width of each hidden layer.
    dropout : float, default=0.0
        As for :class:`MLPScorer`; the linear path is never left out.

    References
    ----------
    .. [1] Cheng et al., "Wide & deep learning for recommender systems", DLRS 2016.

    Examples
    --------
    >>> import jax, numpy as np
    >>> scorer = WideDeepScorer((8,))
    >>> params = scorer.init(jax.random.key(0), 3)
    >>> params.wide.shape, scorer.apply(params, np.zeros((5, 4, 3))).shape
    ((3, 1), (5, 4))
    """

    def init(self, key: jax.Array, n_features: int) -> Params:
        """Draw the perceptron as :class:`MLPScorer` does; w is 0."""
        return WideDeep(super().init(key, n_features), constant((n_features, 1)))

    def outline(self, n_features: int) -> Params:
        """Shapes of the parameters, see :meth:`Scorer.outline`."""
        return WideDeep(super().outline(n_features), outline(n_features, 1))

    def apply(
        self,
        params: Params,
        X: Array,
        where: Array | None = None,
        weights: Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> Array:
        """Score items, see :meth:`Scorer.apply`."""
        wide = params.wide
        if not isinstance(wide, np.ndarray):
            import jax

            wide = jax.lax.stop_gradient(wide)
        rows = product(X.reshape(-1, X.shape[-1]), wide)  # as in Dense
        deep = super().apply(params.deep, X, key=key)
        return deep + rows.reshape(X.shape[:-1])
