"""Scorers: features → one score per item.

A scorer is a small frozen object with two methods::

    params = scorer.init(key, n_features)    # a pytree of JAX arrays
    scores = scorer.apply(params, X, where)  # X without its last axis

``apply`` is written once, in the array namespace of ``X``: it runs under ``jit`` in
training and in NumPy at prediction time, in float64, so a new list size never compiles.
``uses_list`` says whether the score of an item depends on the rest of its list. A line
in :data:`SCORERS` gives a scorer its name; rankers make it by ``from_parameters``.
:class:`PairScorer` scores pairs instead of items; it serves :class:`ltr.TSPRanker`.
:class:`ModuleScorer` makes a scorer of a module of Equinox or Flax NNX.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ltr.arguments import check_choice
from ltr.lazy import lazy_names
from ltr.scorers.adapter import AdapterScorer
from ltr.scorers.attention import AttentionScorer
from ltr.scorers.base import Scorer, Similarity
from ltr.scorers.linear import LinearScorer
from ltr.scorers.mlp import MLPScorer, layer_sizes
from ltr.scorers.two_tower import TwoTowerScorer
from ltr.scorers.wide_deep import WideDeepScorer

if TYPE_CHECKING:
    from ltr.scorers.modules import ModuleScorer
    from ltr.scorers.pairs import (
        PairEnsemble,
        PairScorer,
        PairScores,
        PublishedPairScorer,
    )

SCORERS: dict[str, type[Scorer]] = {
    "linear": LinearScorer,
    "mlp": MLPScorer,
    "wide_deep": WideDeepScorer,
    "attention": AttentionScorer,
    "two_tower": TwoTowerScorer,
    "adapter": AdapterScorer,
}


def get_scorer(
    scorer: str | Scorer,
    hidden_layer_sizes: int | Sequence[int] = (128, 64),
    n_query_features: int | None = None,
    similarity: Similarity = "cosine",
) -> Scorer:
    """Make a scorer from a name and the parameters of a ranker.

    Parameters
    ----------
    scorer : str or Scorer
        A key of :data:`SCORERS`; an object is returned as it is.
    hidden_layer_sizes : int or sequence of int, default=(128, 64)
        For ``"mlp"``, ``"wide_deep"`` and ``"attention"``; an int is a single layer.
    n_query_features : int, default=None
        For ``"two_tower"`` and ``"adapter"``, which require it.
    similarity : {"cosine", "dot", "bilinear"}, default="cosine"
        For ``"two_tower"``.

    Returns
    -------
    scorer : Scorer

    Raises
    ------
    ValueError
        If the name is unknown, or ``n_query_features`` is missing.

    Examples
    --------
    >>> get_scorer("mlp", (16,))
    MLPScorer(hidden_layer_sizes=(16,))
    """
    widths = layer_sizes(hidden_layer_sizes)
    if isinstance(scorer, Scorer):
        return scorer
    check_choice("scorer", scorer, SCORERS, alternative="a Scorer object")
    return SCORERS[scorer].from_parameters(
        hidden_layer_sizes=widths,
        n_query_features=n_query_features,
        similarity=similarity,
    )


__all__ = [
    "SCORERS",
    "AdapterScorer",
    "AttentionScorer",
    "LinearScorer",
    "MLPScorer",
    "ModuleScorer",
    "PairEnsemble",
    "PairScorer",
    "PairScores",
    "PublishedPairScorer",
    "Scorer",
    "TwoTowerScorer",
    "WideDeepScorer",
    "get_scorer",
]
__getattr__ = lazy_names(
    __name__,
    {
        "ModuleScorer": "ltr.scorers.modules",
        "PairEnsemble": "ltr.scorers.pairs",
        "PairScorer": "ltr.scorers.pairs",
        "PairScores": "ltr.scorers.pairs",
        "PublishedPairScorer": "ltr.scorers.pairs",
    },
)
