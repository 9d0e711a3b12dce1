"""TSPRanker in a serving process: scores of pairs, and the decoder of its orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ltr.arguments import check_choice
from ltr.queries import FloatArray, group_queries
from ltr.rankers.features import check_dense_X
from ltr.rankers.neural.fitted import FittedScorer
from ltr.rankers.pairs.decoding import DECODERS, Decoder
from ltr.rankers.pairs.pair_features import pair_source
from ltr.rankers.saved_functions import is_function
from ltr.serving.scoring import Scoring
from ltr.training.pair_table import PairScaling

# losses of "which of two comes earlier", by name and as functions
_PRECEDENCE_LOSSES = ("pairwise", "gap_weighted")
_PRECEDENCE_FUNCTIONS = ("pairwise_logistic_loss", "gap_weighted_bce_loss")


@dataclass(eq=False, repr=False)
class PairScoring(Scoring):
    """A scorer of pairs, and what turns its scores into an order."""

    fitted: FittedScorer
    decoder: Decoder
    function: Callable[..., Any] | None
    n_pair_features: int
    pair_scaling: PairScaling | None

    @property
    def takes(self) -> tuple[str, ...]:
        """Features of pairs."""
        return ("pair_features",)

    def predict(self, X: Any, qid: Any = None, **inputs: Any) -> FloatArray:
        """As :meth:`ltr.TSPRanker.predict`, with its ``pair_features``."""
        features = check_dense_X(self.columns, X, reset=False)
        self._warn_if_many(len(features), qid)
        queries = group_queries(qid, len(features), rows=X)
        source = pair_source(
            self.function,
            inputs.get("pair_features"),
            features,
            queries,
            self.n_pair_features,
            self.pair_scaling,
        )
        fitted = self.fitted._replace(pair_features=source)
        return self.decoder.scores(fitted, features, queries)


def make_decoder(parameters: Mapping[str, Any], decoder_: str | None) -> Decoder:
    """The decoder of a saved ranker.

    Parameters
    ----------
    parameters : mapping of str to object
        Of the ranker, from JSON.
    decoder_ : str or None
        What its fit has chosen.

    Returns
    -------
    decoder : Decoder
    """
    name, short_only = parameters["decoder"], False
    check_choice("decoder", name, ("auto", *DECODERS))
    if name == "auto":
        name = "ordering" if _learns_precedence(parameters) else "path"
        if name == "path" and decoder_ == "bayes":
            name, short_only = "bayes", True
    return Decoder(
        name,
        parameters["time_limit_s"],
        parameters["work_limit"],
        parameters["n_jobs"],
        parameters["verbose"],
        parameters["solver"],
        short_only,
    )


def _learns_precedence(parameters: Mapping[str, Any]) -> bool:
    loss = parameters["loss"]
    if is_function(loss):
        module, _, name = str(loss["function"]).partition(":")
        return module.startswith("ltr.losses.paths") and name in _PRECEDENCE_FUNCTIONS
    return loss in _PRECEDENCE_LOSSES and parameters.get("compat") != "paper"
