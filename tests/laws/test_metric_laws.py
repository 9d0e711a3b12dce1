"""The laws of metrics, for every row of the registry."""

import pytest
from support.law_tests import check, every, given_once

from ltr.metrics import METRICS
from ltr.testing.metric_under_test import metric_under_test, rows


@every("metric")
def test_law(row, law):
    """The metric keeps the law."""
    check(row, law)


@pytest.mark.parametrize("name", METRICS)
@given_once(rows=rows(n_queries=1))
def test_a_constant_score_is_worth_a_random_order(name, rows):
    """Between the worst and the best order."""
    metric = metric_under_test(name)
    values = [
        metric(rows._replace(y_score=scores), empty=0)
        for scores in (-rows.y_true, 0.0 * rows.y_true, rows.y_true)
    ]
    assert values[0] - 1e-12 <= values[1] <= values[2] + 1e-12
