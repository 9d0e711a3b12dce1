"""What the rankers share that train a scorer by gradient descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import jax
import numpy as np
from numpy.typing import ArrayLike

from ltr.metrics import get_metric
from ltr.rankers.base import BaseRanker
from ltr.rankers.inputs import (
    TrainingSet,
    check_choice,
    check_dense_X,
    check_number,
    check_training_set,
)
from ltr.rankers.neural.scaling import PREPROCESS
from ltr.rankers.neural.training import Learned, train_neural
from ltr.rankers.validation import ScoreRows, check_validation_set, score_rows
from ltr.scorers import Scorer
from ltr.training import TrainingResult


class GradientRanker(BaseRanker):
    """Base class: a scorer, a loss, and the parameters of their training.

    A subclass says which scorer (:meth:`make_scorer`) and which loss
    (:meth:`make_loss`), and has the parameters that :class:`ltr.NeuralRanker` documents
    from ``optimizer`` to ``verbose``.
    """

    _learned: ClassVar[str] = "_learned_state"
    _learned_state: Learned
    loss: Any
    warm_start: bool
    max_epochs: int

    def make_scorer(self) -> Scorer:
        """Make the scorer that the parameters name."""
        raise TypeError(f"{type(self).__name__} must define make_scorer.")

    def make_loss(self) -> Callable[..., jax.Array]:
        """Look up the loss that the parameters name."""
        raise TypeError(f"{type(self).__name__} must define make_loss.")

    def _score_rows(self) -> ScoreRows:
        """How the trained scorer ranks rows."""
        return score_rows

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, qid: ArrayLike | None = None
    ) -> Self:
        """Make one pass over more lists.

        The first call draws the weights and fits the feature scaling; later calls go on
        from there, without validation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, finite.
        y : array-like of shape (n_samples,)
            Labels, higher is better.
        qid : array-like of shape (n_samples,), default=None
            List of each row: any hashable ids, any order. None: one list.

        Returns
        -------
        self : ranker

        Raises
        ------
        ValueError
            If an input is not what it must be.
        """
        self._check_parameters()
        start = getattr(self, "_learned_state", None)
        data = check_training_set(
            self, X, y, qid, check_X=check_dense_X, reset=start is None
        )
        self._fitted_with_qid = qid is not None
        self._train(data, None, start, max_epochs=1, piecewise=True)
        return self

    def _fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        qid: ArrayLike | None,
        validation: tuple[ArrayLike | None, ArrayLike | None, ArrayLike | None],
        **columns: Any,
    ) -> Self:
        """Check everything, then train; ``columns`` are further inputs per row."""
        self._check_parameters()
        start = getattr(self, "_learned_state", None) if self.warm_start else None
        data = check_training_set(
            self, X, y, qid, **columns, check_X=check_dense_X, reset=start is None
        )
        self._fitted_with_qid = qid is not None
        held_out = check_validation_set(self, *validation, check_dense_X)
        self._train(data, held_out, start, max_epochs=self.max_epochs)
        return self

    def _train(
        self,
        data: TrainingSet,
        validation: TrainingSet | None,
        start: Learned | None,
        *,
        max_epochs: int,
        piecewise: bool = False,
    ) -> None:
        scorer = self.make_scorer()
        result, scaling = train_neural(
            self,
            scorer,
            self.make_loss(),
            data,
            validation,
            start,
            max_epochs=max_epochs,
            score=self._score_rows(),
            piecewise=piecewise,
        )
        to_go_on = self.warm_start or piecewise
        self._learned_state = Learned(
            params=result.params,
            scaling=scaling,
            scorer=scorer,
            last_params=result.last_params if to_go_on else None,
            optimizer_leaves=(
                jax.tree.leaves(result.optimizer_state) if to_go_on else None
            ),
        )
        self._report(result)

    def _report(self, result: TrainingResult) -> None:
        self.n_iter_ = len(result.losses)
        self.best_epoch_ = result.best_epoch
        self.best_score_ = result.best_score
        self.history_ = {"loss": result.losses, "seconds": result.seconds}
        if result.scores:
            self.history_[self.metric] = result.scores
        if result.interrupted:
            raise KeyboardInterrupt(
                f"stopped after {self.n_iter_} epochs; the ranker is fitted with the "
                "best weights so far"
            )

    def _check_parameters(self) -> None:
        values = self.get_params(deep=False)
        check_number("learning_rate", values["learning_rate"], low=0.0, open_low=True)
        if values["weight_decay"] != "auto":
            check_number("weight_decay", values["weight_decay"], low=0.0)
        for width in np.atleast_1d(np.asarray(values["hidden_layer_sizes"])).tolist():
            check_number("hidden_layer_sizes", width, low=1, whole=True)
        check_number("batch_size", values["batch_size"], low=1, whole=True)
        check_number("max_epochs", values["max_epochs"], low=0, whole=True)
        check_number("n_iter_no_change", values["n_iter_no_change"], low=1, whole=True)
        check_number(
            "validation_fraction", values["validation_fraction"], low=0.0, high=1.0,
            open_low=True,
        )  # fmt: skip
        check_choice("early_stopping", values["early_stopping"], (True, False, "auto"))
        check_choice("dtype", values["dtype"], ("float32", "float64"))
        check_choice("preprocess", values["preprocess"], PREPROCESS)
        get_metric(self.metric)
