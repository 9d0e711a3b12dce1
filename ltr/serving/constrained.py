"""ConstrainedRanker in a serving process: a ranker, and a solver for its orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ltr.queries import FloatArray
from ltr.rankers.constrained_orders import ConstrainedOrders
from ltr.serving.scoring import Scoring


@dataclass(eq=False, repr=False)
class ConstrainedScoring(Scoring):
    """Places in the best order that satisfies constraints."""

    orders: ConstrainedOrders

    @property
    def n_columns(self) -> int:
        """As ``n_columns_in_`` of :class:`ltr.ConstrainedRanker`."""
        return super().n_columns + len(self.orders.attributes_only)

    @property
    def takes(self) -> tuple[str, ...]:
        """Attributes of items."""
        return ("attributes",)

    def predict(self, X: Any, qid: Any = None, **inputs: Any) -> FloatArray:
        """As :meth:`ltr.ConstrainedRanker.predict`, with its ``attributes``."""
        return self.orders.scores(X, qid, inputs.get("attributes"))
