"""Retrieval and reranking with embeddings, logits and attention. NumPy and pandas.

No text model is in here: what one computes comes in as arrays.

* Embeddings: :func:`search` makes a run, :func:`vector_prf` and :func:`refit_query`
  move the query towards what a reranker or the first items say,
  :func:`superglobal_rerank` and :func:`embedding_rerank` reorder the head of a list,
  :func:`compose_query` and :func:`gem_pool` make embeddings of parts.
* Outputs of language models: :func:`yes_no_score`, :func:`integer_score`,
  :func:`icr_scores`, :func:`grounding_scores`.
* Columns of features for a ranker: :func:`kernel_pooling`, :func:`match_histogram`,
  :func:`retrieval_columns`.

Higher scores are better, ties keep the order of the input, or go by docid in a run, and
a number that is not finite raises with its row.
"""

from ltr.refine.feedback import (
    ScoredOrder,
    compose_query,
    embedding_rerank,
    vector_prf,
)
from ltr.refine.matching import kernel_pooling, match_histogram
from ltr.refine.model_outputs import (
    grounding_scores,
    icr_scores,
    integer_score,
    yes_no_score,
)
from ltr.refine.refit import refit_query
from ltr.refine.retrieval import cosine_scores, retrieval_columns, search
from ltr.refine.superglobal import gem_pool, superglobal_rerank

__all__ = [
    "ScoredOrder",
    "compose_query",
    "cosine_scores",
    "embedding_rerank",
    "gem_pool",
    "grounding_scores",
    "icr_scores",
    "integer_score",
    "kernel_pooling",
    "match_histogram",
    "refit_query",
    "retrieval_columns",
    "search",
    "superglobal_rerank",
    "vector_prf",
    "yes_no_score",
]
