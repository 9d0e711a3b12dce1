"""Certificates, margins and probabilities against all orders, and their golden values."""

import itertools

import fuzz_certificates
import numpy as np
import pytest
from support.answer_sets import (
    draw_answers,
    orders_before,
    precedence_by_all_orders,
)

from ltr.arguments import ArgumentError
from ltr.rerank import (
    groupwise_rerank,
    listwise_rerank,
    pairwise_rerank,
    pointwise_rerank,
    sequential_rerank,
    setwise_rerank,
    suggest_questions,
)
from ltr.rerank.certificates import certificate_of, pair_counts
from ltr.rerank.closure import Closure, closed, min_cut, open_items, short_chains
from ltr.rerank.heads import question_values
from ltr.rerank.margins import margin_of
from ltr.solvers import Status, Window, solve_ordering

# 0 > 1 > 2 > 0, and each of them above 3
CYCLE = np.array([[0, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 0, 0, 0]])
ALL_OF_4 = np.triu(np.ones((4, 4), dtype=int), 1)
CHAIN = np.eye(4, k=1, dtype=int)


def beats(answers):
    """A judge with these answers about items 0, 1, …; ties where there is none."""
    return lambda i, j: None if answers[i, j] == answers[j, i] else answers[i, j] > 0


def test_certificates_are_those_of_all_orders():
    assert fuzz_certificates.main(n_sets=150, seed=1) == 0


def test_a_wrong_certificate_is_noticed(monkeypatch, capsys):
    monkeypatch.setattr("ltr.rerank.certificates.margin_of", lambda *_: 1)
    assert fuzz_certificates.main(n_sets=20, seed=0) > 0
    assert "margin 1, by all orders 0" in capsys.readouterr().out


def test_golden_certificates():
    certificate = pairwise_rerank(range(4), beats(CYCLE), k=3, method="all").certificate
    assert (certificate.n_against, certificate.n_against_min) == (1, 1)
    assert certificate.status is Status.OPTIMAL
    assert certificate.n_answers == 6
    assert certificate.is_implied
    assert certificate.margin == 1
    assert [certificate_of(CYCLE, k, 6).margin for k in (1, 2)] == [0, 0]
    cuts = {(i, j): min_cut(ALL_OF_4, i, j) for i in (0, 1) for j in (2, 3)}
    assert cuts == {(0, 2): 2, (0, 3): 3, (1, 2): 1, (1, 3): 2}
    assert [certificate_of(a, 2, 6).margin for a in (ALL_OF_4, CHAIN)] == [1, 1]


def test_certificates_as_people_read_them():
    assert str(certificate_of(CYCLE, 3, 6)) == (
        "1 of 6 answers is contradicted; no order contradicts fewer; 1 answer would "
        "have to be wrong for another item in the top."
    )
    assert str(certificate_of(CYCLE[::-1, ::-1], 1, 6)) == (
        "5 of 6 answers are contradicted; any order contradicts at least 1; no answer "
        "would have to be wrong for another item in the top."
    )


@pytest.mark.parametrize("seed", range(3))
def test_margins_of_more_items_than_a_table_of_sets_takes(seed):
    rng = np.random.default_rng(seed)
    n, k = 14, 4
    wrong = rng.random((n, n)) < [0.05, 0.15, 0.15][seed]
    upper = np.triu(np.ones((n, n), dtype=int), 1)
    answers = np.triu(np.where(wrong, 0, upper)) + np.triu(np.where(wrong, upper, 0)).T
    best = solve_ordering(answers, method="dp")
    answers = answers[np.ix_(best.order, best.order)]
    # an order has another top k if and only if one of the k stands behind place k
    others = [
        solve_ordering(answers, constraints=[Window(i, k, n - 1)], method="dp")
        for i in range(k)
    ]
    margin = best.objective - max(other.objective for other in others)
    assert margin_of(answers, k, np.arange(n)) == margin


def test_margin_stops_at_the_work_it_may_spend(monkeypatch):
    rng = np.random.default_rng(0)
    answers = np.triu(rng.random((14, 14)) < 0.9, 1).astype(int)
    answers += np.triu(1 - answers, 1).T
    exact = margin_of(answers, 4, np.arange(14))
    monkeypatch.setattr("ltr.rerank.margins._PAIRS_OF_50", 0)
    assert 0 <= margin_of(answers, 4, np.arange(14)) <= exact


def test_all_answers_would_not_suffice_if_all_items_are_in_the_top():
    assert certificate_of(ALL_OF_4, 4, 6).margin == 6


def test_what_counts_as_an_answer_by_driver():
    def counts(reranking):
        return pair_counts(reranking).answers.sum(), pair_counts(reranking).n_answers

    ids = ["a", "b", "c"]
    assert counts(setwise_rerank(ids, lambda s: min(s), size=3, k=1)) == (2, 2)
    assert counts(listwise_rerank(ids, sorted)) == (3, 3)
    scores = groupwise_rerank(ids, lambda s: [ord(i) // 2 for i in s], repeats=1)
    assert counts(scores) == (2, 2)
    # a tie is an answer that no order contradicts
    assert counts(pairwise_rerank(ids, lambda a, b: a > b or None, method="all")) == (
        3,
        3,
    )
    with pytest.warns(UserWarning, match="gave no preference in 3 of 3 answers"):
        assert counts(pairwise_rerank(ids, lambda a, b: None, method="all")) == (0, 3)
    assert pointwise_rerank(ids, ord).certificate is None
    assert sequential_rerank(ids, lambda _, rest: min(rest)).certificate is None


def test_golden_probabilities():
    chain = pairwise_rerank(list("abc"), lambda a, b: a < b, k=2, span=1, verify="top")
    proba = chain.precedence_proba()
    assert proba[0, 2] == pytest.approx(99 / 118, abs=1e-6)
    assert proba + proba.T == pytest.approx(1 - np.eye(3))
    cycle = pairwise_rerank(range(3), beats(CYCLE), method="all")
    proba = cycle.precedence_proba()
    above = [proba[cycle.ids.index(i), cycle.ids.index((i + 1) % 3)] for i in range(3)]
    assert above == pytest.approx([19 / 30] * 3, abs=1e-6)


def test_probabilities_are_those_of_all_orders():
    rng = np.random.default_rng(0)
    for _ in range(5):
        answers = np.triu(rng.integers(0, 2, (3, 3)), 1)
        answers[0, 2], answers[2, 1] = 1, 1 - answers[1, 2]
        reranking = pairwise_rerank(range(3), beats(answers), method="all")
        inverse = np.ix_(reranking.ids, reranking.ids)
        expected = precedence_by_all_orders(answers, 0.2)[inverse]
        assert reranking.precedence_proba(noise=0.2) == pytest.approx(
            expected, abs=1e-5
        )


def expected_change(answers, k, i, j, noise):
    """Expected total variation of the top k by an answer about i and j."""
    orders, before = orders_before(len(answers))
    odds = (1 - noise) / noise
    weights = odds ** (before * answers).sum(axis=(1, 2)).astype(float)
    weights /= weights.sum()
    heads = [tuple(sorted(order[:k])) for order in orders]
    change = 0.0
    for is_better in (True, False):
        agrees = before[:, i, j] == is_better
        joint = weights * np.where(agrees, 1 - noise, noise)
        differences = joint - weights * joint.sum()
        sums = {}
        for head, difference in zip(heads, differences, strict=True):
            sums[head] = sums.get(head, 0.0) + difference
        change += 0.5 * sum(abs(value) for value in sums.values())
    return change


def test_values_of_questions_are_those_of_all_orders():
    rng = np.random.default_rng(1)
    for _ in range(6):
        answers = draw_answers(rng, max_items=5)[0]
        n = len(answers)
        pairs = np.array(list(itertools.combinations(range(n), 2)))
        for k in range(1, n):
            values = question_values(
                np.log(4.0) * answers, k, pairs[:, 0], pairs[:, 1], noise=0.2
            )
            expected = [expected_change(answers, k, i, j, 0.2) for i, j in pairs]
            assert values == pytest.approx(expected, abs=1e-12)


def test_questions_worth_asking():
    second = pairwise_rerank(list("abc"), lambda a, b: a < b, k=2, span=1, verify="top")
    assert suggest_questions(second, 5) == [("a", "c")]
    asked = pairwise_rerank(list("abc"), lambda a, b: a < b, k=2, method="all")
    assert suggest_questions(asked) == []
    # 30 items: the questions are about those near the border of the top
    long = pairwise_rerank(range(30), lambda a, b: a < b, k=10, verify="top", span=1)
    pairs = suggest_questions(long, 3, top=8)
    assert len(pairs) == 3
    assert all(6 <= i < j < 14 for i, j in pairs)


def test_an_answer_to_the_suggested_question_settles_more_than_others():

    rng = np.random.default_rng(0)
    values = question_values(np.zeros((4, 4)), 2, *np.triu_indices(4, 1), noise=0.1)
    assert values == pytest.approx([values[0]] * 6)  # nothing is known: all alike
    order = rng.permutation(4)
    gains = 2.0 * ALL_OF_4[np.ix_(order, order)]
    rows, columns = np.triu_indices(4, 1)
    values = question_values(gains, 2, rows, columns, noise=0.1)
    best = int(values.argmax())
    border = {int(np.flatnonzero(order == place)[0]) for place in (1, 2)}
    assert {int(rows[best]), int(columns[best])} == border


def test_wrong_options():
    reranking = pairwise_rerank(list("abc"), lambda a, b: a < b)
    with pytest.raises(ArgumentError) as error:
        reranking.precedence_proba(noise=0.5)
    assert str(error.value) == "noise must be above 0 and below 0.5; got 0.5."
    with pytest.raises(ArgumentError) as error:
        reranking.precedence_proba(top=16)
    assert str(error.value) == "top must be a whole number >= 1 and <= 15; got 16."
    with pytest.raises(ArgumentError) as error:
        suggest_questions(pointwise_rerank(list("abc"), ord))
    assert str(error.value) == (
        "reranking must be of a driver that compares items; got one of "
        "pointwise_rerank."
    )


def test_closure_is_that_of_all_chains():
    rng = np.random.default_rng(2)
    for _ in range(30):
        n = int(rng.integers(1, 8))
        closure, answers = Closure(n), np.zeros((n, n), dtype=int)
        for _ in range(rng.integers(0, 12)):
            i, j = rng.integers(0, n, 2)
            if i != j:
                closure.add(i, j)
                answers[i, j] = 1
        powers = sum(np.linalg.matrix_power(answers, m) for m in range(1, n + 1))
        assert np.array_equal(closure.reaches, powers > 0)
        assert np.array_equal(closed(answers), powers > 0)
        order = closure.order()
        assert sorted(order) == list(range(n))
        strict = closure.strict()[np.ix_(order, order)]
        assert not np.tril(strict).any()


def test_short_chains_are_below_the_cut():
    rng = np.random.default_rng(3)
    for _ in range(20):
        answers = rng.integers(0, 3, (6, 6)) * (rng.random((6, 6)) < 0.5)
        np.fill_diagonal(answers, 0)
        bounds = short_chains(answers, slice(0, 3))
        for i, j in itertools.product(range(3), range(3, 6)):
            assert bounds[i, j] <= min_cut(answers, i, j)


def test_a_closed_tournament_has_no_open_items():
    closure = Closure(4)
    for i, j in [(0, 1), (1, 2), (2, 3)]:
        closure.add(j, i)
    assert open_items(closure, 2, 2) == []
    closure = Closure(2)
    closure.add_tie(0, 1)
    assert open_items(closure, 1, 2) == []
