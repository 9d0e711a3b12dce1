"""Outputs of a fitted ranker of pairs besides scores: matrices and probabilities."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ltr.queries import FloatArray, IntArray, Queries, check_rows, group_queries
from ltr.rankers.base import BaseRanker
from ltr.rankers.features import check_dense_X
from ltr.rankers.neural.fitted import FittedScorer
from ltr.rankers.neural.training import LearnedState
from ltr.rankers.pairs.decoding import (
    Decoder,
    check_short,
    ordering_precedence,
    path_marginals,
    path_precedence,
)
from ltr.rankers.pairs.pair_features import PairFunction, pair_source
from ltr.rankers.ranks import check_cut_off, order_rows, rank_rows
from ltr.scorers import PairScores

if TYPE_CHECKING:
    from ltr.solvers import Solution

PairArrays = Sequence[ArrayLike]
_CURE = "take their best orders from decode, or their scores from pairwise_matrix"


class PairOutputs(BaseRanker):
    """Abstract: a ranker whose scorer is a pair scorer, its matrices and probabilities.

    It reads what ``fit`` left behind and adds no parameter.
    """

    loss: Any
    pair_features: PairFunction | None = None
    _n_pair_features: int = 0
    _learned_state: LearnedState

    @abstractmethod
    def predict(
        self,
        X: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        pair_features: PairArrays | None = None,
    ) -> FloatArray:
        """Score items by their place in the decoded order."""

    def decode(
        self,
        X: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        pair_features: PairArrays | None = None,
    ) -> list[Solution]:
        """Solve for the order of each list.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        pair_features : list of array-like, default=None
            As in :meth:`predict`.

        Returns
        -------
        solutions : list of Solution
            One per query, by first appearance. ``order`` numbers the rows of its list
            from 0. The objective of ``"borda"`` is the linear ordering value of its
            order, with a bound on all orders; that of ``"bayes"`` the expected number
            of pairs in the right order.
        """
        decoder = self._decoder()
        return self._by_query(X, qid, pair_features, decoder.solve, decoder.check_sizes)

    def rank(
        self,
        X: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        pair_features: PairArrays | None = None,
    ) -> IntArray:
        """Rank the items of every query, see :meth:`NeuralRanker.rank`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        pair_features : list of array-like, default=None
            Features of pairs, see :meth:`TSPRanker.predict`.

        Returns
        -------
        ranks : int array of shape (n_samples,)
            1 for the best item of its query, in the order of the rows; items with equal
            scores share the smallest rank.
        """
        scores = self.predict(X, qid, pair_features=pair_features)
        return rank_rows(scores, self._lists_of(scores, qid))

    def order(
        self,
        X: ArrayLike,
        qid: ArrayLike | None = None,
        k: int | None = None,
        *,
        pair_features: PairArrays | None = None,
    ) -> IntArray:
        """Row numbers of every query, best first, see :meth:`NeuralRanker.order`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        k : int, default=None
            Take the first k rows of each query. None: all.
        pair_features : list of array-like, default=None
            Features of pairs, see :meth:`TSPRanker.predict`.

        Returns
        -------
        rows : int array of shape (n_rows,)
            Query by query, by first appearance, and best first within a query.
        """
        check_cut_off(k, qid)
        scores = self.predict(X, qid, pair_features=pair_features)
        return order_rows(scores, self._lists_of(scores, qid), k)

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        qid: ArrayLike | None = None,
        sample_weight: None = None,
        *,
        query_weight: ArrayLike | None = None,
        pair_features: PairArrays | None = None,
    ) -> float:
        """Mean of ``metric`` over the queries, see :meth:`NeuralRanker.score`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        sample_weight : None
            Must be None: queries have weights, not rows.
        query_weight : array-like of shape (n_samples,), default=None
            Weight of each row's query in the mean; constant within a query. None: each
            query counts once.
        pair_features : list of array-like, default=None
            Features of pairs, see :meth:`TSPRanker.predict`.

        Returns
        -------
        score : float
            Higher is better.
        """
        self._check_score(qid, sample_weight)
        check_rows({"X": X, "y": y, "qid": qid, "query_weight": query_weight})
        scores = self.predict(X, qid, pair_features=pair_features)
        return self._mean_metric(y, scores, qid, query_weight)

    def pairwise_matrix(
        self,
        X: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        pair_features: PairArrays | None = None,
    ) -> list[PairScores]:
        """Score the pairs of each list.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        pair_features : list of array-like, default=None
            Features of pairs, see :meth:`TSPRanker.predict`.

        Returns
        -------
        pairs : list of PairScores
            One per query, by first appearance, items in the order of the rows.
            ``matrix[i, j]``: gain of item j directly after item i (of item i before
            item j for the pairwise losses); the diagonal is 0.
        """
        return self._by_query(X, qid, pair_features, _split)

    def successor_proba(
        self,
        X: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        pair_features: PairArrays | None = None,
    ) -> list[PairScores]:
        """Probability of each adjacency, if orders are drawn as exp(path score).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        pair_features : list of array-like, default=None
            Features of pairs, see :meth:`TSPRanker.predict`.

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
            pair_features,
            lambda pairs: _split(path_marginals(pairs)),
            lambda queries: check_short(queries, "successor_proba", _CURE),
        )

    def precedence_proba(
        self,
        X: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        pair_features: PairArrays | None = None,
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
        pair_features : list of array-like, default=None
            Features of pairs, see :meth:`TSPRanker.predict`.

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
            pair_features,
            lambda pairs: list(precedence(pairs)),
            lambda queries: check_short(queries, "precedence_proba", _CURE),
        )

    def expected_ranks(
        self,
        X: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        pair_features: PairArrays | None = None,
    ) -> FloatArray:
        """Mean rank of each item over the distribution of :meth:`precedence_proba`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        pair_features : list of array-like, default=None
            Features of pairs, see :meth:`TSPRanker.predict`.

        Returns
        -------
        ranks : float array of shape (n_samples,)
            From 1 (certainly best) to the size of the list, in the order of the rows.

        Raises
        ------
        ValueError
            If a list has more than 15 items.
        """
        precedence = self.precedence_proba(X, qid, pair_features=pair_features)
        queries = group_queries(qid, sum(len(matrix) for matrix in precedence))
        ranks = np.empty(queries.n_samples)
        # E[rank of j] = 1 + Σ_i P(i before j)
        by_list = [1.0 + matrix.sum(axis=0) for matrix in precedence]
        ranks[queries.order] = np.concatenate([*by_list, np.zeros(0)])
        return ranks

    @abstractmethod
    def _decoder(self) -> Decoder:
        """Make the decoder that the parameters name."""

    @property
    @abstractmethod
    def _learns_precedence(self) -> bool:
        """Whether the loss is about *i before j*, and not about *j right after i*."""

    def _check_lists(
        self, X: ArrayLike, qid: ArrayLike | None, pair_features: PairArrays | None
    ) -> tuple[FittedScorer, NDArray[Any], Queries]:
        """What scores the pairs of some rows, these rows, and their queries."""
        check_is_fitted(self)
        features = check_dense_X(self, X, reset=False)
        self._warn_if_many(len(features), qid)
        queries = group_queries(qid, len(features), rows=X)
        state = self._learned_state
        source = pair_source(
            self.pair_features,
            pair_features,
            features,
            queries,
            self._n_pair_features,
            state.pair_scaling,
        )
        return state.fitted._replace(pair_features=source), features, queries

    def _by_query(
        self,
        X: ArrayLike,
        qid: ArrayLike | None,
        pair_features: PairArrays | None,
        compute: Callable[[PairScores], list[Any]],
        check: Callable[[Queries], None] = lambda queries: None,
    ) -> list[Any]:
        """Apply ``compute`` to blocks of lists; return its results query by query."""
        fitted, features, queries = self._check_lists(X, qid, pair_features)
        check(queries)
        results: list[Any] = [None] * queries.n_lists
        for rows, pairs in fitted.pairs(features, queries):
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
