"""NeuralRanker: learning, determinism, weights, validation, persistence of state."""

import copy
import functools
import inspect
import io
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import joblib
import numpy as np
import optax
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from support.programs import n_compiled_steps

from ltr import NeuralRanker, RandomRanker
from ltr.datasets import make_ranking
from ltr.losses import LOSSES, ranknet_loss
from ltr.metrics import ndcg_score
from ltr.scorers import AttentionScorer, MLPScorer

DATA = make_ranking(
    60, list_size=(3, 12), n_features=6, n_informative=4, random_state=0
)
TRAIN, TEST = DATA.train_test_split(0.3, random_state=0)


def small(loss="listnet", scorer="linear", **parameters):
    """A ranker that fits in a moment."""
    parameters = {
        "max_epochs": 8,
        "learning_rate": 0.02,
        "random_state": 0,
    } | parameters
    return NeuralRanker(loss, scorer, **parameters)


def fitted(*args, data=TRAIN, **parameters):
    return small(*args, **parameters).fit(data.X, data.y, data.qid)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns(loss):
    """Each loss beats a random order by far on lists it has not seen."""
    easy = make_ranking(
        80, list_size=8, n_features=5, n_informative=3, noise=0.1, nonlinearity=0.0,
        random_state=1,
    )  # fmt: skip
    train, test = easy.train_test_split(0.4, random_state=0)
    extras = {}
    if "teacher_scores" in inspect.signature(LOSSES[loss]).parameters:
        extras["teacher_scores"] = train.true_scores
    if loss == "irpo":
        extras["position"] = np.tile(np.arange(1, 9), train.n_lists)
    ranker = small(loss, max_epochs=60, weight_decay=0.1)
    ranker.fit(train.X, train.y, train.qid, **extras)
    chance = RandomRanker().fit(train.X, train.y, train.qid)
    at_best = ndcg_score(test.y, test.true_scores, qid=test.qid, k=10)
    at_worst = chance.score(test.X, test.y, test.qid)
    reached = ranker.score(test.X, test.y, test.qid)
    assert reached > at_worst + 0.8 * (at_best - at_worst)


@pytest.mark.parametrize("scorer", ["linear", "mlp", "attention"])
def test_every_scorer_learns(scorer):
    """Beyond what a random order is worth."""
    ranker = fitted("ranknet", scorer, hidden_layer_sizes=(16, 8), max_epochs=20)
    chance = RandomRanker().fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    gain = ranker.score(TEST.X, TEST.y, TEST.qid) - chance.score(
        TEST.X, TEST.y, TEST.qid
    )
    assert gain > 0.1


def test_two_tower_starts_at_the_cosine():
    """Without training it ranks by cosine; training on a rotation beats it."""
    rng = np.random.default_rng(0)
    n_lists, size, width = 40, 10, 8
    queries = rng.normal(size=(n_lists, width)).repeat(size, axis=0)
    items = rng.normal(size=(n_lists * size, width))
    turn = np.linalg.qr(rng.normal(size=(width, width)))[0]
    cosine = lambda a, b: (
        (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    )
    y = (cosine(queries @ turn, items) > 0.3).astype(float)
    X, qid = np.hstack([queries, items]), np.repeat(np.arange(n_lists), size)
    ranker = small("softmax", "two_tower", n_query_features=width, weight_decay=0.0)
    start = clone(ranker).set_params(max_epochs=0).fit(X, y, qid)
    np.testing.assert_allclose(
        0.05 * start.predict(X), cosine(queries, items), rtol=1e-5
    )
    trained = ranker.set_params(max_epochs=30).fit(X, y, qid)
    assert trained.score(X, y, qid) > start.score(X, y, qid) + 0.2


@pytest.mark.parametrize("scorer", ["linear", "mlp", "attention"])
def test_same_seed_same_result(scorer):
    """Two fits with one seed are identical; another seed is not."""
    first, second = fitted(scorer=scorer), fitted(scorer=scorer)
    a, b = first.predict(TEST.X, TEST.qid), second.predict(TEST.X, TEST.qid)
    np.testing.assert_array_equal(a, b)
    c = fitted(scorer=scorer, random_state=1).predict(TEST.X, TEST.qid)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize("scorer", ["mlp", "attention"])
def test_order_of_rows_and_names_of_lists(scorer):
    """Permuting rows and renaming lists permutes predict and rank, and keeps score."""
    ranker = fitted(scorer=scorer)
    order = np.random.default_rng(0).permutation(len(TEST.y))
    names = np.array([f"list {q}" for q in TEST.qid])
    for method in ("predict", "rank"):
        before = getattr(ranker, method)(TEST.X, TEST.qid)
        after = getattr(ranker, method)(TEST.X[order], names[order])
        np.testing.assert_allclose(after, before[order], rtol=1e-10)
    np.testing.assert_allclose(
        ranker.score(TEST.X[order], TEST.y[order], names[order]),
        ranker.score(TEST.X, TEST.y, TEST.qid),
        rtol=1e-12,
    )


def test_renaming_lists_changes_no_fit():
    """Only the order of rows and lists counts in fit, not their names."""
    renamed = [("list", int(q)) for q in TRAIN.qid]
    a = fitted().predict(TEST.X)
    b = small().fit(TRAIN.X, TRAIN.y, renamed).predict(TEST.X)
    np.testing.assert_array_equal(a, b)


def test_identical_rows_have_identical_scores_and_ranks():
    """Wherever they stand, so no tie is decided by the order of the rows."""
    X = np.repeat(TEST.X[:3], 2000, axis=0)
    shuffled = np.random.default_rng(0).permutation(len(X))
    ranker = fitted(scorer="mlp")
    scores = ranker.predict(X[shuffled], np.zeros(len(X)))
    assert len(np.unique(scores)) == 3
    ranks = ranker.rank(X[shuffled], np.zeros(len(X)))
    assert sorted(set(ranks)) == [1, 2001, 4001]


def test_rank():
    """1 for the best, ties share the smallest rank."""
    ranker = fitted()
    ranker.predict = lambda X, qid=None, **inputs: np.array([0.5, 2.0, 2.0, -1.0, 7.0])
    ranks = ranker.rank(np.zeros((5, 6)), [1, 1, 1, 1, 2])
    assert ranks.tolist() == [3, 1, 1, 4, 1]


def test_lists_without_information_do_not_count():
    """Lists with equal labels change nothing in a fit on label losses."""
    X = np.vstack([TRAIN.X, TEST.X])
    y = np.concatenate([TRAIN.y, np.ones(len(TEST.y))])
    qid = np.concatenate([TRAIN.qid, TEST.qid + 10_000])
    a = fitted("ranknet", preprocess=None)
    b = small("ranknet", preprocess=None).fit(X, y, qid)
    np.testing.assert_array_equal(a.coef_, b.coef_)


def test_query_weight_repeats_lists():
    """Weight 2 is the list twice: the same full-batch gradient step."""
    step = functools.partial(
        small, "ranknet", optimizer="sgd", max_epochs=1, batch_size=1000,
        dtype="float64", preprocess=None, weight_decay=0.0, learning_rate=1e-9,
    )  # fmt: skip
    weight = np.where(TRAIN.qid % 2, 2.0, 1.0)
    weighted = step().fit(TRAIN.X, TRAIN.y, TRAIN.qid, query_weight=weight)
    twice = TRAIN.qid % 2 == 1
    X, y = np.vstack([TRAIN.X, TRAIN.X[twice]]), np.append(TRAIN.y, TRAIN.y[twice])
    qid = np.append(TRAIN.qid, TRAIN.qid[twice] + 10_000)
    repeated = step().fit(X, y, qid)
    start = step(max_epochs=1).set_params(learning_rate=1e-300)
    start = start.fit(TRAIN.X, TRAIN.y, TRAIN.qid).coef_
    a, b = weighted.coef_ - start, repeated.coef_ - start
    np.testing.assert_allclose(a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-4)


def test_early_stopping():
    """Given validation lists: stops, keeps the best, and says where."""
    ranker = small(max_epochs=200, learning_rate=0.3, n_iter_no_change=4)
    ranker.fit(
        TRAIN.X, TRAIN.y, TRAIN.qid, X_val=TEST.X, y_val=TEST.y, qid_val=TEST.qid
    )
    assert ranker.n_iter_ < 200
    assert ranker.n_iter_ == ranker.best_epoch_ + 4
    assert ranker.best_score_ == max(ranker.history_["ndcg@10"])
    assert ranker.score(TEST.X, TEST.y, TEST.qid) == ranker.best_score_
    assert len(ranker.history_["loss"]) == len(ranker.history_["seconds"])


def test_early_stopping_by_query():
    """early_stopping=True splits off lists, "auto" needs a hundred of them."""
    assert np.isfinite(fitted(early_stopping=True).best_score_)
    assert np.isnan(fitted(early_stopping="auto").best_score_)
    many = make_ranking(120, list_size=3, n_features=6, n_informative=4, random_state=0)
    assert np.isfinite(fitted(data=many).best_score_)
    assert np.isnan(fitted(data=many, early_stopping=False).best_score_)


def test_warm_start_and_partial_fit():
    """Two fits with warm_start are one longer fit; partial_fit never starts anew."""
    options = {"batch_size": 1000, "early_stopping": False}
    warm = small(warm_start=True, max_epochs=3, **options)
    warm.fit(TRAIN.X, TRAIN.y, TRAIN.qid).fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    once = fitted(max_epochs=6, **options)
    np.testing.assert_allclose(warm.coef_, once.coef_, rtol=1e-5)
    cold = small(max_epochs=3, **options)
    cold.fit(TRAIN.X, TRAIN.y, TRAIN.qid).fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    np.testing.assert_array_equal(cold.coef_, fitted(max_epochs=3, **options).coef_)

    piecewise = small(**options)
    for _ in range(15):
        piecewise.partial_fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    losses = piecewise.history_["loss"]
    assert len(losses) == 15
    assert losses[-1] < losses[0]
    with pytest.raises(ValueError, match="X has 5 features, but NeuralRanker"):
        piecewise.partial_fit(TRAIN.X[:, :5], TRAIN.y, TRAIN.qid)


def test_partial_fit_goes_on_after_fit():
    """Also if fit did not know that more would come, and with another optimizer."""
    ranker = fitted()
    before = ranker.coef_
    ranker.partial_fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    assert 0 < np.abs(ranker.coef_ - before).max() < 0.5
    ranker.set_params(optimizer="sgd").partial_fit(TRAIN.X, TRAIN.y, TRAIN.qid)


def test_partial_fit_meets_compiled_shapes():
    """Pieces of different sizes do not compile anew."""
    ranker = small()
    sizes = []
    for seed in range(12):
        piece = make_ranking(
            20, list_size=(3, 20), n_features=6, n_informative=4, random_state=seed
        )
        ranker.partial_fit(piece.X, piece.y, piece.qid)
        sizes.append(n_compiled_steps())
    assert sizes[-1] - sizes[5] <= 2


def copies(ranker):
    """The ranker after every way to carry it elsewhere."""
    buffer = io.BytesIO()
    joblib.dump(ranker, buffer)
    buffer.seek(0)
    yield "pickle", pickle.loads(pickle.dumps(ranker))
    yield "joblib", joblib.load(buffer)
    yield "deepcopy", copy.deepcopy(ranker)


@pytest.mark.parametrize("scorer", ["linear", "mlp", "attention"])
def test_copies_predict_the_same(scorer):
    """pickle, joblib and deepcopy; nothing of JAX is kept in the ranker."""
    ranker = fitted(scorer=scorer, warm_start=True)
    for kind, copied in copies(ranker):
        np.testing.assert_array_equal(
            copied.predict(TEST.X, TEST.qid), ranker.predict(TEST.X, TEST.qid), kind
        )
    for value in pickle.loads(pickle.dumps(vars(ranker))).values():
        assert "jax" not in type(value).__module__


def test_process_pool():
    """A fitted ranker predicts in another process."""
    ranker = fitted(scorer="mlp")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        scores = pool.submit(ranker.predict, TEST.X, TEST.qid).result()
    np.testing.assert_array_equal(scores, ranker.predict(TEST.X, TEST.qid))


def test_pickle_of_another_version_warns():
    """A pickle that another version wrote may misbehave, and says so."""
    state = fitted().__getstate__()
    assert state["_ltr_version"]
    with pytest.warns(UserWarning, match="was pickled by ltr 0.0.1 and is loaded by"):
        NeuralRanker().__setstate__({**state, "_ltr_version": "0.0.1"})


def test_predict_writes_no_attribute():
    """Prediction leaves the ranker as it is."""
    ranker = fitted(scorer="attention")
    before = copy.deepcopy(vars(ranker))
    ranker.predict(TEST.X, TEST.qid)
    ranker.rank(TEST.X, TEST.qid)
    assert vars(ranker).keys() == before.keys()


def test_pandas():
    """Column names are remembered and checked."""
    names = [f"f{i}" for i in range(6)]
    frame = pd.DataFrame(TRAIN.X, columns=names)
    ranker = small().fit(frame, pd.Series(TRAIN.y), pd.Series(TRAIN.qid))
    assert ranker.feature_names_in_.tolist() == names
    a = ranker.predict(pd.DataFrame(TEST.X, columns=names))
    np.testing.assert_array_equal(a, fitted().predict(TEST.X))
    with pytest.raises(ValueError, match="feature names should match"):
        ranker.predict(pd.DataFrame(TEST.X, columns=names[::-1]))


def test_read_only_arrays():
    """Inputs are never written to."""
    X, y, qid = TRAIN.X.copy(), TRAIN.y.copy(), TRAIN.qid.copy()
    for array in (X, y, qid):
        array.flags.writeable = False
    small().fit(X, y, qid, sample_weight=np.ones(len(y))).predict(X, qid)


@pytest.mark.parametrize("scorer", ["linear", "mlp", "attention"])
def test_heavy_tails(scorer):
    """Features with giant values are scaled by their logarithm, for every scorer."""
    X = TRAIN.X.copy()
    X[:, 0] = np.sign(X[:, 0]) * np.exp(6 * np.abs(X[:, 0]))
    ranker = small(scorer=scorer).fit(X, TRAIN.y, TRAIN.qid)
    assert ranker._learned_state.scaling.log_features.tolist() == [True] + [False] * 5
    assert np.isfinite(ranker.predict(X, TRAIN.qid)).all()


def test_preprocess():
    """z-scores by default; log1p of all; or nothing."""
    standard = fitted(preprocess="standard")
    np.testing.assert_allclose(
        standard._learned_state.scaling.mean, TRAIN.X.mean(axis=0)
    )
    np.testing.assert_allclose(
        standard._learned_state.scaling.scale, TRAIN.X.std(axis=0)
    )
    assert fitted(preprocess="log1p")._learned_state.scaling.log_features.all()
    assert fitted(preprocess=None)._learned_state.scaling is None


def test_scaling_moves_and_stretches_change_nothing():
    """Standardised features see neither the unit nor the origin of a feature."""
    a = fitted(dtype="float64").predict(TEST.X)
    stretched = lambda X: X * np.arange(1.0, 7) + 3
    b = small(dtype="float64").fit(stretched(TRAIN.X), TRAIN.y, TRAIN.qid)
    np.testing.assert_allclose(b.predict(stretched(TEST.X)), a, rtol=1e-6)


def test_loss_as_a_function():
    """A partial of a loss, or any function with the contract."""
    partial = functools.partial(ranknet_loss, sigma=2.0)
    assert fitted(partial).score(TEST.X, TEST.y, TEST.qid) > 0.5

    def shifted(scores, labels, *, where=None, weights=None, key=None):
        return ranknet_loss(scores, labels, where=where, weights=weights)

    plain = fitted(functools.partial(ranknet_loss, normalize=False))
    np.testing.assert_allclose(fitted(shifted).coef_, plain.coef_, rtol=1e-6)


def distil(scores, labels, *, where=None, weights=None, teacher_scores):
    """A loss of the teacher's scores only."""
    from ltr.losses import mse_loss

    return mse_loss(scores, teacher_scores, where=where, weights=weights)


def test_extras_reach_the_loss():
    """Per-row inputs of a loss come from fit, or an error says that they are missing."""
    ranker = small(distil, early_stopping=False, max_epochs=100)
    teacher = TRAIN.X[:, 1]
    ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid, teacher_scores=teacher)
    assert np.corrcoef(ranker.predict(TEST.X), TEST.X[:, 1])[0, 1] > 0.99
    with pytest.raises(ValueError, match="teacher_scores is required by loss="):
        ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    with pytest.raises(ValueError, match="loss='listnet' takes no teacher_scores"):
        small().fit(TRAIN.X, TRAIN.y, TRAIN.qid, teacher_scores=teacher)


def make_optimizer(learning_rate):
    """An importable factory."""
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(learning_rate))


def test_optimizer_factory_and_scorer_objects():
    """Both are parameters like any other: cloned, pickled, searched."""
    ranker = small(optimizer=make_optimizer, scorer=MLPScorer((4,)))
    copied = pickle.loads(pickle.dumps(clone(ranker).fit(TRAIN.X, TRAIN.y, TRAIN.qid)))
    np.testing.assert_array_equal(
        copied.predict(TEST.X), ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid).predict(TEST.X)
    )
    two_blocks = AttentionScorer((8,), n_blocks=2, n_heads=2)
    fitted(scorer=two_blocks).predict(TEST.X, TEST.qid)


def test_clone_does_not_compile():
    """A search over numbers meets the compiled step."""
    fitted("ranknet", "mlp")
    before = n_compiled_steps()
    fitted("ranknet", "mlp", learning_rate=0.5, weight_decay=0.3, random_state=9)
    assert n_compiled_steps() == before


def test_new_list_sizes_do_not_compile():
    """Prediction is NumPy: no program of JAX is built for a new list size."""
    import jax

    ranker = fitted(scorer="attention")
    compiled = []
    listener = lambda event, *args, **kwargs: compiled.append(event)
    jax.monitoring.register_event_duration_secs_listener(listener)
    try:
        for size in (1, 7, 33, 100):
            ranker.predict(np.ones((size, 6)), np.zeros(size))
    finally:
        jax.monitoring.unregister_event_duration_listener(listener)
    assert not [event for event in compiled if "compile" in event]


def test_verbose(capsys):
    """One line per epoch on standard error."""
    small(verbose=2, max_epochs=3).fit(
        TRAIN.X, TRAIN.y, TRAIN.qid, X_val=TEST.X, y_val=TEST.y, qid_val=TEST.qid
    )
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("epoch 1/3  loss ")
    assert "ndcg@10 0." in lines[0]
    small(verbose=1, max_epochs=3).fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_interrupt_keeps_the_best_so_far(monkeypatch):
    """After Ctrl-C the ranker is fitted with what it reached."""
    from ltr.training import progress

    def stop(self, epoch, result):
        if epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress.EpochPrinter, "__call__", stop)
    ranker = small(verbose=1, max_epochs=50)
    with pytest.raises(KeyboardInterrupt, match="stopped after 2 epochs"):
        ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    assert ranker.n_iter_ == 2
    assert np.isfinite(ranker.predict(TEST.X)).all()


def test_pipeline_without_routing():
    """A pipeline passes qid to fit by the step's name; predict needs none."""
    pipeline = make_pipeline(MinMaxScaler(), small())
    pipeline.fit(TRAIN.X, TRAIN.y, neuralranker__qid=TRAIN.qid)
    assert pipeline.predict(TEST.X).shape == TEST.y.shape


def test_a_list_of_one_and_a_long_list():
    """Sizes from 1 to two thousand in one fit."""
    rng = np.random.default_rng(0)
    sizes = [1, 2, 2000, 3, 1]
    qid = np.repeat(np.arange(5), sizes)
    X = rng.normal(size=(len(qid), 3))
    y = (X[:, 0] + 0.1 * rng.normal(size=len(qid)) > 1).astype(int)
    for loss in ("ranknet", "listmle", "listnet"):
        ranker = small(loss, max_epochs=20).fit(X, y, qid)
        assert ranker.score(X, y, qid) > 0.9


def test_global_jax_settings_stay(monkeypatch):
    """Neither import nor fit in double precision changes what JAX does elsewhere."""
    import jax
    import jax.numpy as jnp

    fitted(dtype="float64")
    assert not jax.config.jax_enable_x64
    assert jnp.ones(1).dtype == jnp.float32
