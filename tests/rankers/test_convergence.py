"""Long enough by default, a warning where it was not, and no step back."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression

from ltr import NeuralRanker, TSPRanker
from ltr.metrics import ndcg_score
from ltr.scorers import LinearScorer, MLPScorer
from ltr.training.convergence import EpochLimits, epoch_limits, loss_trend
from ltr.training.optimizers import auto_decay, auto_rate

N_FEATURES = 10
TEN = np.arange(1000)


def draw(n_lists, list_size, seed):
    """Lists whose graded labels are steps of a linear utility, with some noise."""
    rng = np.random.default_rng(seed)
    weights = np.random.default_rng(7).normal(size=N_FEATURES)
    X = rng.normal(size=(n_lists * list_size, N_FEATURES))
    utility = X @ weights + 0.3 * rng.normal(size=len(X))
    y = np.digitize(utility, np.quantile(utility, [0.5, 0.75, 0.9, 0.97]))
    return X, y, np.repeat(np.arange(n_lists), list_size)


TRAIN, TEST, SHORT = draw(8, 60, 0), draw(40, 60, 1), draw(8, 16, 2)


def score_of(ranker, rows=TEST):
    X, y, qid = rows
    return ndcg_score(y, ranker.predict(X, qid), qid=qid, k=10)


def quiet_fit(ranker, data=TRAIN, **rows):
    """Fit, where a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return ranker.fit(*data, **rows)


def least_squares(data):
    """NDCG of a model that knows that the truth is linear."""
    X, y, qid = TEST
    scores = LinearRegression().fit(*data[:2]).predict(X)
    return ndcg_score(y, scores, qid=qid, k=10)


@pytest.mark.parametrize("loss", ["listnet", "lambdarank"])
def test_a_linear_scorer_on_few_lists(loss):
    """The defaults reach least squares, with any loss, and stop by themselves."""
    ranker = quiet_fit(NeuralRanker(loss, "linear", random_state=0))
    assert score_of(ranker) > max(0.89, least_squares(TRAIN) - 0.02)
    assert 100 <= ranker.n_iter_ < 5000


def test_few_lists_take_more_epochs():
    """With small steps, too, and training stops once the loss has settled."""
    small_steps = {"learning_rate": 0.001, "weight_decay": 1.0}
    ranker = NeuralRanker("listnet", "linear", random_state=0, **small_steps)
    quiet_fit(ranker)
    assert score_of(ranker) > least_squares(TRAIN) - 0.02
    assert 500 < ranker.n_iter_ < 5000


def test_automatic_step_and_decay():
    """Smaller steps the more of them; less decay the more rows."""
    linear, mlp = LinearScorer(), MLPScorer()
    few = {"n_features": 9, "weight_decay": 1.0}
    rates = [auto_rate(linear, n, **few) for n in (1, 4, 500, None)]
    assert rates == pytest.approx([0.1, 0.025, 1e-3, 0.01])
    assert auto_rate(linear, 1, n_features=900, weight_decay=1.0) == pytest.approx(0.01)
    assert auto_rate(linear, 1, n_features=9, weight_decay=10.0) == pytest.approx(0.01)
    assert auto_rate(mlp, 1, **few) == 0.001
    sizes = [{"n_features": 10, "n_rows": n} for n in (1, 200, 10**6, None)]
    assert [auto_decay("adamw", linear, **s) for s in sizes] == [10.0, 0.5, 0.01, 1.0]
    assert [auto_decay("adamw", mlp, **s) for s in sizes] == [3.0] * 4
    assert auto_decay("adam", mlp, n_features=10, n_rows=1) == 0.0


def test_more_features_than_rows():
    """Mixtures of a few, as in embeddings: steps as for ten features would bounce."""
    mixture = np.random.default_rng(1).normal(size=(N_FEATURES, 40 * N_FEATURES))
    X, y, qid = draw(10, 20, 3)
    few, many = (NeuralRanker("listnet", "linear", random_state=0) for _ in range(2))
    few.fit(X, y, qid)
    many.fit(X @ mixture, y, qid)
    test, labels, queries = TEST
    assert score_of(many, (test @ mixture, labels, queries)) > score_of(few) - 0.02


def test_another_loss_and_scorer():
    """They come near it, too, and no warning is left."""
    ranker = NeuralRanker("mse", hidden_layer_sizes=(8,), random_state=0)
    quiet_fit(ranker, SHORT)
    assert score_of(ranker) > least_squares(SHORT) - 0.08
    assert 100 < ranker.n_iter_ <= 5000


def test_5000_steps_that_are_not_enough():
    """On nearly separable pairs the loss goes on falling: less and less, but clearly."""
    options = {"encoder": "identity", "decoder": "borda", "random_state": 0}
    ranker = TSPRanker("pairwise", **options)
    with pytest.warns(ConvergenceWarning, match="ended after 5000 epochs"):
        ranker.fit(*SHORT)
    assert score_of(ranker) > least_squares(SHORT) - 0.08


def test_a_fit_that_is_too_short_warns():
    """With the cure; scikit-learn's category, so that its filters work."""
    ranker = NeuralRanker("listnet", "linear", max_epochs=100, random_state=0)
    ranker.set_params(learning_rate=0.001)
    with pytest.warns(ConvergenceWarning) as record:
        ranker.fit(*TRAIN)
    loss = ranker.history_["loss"]
    before, after = np.mean(loss[80:90]), np.mean(loss[90:])
    (warning,) = record
    assert str(warning.message) == (
        "training ended after 100 epochs, but the loss still falls: from "
        f"{before:.5g} in the last tenth but one of the epochs to {after:.5g} in the "
        "last. Raise max_epochs (now 100) or learning_rate (now 0.001)."
    )
    assert warning.filename == __file__


def test_the_cure_for_auto():
    """A learning rate so small that 5000 steps are too few."""
    options = {"learning_rate": 1e-5, "weight_decay": 0.0, "random_state": 0}
    X, y, qid = TRAIN
    rows = qid < 2
    ranker = NeuralRanker("mse", "linear", **options)
    match = r"Raise max_epochs above 5000 or learning_rate \(now 1e-05\)\.$"
    with pytest.warns(ConvergenceWarning, match=match):
        ranker.fit(X[rows], y[rows], qid[rows])


def test_no_false_alarm():
    """Neither after early stopping, nor when the loss has settled or cannot fall."""
    X_val, y_val, qid_val = TEST
    validation = {"X_val": X_val, "y_val": y_val, "qid_val": qid_val}
    stopped = NeuralRanker("listnet", "linear", learning_rate=0.1, random_state=0)
    stopped.set_params(max_epochs=100, n_iter_no_change=5)
    quiet_fit(stopped, **validation)
    assert stopped.n_iter_ < 100
    settled = NeuralRanker("listnet", "linear", learning_rate=0.1, random_state=0)
    quiet_fit(settled.set_params(max_epochs=200))
    X, y, qid = TRAIN
    hopeless = NeuralRanker("listnet", "linear", max_epochs=20, random_state=0)
    quiet_fit(hopeless, (np.zeros_like(X), y, qid))


@pytest.mark.parametrize(
    ("losses", "falls", "settled"),
    [
        (10.0 - TEN[:100] / 10, True, False),  # along a line
        (9 * np.exp(-TEN / 5) + np.exp(-TEN / 500), True, False),  # after a steep start
        (1 / (1 + TEN[:200]), False, True),  # separable data
        (np.exp(-TEN / 500), True, False),  # 2 τ
        (np.exp(-TEN / 125), False, True),  # 8 τ
        (np.exp(-TEN / 300), False, False),  # 3.3 τ: neither
        (np.full(50, 0.7), False, True),
        (1.0 + TEN[:50] / 100, False, True),  # rises
        ([3.0, 2.0, 1.1], True, False),
        (0.7 + 1e-7 * np.exp(-TEN[:100] / 50), False, True),  # rounding
        (
            np.exp(-TEN / 125) + np.random.default_rng(0).normal(0, 0.3, len(TEN)),
            False,
            None,
        ),
        (
            np.exp(-TEN / 500) + np.random.default_rng(0).normal(0, 0.05, len(TEN)),
            True,
            False,
        ),
    ],
)
def test_trends(losses, falls, settled):
    """Smooth and noisy curves; noise neither alarms nor hides a clear fall."""
    trend = loss_trend(list(losses), is_linear=True)
    assert trend.still_falls == falls
    assert settled is None or trend.has_settled == settled


def test_other_scorers_stop_after_the_steep_fall():
    """What follows it is noise, to a network that has more parameters than rows."""
    losses = list(9 * np.exp(-TEN[:100] / 2) + np.exp(-TEN[:100] / 500))
    linear, other = (
        epoch_limits("auto", "auto", 1, is_linear=is_linear)
        for is_linear in (True, False)
    )
    assert not linear.ends_settled(losses)
    assert other.ends_settled(losses)


def test_limits():
    """Steps count on few lists, epochs on many."""
    assert loss_trend([2.0, 1.0]) is None
    assert epoch_limits("auto", "auto", 1) == EpochLimits(5000, 100, 200)
    assert epoch_limits("auto", "auto", 15) == EpochLimits(334, 100, 14)
    assert epoch_limits("auto", "auto", 50) == EpochLimits(100, None, 10)
    assert epoch_limits(7, 3, 1) == EpochLimits(7, None, 3)
    assert epoch_limits(0, "auto", 0) == EpochLimits(0, None, 200)


@pytest.mark.parametrize(
    "ranker",
    [
        NeuralRanker("listnet", "linear", metric="ndcg@5"),
        TSPRanker("pairwise", encoder="identity", decoder="borda", metric="ndcg@5"),
    ],
    ids=lambda ranker: type(ranker).__name__,
)
def test_warm_start_never_ends_below_its_start(ranker):
    """What the ranker predicted with before is epoch 0 of the validation."""
    X_val, y_val, qid_val = TEST
    validation = {"X_val": X_val, "y_val": y_val, "qid_val": qid_val}
    ranker.set_params(warm_start=True, random_state=0, max_epochs=20)
    ranker.set_params(n_iter_no_change=4, learning_rate=0.3)
    ranker.fit(*TRAIN, **validation)
    best, scores = ranker.best_score_, ranker.predict(X_val, qid_val)
    assert ranker.score(*TEST) == pytest.approx(best)
    assert ranker.best_epoch_ < ranker.n_iter_  # it goes on from worse weights
    ranker.set_params(learning_rate=3.0)  # far too large
    ranker.fit(TRAIN[0], -TRAIN[1] + TRAIN[1].max(), TRAIN[2], **validation)
    assert (ranker.best_epoch_, ranker.n_iter_) == (0, 4)
    assert ranker.best_score_ == best
    np.testing.assert_array_equal(ranker.predict(X_val, qid_val), scores)
