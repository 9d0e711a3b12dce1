"""How many calls and rounds each driver takes, and in what order the items come out."""

import numpy as np
import pytest

from ltr.rerank import (
    groupwise_rerank,
    listwise_rerank,
    pairwise_rerank,
    pointwise_rerank,
    sequential_rerank,
    setwise_rerank,
)
from ltr.rerank.windows import windows

SORTED = list(range(100))
REVERSED = SORTED[::-1]
SMALL = [5, 2, 7, 0, 3, 6, 1, 4]


def permutations(n_lists, n=100):
    rng = np.random.default_rng(0)
    return [rng.permutation(n).tolist() for _ in range(n_lists)]


@pytest.mark.parametrize(
    ("size", "n_sorted", "n_reversed", "mean"),
    [(3, 102, 147, 139.8), (4, 69, 83, 81.7), (10, 30, 39, 31.5), (20, 19, 25, 23.2)],
)
def test_setwise_heap(size, n_sorted, n_reversed, mean):
    def n_calls(ids):
        reranking = setwise_rerank(ids, min, size=size)
        assert reranking.ids[:10] == list(range(10))
        assert reranking.n_rounds == reranking.n_calls
        return reranking.n_calls

    assert n_calls(SORTED) == n_sorted
    assert n_calls(REVERSED) == n_reversed
    counts = [n_calls(ids) for ids in permutations(200)]
    assert np.mean(counts) == pytest.approx(mean, abs=0.051)


def test_setwise_of_a_small_list():
    reranking = setwise_rerank(SMALL, min, k=3)
    assert reranking.n_calls == 7
    assert reranking.ids == [0, 1, 2, 5, 7, 3, 6, 4]
    for size in (2, 3, 5, 8, 20):
        for method in ("heap", "bubble"):
            reranking = setwise_rerank(SMALL, min, k=8, size=size, method=method)
            assert reranking.ids == sorted(SMALL)


def test_setwise_bubble_leaves_the_others_in_their_order():
    reranking = setwise_rerank([3, 1, 2, 0], min, k=1, method="bubble", size=2)
    assert reranking.ids == [0, 3, 1, 2]
    assert reranking.n_calls == 3


@pytest.mark.parametrize(
    ("n", "spans"),
    [
        (0, []),
        (8, [(0, 8)]),
        (25, [(5, 25), (0, 15)]),
        (30, [(10, 30), (0, 20)]),
        (40, [(20, 40), (10, 30), (0, 20)]),
    ],
)
def test_windows(n, spans):
    assert windows(n, 20, 10) == spans


@pytest.mark.parametrize(("n", "n_windows"), [(95, 9), (100, 9), (101, 10)])
def test_number_of_windows(n, n_windows):
    assert len(windows(n, 20, 10)) == n_windows
    assert listwise_rerank(range(n), sorted).n_calls == n_windows


def test_stable_passes():
    """Windows seen before are answered from memory; nine passes always suffice."""

    def n_calls(ids):
        reranking = listwise_rerank(ids, sorted, passes="stable")
        assert reranking.ids == SORTED
        n_passes, remainder = divmod(reranking.n_calls + reranking.n_hits, 9)
        assert remainder == 0
        return reranking.n_calls, n_passes

    assert n_calls(SORTED) == (9, 1)
    assert n_calls(REVERSED)[0] == 54
    counts = [n_calls(ids) for ids in permutations(200)]
    assert np.mean([calls for calls, _ in counts]) == pytest.approx(53.4, abs=0.051)
    n_passes = np.bincount([passes for _, passes in counts])
    assert n_passes[8:].tolist() == [8, 70, 122]  # the last of them changes nothing


def test_windows_of_a_small_list():
    reranking = listwise_rerank(SMALL, sorted, k=3, window=4, step=2)
    assert reranking.n_calls == reranking.n_rounds == 3
    assert reranking.ids == [0, 1, 2, 5, 3, 7, 4, 6]
    reranking = listwise_rerank(SMALL, sorted, k=3, window=4, step=2, passes="stable")
    assert reranking.n_calls == 8
    assert reranking.ids == sorted(SMALL)


def test_one_window_and_depth():
    reranking = listwise_rerank(REVERSED, sorted, window=None)
    assert (reranking.ids, reranking.n_calls) == (SORTED, 1)
    reranking = listwise_rerank(SMALL, sorted, window=None, depth=3)
    assert reranking.ids == [2, 5, 7, 0, 3, 6, 1, 4]


def test_groups():
    """n / size calls a repeat, all in one round."""

    def score(ids):
        return [-id for id in ids]

    reranking = groupwise_rerank(REVERSED, score)
    assert (reranking.ids, reranking.n_calls, reranking.n_rounds) == (SORTED, 10, 1)
    assert sorted(len(answer.question) for answer in reranking.answers) == [20] * 10
    reranking = groupwise_rerank(range(41), score, repeats=1)
    assert sorted(len(answer.question) for answer in reranking.answers) == [13, 14, 14]


def test_pointwise_and_sequential():
    assert pointwise_rerank(REVERSED, lambda id: -id).ids == SORTED
    assert pointwise_rerank(SORTED, lambda id: -id).n_rounds == 1
    reranking = sequential_rerank(SMALL, lambda chosen, rest: min(rest), k=3)
    assert reranking.ids == [0, 1, 2, 5, 7, 3, 6, 4]
    assert reranking.n_calls == reranking.n_rounds == 3
    reranking = sequential_rerank(
        SMALL, lambda chosen, rest: None if len(chosen) == 2 else max(rest)
    )
    assert reranking.ids == [7, 6, 5, 2, 0, 3, 1, 4]
    assert (reranking.k, reranking.n_calls) == (2, 3)


def test_votes():
    """The majority of differently shuffled orders outvotes a judge's blind spot."""

    def best(ids):
        return ids[0] if ids[-1] == min(ids) else min(ids)  # blind to the last

    once = setwise_rerank(SMALL, best, k=3)
    often = setwise_rerank(SMALL, best, k=3, votes=9)
    assert once.ids[:3] != [0, 1, 2]
    assert often.ids[:3] == [0, 1, 2]
    assert often.n_rounds <= once.n_rounds + 2
    assert often.n_calls > 3 * once.n_calls


@pytest.mark.parametrize(
    ("window", "n_sorted", "n_reversed", "mean"),
    [(4, 38, 39, 44.82), (10, 13, 13, 14.34), (20, 7, 7, 6.32)],
)
def test_tournaments_of_windows(window, n_sorted, n_reversed, mean):
    def n_calls(ids):
        reranking = listwise_rerank(ids, sorted, method="tournament", window=window)
        assert reranking.ids[:10] == list(range(10))
        return reranking.n_calls

    assert n_calls(SORTED) == n_sorted
    assert n_calls(REVERSED) == n_reversed
    counts = [n_calls(ids) for ids in permutations(50)]
    assert np.mean(counts) == pytest.approx(mean)


def test_small_tournaments():
    """The three fastest of 25 horses take 7 races of five, always."""
    for ids in permutations(40, 25):
        reranking = listwise_rerank(ids, sorted, method="tournament", window=5, k=3)
        assert (reranking.ids[:3], reranking.n_calls) == ([0, 1, 2], 7)
    for window, n_calls in ((3, 5), (4, 3)):
        reranking = listwise_rerank(
            SMALL, sorted, method="tournament", window=window, k=3
        )
        assert (reranking.ids[:3], reranking.n_calls) == ([0, 1, 2], n_calls)


def test_tournaments_of_judges_that_contradict_themselves():
    rng = np.random.default_rng(0)
    with pytest.warns(UserWarning, match="tournament believes each") as found:
        reranking = listwise_rerank(
            range(30), rng.permutation, method="tournament", window=3
        )
    assert sorted(reranking.ids) == list(range(30))
    assert found[0].filename == __file__
    assert str(found[0].message).endswith(
        "Use method='windows', or pairwise_rerank(method='verified')."
    )


def test_seeds_of_groups():
    """A seed, a generator or a state; other shuffles with another one."""

    def groups(random_state):
        reranking = groupwise_rerank(
            range(9), lambda ids: ids, size=3, random_state=random_state
        )
        return [answer.question for answer in reranking.answers]

    assert groups(0) == groups(0) == groups(np.random.default_rng(0))
    assert groups(0) != groups(1)
    assert groups(np.random.RandomState(3)) == groups(np.random.RandomState(3))
    with pytest.raises(ValueError, match="random_state must be a whole number"):
        groups("x")


def test_ties_close_the_questions_of_a_tournament():
    """The first stage decides them: no more calls than on a list in its order."""
    with pytest.warns(UserWarning, match="in 141 of 141") as found:
        reranking = pairwise_rerank(SORTED, lambda a, b: True, method="tournament")
    assert len(found) == 2  # without a preference, and at odds with itself
    assert (reranking.ids, reranking.n_calls) == (SORTED, 2 * 141)
    with pytest.warns(UserWarning, match="no preference in 7 of 7 answers"):
        reranking = listwise_rerank(SORTED, lambda ids: None, method="tournament")
    assert (reranking.ids, reranking.n_calls) == (SORTED, 7)
