"""Scorers by name; each is imported when it is first asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import replace

from ltr.arguments import ArgumentError, check_choice
from ltr.scorers.base import Scorer, Similarity
from ltr.scorers.mlp import layer_sizes


class _Scorers(MutableMapping[str, type[Scorer]]):
    """Name → class, from the class or from its module and name."""

    def __init__(self, classes: dict[str, type[Scorer] | tuple[str, str]]) -> None:
        self._classes = classes

    def __getitem__(self, name: str) -> type[Scorer]:
        entry = self._classes[name]
        if isinstance(entry, tuple):
            module, class_name = entry
            entry = getattr(importlib.import_module(module), class_name)
        return entry

    def __setitem__(self, name: str, scorer: type[Scorer]) -> None:
        self._classes[name] = scorer

    def __delitem__(self, name: str) -> None:
        del self._classes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)

    def __repr__(self) -> str:
        return repr(dict(self))


SCORERS: MutableMapping[str, type[Scorer]] = _Scorers(
    {
        "linear": ("ltr.scorers.linear", "LinearScorer"),
        "mlp": ("ltr.scorers.mlp", "MLPScorer"),
        "wide_deep": ("ltr.scorers.wide_deep", "WideDeepScorer"),
        "attention": ("ltr.scorers.attention", "AttentionScorer"),
        "two_tower": ("ltr.scorers.two_tower", "TwoTowerScorer"),
        "adapter": ("ltr.scorers.adapter", "AdapterScorer"),
    }
)


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
    MLPScorer(hidden_layer_sizes=(16,), dropout=0.0)
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


def with_dropout(scorer: Scorer, dropout: float) -> Scorer:
    """The scorer, with this share of its hidden units left out in training.

    Parameters
    ----------
    scorer : Scorer
        Any, if the share is 0.
    dropout : float
        In [0, 1). 0: the scorer as it is.

    Returns
    -------
    scorer : Scorer

    Raises
    ------
    ValueError
        If it has no dropout.

    Examples
    --------
    >>> from ltr.scorers import MLPScorer
    >>> with_dropout(MLPScorer((16,)), 0.25)
    MLPScorer(hidden_layer_sizes=(16,), dropout=0.25)
    """
    if dropout == 0:
        return scorer
    if not hasattr(scorer, "dropout"):
        raise ArgumentError(
            "dropout is for scorer='mlp', 'wide_deep' or 'attention', which have "
            f"hidden units; got {scorer!r}. Set dropout=0.0."
        )
    return replace(scorer, dropout=float(dropout))  # type: ignore[type-var]
