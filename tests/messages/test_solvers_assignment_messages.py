"""Assignments: what bad input and clashing constraints are told."""

import numpy as np
import pandas as pd
import pytest

from ltr.solvers import (
    AtMost,
    FixedPosition,
    Precedence,
    Quota,
    det_const_sort,
    explain_conflict,
    solve_assignment,
)


def raises(message, function, *args, kind=ValueError, **kwargs):
    with pytest.raises(kind) as caught:
        function(*args, **kwargs)
    assert str(caught.value) == message


def test_messages():
    """What was expected, what came and where, and what to do."""
    raises(
        "gain must be scores of shape (n_items,) or a matrix of shape (n_items, "
        "n_positions); got shape (1, 1, 1).",
        solve_assignment,
        [[[1]]],
    )
    raises(
        "gain must be finite if it is one score per item; got -inf at [1]. Leave that "
        "item out, or pass a matrix with -inf at the positions that are forbidden.",
        solve_assignment,
        [1.0, -np.inf],
    )
    raises(
        "k must be at most 2, as there are 2 items; got 3.",
        solve_assignment,
        [1, 2],
        k=3,
    )
    raises(
        "discount must be finite, >= 0 and not increase from one position to the next; "
        "got 2.0 at position 1.",
        solve_assignment,
        [1, 2],
        discount=[1, 2],
    )
    raises(
        "attributes must have 'seller', to which a constraint refers; got 'group'. Pass "
        "attributes={'seller': one value per item}.",
        solve_assignment,
        [1, 2],
        constraints=[AtMost("seller", 1)],
        attributes={"group": [1, 2]},
    )
    raises(
        "attributes['seller'] must have one value per item, shape (2,); got shape (3,).",
        solve_assignment,
        [1, 2],
        constraints=[AtMost("seller", 1)],
        attributes={"seller": [1, 2, 3]},
    )
    raises(
        "positions must be in 0, …, 0; got 1 in FixedPosition(item=0, position=1).",
        solve_assignment,
        [1, 2],
        constraints=[FixedPosition(0, 1)],
        k=1,
    )
    raises(
        "solve_assignment takes the constraints Precedence, Window, FixedPosition, "
        "Together, Quota, AtMost, ExposureShare; got 'together'.",
        solve_assignment,
        [1, 2],
        constraints=["together"],
        kind=TypeError,
    )
    raises(
        "method='sort' is not exact for these constraints, or too slow. Use "
        "method='auto'.",
        solve_assignment,
        [1, 2],
        constraints=[FixedPosition(0, 1)],
        method="sort",
    )
    raises(
        "lower of Quota must be a whole number >= 0; got 0.3.",
        Quota,
        "group",
        1,
        lower=0.3,
        kind=TypeError,
    )
    raises(
        "min_share of Quota must be at most max_share; got 0.6 and 0.5.",
        Quota,
        "group",
        1,
        min_share=0.6,
        max_share=0.5,
    )
    raises(
        "top of AtMost must be a whole number >= 1, or None; got 0.",
        AtMost,
        "seller",
        1,
        top=0,
    )
    raises(
        "shares must be >= 0, sum to 1, and have every group; got {'a': 0.5}, which "
        "sum to 0.5.",
        det_const_sort,
        [1],
        ["a"],
        {"a": 0.5},
    )
    raises(
        "solution must be INFEASIBLE to have a conflict; got status OPTIMAL.",
        explain_conflict,
        solve_assignment([1.0]),
    )


def test_a_conflict_in_words():
    """Counts of the groups help to see why."""
    attributes = {"group": list("aaab"), "seller": list("xxxx")}
    rules = [
        Precedence(0, 1),
        Quota("group", "b", lower=2, top=3),
        AtMost("seller", 2, top=3),
    ]
    solution = solve_assignment([4, 3, 2, 1], constraints=rules, attributes=attributes)
    assert len(solution.conflict) == 1
    solution = solve_assignment(
        [4, 3, 2, 1], constraints=rules[:2], attributes=attributes
    )
    assert explain_conflict(solution, attributes) == (
        "No order keeps this constraint:\n"
        "- at least 2 items with group 'b' among the first 3\n"
        "(1 of the 4 items have group 'b'.)"
    )
    solution = solve_assignment(
        [4, 3, 2, 1], constraints=rules[2:], attributes=attributes
    )
    assert explain_conflict(solution, attributes) == (
        "No order keeps this constraint:\n"
        "- at most 2 items of one seller among the first 3\n"
        "(4 items have 1 values of seller.)"
    )
    forbidden = solve_assignment([[-np.inf], [-np.inf]])
    assert explain_conflict(forbidden) == (
        "No order is possible: too many entries are -inf, which forbids them."
    )


@pytest.mark.parametrize("nothing", [None, float("nan"), pd.NA])
def test_items_without_a_value_are_in_no_group(nothing):
    """Nor do lists of mixed values become strings."""
    attributes = {"g": ["b", nothing, nothing, 1]}
    rules = [AtMost("g", 1, top=3), Quota("g", 1, lower=1, top=1)]
    solution = solve_assignment(
        [3.0, 2, 1, 0], constraints=rules, attributes=attributes
    )
    assert solution.order.tolist() == [3, 0, 1, 2]
    frame = pd.DataFrame({"g": pd.array(["b", pd.NA, pd.NA], dtype="string")})
    solution = solve_assignment([3.0, 2, 1], constraints=rules[:1], attributes=frame)
    assert solution.order.tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", [list, np.array])
def test_items_without_a_value_are_not_counted(kind):
    """A column of floats says NaN where a list may say None."""
    attributes = {"g": kind([1.0, 1.0, np.nan, np.nan])}
    rules = [AtMost("g", 1)]
    solution = solve_assignment(np.zeros(4), constraints=rules, attributes=attributes)
    text = explain_conflict(solution, attributes)
    assert text.endswith("(4 items have 1 values of g.)")


@pytest.mark.parametrize("group", [[], ["a", "a"]])
def test_no_position_for_a_quota(group):
    """INFEASIBLE with its conflict, in words."""
    rule = Quota("g", "a", lower=1)
    solution = solve_assignment(
        np.zeros(len(group)), k=0, constraints=[rule], attributes={"g": group}
    )
    assert (solution.status.value, solution.conflict) == ("INFEASIBLE", (rule,))
    assert "(0 of the 0 items" in explain_conflict(solution, {"g": []})
    with pytest.raises(ValueError, match="^attributes must have 'g', to which"):
        explain_conflict(solution, {})


def test_sizes_and_values():
    """Sums would overflow; lists are no single value."""
    raises(
        "discount must be at most 1e+290 in absolute value, as larger sums overflow; got "
        "1e+300. Scale it down.",
        solve_assignment,
        [3.0, 1e300],
        discount=[1e300, 1.0],
    )
    raises(
        "gain must be at most 1e+290 in absolute value, as larger sums overflow; got "
        "1e+300. Scale it down.",
        solve_assignment,
        [[1e300]],
    )
    raises(
        "gain must be at most 1e+289 in absolute value with a discount of 10, as larger "
        "sums overflow; got 1e+290. Scale it down.",
        solve_assignment,
        [1e290],
        discount=[10.0],
    )
    with pytest.raises(TypeError, match="^value of Quota must be one value of the"):
        Quota("g", ["a"], lower=1)
