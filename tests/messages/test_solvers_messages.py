"""What the solvers say to those who pass something else: every message in full."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr.solvers import (
    birkhoff,
    borda,
    bradley_terry,
    comparisons_to_matrix,
    copeland,
    fair_exposure,
    kemeny,
    kemeny_distance,
    orders_from_ranks,
    select_committee,
    solve_assignment,
    solve_ordering,
    solve_orderings,
    solve_path,
    solve_paths,
)

COUNTS = "counts must be a square array of numbers, [i, j] how often i beat j; got "
NUMBERS = "rankings must hold item numbers, integers from 0; got "
NAMES = (
    "Number names, as by {name: i for i, name in enumerate(names)}; lists of ids are "
    "fused by ltr.fusion."
)
NO_ORDER = (
    "a ranking must be in order, best first; got a {}, which has no order, at {}. Pass "
    "a list; a set inside it holds tied items. Approvals are a bool array of shape "
    "(n_voters, n_items), for select_committee."
)

CALLS = {
    "sets as ballots": (
        lambda: select_committee([[0, 1], {2, 1}], 1, rule="bloc"),
        TypeError,
        NO_ORDER.format("set", 1),
    ),
    "ranks by item": (
        lambda: kemeny([{0: 2, 1: 1}]),
        TypeError,
        NO_ORDER.format("dict", 0),
    ),
    "votes by name": (
        lambda: kemeny({"ann": [0, 1], "bob": [1, 0]}),
        TypeError,
        "rankings must be a list of rankings; got a dict. Pass a list of its values.",
    ),
    "a set of votes": (
        lambda: select_committee({(0, 1), (1, 0)}, 1),
        TypeError,
        "rankings must be a list of rankings; got a set. Pass a list of its values.",
    ),
    "names in a table": (
        lambda: kemeny([["a", "b"], ["b", "a"]]),
        TypeError,
        f"{NUMBERS}'a' in rankings[0]. {NAMES}",
    ),
    "names": (
        lambda: select_committee([["a", "b"], ["b"]], 1),
        TypeError,
        f"{NUMBERS}'a' in rankings[0]. {NAMES}",
    ),
    "approvals": (
        lambda: select_committee([[True, False]], 1),
        TypeError,
        f"{NUMBERS}np.True_ in rankings[0]. Pass approvals to select_committee, as a "
        "NumPy array.",
    ),
    "approvals, none first": (
        lambda: select_committee([[False, True]], 1),
        TypeError,
        f"{NUMBERS}np.False_ in rankings[0]. Pass approvals to select_committee, as a "
        "NumPy array.",
    ),
    "names of duels": (
        lambda: comparisons_to_matrix(["ann", "bob"], ["bob", "cat"]),
        TypeError,
        "winners and losers must be item numbers, integers from 0; got <U3 and <U3. "
        "Number names by names, codes = np.unique([winners, losers], "
        "return_inverse=True); winners, losers = codes.reshape(2, -1).",
    ),
    "rankings for counts": (
        lambda: borda([[0, 1, 2], [0, 2, 1], [2, 0, 1]]),
        ValueError,
        f"{COUNTS}rows that have each of 0, …, 2 once, which are rankings. Pass "
        "pairwise_counts(rankings).",
    ),
    "few rankings for counts": (
        lambda: bradley_terry([[0, 1, 2], [0, 2, 1]]),
        ValueError,
        f"{COUNTS}rows that have each of 0, …, 2 once, which are rankings. Pass "
        "pairwise_counts(rankings).",
    ),
    "names for counts": (
        lambda: copeland([["a", "b"], ["b", "a"]]),
        ValueError,
        f"{COUNTS.removesuffix('; got ')}; could not convert string to float: 'a'.",
    ),
    "order of names": (
        lambda: kemeny_distance(["a", "b"], np.zeros((2, 2))),
        ValueError,
        "order must have each of the items 0, …, 1 once; got ['a', 'b'].",
    ),
    "no order": (
        lambda: kemeny_distance(None, np.zeros((2, 2))),
        ValueError,
        "order must have each of the items 0, …, 1 once; got None.",
    ),
    "ranks that are names": (
        lambda: orders_from_ranks([["a"]]),
        ValueError,
        "ranks must be a table of numbers, one row per vote; could not convert string "
        "to float: 'a'.",
    ),
    "no rankings": (
        lambda: kemeny(None),
        TypeError,
        "rankings must be a list of rankings; got None.",
    ),
    "number of items": (
        lambda: kemeny([[0, 1]], n_items="2"),
        TypeError,
        "n_items must be a whole number >= 0; got '2'.",
    ),
    "weights in words": (
        lambda: kemeny([[0, 1]], weights=["much"]),
        ValueError,
        "weights must be one number per ranking; could not convert string to float: "
        "'much'.",
    ),
    "half a position": (
        lambda: fair_exposure([3.0, 2.0], ["a", "b"], k=1.5),
        ValueError,
        "k must be in 1, …, 2, as there are 2 items; got 1.5.",
    ),
    "an item without a group": (
        lambda: fair_exposure([3.0, 2.0, 1.0], ["a", "b", None]),
        ValueError,
        "groups must have a group for every item; got None at [2]. Name one, say "
        "'other', or leave the item out.",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_messages(name):
    """Expected, got, where, what to do."""
    call, error, message = CALLS[name]
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


def test_counts_that_could_be_rankings():
    """Rows that have 0, …, n - 1 once are counts if the diagonal is empty."""
    assert borda([[0, 1, 2], [2, 0, 1], [1, 2, 0]]).tolist() == [0, 0, 0]
    assert borda(np.zeros((1, 1))).tolist() == [0]


TRACES = "got an array that JAX traces"
TRACED = (
    "; got an array that JAX traces, which has no values yet. Inside of jit, grad and "
    "vmap use ltr.solvers.dynamic (up to 15 items) or ltr.solvers.differentiable (any "
    "solver)."
)
SQUARE = "{} must be a square array of numbers"


@pytest.mark.parametrize(
    ("solve", "expected"),
    [
        (lambda m: solve_path(m).objective, SQUARE.format("matrix")),
        (
            lambda m: solve_path(np.eye(3), start=m[0]).objective,
            "start must be one number per item",
        ),
        (lambda m: solve_paths(m[None])[0].objective, SQUARE.format("matrices[0]")),
        (
            lambda m: solve_paths(m[None], where=np.ones((1, 3), bool))[0].objective,
            "matrices[0] must be a square array",
        ),
        (lambda m: solve_ordering(m).objective, SQUARE.format("matrix")),
        (lambda m: solve_orderings([m])[0].objective, SQUARE.format("matrices[0]")),
        (
            lambda m: solve_orderings(m[None], where=[[True] * 3])[0].objective,
            "matrices[0] must be a square array",
        ),
        (lambda m: solve_assignment(m).objective, "gain must be an array of numbers"),
        (
            lambda m: fair_exposure(m[0], "aab").objective,
            "scores must be one number per item",
        ),
        (lambda m: birkhoff(m).probabilities[0], SQUARE.format("matrix")),
        (lambda m: borda(m)[0], COUNTS.removesuffix("; got ")),
        (lambda m: kemeny([[m[0, 0]]]).objective, "rankings must hold item numbers"),
    ],
)
@pytest.mark.parametrize("transform", [jax.jit, jax.grad])
def test_in_a_trace(solve, expected, transform):
    """NumPy cannot look at traced numbers; the message says what can."""
    with pytest.raises(TypeError, match=TRACES) as caught:
        transform(solve)(jnp.ones((3, 3)))
    assert str(caught.value) == expected + TRACED  # JAX adds a note


def test_under_vmap():
    """As under jit."""
    with pytest.raises(TypeError, match=TRACES) as caught:
        jax.vmap(lambda m: solve_path(m).objective)(jnp.ones((2, 3, 3)))
    assert str(caught.value) == SQUARE.format("matrix") + TRACED
