"""Reranking with a judge: a language model, a cross-encoder, a person, any function.

A judge scores, compares or orders a few items at a time; a *driver* decides what it is
asked, and turns its answers into an order of all items. Judges are plain functions of
ids, or ``async`` ones: this package calls no model, and reads no text.
"""

from ltr.rerank.calls import Calls
from ltr.rerank.pointwise import pointwise_rerank
from ltr.rerank.results import Answer, Certificate, Repairs, Reranking

__all__ = [
    "Answer",
    "Calls",
    "Certificate",
    "Repairs",
    "Reranking",
    "pointwise_rerank",
]
