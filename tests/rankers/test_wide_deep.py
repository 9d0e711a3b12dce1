"""The default scorer of NeuralRanker: shrunk toward a linear model on few lists."""

import functools

import jax
import numpy as np
import pytest
from scipy.optimize import lsq_linear

from ltr import NeuralRanker, load_ranker, save_ranker
from ltr.deadline import deadline_in
from ltr.losses import ranknet_loss, wasserstein_batch_loss
from ltr.metrics import ndcg_score
from ltr.queries import group_queries
from ltr.rankers.inputs import training_set
from ltr.rankers.neural.linear_path import fit_linear_path
from ltr.rankers.neural.scaling import fit_scaling
from ltr.rankers.ridge import stack_lines
from ltr.scorers import MLPScorer, WideDeepScorer
from ltr.scorers.base import Dense
from ltr.scorers.wide_deep import WideDeep

N_FEATURES = 30
OPTIONS = {"hidden_layer_sizes": (16,), "max_epochs": 60, "random_state": 0}


def draw(n_lists, seed, list_size=20):
    """Graded labels of a noisy linear utility; most features are noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_lists * list_size, N_FEATURES)) * np.arange(1, 31)
    utility = X[:, :5] @ (1 / np.arange(1, 6)) + 2 * rng.normal(size=len(X))
    y = np.digitize(utility, np.quantile(utility, [0.5, 0.75, 0.9])).astype(float)
    return X, y, np.repeat(np.arange(n_lists), list_size)


TRAIN, TEST = draw(10, 0), draw(60, 1)


def linear_path(
    X,
    y,
    qid,
    *,
    ranker=None,
    weights=None,
    query_weight=None,
    extras=None,
    preprocess="auto",
    train_without=None,
):
    """The regression of a ranker, on all lists."""
    ranker = NeuralRanker() if ranker is None else ranker
    inputs = {"sample_weight": weights, "query_weight": query_weight}
    data = training_set(X, y, qid, **inputs, extras=extras or {})
    scaling = fit_scaling(X, data.weights, preprocess)
    lists = data.informative_lists("two_labels")
    options = ranker._training_options()
    return fit_linear_path(options, data, scaling, lists, train_without)


def scores_of(path, X=TEST[0], preprocess="auto"):
    """Of its regression, centered; on features scaled as those of TRAIN."""
    scaling = fit_scaling(TRAIN[0], None, preprocess)
    scores = (X if scaling is None else scaling.transform(X)) @ path.weight
    return scores - scores.mean()


@pytest.fixture(scope="module")
def rankers():
    """With and without the linear path."""
    return {
        scorer: NeuralRanker("ranknet", scorer, **OPTIONS).fit(*TRAIN)
        for scorer in ("wide_deep", "mlp")
    }


def test_it_is_the_default_and_better_on_few_lists(rankers):
    """The perceptron alone fits the noise of 200 rows."""
    assert NeuralRanker().scorer == "wide_deep"
    X, y, qid = TEST
    wide, deep = (
        ndcg_score(y, rankers[name].predict(X), qid=qid, k=10)
        for name in ("wide_deep", "mlp")
    )
    assert wide > deep + 0.03


def test_scores_are_those_of_both(rankers):
    """The perceptron of "mlp" by its share, and something linear."""
    X = TEST[0]
    wide, deep = (rankers[name].predict(X) for name in ("wide_deep", "mlp"))
    columns = np.column_stack([deep, X, np.ones(len(X))])
    coefficients = np.linalg.lstsq(columns, wide, rcond=None)[0]
    share = 1 - coefficients[0]
    assert 20 / 30 * 50 / 60 <= share < 50 / 60 + 10 / 30 * 1 / 6  # 10 measured lists
    np.testing.assert_allclose(columns @ coefficients, wide, atol=1e-5)
    path = linear_path(*TRAIN)
    assert path.share == pytest.approx(50 / 60)
    expected = wide - coefficients[0] * deep
    expected -= expected.mean()
    np.testing.assert_allclose(
        expected / expected.std(), scores_of(path) / scores_of(path).std(), atol=1e-4
    )


def test_spread_and_mean_stay_those_of_the_network():
    """Whatever the scale of labels and scores; on rows in any order, with weights."""
    rng = np.random.default_rng(0)
    path = linear_path(*TRAIN)
    params = WideDeep(
        (Dense(100 * rng.normal(size=(N_FEATURES, 1)), np.array([7.0])),),
        np.zeros((N_FEATURES, 1)),
    )
    scorer = WideDeepScorer(())
    blended = path.blend(scorer, params)
    before, after = (scorer.apply(p, path.X) for p in (params, blended))
    assert after.mean() == pytest.approx(before.mean())
    linear = after - (1 - path.share) * before
    spread = lambda scores: (
        scores.reshape(10, 20).T - scores.reshape(10, 20).mean(1)
    ).std()
    assert spread(linear) == pytest.approx(path.share * spread(before))


def network_of(weight):
    """Parameters whose scores are linear."""
    layer = Dense(np.asarray(weight, float)[:, None], np.zeros(1))
    return WideDeep((layer,), np.zeros((N_FEATURES, 1)))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_share_is_measured_on_lists_left_out(weighted):
    """Least squares of predictions of thirds of the lists, made by hand."""
    X, y, qid = draw(12, 3)
    weights = np.random.default_rng(0).uniform(0.5, 2, len(y)) if weighted else None
    w = np.ones(len(y)) if weights is None else weights
    network, masks = np.random.default_rng(1).normal(size=N_FEATURES) + 1, []

    def train_without(left_out):
        masks.append(left_out.copy())
        return network_of(network)

    ranker = NeuralRanker(scorer=WideDeepScorer(()))
    path = linear_path(
        X, y, qid, ranker=ranker, weights=weights, train_without=train_without
    )
    np.testing.assert_array_equal(
        masks, [np.arange(12) % 3 == fold for fold in range(3)]
    )

    def centered(values):
        means = np.bincount(qid, w * values) / np.bincount(qid, w)
        return values - means[qid]

    Z = fit_scaling(X, weights, "auto").transform(X)
    targets = centered(y)
    squares = np.bincount(qid, w * targets**2) / np.bincount(qid, w)
    targets /= np.sqrt(squares)[qid]
    predictions = np.empty((len(y), 2))
    for fold in range(3):
        out = qid % 3 == fold
        others = group_queries(qid[~out], (~out).sum())
        Z_centered = np.column_stack([centered(z) for z in Z.T])
        line = stack_lines(Z_centered[~out], targets[~out], others, w[~out])
        for column, coef in enumerate((line, network)):
            scores = centered(Z @ coef)[out]
            predictions[out, column] = (
                scores / np.average(scores**2, weights=w[out]) ** 0.5
            )
    roots = np.sqrt(w)
    shares = lsq_linear(predictions * roots[:, None], targets * roots, (0, np.inf)).x
    measured = shares[0] / shares.sum()
    assert 0.1 < measured < 1
    assert path.share == pytest.approx((12 * measured + 20 * 50 / 62) / 32, rel=1e-4)


def test_a_network_is_trained_without_the_lists_left_out():
    """Its parameters do not depend on their labels, and do on those of others."""
    X, y, qid = TRAIN
    fits = []
    for changed in (slice(0), qid == 3, qid == 4):
        labels = y.copy()
        labels[changed] = labels[changed][::-1]
        fits.append(networks(X, labels, qid))
    left_out = np.arange(10) % 3 == 0
    trained = [fit(left_out).deep[0].weight for fit in fits]
    np.testing.assert_array_equal(trained[0], trained[1])
    assert not np.array_equal(trained[0], trained[2])


def networks(X, y, qid, ranker=None, **validation):
    """What fit passes to the linear path to train networks with."""
    ranker = ranker or NeuralRanker(**OPTIONS | {"max_epochs": 3})
    recorded = []

    def record(*arguments):
        recorded.append(arguments[-2])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ltr.rankers.neural.training.fit_linear_path", record)
        ranker.fit(X, y, qid, **validation)
    return recorded[0]


def test_when_the_share_is_not_measured():
    """Too few lists, many, and where training has no share to give up."""
    X, y, qid = TRAIN

    def refuse(left_out):
        raise AssertionError

    few = qid < 9
    path = linear_path(X[few], y[few], qid[few], train_without=refuse)
    assert path.share == pytest.approx(50 / 59)
    path = linear_path(*draw(100, 0), train_without=refuse)
    assert path.share == pytest.approx(50 / 150)
    nothing = linear_path(*TRAIN, train_without=lambda _: network_of(np.zeros(30)))
    assert nothing.share == pytest.approx((10 + 20 * 50 / 60) / 30)
    validation = dict(zip(("X_val", "y_val", "qid_val"), TRAIN, strict=True))
    assert networks(*TRAIN, **validation) is None  # they stop early, others would not
    options = OPTIONS | {"max_epochs": 3}
    ranker = NeuralRanker(**options, early_stopping=False, metrics=["map"])
    assert networks(*TRAIN, ranker, **validation) is not None
    ranker.set_params(warm_start=True, metrics=None).fit(*TRAIN)
    assert networks(*TRAIN, ranker) is None  # it goes on from what saw all lists
    with deadline_in(60.0):
        assert networks(*TRAIN) is None


def test_a_nonlinear_truth_and_a_linear_one():
    """The network gets more where it predicts, and the line where it does."""
    X, y, qid = draw(30, 0)
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.normal(size=len(y))
    shares = []

    def record(*arguments, **options):
        shares.append(fit_linear_path(*arguments, **options).share)

    options = OPTIONS | {"max_epochs": 200, "metric": "spearman"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ltr.rankers.neural.training.fit_linear_path", record)
        for truth in (X[:, 0] ** 2, X[:, 0]):
            NeuralRanker(**options).fit(X[:, :3], truth + noise, qid)
    of_square, of_line = shares
    assert of_square < 0.45 < 0.8 < of_line


def test_weight_2_is_the_row_twice():
    """Rows of weight 0 are none, and the order of rows does not matter."""
    X, y, qid = TRAIN
    weights = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    order = np.random.default_rng(1).permutation(
        np.repeat(np.arange(len(y)), weights.astype(int))
    )
    once = linear_path(X, y, qid, weights=weights)
    repeated = linear_path(X[order], y[order], qid[order])
    np.testing.assert_allclose(once.weight, repeated.weight, rtol=1e-6)
    assert once.share == pytest.approx(repeated.share)
    changed = y.copy()
    changed[weights == 0] = 99
    same = linear_path(X, changed, qid, weights=weights)
    np.testing.assert_array_equal(same.weight, once.weight)


@pytest.mark.parametrize("n_weighted", [1, 2, 12])
def test_queries_of_weight_0_are_none(n_weighted):
    """Also where the share is measured on lists left out, which may have no weight."""
    X, y, qid = draw(30, 0)
    is_weighted = qid < n_weighted
    options = {"preprocess": None, "train_without": lambda _: network_of(X[0])}
    path = linear_path(X, y, qid, query_weight=is_weighted, **options)
    rows = X[is_weighted], y[is_weighted], qid[is_weighted]
    expected = linear_path(*rows, **options)
    np.testing.assert_allclose(path.weight, expected.weight)
    assert path.share == expected.share


def test_features_that_the_ranker_does_not_scale():
    """The regression is the same, with weights of the raw features."""
    raw, scaled = (linear_path(*TRAIN, preprocess=p) for p in (None, "standard"))
    np.testing.assert_allclose(
        scores_of(raw, preprocess=None), scores_of(scaled, preprocess="standard")
    )
    np.testing.assert_array_equal(raw.X, TRAIN[0])


def test_labels_of_any_scale():
    """Labels times ten, plus three: nothing changes."""
    X, y, qid = TRAIN
    first, second = linear_path(X, y, qid), linear_path(X, 10 * y + 3, qid)
    np.testing.assert_allclose(first.weight, second.weight, rtol=1e-9)


def own_loss(scores, labels, *, where=None):
    """Of a user: may take any labels for good."""
    return (scores * labels * where).sum(-1)


def test_where_there_is_none():
    """A loss that does not learn from labels as they are, a long fit, a stream."""
    X, y, qid = TRAIN
    assert linear_path(X, y, qid) is not None
    assert linear_path(X, y, qid, ranker=NeuralRanker(scorer="mlp")) is None
    assert linear_path(X, y, qid, ranker=NeuralRanker(own_loss)) is None
    assert linear_path(X, y, qid, ranker=NeuralRanker(wasserstein_batch_loss)) is None
    assert linear_path(X, y, qid, ranker=NeuralRanker("mse")) is None
    sigma = functools.partial(ranknet_loss, sigma=2.0)
    assert linear_path(X, y, qid, ranker=NeuralRanker(sigma)) is not None
    assert linear_path(X, y, qid, extras={"teacher_scores": y}) is None
    assert linear_path(X, np.zeros(len(y)), qid) is None
    assert linear_path(np.zeros_like(X), y, qid) is None
    rows = np.arange(2000)
    many = rows[:, None] % 7.0, rows % 2, rows // 2
    assert linear_path(*many) is None
    assert linear_path(*(column[:1998] for column in many)) is not None
    long = linear_path(many[0], many[1], np.zeros(2000))  # one list counts as 20
    assert long.share == pytest.approx(50 / 70)
    wide = np.random.default_rng(0).normal(size=(2050, 2001))
    assert linear_path(wide, np.arange(2050) % 2, np.arange(2050) // 100) is None


def test_training_goes_on_from_the_network(tmp_path):
    """Validation scores what predicts; w is computed again at the end of each fit."""
    ranker = NeuralRanker(**OPTIONS | {"max_epochs": 3}, warm_start=True)
    X_val, y_val, qid_val = TEST
    ranker.fit(*TRAIN, X_val=X_val, y_val=y_val, qid_val=qid_val)
    assert ranker.score(*TEST) == pytest.approx(ranker.best_score_)
    assert ranker.best_score_ == max(ranker.history_["ndcg@10"])
    state = ranker._learned_state
    assert state.params.wide.any()
    assert not state.last_params.wide.any()
    ranker.fit(*TRAIN)
    save_ranker(ranker, tmp_path / "model")
    loaded = load_ranker(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X_val), ranker.predict(X_val))
    stream = NeuralRanker(**OPTIONS).partial_fit(*TRAIN)
    assert not stream._learned_state.params.wide.any()


def test_w_has_no_gradient():
    """It is computed, not trained."""

    scorer = WideDeepScorer((4,))
    params = scorer.init(jax.random.key(0), 3)
    X = np.ones((2, 3), np.float32)
    gradient = jax.grad(lambda p: scorer.apply(p, jax.numpy.asarray(X)).sum())(params)
    assert not gradient.wide.any()
    assert gradient.deep[0].weight.any()
    deep = MLPScorer((4,)).init(jax.random.key(0), 3)
    np.testing.assert_array_equal(params.deep[0].weight, deep[0].weight)
