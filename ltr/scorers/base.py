"""The interface of a scorer, and the dense layer that all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from ltr.scorers.draws import constant, normal
from ltr.scorers.parameters import outline
from ltr.scorers.products import product

if TYPE_CHECKING:
    import jax

Params = Any
Array = Any  # NumPy or JAX
Similarity = Literal["cosine", "dot", "bilinear"]
# Variance scale of output layers: scores start small, but not tied, because equal
# scores have equal discounts and so λ-weights of 0.
OUTPUT_SCALE = 0.01


class Scorer(ABC):
    """Features → scores. Subclasses are frozen dataclasses, hence hashable.

    A scorer may have a method ``penalty(params, X, where)`` that returns one number for
    a mini-batch, which training adds to the mean loss.

    Attributes
    ----------
    uses_list : bool
        Whether the score of an item depends on the other items of its list.
    is_linear : bool
        Whether the score is linear in the parameters, so that a convex loss of the
        scores is convex in them, too.
    auto_decay : float
        Value of ``weight_decay="auto"`` for ``"adamw"``, unless ``is_linear``.
    wants_raw_features : bool
        Whether ``preprocess="auto"`` must leave the features as they are.
    takes_sparse : bool
        Whether all that ``apply`` does with ``X`` is ``X.reshape(-1, X.shape[-1])``
        times a matrix, as ``Dense`` does, so that ``X`` may be sparse.
    required_parameters : tuple of str
        Parameters of a ranker without which :meth:`from_parameters` raises.
    """

    uses_list: ClassVar[bool] = False
    is_linear: ClassVar[bool] = False
    auto_decay: ClassVar[float] = 1.0
    wants_raw_features: ClassVar[bool] = False
    takes_sparse: ClassVar[bool] = False
    required_parameters: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def from_parameters(
        cls,
        *,
        hidden_layer_sizes: tuple[int, ...],
        n_query_features: int | None,
        similarity: Similarity,
    ) -> Self:
        """Make a scorer from the parameters of a ranker.

        This is what a name in :data:`ltr.scorers.SCORERS` stands for. A scorer that
        depends on none of the parameters need not override it.

        Parameters
        ----------
        hidden_layer_sizes : tuple of int
            Width of each hidden layer.
        n_query_features : int or None
            How many of the first columns are the query embedding.
        similarity : {"cosine", "dot", "bilinear"}
            How two embeddings are compared.

        Returns
        -------
        scorer : Scorer
            By default ``cls()``.

        Raises
        ------
        ValueError
            If one of ``required_parameters`` is None.
        """
        return cls()

    @abstractmethod
    def init(self, key: jax.Array, n_features: int) -> Params:
        """Draw parameters.

        Parameters
        ----------
        key : PRNG key
            Source of the draw.
        n_features : int
            Number of input features.

        Returns
        -------
        params : pytree of JAX arrays
        """

    def outline(self, n_features: int) -> Params:
        """Shapes of the parameters of :meth:`init`, with which a saved ranker is read.

        This one traces :meth:`init` by JAX. The scorers of the library, which are
        served without it, override it.

        Parameters
        ----------
        n_features : int
            Number of input features.

        Returns
        -------
        params : pytree of arrays
            Zeros that take no memory, see ``ltr.scorers.parameters.outline``.
        """
        import jax

        init = partial(self.init, n_features=n_features)
        shapes = jax.eval_shape(init, jax.random.key(0))
        return jax.tree.map(lambda leaf: outline(*leaf.shape), shapes)

    @abstractmethod
    def apply(
        self,
        params: Params,
        X: Array,
        where: Array | None = None,
        weights: Array | None = None,
    ) -> Array:
        """Score items.

        Parameters
        ----------
        params : pytree
            From :meth:`init`, or its NumPy copy.
        X : array of shape (..., list_size, n_features)
            Features, NumPy or JAX.
        where : bool array of shape (..., list_size), optional
            True for real items. Read only by scorers that use the list.
        weights : array of shape (..., list_size), optional
            Item weights in training: weight 2 is the item twice in the list.

        Returns
        -------
        scores : array of shape (..., list_size)
        """


class Dense(NamedTuple):
    """An affine layer.

    Attributes
    ----------
    weight : array of shape (n_in, n_out)
    bias : array of shape (n_out,)
    """

    weight: Array
    bias: Array

    def __call__(self, h: Array) -> Array:
        """Map (..., n_in) to (..., n_out)."""
        # One matrix product over all rows: a batched one is 1.5 times slower on a CPU.
        rows = product(h.reshape(-1, h.shape[-1]), self.weight) + self.bias[None, :]
        return rows.reshape(*h.shape[:-1], rows.shape[-1])


def init_dense(key: jax.Array, n_in: int, n_out: int, scale: float = 2.0) -> Dense:
    """Draw a layer with weight variance ``scale / n_in`` (He et al., 2015) and bias 0.

    Parameters
    ----------
    key : PRNG key
        Source of the weights.
    n_in, n_out : int
        Width of input and output.
    scale : float, default=2.0
        2 before a rectifier, 1 before a linear output.

    Returns
    -------
    layer : Dense
    """
    deviation = (scale / n_in) ** 0.5
    return Dense(
        weight=normal(key, (n_in, n_out), deviation),
        bias=constant(n_out),
    )


def outline_dense(n_in: int, n_out: int) -> Dense:
    """Shapes of a layer of :func:`init_dense`."""
    return Dense(outline(n_in, n_out), outline(n_out))


def relu(h: Array) -> Array:
    """max(h, 0), in the namespace of ``h``."""
    return h.__array_namespace__().maximum(h, 0.0)
