"""Displays of explanations: what they draw, with names of any kind."""

import warnings

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from ltr import LambdaMARTRanker, LinearRanker
from ltr.inspection import (
    contributions,
    explain_pair,
    partial_dependence,
    permutation_importance,
)
from ltr.plotting import (
    ContributionsDisplay,
    PairExplanationDisplay,
    PartialDependenceDisplay,
    PermutationImportanceDisplay,
)

matplotlib.use("Agg")
NAMES = [r"$\frac{ a_b", "n" * 20 + "1" + "m" * 20, "名", "price"]
RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(60, 4)), columns=NAMES)
QID = np.repeat(np.arange(6), 10)
Y = np.digitize(X["price"] + 0.3 * X["名"], [-1, 0, 1])


@pytest.fixture(autouse=True)
def _close():
    """No figure stays open."""
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def ranker():
    return LinearRanker(preprocess="standard").fit(X, Y, QID)


def text_of(display):
    """All that is written in the figure, once it is drawn."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        display.figure_.canvas.draw()
    texts = display.figure_.findobj(matplotlib.text.Text)
    return [text.get_text() for text in texts if text.get_text()]


def test_importance(ranker):
    """The most important features, first on top; the score and the metric named."""
    importance = permutation_importance(ranker, X, Y, QID, n_repeats=2, random_state=0)
    display = PermutationImportanceDisplay(importance, max_features=3).plot()
    assert display.columns[0] == 3
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels[0] == "price"
    assert "ndcg@10 lost" in text_of(display)
    (points,) = display.ax_.lines[1:]
    np.testing.assert_array_equal(points.get_xdata(), importance.mean[display.columns])


@pytest.mark.parametrize("kind", ["rank", "score"])
def test_dependence(ranker, kind):
    """A curve an item and their mean; the best rank is on top."""
    dependence = partial_dependence(ranker, X, "price", QID, n_items=5, random_state=0)
    display = PartialDependenceDisplay(dependence, kind=kind).plot()
    mean = display.ax_.lines[5].get_ydata()
    expected = dependence.mean_rank if kind == "rank" else dependence.mean_change
    np.testing.assert_array_equal(mean, expected)
    assert display.ax_.yaxis_inverted() == (kind == "rank")
    assert "mean of 5 items" in text_of(display)


def test_dependence_on_a_category():
    """Categories are named."""
    table = X[["price"]].assign(color=pd.Categorical(["red", "$blue"] * 30))
    trees = LambdaMARTRanker(n_estimators=3, n_jobs=1).fit(table, Y, QID)
    dependence = partial_dependence(trees, table, "color", QID, n_items=2)
    text = text_of(PartialDependenceDisplay(dependence).plot())
    assert {"$blue", "red"} <= set(text)


def test_contributions(ranker):
    """Bars from the largest; the rest is one; all sum to the score less the baseline."""
    shares = contributions(ranker, X, QID, rows=[3, 8])
    display = ContributionsDisplay(shares, 1, max_features=2).plot()
    assert display.labels[-1] == "2 other features"
    gap = display.values.sum() - (shares.scores[1] - shares.baseline[1])
    assert abs(gap) < 1e-12
    widths = [bar.get_width() for bar in display.ax_.patches]
    np.testing.assert_allclose(widths, display.values)
    assert any(text.startswith("row 8: score ") for text in text_of(display))


def test_pair(ranker):
    """Bars to the side of the item that they favor, which is named."""
    explanation = explain_pair(ranker, X, 0, 1, QID, names=("$a", "b"))
    display = PairExplanationDisplay(explanation).plot()
    assert abs(display.values.sum() - explanation.difference) < 1e-12
    assert {"for $a →", "← for b"} <= set(text_of(display))
    ends = display.ax_.get_xlim()
    assert ends[0] < display.values.min()
    assert ends[1] > display.values.max()


def test_no_contribution(ranker):
    """Two equal items: nothing to draw, and a reason."""
    table = pd.concat([X.iloc[[0, 0]], X.iloc[[2]]])
    explanation = explain_pair(ranker, table, 0, 1)
    assert "ties with" in str(explanation)
    assert str(explanation).endswith("No feature tells them apart.")
    display = PairExplanationDisplay(explanation).plot()
    assert "no feature contributes" in text_of(display)
