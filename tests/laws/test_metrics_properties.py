"""The laws of metrics, by hypothesis."""

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given
from support.strategies import labelled_rows

from ltr.metrics import METRICS, get_metric

INFO = {name: metric.info for name, metric in METRICS.items()}
LARGEST = (
    3.0  # of the labels that are drawn: the most that RBP's linear gains add up to
)
every_metric = pytest.mark.parametrize("name", METRICS)
cut_offs = st.sampled_from(["", "@1", "@2", "@3"])


def metrics_with(**facts):
    """Parametrize over the metrics of whose records all facts hold."""
    names = [
        name
        for name, info in INFO.items()
        if all(getattr(info, fact) == value for fact, value in facts.items())
    ]
    return pytest.mark.parametrize("name", names)


def cut(name, cut_off):
    """The metric with a cut-off, if it takes one."""
    return name + cut_off if INFO[name].takes_cutoff else name


def per_query(name, y, s, qid, **options):
    """Values by list id."""
    values = get_metric(name, empty=0, **options).per_query(y, s, qid)
    return dict(zip(dict.fromkeys(qid.tolist()), values, strict=True))


@every_metric
@given(rows=labelled_rows(), data=st.data())
def test_order_of_rows_and_names_of_lists(name, rows, data):
    """Permuting rows and renaming lists changes nothing."""
    y, s, qid = rows
    order = np.array(data.draw(st.permutations(range(len(y)))))
    renamed = np.array([f"list {q}" for q in qid])
    before = per_query(name, y, s, qid)
    after = per_query(name, y[order], s[order], renamed[order])
    for q, value in before.items():
        np.testing.assert_allclose(after[f"list {q}"], value, rtol=1e-12, atol=1e-14)


@every_metric
@given(rows=labelled_rows())
def test_mean_of_the_lists(name, rows):
    """The value is the mean over lists, and each list is scored by itself."""
    y, s, qid = rows
    values = per_query(name, y, s, qid)
    mean = get_metric(name, empty=0)(y, s, qid)
    np.testing.assert_allclose(mean, np.mean(list(values.values())), rtol=1e-12)
    options = {"max_label": y.max()} if name == "err" else {}
    for q, value in values.items():
        one = get_metric(name, empty=0, **options)(y[qid == q], s[qid == q], None)
        np.testing.assert_allclose(one, value, rtol=1e-12, atol=1e-14)


@every_metric
@given(rows=labelled_rows())
def test_range(name, rows):
    """Values stay in their range."""
    low, high = (0.0, LARGEST) if name == "rbp" else INFO[name].range
    for value in per_query(name, *rows).values():
        assert low - 1e-12 <= value <= high + 1e-12


@every_metric
@given(
    rows=labelled_rows(),
    scale=st.sampled_from([0.5, 3.0]),
    shift=st.sampled_from([-2.0, 7.0]),
)
def test_only_the_order_of_scores_counts(name, rows, scale, shift):
    """An increasing map of the scores changes nothing."""
    y, s, qid = rows
    before = per_query(name, y, s, qid)
    after = per_query(name, y, scale * s + shift, qid)
    for q, value in before.items():  # Pearson's correlation rounds
        slack = 1e-12 if name == "information_coefficient" else 0.0
        assert abs(after[q] - value) <= slack


@metrics_with(expected_under_ties=True)
@given(rows=labelled_rows(max_rows=6), cut_off=cut_offs)
def test_ties_are_averaged_over_all_orders(name, rows, cut_off):
    """The value under ties is the mean over the orders of the tied items."""
    y, s, _ = rows
    metric = get_metric(cut(name, cut_off), empty=0, max_label=LARGEST)
    orders = [
        np.array(order)
        for order in itertools.permutations(range(len(y)))
        if (np.diff(s[list(order)]) <= 0).all()
    ]
    ranked = -np.arange(len(y), dtype=float)
    mean = np.mean([metric(y[order], ranked, None) for order in orders])
    np.testing.assert_allclose(metric(y, s, None), mean, rtol=1e-11, atol=1e-13)


@every_metric
@given(rows=labelled_rows(max_rows=8), cut_off=cut_offs)
def test_the_ideal_order_is_best(name, rows, cut_off):
    """No scores beat the labels themselves."""
    y, s, _ = rows
    metric = get_metric(cut(name, cut_off), empty=0)
    assert metric(y, s, None) <= metric(y, y, None) + 1e-12


@metrics_with(monotone=True)
@given(rows=labelled_rows(max_rows=8), cut_off=cut_offs)
def test_a_good_swap_never_hurts(name, rows, cut_off):
    """Giving a better item the higher of two scores does not lower the metric."""
    y, s, _ = rows
    metric = get_metric(cut(name, cut_off), empty=0)
    value = metric(y, s, None)
    for i, j in itertools.permutations(range(len(y)), 2):
        if y[i] > y[j] and s[i] < s[j]:
            swapped = s.copy()
            swapped[i], swapped[j] = s[j], s[i]
            assert metric(y, swapped, None) >= value - 1e-12


@pytest.mark.parametrize(
    "name", [name for name, info in INFO.items() if info.needs != "a document"]
)
@given(rows=labelled_rows())
def test_adding_a_blank_list(name, rows):
    """A list that says nothing is left out, or moves the mean towards 0 or 1."""
    y, s, qid = rows
    relevant = get_metric(name, empty="skip")
    with_blank = (
        np.append(y, [0.0, 0]),
        np.append(s, [1.0, 2]),
        np.append(qid, [9, 9]),
    )
    before = relevant.per_query(y, s, qid)
    assume(not np.isnan(before).all())
    assert relevant(*with_blank) == relevant(y, s, qid)
    for empty in (0, 1):
        metric = get_metric(name, empty=empty)
        n = len(before)
        expected = (metric(y, s, qid) * n + empty) / (n + 1)
        np.testing.assert_allclose(metric(*with_blank), expected, rtol=1e-12)


@every_metric
@given(rows=labelled_rows())
def test_a_constant_score_is_worth_a_random_order(name, rows):
    """Never perfect unless every order is: between the worst and the best order."""
    y, _, _ = rows
    metric = get_metric(name, empty=0)
    value = metric(y, np.zeros(len(y)), None)
    assert metric(y, -y, None) - 1e-12 <= value <= metric(y, y, None) + 1e-12
