"""Why one item ranks above another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, check_whole
from ltr.formatting import format_number, format_value
from ltr.inspection.contributions import difference_of_pair
from ltr.inspection.tables import as_table, input_values, names_of, take_rows
from ltr.model_selection.scoring import predict_lists
from ltr.queries import FloatArray, check_rows, group_queries

_MENTIONED = 3  # features for and against that the text names
_SMALL = 0.005  # of the largest contribution: not worth a word


@dataclass(frozen=True)
class PairExplanation:
    """What :func:`explain_pair` returns; it prints in words.

    Attributes
    ----------
    names : tuple of str
        What the two items are called.
    features : list of str
        Names of the columns.
    inputs : tuple of arrays of shape (n_features,)
        Their features.
    scores : tuple of float
        Their scores.
    difference : float
        Score of the first less that of the second: the sum of ``values``.
    values : float array of shape (n_features,)
        What each feature adds to the difference.
    errors : float array of shape (n_features,)
        Standard errors of ``values``; 0 where they are exact.

    Examples
    --------
    >>> from ltr import LinearRanker
    >>> X = [[5.0], [2.0]]
    >>> ranker = LinearRanker(alpha=0.0, preprocess=None).fit(X, [1, 0])
    >>> print(explain_pair(ranker, X, 0, 1))
    Item 0 ranks above item 1: its score is 3.33 against 1.33. In favor of item 0: f0 \
(5 against 2) adds 2.
    """

    names: tuple[str, str]
    features: list[str]
    inputs: tuple[Any, Any]
    scores: tuple[float, float]
    difference: float
    values: FloatArray
    errors: FloatArray

    def __repr__(self) -> str:
        """The explanation in words, the largest contributions first."""
        first, second = self.names
        if self.difference == 0:
            verb = "ties with"
        else:
            verb = "ranks above" if self.difference > 0 else "ranks below"
        scores = " against ".join(map(format_number, self.scores))
        sentences = [f"{_capital(first)} {verb} {second}: its score is {scores}."]
        order = np.argsort(-np.abs(self.values), kind="stable")
        largest = np.abs(self.values).max(initial=0.0)
        is_large = np.abs(self.values) > _SMALL * largest
        gains = [i for i in order if self.values[i] > 0 and is_large[i]][:_MENTIONED]
        losses = [i for i in order if self.values[i] < 0 and is_large[i]][:_MENTIONED]
        for side, features in ((first, gains), (second, losses)):
            if features:
                sentences.append(f"In favor of {side}: {self._phrase(features)}.")
        others = np.setdiff1d(np.arange(len(self.values)), [*gains, *losses])
        if not largest:
            sentences.append("No feature tells them apart.")
        elif len(others):
            total = format_number(float(self.values[others].sum()))
            noun = "feature shifts" if len(others) == 1 else "features shift"
            number = "" if len(others) == 1 else f"{len(others)} "
            sentences.append(f"The other {number}{noun} the difference by {total}.")
        if self.errors.any():
            error = format_number(float(self.errors.max()))
            sentences.append(
                f"Contributions are estimates, with standard errors up to {error}."
            )
        return " ".join(sentences)

    def _phrase(self, features: list[int]) -> str:
        """Features with the values of both items and what they add."""
        parts = [
            f"{self.features[i]} ({format_value(self.inputs[0][i])} against "
            f"{format_value(self.inputs[1][i])}) adds "
            f"{format_number(abs(self.values[i]))}"
            for i in features
        ]
        return (
            parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
        )


def explain_pair(
    ranker: Any,
    X: Any,
    a: int,
    b: int,
    qid: ArrayLike | None = None,
    *,
    names: tuple[str, str] | None = None,
    n_permutations: int = 200,
    random_state: Any = None,
) -> PairExplanation:
    """Explain why item a of a list ranks above item b, or below it.

    Parameters
    ----------
    ranker : fitted ranker
        As for :func:`contributions`.
    X : array-like of shape (n_samples, n_features)
        Features.
    a, b : int
        Rows of two items of one query.
    qid : array-like of shape (n_samples,), default=None
        Query of each row. None: one query.
    names : tuple of str, default=None
        What to call the items. None: ``item a`` and ``item b``, with their rows.
    n_permutations : int, default=200
        Orders of the features that are drawn for a neural ranker.
    random_state : int, RandomState or None, default=None
        Seed of the draw.

    Returns
    -------
    explanation : PairExplanation
        ``print`` it, or draw it with :class:`ltr.plotting.PairExplanationDisplay`.

    Raises
    ------
    ValueError
        If the rows are no two items of one query, or an input is invalid.

    Notes
    -----
    A feature contributes what it adds to the score of a less what it adds to the score
    of b. Both scores have the same baseline, so the contributions sum to the difference
    of the scores. Where orders of the features are sampled, a feature is added to both
    items at once.

    Examples
    --------
    >>> import pandas as pd
    >>> from ltr import LinearRanker
    >>> X = pd.DataFrame({"clicks": [5.0, 2.0, 1.0], "price": [9.0, 4.0, 2.0]})
    >>> ranker = LinearRanker(alpha=0.1, preprocess=None).fit(X, [2, 1, 0])
    >>> explanation = explain_pair(ranker, X, 0, 2)
    >>> bool(abs(explanation.values.sum() - explanation.difference) < 1e-9)
    True
    >>> print(explain_pair(ranker, X, 0, 2, names=("the shoe", "the boot")))
    the shoe ranks above the boot: its score is 2.99 against 0.686. In favor of the \
shoe: price (9 against 2) adds 3.08. In favor of the boot: clicks (5 against 1) adds \
0.771.
    """
    check_rows({"X": X, "qid": qid})
    table = as_table(X)
    queries = group_queries(qid, len(table), rows=X)
    for name, row in (("a", a), ("b", b)):
        check_whole(name, row, low=0, high=len(table) - 1)
    if a == b or queries.codes[a] != queries.codes[b]:
        problem = "the same row" if a == b else "rows of two queries"
        raise ArgumentError(
            f"a and b must be two rows of one query; got {a} and {b}, {problem}. Items "
            "of different queries do not compete."
        )
    members = np.flatnonzero(queries.codes == queries.codes[a])
    places = np.searchsorted(members, [a, b])
    of_list = take_rows(table, members)
    values, errors = difference_of_pair(
        ranker,
        of_list,
        places,
        n_permutations=n_permutations,
        random_state=random_state,
    )
    scores = predict_lists(ranker, of_list, np.zeros(len(members)))[places]
    inputs = input_values(of_list)
    first, second = (f"item {a}", f"item {b}") if names is None else names
    return PairExplanation(
        names=(str(first), str(second)),
        features=names_of(table),
        inputs=(inputs[places[0]], inputs[places[1]]),
        scores=(float(scores[0]), float(scores[1])),
        difference=float(scores[0] - scores[1]),
        values=values,
        errors=errors,
    )


def _capital(text: str) -> str:
    """``Item 3`` at the start of a sentence; names of the user stay as they are."""
    return text[:1].upper() + text[1:] if text.startswith("item ") else text
