"""Reranking with a judge: a language model, a cross-encoder, a person, any function.

A judge scores, compares or orders a few items at a time; a *driver* decides what it is
asked, and turns its answers into an order of all items. Judges are plain functions of
ids, or ``async`` ones: this package calls no model, and reads no text.

===========================  ========================  ===========================
driver                       the judge                 its answer
===========================  ========================  ===========================
:func:`pointwise_rerank`     ``score(id)``             number
:func:`pairwise_rerank`      ``compare(a, b)``         True, False, or P(a better)
:func:`setwise_rerank`       ``best(ids)``             one of the ids
:func:`listwise_rerank`      ``order(ids)``            ids, best first, or text
:func:`groupwise_rerank`     ``score(ids)``            a number for each
:func:`sequential_rerank`    ``pick(chosen, rest)``    next id, None: enough
===========================  ========================  ===========================

Each returns a :class:`Reranking`: the order, what it cost (``n_calls``) and how long
one would wait (``n_rounds``), the answers and what had to be repaired in them.
:class:`Calls` sets budget, cache, threads and retries. :func:`rerank_run` reranks all
queries of a run.

``Reranking.certificate`` says how far the order can be trusted: how many answers
contradict it, that no order contradicts fewer, and how many would have to be wrong for
another item to belong to the top. :func:`suggest_questions` says what to ask next.
"""

from ltr.rerank.answers import first_token_ranking, parse_ranking, repair_ranking
from ltr.rerank.calls import Calls
from ltr.rerank.groups import groupwise_rerank
from ltr.rerank.heads import suggest_questions
from ltr.rerank.pairs import pairwise_rerank
from ltr.rerank.pointwise import pointwise_rerank
from ltr.rerank.results import Answer, Certificate, Repairs, Reranking
from ltr.rerank.runs import rerank_run
from ltr.rerank.sequence import sequential_rerank
from ltr.rerank.sets import setwise_rerank
from ltr.rerank.windows import listwise_rerank

__all__ = [
    "Answer",
    "Calls",
    "Certificate",
    "Repairs",
    "Reranking",
    "first_token_ranking",
    "groupwise_rerank",
    "listwise_rerank",
    "pairwise_rerank",
    "parse_ranking",
    "pointwise_rerank",
    "repair_ranking",
    "rerank_run",
    "sequential_rerank",
    "setwise_rerank",
    "suggest_questions",
]
