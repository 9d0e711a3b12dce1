"""How a reranking reads when it is printed."""

from ltr.rerank import Calls, listwise_rerank, pairwise_rerank, pointwise_rerank

DOCS = [f"d{i}" for i in (5, 2, 7, 0, 3, 6, 1, 4, 8, 9, 10, 11)]


def smaller(a, b):
    return int(a[1:]) < int(b[1:])


def test_a_reranking_prints_its_top_its_calls_and_its_certificate():
    reranking = pairwise_rerank(DOCS, smaller, k=3)
    assert repr(reranking) == (
        "Reranking(ids=['d0', 'd1', 'd2', …], k=3, driver='pairwise', "
        f"method='verified', n_calls={reranking.n_calls}, n_rounds=4, "
        "is_complete=True)"
    )
    assert str(reranking) == (
        "Top 3 of 12: 'd0', 'd1', 'd2', …\n"
        f"pairwise (verified): {reranking.n_calls} calls in 4 rounds\n"
        f"{reranking.certificate}"
    )


def test_what_failed_was_repaired_or_stored_is_in_the_repr():
    calls = Calls(cache={}, budget=3)
    pointwise_rerank([1, 2, 3], float, calls=calls)
    reranking = pointwise_rerank([1, 2, 3, 4], float, calls=Calls(cache=calls.cache))
    assert "n_calls=1, n_rounds=1, n_hits=3, is_complete=True)" in repr(reranking)
    # no method beside the driver, nothing after the last id, no certificate
    assert str(reranking) == "Top 4 of 4: 4, 3, 2, 1\npointwise: 1 call in 1 round"
    reranking = listwise_rerank(["a", "b"], lambda ids: ["b", "x"], k=1)
    assert "repairs=Repairs(unknown=1, repeated=0, missing=1, tied=0)" in repr(
        reranking
    )


def test_a_top_of_all_items_has_no_margin_to_print():
    early = pairwise_rerank(DOCS[:3], smaller, k=3, calls=Calls(budget=4))
    assert str(early).split("\n")[1:] == [
        "pairwise (verified): 4 calls in 1 round; ended early",
        "0 of 2 answers are contradicted; no order contradicts fewer.",
    ]
