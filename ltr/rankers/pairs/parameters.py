"""What the parameters of TSPRanker stand for: scorer, loss and decoder, checked."""

from __future__ import annotations

import functools
import numbers
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import jax
import numpy as np
from sklearn.utils import check_random_state

from ltr.arguments import (
    ArgumentError,
    check_choice,
    check_flag,
    check_limit,
    check_whole,
)
from ltr.losses.paths import PATH_LOSSES, gap_weighted_bce_loss, pairwise_logistic_loss
from ltr.losses.paths.published import PUBLISHED_LOSSES
from ltr.metrics import get_metric
from ltr.rankers.inputs import TrainingSet
from ltr.rankers.neural.fitted import FittedScorer
from ltr.rankers.neural.gradient import GradientRanker
from ltr.rankers.neural.options import TrainingOptions
from ltr.rankers.neural.pooling import pooled_rows
from ltr.rankers.neural.training import LearnedState
from ltr.rankers.pairs.decoding import (
    DECODERS,
    Decoder,
    bayes_is_better,
    check_solver,
)
from ltr.rankers.pairs.ensemble import join_members, split_state
from ltr.rankers.pairs.outputs import PairArrays, PairOutputs
from ltr.rankers.pairs.pair_features import check_function, training_pairs
from ltr.rankers.validation import ValidationRows, metrics_of
from ltr.rankers.warning import warn
from ltr.scorers import PairEnsemble, PairScorer, PublishedPairScorer, Scorer
from ltr.scorers.mlp import layer_sizes
from ltr.scorers.pairs import get_pair_scorer
from ltr.training import TrainingResult
from ltr.training.devices import find_mesh
from ltr.training.hosts import Hosts

# They learn which of two items comes earlier, not which comes next.
_PRECEDENCE_LOSSES = (pairwise_logistic_loss, gap_weighted_bce_loss)


class PairRanker(PairOutputs, GradientRanker):
    """Abstract: the parameters that :class:`ltr.TSPRanker` documents, as objects."""

    encoder: Any
    hidden_layer_sizes: int | tuple[int, ...]
    low_rank: int | None
    skew: bool
    pair_hidden_layer_sizes: int | tuple[int, ...]
    decoder: str
    solver: str
    compat: str | None
    n_estimators: int
    decoder_: str
    time_limit_s: float | None
    work_limit: float | None
    n_jobs: int | None

    def make_scorer(self) -> Scorer:
        """Make the pair scorer that the parameters name."""
        member = self._make_member()
        check_whole("n_estimators", self.n_estimators, low=1)
        if self.n_estimators == 1:
            return member
        return PairEnsemble(member, self.n_estimators)

    def _make_member(self) -> PairScorer | PublishedPairScorer:
        """Make the scorer of one member of the ensemble."""
        return get_pair_scorer(
            encoder=self.encoder,
            hidden_layer_sizes=self.hidden_layer_sizes,
            low_rank=self.low_rank,
            skew=self.skew,
            compat=self.compat,
            n_pair_features=self._n_pair_features,
            pair_hidden_layer_sizes=self.pair_hidden_layer_sizes,
        )

    def _pair_widths(self) -> tuple[int, ...]:
        return layer_sizes(self.pair_hidden_layer_sizes, "pair_hidden_layer_sizes")

    def make_loss(self) -> Callable[..., jax.Array]:
        """Look up the loss that the parameters name."""
        if not isinstance(self.loss, str):
            if not callable(self.loss):
                raise ArgumentError(
                    "loss must be a name of ltr.losses.paths.PATH_LOSSES or a function "
                    f"of its signature; got {self.loss!r}."
                )
            return self.loss
        check_choice("compat", self.compat, ("paper", None))
        losses = PUBLISHED_LOSSES if self.compat == "paper" else PATH_LOSSES
        check_choice("loss", self.loss, tuple(losses))
        return losses[self.loss]

    @property
    def _learns_precedence(self) -> bool:
        loss = self.make_loss()
        if isinstance(loss, functools.partial):
            loss = loss.func
        return loss in _PRECEDENCE_LOSSES

    def _decoder(self) -> Decoder:
        """Make the decoder that the parameters name."""
        check_choice("decoder", self.decoder, ("auto", *DECODERS))
        check_whole("n_jobs", self.n_jobs, low=1, optional=True)
        for name in ("time_limit_s", "work_limit"):
            check_limit(name, getattr(self, name))
        name, short_only = self.decoder, False
        if name == "auto":
            name = self._default_decoder
            check_solver(self.solver, name)
            if name == "path" and getattr(self, "decoder_", name) == "bayes":
                name, short_only = "bayes", True
        check_solver(self.solver, name)
        return Decoder(
            name,
            self.time_limit_s,
            self.work_limit,
            self.n_jobs,
            self.verbose,
            self.solver,
            short_only,
        )

    @property
    def _default_decoder(self) -> str:
        """What ``decoder="auto"`` is, unless validation lists prefer another."""
        return "ordering" if self._learns_precedence else "path"

    def _member_plans(
        self, options: TrainingOptions, start: LearnedState | None
    ) -> list[dict[str, Any]]:
        """Arguments of :func:`train_scorer` that are not data, for each member."""
        if not (options.is_stream and hasattr(self, "decoder_")):
            is_auto = self.decoder == "auto"
            self.decoder_ = self._default_decoder if is_auto else self.decoder
        seeds = [options.random_state] * self.n_estimators
        if self.n_estimators > 1 and not isinstance(seeds[0], numbers.Integral):
            drawn = check_random_state(seeds[0]).randint(2**31 - 1)  # one for all
            seeds = [np.random.RandomState(drawn) for _ in seeds]
        scorer, score_items = self._make_member(), self._decoder().scores
        return [
            {
                "options": replace(options, scorer=scorer, random_state=seed),
                "score_items": score_items,
                "start": own_start,
                "member": number,
                "n_before": self._n_epochs_before(start)
                if self.n_estimators == 1
                else 0,
                "ranker_of": self._ranker_of,
            }
            for number, (seed, own_start) in enumerate(
                zip(seeds, split_state(start, self.n_estimators), strict=True)
            )
        ]

    def _set_members(
        self, members: list[tuple[LearnedState, TrainingResult]]
    ) -> TrainingResult:
        """Join the members, and choose the decoder on the validation lists."""
        state, result = members[0]
        if self.n_estimators > 1:
            state, result = join_members(members, self.make_scorer())
        self._learned_state = state
        self._validate(state, result)
        return result

    def _joined_state(
        self, members: list[tuple[LearnedState, TrainingResult]]
    ) -> LearnedState:
        """What the members have learned, as one state."""
        if self.n_estimators == 1:
            return super()._joined_state(members)
        return join_members(members, self.make_scorer())[0]

    def _ranker_of(self, state: LearnedState) -> Self:
        """A fitted copy of the ranker, of a member in an ensemble."""
        ranker = super()._ranker_of(state)
        ranker.n_estimators = 1
        return ranker

    def _validate(self, state: LearnedState, result: TrainingResult) -> None:
        """Choose the decoder, and measure what will predict, on validation lists."""
        rows: ValidationRows | None = result.validation
        if rows is None:
            return
        rows = pooled_rows(Hosts(find_mesh(self.devices)), rows)
        fitted = FittedScorer(state.scorer, state.params, None, rows.pairs)
        is_open = (self.decoder, self.solver, self.compat) == ("auto", "auto", None)
        if is_open and self.decoder_ == "path":
            # The kept epoch is the one where paths did best on these lists by chance,
            # too; the last epoch was chosen by neither decoder.
            last = fitted._replace(params=result.last_params)
            if bayes_is_better(last, rows, self.metric, self._decoder()):
                self.decoder_ = "bayes"
        if self.n_estimators > 1 or self.decoder_ == "bayes":
            scores = self._decoder().scores(fitted, rows.X, rows.queries)
            metric = get_metric(self.metric)
            (result.best_score,) = metrics_of([metric], rows, scores).values()

    def _with_pairs(
        self, data: TrainingSet, arrays: PairArrays | None, start: LearnedState | None
    ) -> TrainingSet:
        """Add the features of pairs, and remember how many there are."""
        expected = None if start is None else self._n_pair_features
        data = training_pairs(self.pair_features, arrays, data, expected)
        if data.pairs is not None and self.compat == "paper":
            raise ValueError(
                "pair_features must be None for compat='paper', whose scores are "
                "bilinear. Leave out one of the two."
            )
        self._n_pair_features = 0 if data.pairs is None else data.pairs.n_features
        return data

    def _check_parameters(self) -> None:
        self._decoder()
        check_function(self.pair_features)
        self._pair_widths()
        check_choice("encoder", self.encoder, ("identity", "mlp", "attention"))
        check_flag("skew", self.skew)
        if self.compat == "paper":
            warn(
                "compat='paper' is for comparison: its scores depend on the order of "
                "the rows. Leave it out to rank."
            )
        suitable = (
            ("ordering", "borda") if self._learns_precedence else ("path", "bayes")
        )
        if self.decoder not in ("auto", *suitable):
            warn(
                f"decoder={self.decoder!r} does not fit loss={self.loss!r}, which "
                f"trains for decoder={suitable[0]!r}: a path sees only neighbors, a "
                "linear ordering all pairs. Set decoder='auto'."
            )
