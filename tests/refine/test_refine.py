"""ltr.refine: golden values, laws on drawn embeddings, and what is refused."""

import re

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from ltr.arguments import ArgumentError
from ltr.metrics import evaluate_run
from ltr.refine import (
    compose_query,
    cosine_scores,
    embedding_rerank,
    gem_pool,
    grounding_scores,
    icr_scores,
    integer_score,
    kernel_pooling,
    match_histogram,
    refit_query,
    retrieval_columns,
    search,
    superglobal_rerank,
    vector_prf,
    yes_no_score,
)

Q, D = np.array([1.0, 0.0]), np.array([[0.9, 0.1], [0.8, 0.6]])
WHOLE = st.integers(-3, 3).map(float)


def embeddings(width=3, most=12):
    """Matrices of small whole numbers: many ties, zeros and multiples."""
    shapes = st.integers(1, most).map(lambda n: (n, width))
    return shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=WHOLE))


def drawn(seed, n=40, width=6):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, width))
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    return vectors[0], vectors[1:], rotation


def test_vector_prf_golden():
    """The published forms, by hand."""
    near = pytest.approx
    assert vector_prf(Q, D, method="average") == near([0.9, 0.7 / 3])
    assert vector_prf(Q, D, beta=0.4) == near([1.34, 0.14])
    assert vector_prf(Q, D, alpha=0.6, beta=0.4) == near([0.94, 0.14])
    assert vector_prf(Q, D, [0.0, 1.0], k=1, beta=1.0) == near([1.8, 0.6])
    both = vector_prf([Q, Q], D, [[0, 1], [1, 0]], k=1, beta=1.0)
    assert both == near(np.array([[1.8, 0.6], [1.9, 0.1]]))


def test_superglobal_golden():
    """Scores are in the order of the items, best first."""
    options = {"depth": 3, "n_neighbors": 1, "beta": 0.5, "expand": 2}
    order, scores = superglobal_rerank(Q, [*D, [0.1, 0.9]], **options)
    assert order.tolist() == [1, 0, 2]
    assert scores == pytest.approx([0.8807057, 0.8713447, 0.4391922], abs=1e-7)


def test_pooling_and_composition_golden():
    """Generalized means and weighted sums by hand."""
    x = [[1.0, 4.0], [3.0, 2.0]]
    assert gem_pool(x, 3) == pytest.approx([2.4101423, 3.3019273], abs=1e-7)
    assert gem_pool(x) == pytest.approx([2.5839313, 3.4708321], abs=1e-7)
    assert gem_pool(x, 1, axis=1) == pytest.approx([2.5, 2.5])
    assert gem_pool(x, np.inf).tolist() == [3.0, 4.0]
    assert gem_pool([[1e200], [0.0]]) == pytest.approx([1e200 * 0.5 ** (1 / 4.6)])
    composed = compose_query(np.eye(2), [0.8, 0.2])
    assert composed == pytest.approx([0.9701425, 0.2425356], abs=1e-7)
    rows = compose_query([[[1.0, 0.0], [0.0, 5.0]], [[0.0, 1.0], [0.0, 1.0]]], [1, 1])
    assert rows == pytest.approx(np.array([[0.5**0.5, 0.5**0.5], [0.0, 1.0]]))


def test_outputs_of_models_golden():
    """Logits, grades, distances."""
    assert yes_no_score([2.0, 0.5]) == pytest.approx(0.8175745, abs=1e-7)
    assert yes_no_score([[1e4, 0.0], [0.0, 1e4]]).tolist() == [1.0, 0.0]
    assert integer_score([0.1, 0.2, 0.7], "peak") == pytest.approx(1.4)
    assert integer_score([[0.1, 0.2, 0.7]]) == pytest.approx([1.6])
    assert integer_score([0.05, 0.1, 0.35]) == pytest.approx(1.6)
    items, prior = [[1.0], [2.0], [4.0]], [0.0, 1.0, 0.5]
    scores = grounding_scores([0.0], items, prior=prior)
    assert scores == pytest.approx([0.0, 0.0, -0.9808293], abs=1e-7)
    costs = grounding_scores([0.0], items, prior=prior, form="published")
    assert costs == pytest.approx([0.0, 1 / 6, 2 / 3])
    raw = grounding_scores([0.0], items, prior=[10.0, 30.0, 20.0])
    assert raw == pytest.approx(scores)  # the prior is min-max scaled


def test_icr_golden():
    """Documents, and tokens as documents of one token each."""
    rng = np.random.default_rng(0)
    attention = rng.random((2, 2, 2, 6)).round(2)
    null = rng.random((2, 2, 1, 6)).round(2)
    tokens = icr_scores(attention, null, [(i, i + 1) for i in range(6)])
    assert tokens == pytest.approx([1.38, -0.395, 0.2, 0.375, 0.55, 0.29])
    documents = icr_scores(attention, null, [(0, 3), (3, 5), (5, 6)])
    assert documents == pytest.approx([1.185, 0.925, 0.29])
    # six tokens can have one that is 2 standard deviations (of n − 1) below the mean
    one_low = np.array([1.0, 1.0, 1.0, 1.0, 1.0, -9.0])[None, None, None]
    assert icr_scores(one_low, 0 * one_low, [(0, 6)]) == pytest.approx([5.0])
    assert icr_scores(one_low, 0 * one_low, [(0, 6)], n_std=3) == pytest.approx([-4.0])
    assert icr_scores(one_low, 0 * one_low, [(1, 5)]) == pytest.approx([4.0])


def test_matching_golden():
    """Kernels and histograms by hand; padding adds nothing."""
    pooled = kernel_pooling([[1.0, 0.5]], mu=[1.0, 0.5, 0.0])
    assert pooled == pytest.approx([3.7266e-6, 3.7266e-6, -12.5], rel=1e-4)
    histogram = match_histogram([1.0, 0.5], bins=5)
    assert histogram == pytest.approx([0, 0, 0, np.log(2), np.log(2)])
    assert kernel_pooling(np.zeros((2, 4, 3))).shape == (2, 11)
    exact = kernel_pooling([[1.0, 0.5]], mu=[1.0, 0.5], sigma=[1e-3, 0.1])
    assert exact == pytest.approx([0.0, 3.7266e-6], abs=1e-8)
    # two terms of the query, of which the second is padding
    padded = [[1.0, 0.5, np.nan], [np.nan] * 3]
    where = np.array([[True, True, False], [False] * 3])
    assert kernel_pooling(padded, where, mu=[1.0, 0.5, 0.0]) == pytest.approx(pooled)
    assert kernel_pooling([[1.0], [1.0]], np.False_) == pytest.approx(
        2 * np.log(1e-10) * np.ones(11)
    )  # a document without terms matches nothing
    gated = match_histogram([[1.0, 0.5], [0.5, -1.0]], 2, idf=[np.log(3.0), 0.0])
    assert gated == pytest.approx(
        [0.25 * np.log(2), 0.75 * np.log(3) + 0.25 * np.log(2)]
    )
    assert match_histogram(np.zeros((2, 0)), 3).tolist() == [[0.0] * 3] * 2
    masked = match_histogram(padded, 2, idf=[1.0, 7.0], where=where)
    assert masked == pytest.approx([0.0, np.log(3)])


def reference_search(queries, items, k, docids, similarity):
    """(docid, score) of every query by a full sort of every score, one at a time."""
    tops = []
    for q in queries:
        scores = [float(np.einsum("i,i->", q, d)) for d in items]
        if similarity == "cosine":
            norms = [float(np.sqrt((q @ q) * (d @ d))) or 1.0 for d in items]
            scores = [s / n for s, n in zip(scores, norms, strict=True)]
        # equal scores by descending docid; cosines that differ by rounding are equal
        scores = [round(s, 9) for s in scores]
        pairs = sorted(zip(scores, docids, strict=True), reverse=True)
        tops.append([(docid, score) for score, docid in pairs[:k]])
    return tops


@settings(max_examples=30)
@given(
    queries=embeddings(most=3),
    items=embeddings(),
    k=st.integers(1, 14),
    block=st.sampled_from([1, 2, 5, 4096]),
    similarity=st.sampled_from(["cosine", "dot"]),
    dtype=st.sampled_from([np.float64, np.float32, np.float16, np.int64]),
)
def test_search_is_a_full_sort(queries, items, k, block, similarity, dtype):
    """Ids and scores, ties and zeros, whatever the blocks and the precision."""
    docids = [f"d{i}" for i in range(len(items))]
    run = search(
        queries.astype(dtype),
        items.astype(dtype),
        k,
        docids=docids,
        similarity=similarity,
        block=block,
    )
    expected = reference_search(queries, items, k, docids, similarity)
    for i, top in enumerate(expected):
        rows = run[run["qid"] == str(i)]
        assert rows["score"].tolist() == pytest.approx([s for _, s in top], abs=1e-9)
        assert rows["score"].is_monotonic_decreasing
        if similarity == "dot":  # whole numbers: ties are exact
            assert rows["docid"].tolist() == [docid for docid, _ in top]


def test_search_of_close_scores():
    """Differences far below single precision decide; equal rows go by docid."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=64)
    items = base + 1e-9 * rng.normal(size=(500, 64))
    items[7] = items[300] = items[42]
    query = rng.normal(size=64)
    exact = items @ query / (np.linalg.norm(items, axis=1) * np.linalg.norm(query))
    run = search([query], items, 500, block=100)
    order = run["docid"].astype(int).to_numpy()
    assert (np.diff(exact[order]) <= 1e-15).all()
    places = [order.tolist().index(i) for i in (7, 42, 300)]
    assert np.ptp(places) == 2
    assert sorted(places) == places  # "7" > "42" > "300", as text
    first = search([query], items, 10, block=33)
    assert first["docid"].tolist() == run["docid"].tolist()[:10]
    assert first["score"].tolist() == run["score"].tolist()[:10]


@pytest.mark.parametrize("scale", [1e-33, 1.0, 1e32, 1e200])
@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_search_at_any_scale(scale, similarity):
    """No first pass overflows, or loses the small ones beside a large one."""
    rng = np.random.default_rng(0)
    q, d = rng.normal(size=(4, 8)), rng.normal(size=(60, 8))
    d[0] *= 1e4
    dtype = np.float64 if scale > 1e38 else np.float32
    moved = (d * scale).astype(dtype)
    run = search(q, moved, 7, similarity=similarity, block=16)
    exact = q @ moved.astype(float).T
    if similarity == "cosine":
        exact = cosine_scores(q, moved)
    assert run["docid"].astype(int).to_numpy().reshape(4, 7).tolist() == (
        np.argsort(-exact, axis=1)[:, :7].tolist()
    )


def test_search_makes_a_run():
    """What the metrics read, with the ids of the caller, or numbers."""
    run = search([[1, 0], [0, 1]], np.eye(2), qids=["x", "y"], docids=[10, 20])
    assert run["qid"].tolist() == ["x", "x", "y", "y"]
    assert run["docid"].tolist() == ["10", "20", "20", "10"]
    means = evaluate_run({"x": {"10": 1}, "y": {"20": 1}}, run, ["mrr"])
    assert float(np.ravel(means)[0]) == 1.0
    assert len(search(np.zeros((0, 2)), np.eye(2))) == 0
    assert len(search(np.eye(2), np.zeros((0, 2)))) == 0


@settings(max_examples=10)
@given(st.integers(0, 99))
def test_rotation_changes_no_order(seed):
    """Cosines know no axes, so neither do the methods that are made of them."""
    q, d, rotation = drawn(seed)
    qr, dr = q @ rotation, d @ rotation
    assert cosine_scores([q], d) == pytest.approx(cosine_scores([qr], dr))
    assert search([q], d)["docid"].tolist() == search([qr], dr)["docid"].tolist()
    for method in ("rocchio", "average"):
        moved = vector_prf(q, d, method=method) @ rotation
        assert moved == pytest.approx(vector_prf(qr, dr, method=method))
    one = embedding_rerank(q, d, lambda rows: d[rows].mean(axis=0), top=5, depth=20)
    two = embedding_rerank(qr, dr, lambda rows: dr[rows].mean(axis=0), top=5, depth=20)
    assert one.order.tolist() == two.order.tolist()
    plain = {"expand": 0, "depth": 20}  # without the element-wise maximum
    one, two = superglobal_rerank(q, d, **plain), superglobal_rerank(qr, dr, **plain)
    assert one.order.tolist() == two.order.tolist()


@settings(max_examples=10)
@given(st.integers(0, 99))
def test_no_feedback_is_the_identity(seed):
    """β = 0, k = 0, no neighbors, no steps: what came in."""
    q, d, _ = drawn(seed)
    by_dot = np.argsort(-(d @ q), kind="stable").tolist()
    assert vector_prf(q, d, k=0, alpha=0.3).tolist() == q.tolist()
    assert vector_prf(q, d, beta=0.0) == pytest.approx(q)
    assert vector_prf(q, d, k=0, method="average").tolist() == q.tolist()
    for still in ({"beta": 0.0}, {"n_neighbors": 0}):
        order, scores = superglobal_rerank(q, d, expand=0, **still)
        assert order.tolist() == by_dot
        assert scores == pytest.approx((d @ q)[by_dot])
    by_cosine = np.argsort(-cosine_scores([q], d)[0], kind="stable").tolist()
    assert embedding_rerank(q, d, lambda rows: q).order.tolist() == by_cosine
    assert refit_query(q, d, np.arange(len(d)), steps=0).tolist() == q.tolist()
    assert refit_query(q, d, np.ones(len(d))).tolist() == q.tolist()


@settings(max_examples=20)
@given(st.integers(0, 99), st.integers(1, 50))
def test_the_tail_keeps_its_order(seed, depth):
    """Items after the depth stay as they were; scores never rise; all items are there."""
    q, d, _ = drawn(seed)
    first = {
        "superglobal": np.argsort(-(d @ q), kind="stable"),
        "embedding": np.argsort(-cosine_scores([q], d)[0], kind="stable"),
    }
    results = {
        "superglobal": superglobal_rerank(q, d, depth=depth),
        "embedding": embedding_rerank(q, d, lambda rows: d[rows[0]], depth=depth),
    }
    for name, (order, scores) in results.items():
        assert sorted(order.tolist()) == list(range(len(d)))
        assert order[depth:].tolist() == first[name][depth:].tolist()
        assert set(order[:depth].tolist()) == set(first[name][:depth].tolist())
        assert (np.diff(scores) <= 0.0).all()


def test_an_item_is_not_its_own_neighbor():
    """With one other item, the neighbor is that one."""
    order, scores = superglobal_rerank(
        [1.0, 0.0], [[1.0, 0.0], [0.6, 0.8]], n_neighbors=9, beta=1.0, expand=0
    )
    refined = (np.array([1.0, 0.0]) + 0.6 * np.array([0.6, 0.8])) / 1.6
    assert scores[order.tolist().index(0)] == pytest.approx(refined[0])


def test_refit_follows_the_target():
    """The new query ranks the reranked items as the reranker did."""
    q, d, _ = drawn(0, n=9, width=12)
    target = np.linspace(0.0, 4.0, 8)
    query = refit_query(q, d, target, loss="mse", steps=300, learning_rate=0.05)
    assert (d @ query).argsort().tolist() == list(range(8))
    with pytest.raises(ArgumentError, match="needs position"):
        refit_query(q, d, target, loss="irpo")


def test_retrieval_columns():
    """Min-max scores and reciprocal ranks, equal scores by descending docid."""
    columns = retrieval_columns({"q": {"a": 1, "b": 3, "c": 1}, "p": {"a": 5}})
    assert list(columns) == ["qid", "docid", "score", "reciprocal_rank"]
    assert columns["docid"].tolist() == ["b", "c", "a", "a"]
    assert columns["score"].tolist() == [1.0, 0.0, 0.0, 0.5]
    assert columns["reciprocal_rank"].tolist() == [1.0, 1 / 2, 1 / 3, 1.0]
    assert retrieval_columns({"q": {"a": 7.0}}, "none")["score"].tolist() == [7.0]


BAD = np.array([[1.0, 0.0], [0.0, np.nan]])
ROW = (
    "{} must be finite; got NaN at row 1, column 1. The embedding of an empty text is "
    "often of this kind: drop the row, or set it to 0."
)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: search(Q[None], BAD), ROW.format("items")),
        (lambda: search(BAD, D), ROW.format("queries")),
        (lambda: cosine_scores(Q[None], BAD), ROW.format("items")),
        (lambda: vector_prf(Q, BAD), ROW.format("items")),
        (lambda: superglobal_rerank(Q, BAD), ROW.format("items")),
        (lambda: embedding_rerank(Q, BAD, lambda rows: Q), ROW.format("items")),
        (lambda: refit_query(Q, BAD, [0, 1]), ROW.format("items")),
        (lambda: grounding_scores(Q, BAD), ROW.format("items")),
        (
            lambda: embedding_rerank(Q, D, lambda rows: BAD[1]),
            "the embedding from enhance must be finite; got NaN at 1.",
        ),
        (
            lambda: search(Q[None], [[1.0, 2.0, 3.0]]),
            "items must be as wide as the other embeddings, 2; got shape (1, 3). Use "
            "one model for both.",
        ),
        (
            lambda: search(Q[None], D, docids=["a", "a"]),
            "docids must be distinct; got 'a' at 0 and 1. Drop one.",
        ),
        (
            lambda: search(Q[None], D, docids=["a"]),
            "docids must have an id for each of 2 items; got 1.",
        ),
        (
            lambda: search(Q[None], D, docids=["a", None]),
            "docids must not have missing values; got None at 1.",
        ),
        (
            lambda: search(Q[None], D, docids="ab"),
            "docids must be a sequence of ids; got 'ab'.",
        ),
        (
            lambda: search(Q[None], csr_matrix(D)),
            "items must be a dense array; got csr_matrix. Call its toarray().",
        ),
        (
            lambda: cosine_scores(Q[None], np.ma.masked_array(D, D > 0.5)),
            "items must not be masked; got a masked array. Drop those rows.",
        ),
        (
            lambda: kernel_pooling([[np.nan]]),
            "similarity must be finite; got NaN at row 0, column 0.",
        ),
        (
            lambda: gem_pool(5.0),
            "features must have a row to pool; got shape ().",
        ),
        (
            lambda: integer_score([[0.5, 0.5], [0.0, 0.0]]),
            "probs must not all be 0; those of item [1] are.",
        ),
        (
            lambda: icr_scores(np.ones((1, 1, 1, 3)), np.ones((1, 1, 1, 3)), [3]),
            "spans must be (begin, end) in whole numbers; got 3 for document 0.",
        ),
        (lambda: search(Q[None], D, k=0), "k must be a whole number >= 1; got 0."),
        (
            lambda: search(Q, D),
            "queries must have shape (n, width), one embedding a row; got shape (2,). "
            "Pass [queries] for one.",
        ),
        (
            lambda: vector_prf(Q, D, [1.0]),
            "scores must be one number for each of 2 items and 1 queries; got shape "
            "(1,).",
        ),
        (
            lambda: compose_query([Q, -Q], [1.0, 1.0]),
            "embeddings must have a weighted sum other than 0; got 0. Change the "
            "weights.",
        ),
        (
            lambda: gem_pool([[-1.0]]),
            "features must be >= 0; got -1. Pass np.maximum(features, 0).",
        ),
        (
            lambda: integer_score([2.0, -1.0]),
            "probs must be in [0, 1]; got 2. Apply a softmax to logits first.",
        ),
        (
            lambda: icr_scores(np.ones((1, 1, 1, 3)), np.ones((1, 1, 2, 3)), [(1, 1)]),
            "spans must be (begin, end) with 0 <= begin < end <= 3; got (1, 1) for "
            "document 0.",
        ),
        (
            lambda: match_histogram([1.5]),
            "similarity must be in [-1, 1]; got 1.5. Use cosines.",
        ),
        (
            lambda: kernel_pooling([[1.0]], sigma=0.0),
            "sigma must be > 0; got 0.",
        ),
        (
            lambda: refit_query(Q, D, [-1.0, 0.0], loss="softmax"),
            "target must be >= 0 for loss='softmax'; got -1 at 0. Subtract the "
            "minimum, or choose another loss.",
        ),
        (
            lambda: superglobal_rerank(D, D),
            "query must be one embedding of shape (width,); got shape (2, 2).",
        ),
    ],
)
def test_messages(call, message):
    """What was expected, what came and where, what to do."""
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        call()
