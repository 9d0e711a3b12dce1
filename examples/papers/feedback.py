"""Rows about feedback: a query is moved by the items that it or a reranker found."""

from __future__ import annotations

import numpy as np
from collection import cranfield, digits
from refine import average_precision, by_cosine, cranfield_line, images, table
from row import PaperRow, Setting
from sklearn.linear_model import LogisticRegression

from ltr.refine import embedding_rerank, refit_query, vector_prf


def feedback(setting: Setting) -> PaperRow:
    """Pseudo-relevance feedback: Rocchio with a heavy query, and the mean."""
    x, results = digits().embeddings, []
    for i, items, relevant in images(setting.small):
        queries = (
            x[i],
            vector_prf(x[i], items, k=3, beta=0.4),
            vector_prf(x[i], items, k=5, method="average"),
        )
        orders = [by_cosine(query, items) for query in queries]
        results.append(tuple(average_precision(relevant, order) for order in orders))
    gain, line = table("digits, cosine → Rocchio → average", results, "mAP")
    lines, holds = [line], gain.low > 0
    criterion = "Rocchio above the cosine, interval above 0"
    if setting.data is not None:
        c = cranfield(setting.data)
        rocchio = vector_prf(c.queries, c.items, k=3, beta=0.4) @ c.items.T
        average = vector_prf(c.queries, c.items, k=5, method="average") @ c.items.T
        gain, line = cranfield_line("cosine → Rocchio", c, rocchio)
        lines += [line, cranfield_line("cosine → average of 5", c, average)[1]]
        holds = holds and gain.low > 0 and gain.mean >= 0.010
        criterion += ", on Cranfield by .010 at least"
    return PaperRow(44, lines, criterion, holds)


def first_feedback(setting: Setting) -> PaperRow:
    """FIRST: the query is refit to the scores of 20 reranked items, and asks again."""
    x, digit = digits().embeddings, digits().digit
    half = np.arange(len(x)) % 2 == 0  # the reranker learns on one half
    classify = LogisticRegression(max_iter=200).fit(x[half], digit[half])
    belief = classify.predict_log_proba(x)
    pool, results = np.flatnonzero(~half), []
    for i in pool[:: 18 if setting.small else 4]:
        items = pool[pool != i]
        relevant = digit[items] == digit[i]
        top = by_cosine(x[i], x[items])[:20]
        target = np.logaddexp.reduce(belief[items[top]] + belief[i], axis=1)
        query = refit_query(x[i], x[items[top]], target)
        recalls = [
            relevant[by_cosine(q, x[items])[:100]].sum() / min(100, relevant.sum())
            for q in (x[i], query)
        ]
        results.append(tuple(recalls))
    gain, line = table("digits, before → after", results, "recall@100")
    lines, holds = [line], gain.low > 0
    if setting.data is not None:
        c = cranfield(setting.data)
        results = []
        for i, q in enumerate(c.queries):
            top = by_cosine(q, c.items)[:20]
            target = c.bm25[i, top] / c.bm25[i].max() + c.items[top] @ q
            query = refit_query(q, c.items[top], 10 * target)
            relevant = c.relevance[i] > 0
            recalls = [
                relevant[by_cosine(v, c.items)[:100]].sum() / relevant.sum()
                for v in (q, query)
            ]
            results.append(tuple(recalls))
        gain, line = table("Cranfield, before → after", results, "recall@100")
        lines.insert(0, line)
    return PaperRow(4, lines, "recall@100 rises on digits, interval above 0", holds)


def list_enhanced(setting: Setting) -> PaperRow:
    """E2Rank: the query is embedded again together with its first items."""
    x, results = digits().embeddings, []
    for i, items, relevant in images(setting.small):
        enhance = lambda top, i=i, items=items: items[top].mean(axis=0) + x[i]
        order, _ = embedding_rerank(x[i], items, enhance, top=3, depth=len(items))
        orders = by_cosine(x[i], items), order
        results.append(tuple(average_precision(relevant, order) for order in orders))
    gain, line = table("digits, cosine → enhanced by the top 3", results, "mAP")
    lines = [line]
    if setting.data is not None:
        c = cranfield(setting.data)
        for top in (1, 2, 3):
            scores = np.full(c.relevance.shape, -np.inf)
            for i, q in enumerate(c.queries):
                enhance = lambda rows, q=q: q + 0.4 * c.items[rows].mean(axis=0)
                order, values = embedding_rerank(q, c.items, enhance, top=top)
                scores[i, order] = values
            name = f"cosine → enhanced by the top {top}"
            lines.insert(0, cranfield_line(name, c, scores)[1])
    return PaperRow(12, lines, "interval above 0 on digits", gain.low > 0)


PAPERS = {4: first_feedback, 12: list_enhanced, 44: feedback}
