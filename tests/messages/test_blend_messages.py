"""Messages of blends and their neighbors: what was expected, what came, what to do."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from ltr import (
    AutoRanker,
    LinearRanker,
    RandomRanker,
    StackingRanker,
    TSPRanker,
    VotingRanker,
    save_ranker,
)
from ltr.datasets import make_ranking
from ltr.model_selection import QueryKFold, cross_validate_ranker
from ltr.solvers import (
    diversify,
    solve_assignment,
    solve_ordering,
    solve_path,
    solve_paths,
)

DATA = make_ranking(4, list_size=(2, 4), n_features=3, n_informative=2, random_state=0)
X, y, qid = DATA.X, DATA.y, DATA.qid
LINEAR = LinearRanker(alpha=1.0)
PAIR = [("a", LINEAR), ("b", RandomRanker())]
NEGATIVE = (
    "metric='ndcg@10' cannot score these labels: labels must be >= 0 for gain='exp2'; "
    "got -1.5. Shift them, pass gain as a function, or use a metric that takes any "
    "label: kendall_tau_score, spearman_score or pairwise_accuracy_score. For the "
    "ranker, set metric='spearman', 'kendall_tau' or 'pairwise_accuracy'."
)


class NeverFitted(RandomRanker):
    def fit(self, X, y, qid=None):
        raise AssertionError("fitted before the metric was checked")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: VotingRanker([*PAIR, ("a", LINEAR)]).fit(X, y, qid),
            "rankers must have distinct names; got 'a' at 0 and 2. Rename one.",
        ),
        (
            lambda: AutoRanker(members=[*PAIR, ("b", LINEAR)]).fit(X, y, qid),
            "members must have distinct names; got 'b' at 1 and 2. Rename one.",
        ),
        (
            lambda: AutoRanker(members=["linear", "linear"]).fit(X, y, qid),
            "members must have distinct names; got 'linear' at 0 and 1. Rename one.",
        ),
        (
            lambda: StackingRanker(PAIR, cv=QueryKFold(5)).fit(X, y, qid),
            "cv must have at most as many folds as there are queries; got "
            "QueryKFold(n_splits=5, random_state=None, shuffle=False) and 4 queries. "
            "Pass a number, cv=5, which is lowered to that of the queries.",
        ),
        (
            lambda: AutoRanker(members=["linear"]).fit(X, y, qid).predict(X[:, :2]),
            "X has 2 features, but AutoRanker is expecting 3 features as input.",
        ),
        (
            lambda: AutoRanker(members=PAIR).fit(
                pd.DataFrame(X, columns=["a", "b", "a"]), y, qid
            ),
            "X must have distinct column names; got 'a' twice. Rename one.",
        ),
        (
            lambda: cross_validate_ranker(
                LINEAR, pd.DataFrame(X, columns=["a", "b", "a"]), y, qid, cv=2
            ),
            "X must have distinct column names; got 'a' twice. Rename one.",
        ),
        (
            lambda: cross_validate_ranker(NeverFitted(), X, y - 1.5, qid, cv=2),
            NEGATIVE,
        ),
        (
            lambda: cross_validate_ranker(
                AutoRanker(members=[("n", NeverFitted())]), X, y - 1.5, qid, cv=2,
                metrics=["spearman", "ndcg@10"],
            ),
            NEGATIVE,
        ),
        (
            lambda: TSPRanker(pair_features=lambda X_list, scale: X_list).fit(X, y, qid),
            "pair_features must be a function of one array, the features of a list, (n, "
            "n_features), that returns (n, n) or (n, n, n_pair_features); got <lambda>("
            "X_list, scale): missing a required argument: 'scale'. Bind the other "
            "arguments with functools.partial, or give them defaults.",
        ),
    ],
)  # fmt: skip
def test_messages(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize(
    ("blend", "name"),
    [
        (VotingRanker([("a", LINEAR), ("r", Ridge())]), "rankers: 'r'"),
        (VotingRanker([("r", Ridge())]), "rankers: 'r'"),
        (StackingRanker([("a", LINEAR)], Ridge(), cv=2), "final_ranker"),
        (AutoRanker(members=[("a", LINEAR), ("r", Ridge())]), "members: 'r'"),
    ],
)
def test_a_foreign_member_cannot_be_saved(tmp_path, blend, name):
    """By which parameter it came."""
    message = (
        f"{name} must be a ranker that save_ranker takes; got Ridge(). Leave it out of "
        "the blend, or pickle the blend."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        save_ranker(blend.fit(X, y, qid), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_auto_ranker_is_validated_by_the_metric_that_it_chooses():
    """Of all labels, before the first fit."""
    auto = AutoRanker(members=[("a", LINEAR)], random_state=0)
    result = cross_validate_ranker(auto, X, y - 1.5, qid, cv=2)
    assert result["test_spearman"].shape == (2,)
    assert auto.metric_for(y) == "ndcg@10"


def test_members_print_as_what_users_know():
    auto = AutoRanker(members=["linear"]).fit(X, y, qid)
    assert repr(auto.rankers_) == "[LinearRanker(preprocess='query')]"


COMPLEX = np.array([[0, 3], [1, 0]]) + 1j


@pytest.mark.parametrize(
    "solve",
    [
        solve_path,
        solve_ordering,
        solve_assignment,
        lambda matrix: solve_paths(matrix[None]),
        lambda matrix: solve_path(np.zeros((2, 2)), start=matrix[0]),
        lambda matrix: diversify(matrix[0], np.eye(2), 1),
        lambda matrix: diversify([1, 2], matrix, 1),
    ],
)
def test_solvers_refuse_complex_numbers(solve):
    """Their imaginary part was dropped."""
    with pytest.raises(
        ValueError, match=r"; got complex numbers\. Pass their real part"
    ):
        solve(COMPLEX)


@pytest.mark.parametrize("make", [np.ndarray.tolist, pd.DataFrame, list])
def test_complex_numbers_of_any_type(make):
    with pytest.raises(
        ValueError, match=r"; got complex numbers\. Pass their real part"
    ):
        solve_path(make(COMPLEX))


def test_solutions_print_in_one_line():
    """Status, objective, bound, gap and time; long orders are abridged."""
    text = repr(solve_path([[0, 3, 1], [1, 0, 2], [4, 1, 0]]))
    pattern = (
        r"Solution\(OPTIMAL, objective=7, bound=7, gap=0, order=\[2, 0, 1\], "
        r"method='\w+', wall_time_s=[\de.-]+\)"
    )
    assert re.fullmatch(pattern, text)
    long = str(solve_assignment(np.eye(50), sense="min"))
    assert "\n" not in long
    assert "..." in long
    assert long.endswith(", sense='min')")
