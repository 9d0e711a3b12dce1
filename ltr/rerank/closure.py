"""What follows from answers: closure, minimum cuts, certificates."""

from __future__ import annotations

from ltr.rerank.results import Certificate, FloatArray, Reranking


def certify(reranking: Reranking) -> Certificate | None:
    """Not written yet."""
    raise NotImplementedError


def precedence_proba(reranking: Reranking, *, noise: float, top: int) -> FloatArray:
    """Not written yet."""
    raise NotImplementedError
