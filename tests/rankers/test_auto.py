"""AutoRanker: members, held-out comparison, time limit, labels and tables of any kind."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone

from ltr import (
    AutoRanker,
    LambdaMARTRanker,
    LinearRanker,
    RandomRanker,
    VotingRanker,
    load_ranker,
    save_ranker,
)
from ltr.datasets import make_ranking
from ltr.deadline import deadline_in, is_past_deadline
from ltr.metrics import bootstrap_interval, evaluate, get_metric
from ltr.queries import group_queries
from ltr.rankers.blend.auto import _rows
from ltr.rankers.blend.auto_members import MEMBERS, Member, make_members
from ltr.rankers.blend.contest import Contest

DATA = make_ranking(40, list_size=(4, 9), n_features=4, n_informative=3, random_state=0)
X, y, qid = DATA.X, DATA.y, DATA.qid
TREES = LambdaMARTRanker(n_estimators=8, min_child_samples=5, n_jobs=1, random_state=0)
CHEAP = [("linear", LinearRanker()), ("trees", TREES)]
TRIO = ["linear", "trees", "lambdamart"]


class FailingRanker(RandomRanker):
    """Cannot be fitted."""

    def fit(self, X, y, qid=None):
        raise ValueError("the labels are upside down")


@pytest.fixture(scope="module")
def auto():
    """Fitted on all rows."""
    return AutoRanker(members=CHEAP, random_state=0).fit(X, y, qid)


def test_is_the_equal_mean_of_members_fitted_on_all_queries(auto):
    """As VotingRanker."""
    voting = VotingRanker(CHEAP).fit(X, y, qid)
    np.testing.assert_allclose(auto.predict(X, qid), voting.predict(X, qid), atol=1e-9)
    assert list(auto.named_rankers_) == ["linear", "trees"]
    assert auto.metric_ == "ndcg@10"
    assert auto.left_out_ == {}
    np.testing.assert_allclose(auto.feature_importances_.sum(), 1)


def test_leaderboard_is_that_of_held_out_queries(auto):
    """Scores and intervals by hand; sorted, and a table in HTML."""
    board = auto.leaderboard_
    assert set(board.index) == {"blend", "linear", "trees"}
    assert (np.diff(board["score"]) <= 0).all()
    queries = group_queries(qid, len(y))
    lists = np.random.default_rng(0).permutation(40)
    train, test = queries.subset(lists[8:]), queries.subset(lists[:8])
    fitted = VotingRanker(CHEAP).fit(X[train], y[train], qid[train])
    columns = fitted.predict_members(X[test], qid[test]).T
    for name, scores in zip(("linear", "trees"), columns, strict=True):
        values = get_metric("ndcg@10").per_query(y[test], scores, qid[test])
        row = board.loc[name]
        expected = [np.nanmean(values), *bootstrap_interval(values)]
        np.testing.assert_allclose(
            row[["score", "low", "high"]].astype(float), expected
        )
    assert board.loc["trees", "status"] == "fitted on all queries"
    assert "<table" in board.to_html()
    heading = str(board).splitlines()[0]
    assert heading.split() == ["score", "low", "high", "seconds", "status"]


def test_without_refit(auto):
    """The members that were compared are the result."""
    held = AutoRanker(members=CHEAP, refit=False, random_state=0).fit(X, y, qid)
    queries = group_queries(qid, len(y))
    train = queries.subset(np.random.default_rng(0).permutation(40)[8:])
    voting = VotingRanker(CHEAP).fit(X[train], y[train], qid[train])
    np.testing.assert_allclose(held.predict(X, qid), voting.predict(X, qid), atol=1e-9)
    statuses = set(held.leaderboard_["status"])
    assert "fitted without held-out queries" in statuses


def test_validation_queries():
    """Those that are passed are compared on; none are held out."""
    auto = AutoRanker(members=CHEAP).fit(X, y, qid, X_val=X, y_val=y, qid_val=qid)
    linear = LinearRanker().fit(X, y, qid)
    score = auto.leaderboard_.loc["linear", "score"]
    assert score == pytest.approx(linear.score(X, y, qid))
    with pytest.raises(ValueError, match="qid_val is required"):
        AutoRanker(members=CHEAP).fit(X, y, qid, X_val=X, y_val=y)


def test_a_failure_costs_that_member_only():
    """With a warning; if all fail, the error is that of the first."""
    auto = AutoRanker(members=[*CHEAP, ("bad", FailingRanker())], random_state=0)
    message = (
        "Member 'bad' failed and is left out of the blend: ValueError: the labels are "
        "upside down"
    )
    with pytest.warns(UserWarning, match=f"^{message}$"):
        auto.fit(X, y, qid)
    assert list(auto.named_rankers_) == ["linear", "trees"]
    assert auto.left_out_ == {"bad": "ValueError: the labels are upside down"}
    assert auto.leaderboard_.loc["bad", "status"].startswith("left out: ValueError")
    with pytest.raises(ValueError, match="upside down"):
        AutoRanker(members=[("bad", FailingRanker())]).fit(X, y, qid)


@pytest.mark.parametrize(
    ("labels", "metric"),
    [
        (y, "ndcg@10"),
        (2000.0 * y + 0.5, "ndcg(gain=linear)@10"),
        (y - 1.5, "spearman"),
    ],
)
def test_metric_fits_the_labels(labels, metric):
    """And is what score returns."""
    auto = AutoRanker(members=CHEAP).fit(X, labels, qid)
    assert auto.metric_ == metric
    expected = get_metric(metric)(labels, auto.predict(X, qid), qid)
    assert auto.score(X, labels, qid) == pytest.approx(expected)


@pytest.mark.parametrize("members", [TRIO, "auto"])
def test_any_table(members):
    """Categories and missing values; sparse rows; few rows without a qid."""
    settings = {"lambdamart": {"n_estimators": 5}, "trees": {"n_estimators": 5}}
    frame = pd.DataFrame(X, columns=list("abcd")).assign(
        color=pd.Categorical(np.where(y > 1, "red", "blue"))
    )
    frame.iloc[::5, 0] = np.nan
    small = AutoRanker(members=cheap(members, settings), random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        auto = clone(small).fit(frame, y, qid)
        assert np.isfinite(auto.predict(frame, qid)).all()
        assert auto.feature_names_in_.tolist() == ["a", "b", "c", "d", "color"]
        sparse = scipy.sparse.coo_array(np.where(X > 0, X, 0.0))
        auto = clone(small).fit(sparse, y, qid)
        assert auto.score(sparse, y, qid) > 0.6
    few = AutoRanker(members=cheap(members, settings, n_rows=6))
    few.fit(X[:6], [0, 1, 2, 0, 1, 2])
    assert few.predict(X[:6]).shape == (6,)
    assert np.isnan(few.leaderboard_["score"]).all()


def cheap(members, settings, n_rows=300):
    """The members by name, with few trees and without the network."""
    made = make_members(
        members, n_rows=n_rows, n_values=X.size, metric="ndcg@10", random_state=0,
        n_jobs=1,
    )  # fmt: skip
    return [
        (member.name, member.ranker.set_params(**settings.get(member.name, {})))
        for member in made
        if member.name != "ranknet"
    ]


def test_members_state_their_settings():
    """All of them, whatever the defaults are."""
    members = make_members(
        "auto", n_rows=10_000, n_values=10, metric="map", random_state=3, n_jobs=None
    )
    assert tuple(member.name for member in members) == MEMBERS
    trees = members[2].ranker
    assert (trees.n_estimators, trees.num_leaves, trees.min_child_samples) == (
        400,
        15,
        50,
    )
    assert (trees.colsample_bytree, trees.subsample, trees.learning_rate) == (
        0.7,
        0.8,
        0.05,
    )
    assert (trees.metric, trees.random_state, trees.n_jobs) == ("map", 3, 1)
    assert members[3].is_optional
    network = members[3].ranker.ranker
    assert (network.random_state, network.max_epochs) == (3, 100)
    assert network.n_iter_no_change == "auto"  # 10 epochs of few lists are few steps


def test_leaves_of_small_data():
    """At least a fiftieth of the rows, where 50 would be more."""
    for n_rows, least in ((20, 1), (300, 6), (2400, 48), (2600, 50)):
        members = make_members(
            ["trees", "lambdamart"],
            n_rows=n_rows,
            n_values=n_rows,
            metric="map",
            random_state=0,
            n_jobs=1,
        )
        assert [m.ranker.min_child_samples for m in members] == [least, least]


def test_the_network_needs_queries_and_evidence():
    """Why it is left out is said."""
    members = cheap(
        "auto", {"lambdamart": {"n_estimators": 3}, "trees": {"n_estimators": 3}}
    )
    assert len(members) == 3
    contest = Contest(None, verbose=0)
    contest.set_data(_rows(X, y, qid, {}), None, "ndcg@10", 0)
    optional = Member("ranknet", RandomRanker(), is_optional=True)
    result = contest.run([Member(*CHEAP[0]), optional], refit=True)
    assert result.left_out == {
        "ranknet": "40 queries are too few for a network (at least 50)"
    }
    contest = Contest(None, verbose=0)
    twice = _rows(np.r_[X, X], np.r_[y, y], np.r_[qid, qid + 100], {})
    contest.set_data(twice, None, "ndcg@10", 0)
    result = contest.run([Member(*CHEAP[0]), optional], refit=True)
    pattern = r"the blend has ndcg@10 (0\.\d{4}) with it and \1 without it on held-out queries"
    assert re.fullmatch(pattern, result.left_out["ranknet"])


class Clock:
    """In place of the module time: fits let it pass."""

    now = 0.0

    def monotonic(self):
        return self.now

    process_time = monotonic


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("ltr.rankers.blend.contest.time", clock)
    monkeypatch.setattr("ltr.deadline.time", clock)
    monkeypatch.setattr(TimedRanker, "clock", clock)
    return clock


class TimedRanker(RandomRanker):
    """Takes 10 seconds to start, as an import may, and one for each of 20 rounds."""

    clock = None

    def fit(self, X, y, qid=None):
        super().fit(X, y, qid)
        self.clock.now += 10.0
        self.n_iter_ = 0
        while self.n_iter_ < 20 and not is_past_deadline():
            self.clock.now += 1.0
            self.n_iter_ += 1
        return self


TIMED = [("a", TimedRanker()), ("b", TimedRanker())]
CUT = "fitted without held-out queries, cut short after {} rounds"
ALL, PART = "fitted on all queries", "fitted without held-out queries"


@pytest.mark.parametrize(
    ("limit", "statuses", "seconds"),
    [
        (140, (ALL, ALL), 120),  # all fits, of 30 s
        (110, (ALL, PART), 90),  # no time for the second fit of b
        (63, (CUT.format(20), CUT.format(20)), 60),  # each ends with its last round
        (50, (CUT.format(14), CUT.format(14)), 48),  # half of 47.5 s, and the rest
        (
            21,
            (CUT.format(0), "left out: time for 0 rounds only within time_limit_s=21"),
            20,
        ),
        (0, (CUT.format(0), "left out: no time within time_limit_s=0"), 10),
    ],
)
def test_time_limit(clock, limit, statuses, seconds):
    """Each fit gets its share of what is left then, and the limit holds."""
    auto = AutoRanker(limit, members=TIMED, random_state=0).fit(X, y, qid)
    board = auto.leaderboard_["status"]
    assert (board["a"], board["b"]) == statuses
    assert clock.now == seconds


def test_a_few_rounds_are_too_few():
    """The z-scores of one tree would count as much as those of all."""
    contest = Contest(1e-9, verbose=0)
    contest.set_data(_rows(X, y, qid, {}), None, "ndcg@10", 0)
    contest._share = lambda *_: 1e-9
    result = contest.run([Member(*pair) for pair in CHEAP], refit=True)
    assert result.left_out == {
        "trees": "time for 1 round only within time_limit_s=1e-09"
    }


def test_a_member_that_fails_on_all_queries_stays_as_compared():
    """With a warning."""

    class FailsOnMany(RandomRanker):
        def fit(self, X, y, qid=None):
            if len(set(qid)) == 40:
                raise ValueError("too many")
            return super().fit(X, y, qid)

    message = (
        "Member 'bad' failed on all queries, and stays as it was fitted without the "
        "held-out ones: ValueError: too many"
    )
    auto = AutoRanker(members=[*CHEAP, ("bad", FailsOnMany())], random_state=0)
    with pytest.warns(UserWarning, match=f"^{message}$"):
        auto.fit(X, y, qid)
    status = auto.leaderboard_.loc["bad", "status"]
    assert status == "fitted without held-out queries"


def test_deadline_ends_trees():
    """After a tree at least, without a trace in the result."""
    with deadline_in(0.0):
        assert clone(TREES).fit(X, y, qid).n_iter_ == 1
    with deadline_in(60.0):
        in_time = clone(TREES).fit(X, y, qid)
    np.testing.assert_array_equal(
        in_time.predict(X), clone(TREES).fit(X, y, qid).predict(X)
    )


def test_weights_reach_the_members():
    """Weight 0 is no query."""
    weights = (qid % 2).astype(float)
    rows = qid % 2 == 1
    for key in ("sample_weight", "query_weight"):
        few = AutoRanker(members=CHEAP[:1], refit=False).fit(
            X[rows], y[rows], qid[rows], X_val=X, y_val=y, qid_val=qid
        )
        auto = AutoRanker(members=CHEAP[:1]).fit(
            X, y, qid, **{key: weights}, X_val=X, y_val=y, qid_val=qid
        )
        np.testing.assert_allclose(auto.predict(X, qid), few.predict(X, qid), atol=1e-9)


def test_progress(capsys):
    """A line per member, with the time that is left."""
    AutoRanker(60.0, members=CHEAP, random_state=0, verbose=1).fit(X, y, qid)
    lines = capsys.readouterr().err.splitlines()
    pattern = r"linear: \d+\.\d s, ndcg@10 0\.\d{4} on 8 held-out queries; \d\d s left of 60 s"
    assert re.fullmatch(pattern, lines[0])
    pattern = r"(linear|trees): fitted on all queries; \d\d s left of 60 s"
    names = [re.fullmatch(pattern, line)[1] for line in lines[2:]]
    assert sorted(names) == ["linear", "trees"], "what was fast is fitted first"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            "linear",
            "members must be 'auto', distinct names of linear, trees, lambdamart, ranknet, or pairs (name, ranker); got 'linear'.",
        ),
        (
            ["linears"],
            "members must be names of linear, trees, lambdamart, ranknet; got 'linears'. Did you mean 'linear'?",
        ),
        (
            [],
            "members must be 'auto', distinct names of linear, trees, lambdamart, ranknet, or pairs (name, ranker); got [].",
        ),
    ],
)
def test_messages(members, message):
    """What was expected, what came."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        AutoRanker(members=members).fit(X, y, qid)


def test_round_trip(tmp_path, auto):
    """A loaded AutoRanker has the same scores bit by bit, and the leaderboard."""
    save_ranker(auto, tmp_path / "model")
    loaded = load_ranker(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X, qid), auto.predict(X, qid))
    pd.testing.assert_frame_equal(loaded.leaderboard_, auto.leaderboard_)
    assert (loaded.metric_, repr(loaded)) == (auto.metric_, repr(auto))


def test_same_folds_same_scores(auto):
    """With a seed."""
    again = clone(auto).fit(X, y, qid)
    np.testing.assert_array_equal(again.predict(X, qid), auto.predict(X, qid))


@pytest.mark.parametrize(
    ("parameters", "rows", "message"),
    [
        (
            {"time_limit_s": "x"},
            slice(None),
            "time_limit_s must be a number >= 0, or None; got 'x'.",
        ),
        ({}, slice(0), "X must have at least one row to fit; got none."),
    ],
)
def test_messages_of_the_limit_and_of_no_rows(parameters, rows, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        AutoRanker(**parameters).fit(X[rows], y[rows], qid[rows])


def test_leaderboard_is_weighted():
    """Held-out queries count by their weights."""
    query, codes = np.unique(qid, return_inverse=True)
    weight = (np.arange(len(query)) % 3).astype(float)[codes]
    auto = AutoRanker(members=CHEAP[:1], refit=False, random_state=0)
    auto.fit(X, y, qid, query_weight=weight)
    same = AutoRanker(members=CHEAP[:1], refit=False, random_state=0).fit(X, y, qid)
    table = auto.leaderboard_
    assert table["score"].iloc[0] != same.leaderboard_["score"].iloc[0]
    lists = np.random.default_rng(0).permutation(len(query))[: round(0.2 * len(query))]
    rows = np.isin(codes, lists)
    (member,) = auto.rankers_
    scores = member.predict(X[rows], qid[rows])
    value = evaluate(
        y[rows], scores, qid[rows], auto.metric_, query_weight=weight[rows]
    )
    assert table.loc["linear", "score"] == pytest.approx(value["mean"].item())
    assert table.loc["linear", "low"] == pytest.approx(value["low"].item())
