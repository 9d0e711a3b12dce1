"""Drivers of pairs: calls and rounds, ties, both orders, budgets, wrong answers."""

import itertools
import warnings

import numpy as np
import pytest

from ltr.arguments import ArgumentError
from ltr.rerank import Calls, pairwise_rerank
from ltr.rerank.pairs import METHODS

SORTED = list(range(100))
REVERSED = SORTED[::-1]
SMALL = [5, 2, 7, 0, 3, 6, 1, 4]


def smaller(a, b):
    return a < b


def permutations(n_lists, n=100):
    rng = np.random.default_rng(0)
    return [rng.permutation(n).tolist() for _ in range(n_lists)]


def noisy(n_items, share, seed):
    """A consistent judge, with a share of its answers flipped, once and for all."""
    rng = np.random.default_rng(seed)
    is_wrong = rng.random((n_items, n_items)) < share
    return lambda a, b: (a < b) != is_wrong[min(a, b), max(a, b)]


def once(ids, **options):
    return pairwise_rerank(ids, smaller, both_orders=False, **options)


@pytest.mark.parametrize(
    ("method", "n_sorted", "n_reversed", "mean", "n_lists"),
    [
        ("all", 4950, 4950, 4950, 1),
        ("heap", 202, 262, 265.65, 200),
        ("bubble", 99, 945, 832.85, 20),
        ("tournament", 141, 135, 149.95, 20),
    ],
)
def test_calls_of_a_hundred_items(method, n_sorted, n_reversed, mean, n_lists):
    def n_calls(ids):
        reranking = once(ids, method=method)
        assert reranking.ids[:10] == list(range(10))
        n_rounds = 1 if method == "all" else reranking.n_calls
        assert reranking.n_rounds == n_rounds
        return reranking.n_calls

    assert n_calls(SORTED) == n_sorted
    assert n_calls(REVERSED) == n_reversed
    assert np.mean([n_calls(ids) for ids in permutations(n_lists)]) == mean


@pytest.mark.parametrize(
    ("ids", "n_calls", "n_rounds"),
    [
        (SORTED, 126, 2),
        (SORTED[:50], 76, 2),
        (SORTED[:50][::-1], 553, 46),
        (permutations(1)[0], 1.2 * 438, 1.2 * 26),
    ],
    ids=["sorted", "fifty", "reversed", "shuffled"],
)
def test_calls_of_a_verified_top(ids, n_calls, n_rounds):
    # which of several best orders the solver returns decides how many
    reranking = once(ids)
    assert reranking.ids[:10] == list(range(10))
    assert reranking.n_calls <= 1.2 * n_calls
    assert reranking.n_rounds <= 1.2 * n_rounds
    assert reranking.certificate.is_implied
    assert reranking.certificate.margin >= 1


@pytest.mark.parametrize(
    ("options", "n_calls", "order"),
    [
        ({"method": "heap"}, 17, [0, 1, 2, 5, 7, 3, 6, 4]),
        ({"method": "bubble"}, 15, [0, 1, 2, 5, 3, 7, 4, 6]),
        ({"method": "all"}, 28, [0, 1, 2, 3, 4, 5, 6, 7]),
        ({"method": "tournament"}, 11, [0, 1, 2]),
        ({"span": 1}, 17, [0, 1, 2]),
        ({"span": 2}, 15, [0, 1, 2]),
    ],
    ids=str,
)
def test_a_small_list(options, n_calls, order):
    reranking = once(SMALL, k=3, **options)
    assert reranking.ids[: len(order)] == order
    assert sorted(reranking.ids) == sorted(SMALL)
    assert reranking.n_calls == n_calls
    assert len(reranking.answers) == n_calls
    twice = pairwise_rerank(SMALL, smaller, k=3, **options)
    assert twice.ids == reranking.ids
    assert (twice.n_calls, twice.n_rounds) == (2 * n_calls, reranking.n_rounds)


def test_rounds_of_a_small_list():
    assert [once(SMALL, k=3, span=span).n_rounds for span in (1, 2)] == [7, 5]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("both_orders", [True, False])
def test_a_consistent_judge_gets_its_top(method, both_orders):
    for n, k in itertools.product((1, 2, 3, 8, 20), (1, 3, 10)):
        shuffled = np.random.default_rng(n).permutation(n).tolist()
        for ids in (list(range(n)), list(range(n))[::-1], shuffled):
            reranking = pairwise_rerank(
                ids, smaller, k=k, method=method, both_orders=both_orders
            )
            assert reranking.ids[:k] == list(range(n))[:k]
            assert sorted(reranking.ids) == list(range(n))
            assert reranking.is_complete


def test_a_verified_top_is_exact_in_long_lists():
    # the last item has to pass all others, and the first stage may not outweigh it
    ids = [*range(1, 120), 0]
    assert once(ids, k=2).ids[:2] == [0, 1]
    assert once(ids, k=2, prior=0.1).ids[0] != 0


@pytest.mark.parametrize("method", METHODS)
def test_ties_never_swap(method):
    with pytest.warns(UserWarning, match="no preference") as messages:
        reranking = pairwise_rerank(
            SMALL, lambda a, b: None, k=3, method=method, aggregate="wins"
        )
    assert reranking.ids == SMALL
    n_pairs = reranking.n_calls // 2
    assert [str(warning.message) for warning in messages] == [
        f"compare gave no preference in {n_pairs} of {n_pairs} answers; the first "
        "stage's order is returned."
    ]


def test_a_judge_who_always_prefers_the_first_is_tied():
    with pytest.warns(UserWarning, match="gave no preference in 45 of 45 answers"):
        reranking = pairwise_rerank(range(10), lambda a, b: True, method="all")
    assert reranking.ids == list(range(10))
    assert reranking.repairs.tied == 45
    assert reranking.certificate.n_answers == 45


def test_both_orders_are_averaged():
    answers = {("a", "b"): 0.9, ("b", "a"): 0.7, ("a", "c"): 0.4, ("c", "a"): 0.5}
    answers |= {("b", "c"): 1, ("c", "b"): 0.0}
    ids = ["a", "b", "c"]
    judge = lambda x, y: answers[x, y]
    soft = pairwise_rerank(ids, judge, method="all", aggregate="probabilities")
    # p(a, b) = (.9 + .3) / 2 = .6, p(a, c) = .45, p(b, c) = 1
    assert dict(zip(soft.ids, soft.scores, strict=True)) == pytest.approx(
        {"b": 1.4, "a": 1.05, "c": 0.55}
    )
    assert soft.ids == ["b", "a", "c"]
    assert soft.repairs.tied == 1
    wins = pairwise_rerank(ids, judge, method="all", aggregate="wins")
    assert wins.scores.tolist() == [1.0, 1.0, 1.0]
    assert wins.ids == ids
    order = pairwise_rerank(ids, judge, method="all", prior=0.0)
    assert order.ids == ids  # .6 + .45 + 1, where b, c, a has 1 + .4 + .55
    assert order.scores is None
    assert order.certificate.n_against_min == 1  # c > a
    answers["a", "c"] = 0.2  # p(a, c) = .35: b, c, a has .1 more than a, b, c
    for prior, top in [(0.0, "b"), (0.04, "b"), (0.06, "a")]:
        order = pairwise_rerank(ids, judge, method="all", prior=prior)
        assert order.ids[0] == top


def test_one_order_is_asked_as_the_first_stage_has_it():
    asked = []
    judge = lambda a, b: asked.append((a, b)) or a < b
    for method in METHODS:
        pairwise_rerank(SMALL, judge, k=3, method=method, both_orders=False)
    place = {item: index for index, item in enumerate(SMALL)}
    assert all(place[a] < place[b] for a, b in asked)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_contradictory_judges_come_to_an_end(method, seed):
    rng = np.random.default_rng(seed)
    beats = rng.random((12, 12)) < 0.5
    judge = lambda a, b: bool(beats[a, b])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tournament
        reranking = pairwise_rerank(range(12), judge, k=4, method=method)
    assert sorted(reranking.ids) == list(range(12))
    assert reranking.is_complete
    pairs = [entry.question for entry in reranking.answers]
    assert len(set(pairs)) == len(pairs) <= 132


@pytest.mark.parametrize("method", METHODS)
def test_budgets_end_with_the_best_order_known(method):
    ids = [*range(1, 20), 0]
    full = pairwise_rerank(ids, smaller, k=3, method=method)
    for budget in (0, 1, 2, 7, 20, full.n_calls):
        reranking = pairwise_rerank(
            ids, smaller, k=3, method=method, calls=Calls(budget=budget)
        )
        assert reranking.n_calls <= budget
        assert reranking.is_complete == (budget == full.n_calls)
        assert sorted(reranking.ids) == sorted(ids)
        if budget == 0:
            assert reranking.ids == ids
    assert reranking.ids == full.ids


def test_a_heap_without_budget_returns_what_it_knows():
    # the heap of 4 was begun: 0 > 2 (the child of 2) is all that is known
    reranking = pairwise_rerank(
        [3, 2, 1, 0],
        smaller,
        k=1,
        method="heap",
        both_orders=False,
        calls=Calls(budget=2),
    )
    assert [entry.question for entry in reranking.answers] == [(2, 0), (3, 0)]
    assert reranking.ids == [0, 3, 2, 1]


def test_tournaments_warn_of_a_judge_that_contradicts_itself():
    is_wrong = np.random.default_rng(0).random((30, 30)) < 0.15
    judge = lambda a, b: bool((a < b) != is_wrong[a, b])
    with pytest.warns(UserWarning, match="contradicts itself") as messages:
        reranking = pairwise_rerank(range(30), judge, method="tournament")
    n_pairs, n_tied = reranking.n_calls // 2, reranking.repairs.tied
    assert n_tied > 0.1 * n_pairs
    assert [str(warning.message) for warning in messages] == [
        f"compare contradicts itself in {n_tied} of {n_pairs} pairs, which it was "
        "asked about in both orders, and a tournament believes each answer. Use "
        "method='verified' or 'all'."
    ]
    assert messages[0].filename == __file__
    pairwise_rerank(range(30), judge, method="verified")


def test_answers_of_a_tournament_of_pairs_cannot_contradict_each_other():
    # only pairs without a chain between them are asked about
    reranking = pairwise_rerank(
        range(30), noisy(30, 0.25, seed=0), method="tournament", both_orders=False
    )
    assert reranking.ids[:10] != list(range(10))
    assert reranking.certificate.n_against == 0


def test_best_orders_outvote_wrong_answers():
    ids = list(range(30))
    distance = {"order": 0, "wins": 0, "verified": 0}
    for seed in range(4):
        judge = noisy(30, 0.15, seed)
        for name in distance:
            options = {} if name == "verified" else {"method": "all", "aggregate": name}
            reranking = pairwise_rerank(ids[::-1], judge, **options)
            distance[name] += sum(abs(i - p) for p, i in enumerate(reranking.ids[:10]))
    assert distance["order"] < distance["wins"]


def test_the_certificate_of_a_noisy_judge():
    reranking = pairwise_rerank(range(30), noisy(30, 0.15, 0), method="all", prior=0)
    certificate = reranking.certificate
    assert certificate.n_answers == 435
    assert certificate.n_against == certificate.n_against_min <= 0.15 * 435 * 1.2


def test_verify_top_leaves_the_tail_alone():
    reranking = once(SORTED, verify="top")
    assert reranking.n_calls == 40
    assert reranking.n_rounds == 1
    assert not reranking.certificate.is_implied


@pytest.mark.parametrize(
    "answer", ["A", "", 2, -0.1, float("nan"), [True], object(), 1j, b"1"]
)
def test_answers_that_are_no_preference(answer):
    with pytest.raises(ArgumentError) as error:
        pairwise_rerank(["d1", "d2"], lambda a, b: answer)
    if answer == "A":
        assert str(error.value) == (
            "compare must return a bool, a number in [0, 1] or None; got 'A' for "
            "('d1', 'd2'). Parse it in your function."
        )


@pytest.mark.parametrize(
    "answer", [True, 1, 1.0, np.True_, np.float32(1), np.array(1.0), 0.5000001]
)
def test_answers_that_are_a_preference(answer):
    reranking = pairwise_rerank(["d1", "d2"], lambda a, b: answer, both_orders=False)
    assert reranking.ids == ["d1", "d2"]
    assert reranking.certificate.n_against == 0
    assert isinstance(reranking.answers[0].answer, float)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"method": "quick"},
            "method must be one of 'all', 'heap', 'bubble', 'tournament', 'verified'; "
            "got 'quick'.",
        ),
        (
            {"aggregate": "mean"},
            "aggregate must be one of 'order', 'wins', 'probabilities'; got 'mean'.",
        ),
        ({"k": 0}, "k must be >= 1; got 0."),
        ({"span": 0}, "span must be a whole number >= 1; got 0."),
        ({"prior": -1}, "prior must be a number >= 0, or None; got -1."),
        ({"verify": "none"}, "verify must be one of 'all', 'top'; got 'none'."),
        ({"both_orders": 2}, "both_orders must be True or False; got 2."),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ArgumentError) as error:
        pairwise_rerank([1, 2], smaller, **options)
    assert str(error.value) == message


def test_empty_and_single_lists():
    for method in METHODS:
        assert pairwise_rerank([], smaller, method=method).ids == []
        reranking = pairwise_rerank(["a"], smaller, method=method)
        assert reranking.ids == ["a"]
        assert reranking.n_calls == 0
        assert reranking.certificate.margin == 0
