"""Outputs of a fitted ranker of pairs besides scores: matrices and probabilities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ltr.queries import FloatArray, Queries, group_queries
from ltr.rankers.features import check_dense_X
from ltr.rankers.neural.training import LearnedState
from ltr.rankers.pairs.decoding import (
    check_short,
    ordering_precedence,
    path_marginals,
    path_precedence,
)
from ltr.scorers import PairScores

_CURE = "take their best orders from decode, or their scores from pairwise_matrix"


class PairOutputs(ABC):
    """Mixin of rankers whose scorer is a pair scorer: its matrices and probabilities.

    It reads what ``fit`` left behind and adds no parameter.
    """

    loss: Any
    _learned_state: LearnedState
    _warn_if_many: Callable[[int, ArrayLike | None], None]

    def pairwise_matrix(
        self, X: ArrayLike, qid: ArrayLike | None = None
    ) -> list[PairScores]:
        """Score the pairs of each list.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.

        Returns
        -------
        pairs : list of PairScores
            One per query, by first appearance, items in the order of the rows.
            ``matrix[i, j]``: gain of item j directly after item i (of item i before
            item j for the pairwise losses); the diagonal is 0.
        """
        return self._by_query(X, qid, _split)

    def successor_proba(
        self, X: ArrayLike, qid: ArrayLike | None = None
    ) -> list[PairScores]:
        """Probability of each adjacency, if orders are drawn as exp(path score).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.

        Returns
        -------
        probabilities : list of PairScores
            One per query, by first appearance: ``matrix[i, j]`` that j comes directly
            after i, ``start[j]`` that j is first, ``end[i]`` that i is last.

        Raises
        ------
        ValueError
            If a list has more than 15 items, or the loss learns precedence and not
            adjacency.
        """
        if self._learns_precedence:
            raise ValueError(
                f"loss={self.loss!r} learns which item comes earlier, not which comes "
                "next. Use precedence_proba, or train with loss='crf'."
            )
        return self._by_query(
            X,
            qid,
            lambda pairs: _split(path_marginals(pairs)),
            lambda queries: check_short(queries, "successor_proba", _CURE),
        )

    def precedence_proba(
        self, X: ArrayLike, qid: ArrayLike | None = None
    ) -> list[FloatArray]:
        """Probability that item i comes anywhere before item j.

        Orders are drawn as exp(path score); with the pairwise losses, as exp(sum over
        all pairs).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.

        Returns
        -------
        probabilities : list of float arrays of shape (list_size, list_size)
            One per query, by first appearance.

        Raises
        ------
        ValueError
            If a list has more than 15 items.
        """
        precedence = ordering_precedence if self._learns_precedence else path_precedence
        return self._by_query(
            X,
            qid,
            lambda pairs: list(precedence(pairs)),
            lambda queries: check_short(queries, "precedence_proba", _CURE),
        )

    def expected_ranks(self, X: ArrayLike, qid: ArrayLike | None = None) -> FloatArray:
        """Mean rank of each item over the distribution of :meth:`precedence_proba`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.

        Returns
        -------
        ranks : float array of shape (n_samples,)
            From 1 (certainly best) to the size of the list, in the order of the rows.

        Raises
        ------
        ValueError
            If a list has more than 15 items.
        """
        precedence = self.precedence_proba(X, qid)
        queries = group_queries(qid, sum(len(matrix) for matrix in precedence))
        ranks = np.empty(queries.n_samples)
        # E[rank of j] = 1 + Σ_i P(i before j)
        by_list = [1.0 + matrix.sum(axis=0) for matrix in precedence]
        ranks[queries.order] = np.concatenate([*by_list, np.zeros(0)])
        return ranks

    @property
    @abstractmethod
    def _learns_precedence(self) -> bool:
        """Whether the loss is about *i before j*, and not about *j right after i*."""

    def _check_lists(
        self, X: ArrayLike, qid: ArrayLike | None
    ) -> tuple[NDArray[Any], Queries]:
        check_is_fitted(self)
        features = check_dense_X(self, X, reset=False)
        self._warn_if_many(len(features), qid)
        return features, group_queries(qid, len(features), rows=X)

    def _by_query(
        self,
        X: ArrayLike,
        qid: ArrayLike | None,
        compute: Callable[[PairScores], list[Any]],
        check: Callable[[Queries], None] = lambda queries: None,
    ) -> list[Any]:
        """Apply ``compute`` to blocks of lists; return its results query by query."""
        features, queries = self._check_lists(X, qid)
        check(queries)
        results: list[Any] = [None] * queries.n_lists
        for rows, pairs in self._learned_state.fitted.pairs(features, queries):
            for code, result in zip(
                queries.codes[rows[:, 0]], compute(pairs), strict=True
            ):
                results[code] = result
        return results


def _split(pairs: PairScores) -> list[PairScores]:
    """The lists of a block one by one; ends that have no scores stay None."""
    ends = [
        [None] * len(pairs.matrix) if part is None else part
        for part in (pairs.start, pairs.end)
    ]
    return [PairScores(*parts) for parts in zip(pairs.matrix, *ends, strict=True)]
