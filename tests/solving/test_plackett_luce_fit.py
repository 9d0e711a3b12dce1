"""plackett_luce: its maximum, standard errors, and when there is none."""

import csv
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from ltr.solvers import bradley_terry, comparisons_to_matrix, plackett_luce

RACES = [[0, 1, 2, 3], [2, 0, 1], [3, 1, 0, 2], [1, 2], [0, 3], [2, 3, 0]]
WEIGHTS = [1.0, 2.0, 0.5, 3.0, 1.0, 0.0]


def log_likelihood(scores, absent, ridge):
    """Choice by choice."""
    total = -ridge / 2 * (scores**2).sum()
    for race, weight in zip(RACES, WEIGHTS, strict=True):
        unplaced = list(race)
        if absent == "last":
            unplaced += [i for i in range(len(scores)) if i not in race]
        for item in race:
            total += weight * scores[item]
            total -= weight * np.log(np.exp(scores[unplaced]).sum())
            unplaced.remove(item)
    return total


def second_derivatives(f, x, h=1e-4):
    """Central differences."""
    steps = h * np.eye(len(x))
    return np.array(
        [
            [f(x + a + b) - f(x + a - b) - f(x - a + b) + f(x - a - b) for b in steps]
            for a in steps
        ]
    ) / (4 * h * h)


@pytest.mark.parametrize("absent", ["ignore", "last"])
@pytest.mark.parametrize("ridge", [0.0, 0.7])
def test_maximum_and_standard_errors(absent, ridge):
    """Against a general optimizer, and differences of the likelihood."""
    options = {"weights": WEIGHTS, "absent": absent, "ridge": ridge}
    scores, std = plackett_luce(RACES, **options, return_std=True)
    np.testing.assert_array_equal(plackett_luce(RACES, **options), scores)

    def loss(x):
        return -log_likelihood(x, absent, ridge)

    best = minimize(loss, np.zeros(4), tol=1e-12).x
    assert scores.sum() == pytest.approx(0, abs=1e-12)
    assert scores == pytest.approx(best - best.mean(), abs=1e-5)
    covariance = np.linalg.pinv(second_derivatives(loss, scores), rcond=1e-5)
    center = np.eye(4) - 1 / 4
    variance = np.diag(center @ covariance @ center)
    assert std == pytest.approx(np.sqrt(variance), rel=1e-5)


@pytest.mark.parametrize("ridge", [0.0, 2.0])
def test_pairs_are_bradley_terry(ridge):
    """Scores and standard errors."""
    rng = np.random.default_rng(0)
    pairs = [rng.permutation(5)[:2] for _ in range(60)]
    wins = comparisons_to_matrix(*np.transpose(pairs))
    result = plackett_luce(pairs, ridge=ridge, return_std=True)
    expected = bradley_terry(wins, ridge=ridge, return_std=True)
    np.testing.assert_allclose(result, expected, rtol=1e-7, atol=1e-9)


def test_bradley_terry_standard_errors():
    """Information n p (1 - p) of one difference: the difference has twice the std."""
    scores, std = bradley_terry([[0, 30], [10, 0]], return_std=True)
    assert np.diff(scores) == pytest.approx(-np.log(3))
    assert 2 * std == pytest.approx(np.sqrt([1 / (40 * 0.75 * 0.25)] * 2))
    for scale in (1e-200, 1e200):  # std ~ counts^-1/2
        scaled = np.array([[0, 30], [10, 0]]) * scale
        _, other = bradley_terry(scaled, return_std=True)
        assert other * scale**0.5 == pytest.approx(std)
    assert bradley_terry([[0]], return_std=True)[1].tolist() == [0.0]


def test_coverage_of_standard_errors():
    """Scores of simulated races lie within 2 standard errors 95 % of the time."""
    rng = np.random.default_rng(1)
    truth = np.array([1.0, 0.5, 0.0, -0.5, -1.0])
    covered = []
    for _ in range(50):
        races = np.argsort(-(truth + rng.gumbel(size=(60, 5))), axis=1)
        scores, std = plackett_luce(races, return_std=True)
        covered.append(np.abs(scores - truth) < 1.96 * std)
    assert 0.92 < np.mean(covered) < 0.98


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (
            lambda: plackett_luce([[0, 1, 2], [0, 2, 1]]),
            "item 0 never lost to any other item, so the likelihood has no finite "
            "maximum. Pass ridge > 0, say 0.1, or leave it out.",
        ),
        (
            lambda: plackett_luce([[0, 1], [1, 0], [2, 3], [3, 2]]),
            "items 0, 1 never met items 2, 3, directly or through others, so the scores "
            "of the one group are not comparable with those of the other: finite scores "
            "are best, but not unique. Pass ridge > 0, say 0.1, or fit each group alone.",
        ),
        (
            lambda: plackett_luce([[0, 1], [2, (1, 0)]]),
            "rankings must be free of ties; rankings[1] ties the items [0, 1]. Break "
            "the ties, or leave all but one of the tied items out.",
        ),
        (
            lambda: plackett_luce([[0, 1]], ridge=-1),
            "ridge must be a number >= 0; got -1.",
        ),
    ],
)
def test_messages(call, error):
    """When there is no maximum, and when votes have no meaning in the model."""
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
        call()


def test_ridge_makes_scores_finite():
    """Of an unbeaten item, an item in no vote, and votes of weight 0."""
    scores = plackett_luce([[0, 1, 2], [0, 2, 1]], n_items=4, ridge=0.1)
    assert scores[0] > scores[3] > scores[1] == pytest.approx(scores[2])
    assert plackett_luce([[0, 1]], weights=[0], ridge=1).tolist() == [0.0, 0.0]
    assert plackett_luce([], n_items=0).tolist() == []
    assert plackett_luce([[0]], return_std=True)[1].tolist() == [0.0]


def test_large_blocks_agree(monkeypatch):
    """Votes in several blocks give the same sums."""
    rng = np.random.default_rng(2)
    races = [rng.permutation(6) for _ in range(30)]
    scores = plackett_luce(races)
    module = sys.modules[plackett_luce.__module__]
    monkeypatch.setattr(module, "_BLOCK", 100)
    assert plackett_luce(races) == pytest.approx(scores, abs=1e-9)


def test_nascar(ltr_data):
    """Hunter (2004), section 6: estimates of the 83 drivers who once beat another."""
    folder = Path(ltr_data) / "pl-nascar2002"
    rows = list(csv.reader((folder / "nascar_orderings.csv").read_text().splitlines()))
    finishes = [[int(cell) for cell in row] for row in rows if row[0].isdigit()]
    races = [[driver - 1 for driver in race if driver <= 83] for race in finishes]
    names = [
        row[1] for row in csv.reader((folder / "drivers.csv").read_text().splitlines())
    ][1:]
    scores, std = plackett_luce(races, return_std=True)
    worth = dict(zip(names, scores - scores[0], strict=False))
    assert worth["PJ Jones"] == pytest.approx(4.15, abs=0.005)
    assert worth["Scott Pruett"] == pytest.approx(3.62, abs=0.005)
    assert worth["Mark Martin"] == pytest.approx(2.08, abs=0.005)
    assert worth["Dave Marcis"] == pytest.approx(0.03, abs=0.005)
    assert worth["Joe Varde"] == pytest.approx(-0.15, abs=0.005)
    total = sum(
        scores[race[place]] - np.log(np.exp(scores[race[place:]]).sum())
        for race in races
        for place in range(len(race))
    )
    assert total == pytest.approx(-4191.0973, abs=1e-4)
    assert len(races) == 36
    assert std[names.index("PJ Jones")] > std[names.index("Mark Martin")]
