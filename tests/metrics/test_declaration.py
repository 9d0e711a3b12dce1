"""Records of metrics: own metrics, kernels and faces."""

import inspect
import pickle
import re

import numpy as np
import pytest
from support.strategies import ragged

from ltr import metrics as m


@m.ranking_metric(range=(0.0, np.inf))
def weighted_hits(lists, *, k=None, threshold=0.0, weight=1.0):
    """Weight times the relevant items among the first k."""
    relevant = lists.relevant(threshold)
    n_hits = relevant.in_top(lists.queries.sizes if k is None else k)
    return m.Measured(weight * n_hits, blank=relevant.total == 0)


def test_own_metric_is_a_face():
    """A decorated kernel takes rows, options, and the conventions of all metrics."""
    y, s, qid = ragged()
    for options in ({}, {"k": 3}, {"ties": "first"}, {"threshold": 1.0, "empty": 0}):
        own = weighted_hits(y, s, qid=qid, per_query=True, weight=2.0, **options)
        hits = m.hits_score(y, s, qid=qid, per_query=True, **options)
        np.testing.assert_array_equal(own, 2.0 * hits)
    assert list(inspect.signature(weighted_hits).parameters) == [
        "y_true",
        "y_score",
        "qid",
        "k",
        "threshold",
        "weight",
        "ties",
        "empty",
        "docids",
        "query_weight",
        "per_query",
    ]
    assert weighted_hits.__doc__.startswith("Weight times")
    assert pickle.loads(pickle.dumps(weighted_hits)) is weighted_hits


def test_own_metric_has_the_rights_of_a_name():
    """In get_metric, evaluate, evaluate_run and compare_runs."""
    y, s, qid = ragged()
    table = m.evaluate(y, s, qid, [weighted_hits, "hits@3"], weight=2.0)
    assert table.loc["weighted_hits", "mean"] == 2.0 * m.hits_score(y, s, qid=qid)
    metric = m.get_metric(weighted_hits, k=3, gain="linear")
    assert metric.options == {"k": 3}
    assert metric(y, s, qid) == table.loc["hits@3", "mean"]
    assert m.get_metric(metric, weight=2.0).options == {"k": 3, "weight": 2.0}
    run, qrels = {"q": {"a": 2, "b": 1, "c": 0}}, {"q": {"b": 1, "c": 1}}
    values = m.evaluate_run(run, qrels, weighted_hits, k=2)["mean"]
    assert values.to_dict() == {"weighted_hits@2": 1.0}
    table = m.compare_runs({"one": run, "two": run}, qrels, ["map", weighted_hits])
    assert table.metrics == ["map", "weighted_hits"]
    both = [m.get_metric(weighted_hits, k=k) for k in (1, 2)]
    values = m.evaluate_run(run, qrels, both)["mean"]
    assert values.to_dict() == {"weighted_hits@1": 0.0, "weighted_hits@2": 1.0}
    message = (
        "metrics must have different names; got 'weighted_hits' more than once. Pass "
        "dataclasses.replace(get_metric(…), name=…)."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        m.evaluate(y, s, qid, [weighted_hits, m.get_metric(weighted_hits, weight=2)])


def test_own_metric_of_whole_orders():
    """It takes no rule for ties, and of a run it sees the judged documents only."""

    @m.ranking_metric(labels="real", needs="a document", whole_order=True)
    def size(lists):
        n = lists.queries.sizes.astype(float)
        return m.Measured(n, n == 0)

    run, qrels = {"q": {"a": 2, "b": 1, "c": 0}}, {"q": {"b": 1, "d": 0}}
    assert m.evaluate_run(run, qrels, size)["mean"].item() == 2
    with pytest.raises(TypeError, match="unexpected keyword argument 'ties'"):
        size([1], [1], ties="first")


def test_names_of_functions():
    """A metric of ours has its own name; a cut-off is in the options."""
    names = [metric.name for metric in map(m.get_metric, m.METRICS.values())]
    assert names == list(m.METRICS)


def test_faces_hand_on_all_options():
    """A face without an option of its kernel, or with another default, is refused."""
    message = (
        "'face' must take the options of its kernel, by keyword and with the same "
        "defaults: {'weight': 1.0}; got {'weight': 2.0}."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):

        @m.ranking_metric(kernel=lambda lists, *, weight=1.0: None)
        def face(y_true, y_score, *, qid=None, weight=2.0, per_query=False):
            """Measure nothing."""


@pytest.mark.parametrize(
    ("kernel", "outcome"),
    [
        (lambda lists: np.array([1.0, 0.0]), "ndarray of shape (2,)"),
        (lambda lists: None, "NoneType"),
        (lambda lists: ([1.0, 0.0], [False, False]), "tuple"),
        (
            lambda lists: m.Measured(np.ones(3), np.zeros(2, dtype=bool)),
            "values of shape (3,) and blank of shape (2,) for 2 lists",
        ),
        (
            lambda lists: m.Measured(np.ones(2), False),
            "values of shape (2,) and blank of shape () for 2 lists",
        ),
    ],
)
def test_kernels_return_measured(kernel, outcome):
    """What else a kernel may return is named, from a call and from evaluate."""
    kernel.__name__ = "half"
    metric = m.ranking_metric()(kernel)
    message = (
        "kernel of 'half' must return Measured(values, blank), one value per list; got "
        f"{outcome}."
    )
    y, s, qid = [1, 0, 1], [0.5, 0.2, 0.1], [1, 1, 2]
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        metric(y, s, qid=qid)
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        m.evaluate(y, s, qid, [metric])


def test_functions_of_other_arguments():
    """What to do with a function that is no metric."""
    message = (
        "a metric of your own must be a function metric(y_true, y_score, qid) that "
        "returns a number, higher is better; got max(...). A kernel of ranked lists is "
        "declared with @ltr.metrics.ranking_metric()."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        m.evaluate([1, 0], [1, 0], None, [max])


def of_rows(y_true, y_score, qid=None):
    """What scikit-learn's metrics take."""


def of_labels(y_true):
    """Half of that."""


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (of_rows, "of_rows(y_true, y_score, qid=None)"),
        (of_labels, "of_labels(y_true)"),
        (lambda labels, scores: 0.5, "<lambda>(labels, scores)"),
        (lambda lists, *, qid=None: 0.5, "<lambda>(lists, *, qid=None)"),
        (lambda: 0.5, "<lambda>()"),
        (max, "<built-in function max>"),
    ],
)
@pytest.mark.parametrize("is_face", [False, True])
def test_a_kernel_takes_ranked_lists(function, signature, is_face):
    """What does not is refused when it is declared, with the form that it needs."""
    name = function.__name__
    message = (
        f"the kernel of a metric must have the form {name}(lists, *, k=None, …) -> "
        f"Measured(values, blank), where lists are the ranked lists; got {signature}. "
        "The docstring of ltr.metrics.ranking_metric has an example."
    )
    kernel, decorated = (function, of_rows) if is_face else (None, function)
    declare = m.ranking_metric(kernel=kernel)
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        declare(decorated)
