"""Displays: what they count, what they draw, what they say of input that does not fit."""

import re
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from sklearn.linear_model import LinearRegression

from ltr import RandomRanker, SingleFeatureRanker
from ltr.compare import compare_rankers, query_folds
from ltr.datasets import make_ranking
from ltr.metrics import bootstrap_interval, compare_runs, ndcg_score
from ltr.plotting import (
    ListLengthDisplay,
    MetricAtKDisplay,
    QueryDifferencesDisplay,
    SeedReliabilityDisplay,
)

matplotlib.use("Agg")
DATA = make_ranking(
    40, list_size=(3, 25), n_features=4, n_informative=3, random_state=0
)
SCORES = {
    "good": DATA.true_scores,
    "noise": np.random.default_rng(0).normal(size=len(DATA.y)),
}
NAMES = ["<script>alert(1)</script>", r"$\frac{$ a_b", "n" * 40 + "$" + "m" * 39, "名"]


@pytest.fixture(autouse=True)
def _close():
    """No figure stays open."""
    yield
    pyplot.close("all")


def per_query(scores, k=10, qid=DATA.qid):
    return ndcg_score(DATA.y, scores, qid=qid, k=k, per_query=True)


def text_of(display):
    """All that is written in the figure."""
    figure = display.figure_
    figure.canvas.draw()
    found = figure.findobj(matplotlib.text.Text)
    return [text.get_text() for text in found if text.get_text()]


def test_differences_count():
    """Wins, ties and losses, the mean with the interval of the library, ids in order."""
    values = {"a": [0.5, 0.2, np.nan, 0.9, 0.3], "b": [0.1, 0.2 + 1e-12, 0.4, 1.0, 0.3]}
    display = QueryDifferencesDisplay.from_values(values, qid=list("vwxyz"))
    assert (display.wins, display.ties, display.losses) == (1, 2, 1)
    assert display.qid[0] == "v"
    assert display.qid[-1] == "y"
    assert sorted(display.qid[1:3]) == ["w", "z"]
    np.testing.assert_allclose(display.mean, 0.075)
    assert display.interval == bootstrap_interval(display.differences)
    written = text_of(display.plot())
    assert "a − b" in written
    assert "a: better on 1 (25%)" in written
    assert "most on query v" in written
    assert "b: better on 1 (25%)" in written
    assert "equal on 2 (50%)" in written


def test_differences_are_the_same_from_everywhere():
    """From scores, fitted rankers, runs and a leaderboard, against values by hand."""
    expected = np.sort(per_query(SCORES["good"]) - per_query(SCORES["noise"]))[::-1]
    display = QueryDifferencesDisplay.from_predictions(DATA.y, SCORES, DATA.qid)
    np.testing.assert_allclose(display.differences, expected)
    assert display.names == ("good", "noise")

    feature = SingleFeatureRanker().fit(DATA.X, DATA.y, DATA.qid)
    line = LinearRegression().fit(DATA.X, DATA.y)  # its predict takes no qid
    fitted = QueryDifferencesDisplay.from_estimators(
        {"line": line, "feature": feature}, DATA.X, DATA.y, DATA.qid, metric="ndcg@5"
    )
    by_hand = per_query(line.predict(DATA.X), 5) - per_query(feature.predict(DATA.X), 5)
    np.testing.assert_allclose(fitted.mean, by_hand.mean())

    qrels = {q: {"a": 1, "b": 0} for q in "xyz"}
    runs = {
        "base": {q: {"a": 1.0, "b": 2.0} for q in "xyz"},
        "ours": {q: {"a": 1.0, "b": 2.0 * (q == "x")} for q in "xyz"},
    }
    of_runs = QueryDifferencesDisplay.from_comparison(
        compare_runs(runs, qrels, ["mrr"]), "ours"
    )
    assert of_runs.differences.tolist() == [0.5, 0.5, 0.0]
    assert of_runs.qid[-1] == "x"
    with pytest.raises(
        ValueError,
        match=r"the comparison has the runs \['base', 'ours'\] and the metrics "
        r"\['mrr'\]; got 'theirs' and 'mrr'\.",
    ):
        QueryDifferencesDisplay.from_comparison(
            compare_runs(runs, qrels, ["mrr"]), "theirs"
        )


def test_metric_at_k():
    """Means and intervals at each cut-off; the random order is what ties are worth."""
    display = MetricAtKDisplay.from_predictions(DATA.y, SCORES, DATA.qid, k=(1, 5, 30))
    for column, k in enumerate((1, 5, 30)):
        values = per_query(SCORES["noise"], k)
        np.testing.assert_allclose(display.means["noise"][column], values.mean())
        np.testing.assert_allclose(
            display.intervals["noise"][column], bootstrap_interval(values)
        )
        np.testing.assert_allclose(
            display.random_means[column], per_query(np.zeros(len(DATA.y)), k).mean()
        )
    first = MetricAtKDisplay.from_predictions(
        DATA.y, SCORES, DATA.qid, k=(1, 5, 30), ties="first"
    )
    np.testing.assert_allclose(first.random_means, display.random_means)
    assert {"good", "noise", "random order"} <= set(text_of(display.plot()))
    ticks = display.ax_.get_xticks()
    assert 1 in ticks
    assert np.array_equal(ticks, ticks.round()), "cut-offs are whole numbers"


def test_metric_at_k_of_runs():
    """Only queries that all runs have."""
    qrels = {q: {"a": 2, "b": 0, "c": 1} for q in "xyz"}
    runs = {
        "all": {q: {"a": 3.0, "b": 2.0, "c": 1.0} for q in "xyz"},
        "two": {q: {"a": 1.0, "b": 2.0, "c": 3.0} for q in "xy"},
    }
    display = MetricAtKDisplay.from_runs(
        runs, qrels, metric="precision", k=(1, 2), missing="skip"
    )
    assert display.means["all"].tolist() == [1.0, 0.5]
    assert display.means["two"].tolist() == [1.0, 0.5]
    comparison = compare_runs(runs, qrels, ["map", "P@2", "P@1"], missing="skip")
    again = MetricAtKDisplay.from_comparison(comparison, metric="P")
    assert again.k == [1, 2]
    np.testing.assert_allclose(again.means["all"], display.means["all"])
    with pytest.raises(ValueError, match=r"must have metrics such as 'ndcg@10'; got"):
        MetricAtKDisplay.from_comparison(comparison)


def test_seed_reliability():
    """Spread of seeds and of lists, against the textbook."""
    rng = np.random.default_rng(1)
    seeds = [DATA.true_scores + rng.normal(size=len(DATA.y)) for _ in range(3)]
    display = SeedReliabilityDisplay.from_predictions(
        DATA.y, {"noisy": seeds, "sure": [DATA.true_scores]}, DATA.qid
    )
    values = np.array([per_query(scores) for scores in seeds])
    np.testing.assert_allclose(display.seed_means["noisy"], values.mean(axis=1))
    np.testing.assert_allclose(
        display.seed_deviation["noisy"], values.mean(axis=1).std(ddof=1)
    )
    lists = values.mean(axis=0)
    np.testing.assert_allclose(
        display.list_error["noisy"], lists.std(ddof=1) / np.sqrt(40)
    )
    assert display.intervals["noisy"] == bootstrap_interval(lists)
    assert np.isnan(display.seed_deviation["sure"])
    written = text_of(display.plot())
    spreads = [text for text in written if ", queries ±" in text]
    assert spreads[0].startswith(f"seeds ±{display.seed_deviation['noisy']:.4f}, ")
    assert spreads[1].startswith("one seed, ")
    assert {"noisy", "sure"} <= set(written)


def test_list_lengths():
    """Bins hold about their share, lists of a length stay together, means by hand."""
    display = ListLengthDisplay.from_predictions(DATA.y, SCORES, DATA.qid, n_bins=4)
    assert display.bin_counts.sum() == 40
    assert 3 <= len(display.bin_counts) <= 4
    for number, size in enumerate(display.bin_sizes):
        inside = display.bins == number
        assert display.sizes[inside].mean() == pytest.approx(size)
        np.testing.assert_allclose(
            display.means["noise"][number], per_query(SCORES["noise"])[inside].mean()
        )
    for size in np.unique(display.sizes):
        assert len(np.unique(display.bins[display.sizes == size])) == 1
    assert (np.diff(display.bin_sizes) > 0).all()
    assert {"good", "noise", "random order"} <= set(text_of(display.plot()))
    one_length = ListLengthDisplay({"a": [0.1, 0.5, np.nan]}, [4, 4, 9])
    assert one_length.bin_counts.tolist() == [2], "a list without a value is no list"


def displays(names, n_lists=5, value=None):
    """One of each for rankers of any name."""
    drawn = np.random.default_rng(2).random((len(names), 2, n_lists))
    values = drawn if value is None else value
    arrays = dict(
        zip(names, np.broadcast_to(values, (len(names), 2, n_lists)), strict=True)
    )
    firsts = {name: array[0] for name, array in arrays.items()}
    return [
        QueryDifferencesDisplay(
            next(iter(firsts.values())),
            names=(names[0], names[-1]),
            metric=names[0],
            qid=[names[0]] * n_lists,
        ),
        MetricAtKDisplay(
            {n: a.T for n, a in arrays.items()}, (3, 100), metric=names[0]
        ),
        SeedReliabilityDisplay.from_values(arrays, metric=names[0]),
        ListLengthDisplay(firsts, np.arange(n_lists) + 1, metric=names[0]),
    ]


@pytest.mark.filterwarnings("ignore:Glyph")  # the fonts of a test machine
@pytest.mark.parametrize("number", range(4))
def test_any_input_is_drawn(number):
    """Odd names, one list, no value, constant values, thousands of lists."""
    for display in (
        displays(NAMES)[number],
        displays(["one"], n_lists=1)[number],
        displays(["blank", "too"], value=np.nan)[number],
        displays(["constant"], value=1.0)[number],
        displays([f"ranker {i}" for i in range(14)])[number],
        displays(["many"], n_lists=10_000)[number],
    ):
        figure = Figure()
        axes = figure.subplots()
        assert display.plot(axes) is display
        assert display.ax_ is axes
        assert display.figure_ is figure
        figure.canvas.draw()
        n_artists = len(axes.findobj())
        assert n_artists < 1000, "thousands of lists are not thousands of artists"
    assert not pyplot.get_fignums(), "given axes leave pyplot alone"


def test_labels_do_not_overlap():
    """Lines that end at one point have names below one another."""
    values = {f"ranker {i}": np.full((3, 2), 0.5 + i * 1e-4) for i in range(8)}
    display = MetricAtKDisplay(values, (1, 2)).plot()
    display.figure_.canvas.draw()
    labels = [t for t in display.ax_.texts if t.get_text().startswith("ranker")]
    middles = sorted((box.y0 + box.y1) / 2 for box in map(extent, labels))
    assert len(middles) == 8
    assert np.diff(middles).min() > 0.9 * extent(labels[0]).height


def test_lines_without_a_value_have_no_label():
    """A ranker or a random order that is NaN does not disturb the other labels."""
    values = {"blank": np.full((3, 2), np.nan), "ours": [[0.1, np.nan]] * 3}
    values |= {f"ranker {i}": np.full((3, 2), 0.5) for i in range(3)}
    blank = np.full((3, 2), np.nan)
    at_k = MetricAtKDisplay(values, (1, 2), random_order=blank).plot()
    firsts = {name: np.asarray(array)[:, 0] for name, array in values.items()}
    lengths = ListLengthDisplay(firsts, [2, 3, 4], random_order=blank[:, 0]).plot()
    for display in (at_k, lengths):
        labels = {text.get_text(): text.get_position()[1] for text in display.ax_.texts}
        assert set(labels) == {"ours", "ranker 0", "ranker 1", "ranker 2"}
        assert np.isfinite(list(labels.values())).all()
        assert min(labels, key=labels.get) == "ours", "where its last value is"


def extent(text):
    """Where the letters are, without the line to the data."""
    return matplotlib.text.Text.get_window_extent(text)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: QueryDifferencesDisplay([0.1, 0.2], qid=["a"]),
            "differences must be one-dimensional, and qid of the same length; got "
            "shape (2,) and 1 ids.",
        ),
        (
            lambda: QueryDifferencesDisplay.from_values({"a": [1.0]}),
            "values must have two rankings; got ['a'].",
        ),
        (
            lambda: QueryDifferencesDisplay.from_values({"a": [1.0], "b": [1.0, 2.0]}),
            "values must have one array per ranker, all for the same queries; got "
            "shapes {'a': (1,), 'b': (2,)}.",
        ),
        (
            lambda: MetricAtKDisplay({"a": np.ones((3, 2))}, (2, 1)),
            "values must have shape (n_queries, n_cutoffs), and k ascending "
            "cut-offs >= 1; got shape (3, 2) and k=[2, 1].",
        ),
        (
            lambda: MetricAtKDisplay.from_predictions([1, 0], [1, 0]),
            "y_score must map names to scores, {'ranker': scores, …}; got list.",
        ),
        (
            lambda: SeedReliabilityDisplay({"a": [0.1]}, {"b": [0.1]}),
            "seed_means and list_values must have the same rankers; got ['a'] and "
            "['b'].",
        ),
        (
            lambda: SeedReliabilityDisplay.from_values({"a": [0.1]}),
            "values must have shape (n_seeds, n_queries); got shape (1,) for 'a'.",
        ),
        (
            lambda: ListLengthDisplay({"a": [0.1]}, [1, 2]),
            "values and sizes must have one entry per query; got shapes (1,) and (2,).",
        ),
        (
            lambda: ListLengthDisplay({"a": [0.1]}, [1], n_bins=0),
            "n_bins must be a whole number >= 1; got 0.",
        ),
    ],
)
def test_messages(make, message):
    """Whole messages."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


def test_without_matplotlib(monkeypatch):
    """Numbers are there all the same; the message says what to install."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    display = QueryDifferencesDisplay([0.1, -0.2])
    assert display.wins == 1
    with pytest.raises(ImportError) as error:
        display.plot()
    assert str(error.value) == (
        "QueryDifferencesDisplay.plot needs matplotlib, which is not installed. Install "
        "it with pip install 'ltr[plot]'."
    )


def test_leaderboard_knows_its_lists():
    """Sizes and random orders list by list; fewer metrics or rankers are a choice."""
    folds = query_folds(DATA, 3)
    rankers = {"random": RandomRanker(), "feature": SingleFeatureRanker()}
    board = compare_rankers(rankers, folds, metrics=("ndcg@3", "mrr"))
    assert list(board.per_query) == ["feature", "random"], "best first"
    assert board.lists["size"].sum() == len(DATA.y)
    for fold, group in board.lists.groupby("fold"):
        assert set(group["qid"]) == set(folds[fold - 1].test.qid)
    np.testing.assert_allclose(board.random_order, board.per_query["random"])
    chosen = board.select(["ndcg@3"], rankers=["random"])
    assert list(chosen.table().index) == ["random"]
    assert "mrr" not in chosen.table().columns
    with pytest.raises(ValueError, match="metrics must start with 'ndcg@3'; got"):
        board.select(["mrr"])
    message = (
        "the leaderboard has the metrics ['ndcg@3', 'mrr'] and the rankers ['feature', "
        "'random']; got ['ndcg@3', 'map'] and ['randon']."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        board.select(["ndcg@3", "map"], rankers=["randon"])
    table = board.table()
    by_hand = board.per_query["random"][:, 0] - board.per_query["feature"][:, 0]
    np.testing.assert_allclose(table.loc["random", "difference"], by_hand.mean())
    assert (
        table.loc["random", "difference low"],
        table.loc["random", "difference high"],
    ) == bootstrap_interval(by_hand)
    lengths = ListLengthDisplay.from_leaderboard(board)
    assert set(lengths.values) == {"feature", "random"}
    seeds = SeedReliabilityDisplay.from_leaderboard(board)
    assert seeds.means["feature"] == pytest.approx(table.loc["feature", "ndcg@3"])
    assert board.comparison().per_query["random"].index.is_unique
