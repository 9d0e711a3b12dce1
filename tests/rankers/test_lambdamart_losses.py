"""Trees on the losses of ltr.losses: gradients, curvatures, inputs, round trips."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone

from ltr import LambdaMARTRanker, load_ranker, save_ranker
from ltr.datasets import make_ranking
from ltr.losses import LOSSES, combine, derivatives, lambdarank_loss, loss_info
from ltr.queries import group_queries
from ltr.rankers.trees.grouped_rows import GroupedRows
from ltr.rankers.trees.loss_objective import LossObjective
from ltr.training.plan import plan_loss

DATA = make_ranking(30, list_size=(2, 9), n_features=4, n_informative=3, random_state=0)
X, Y, QID = DATA.X, DATA.y, DATA.qid
N = len(Y)
RNG = np.random.default_rng(0)
EXTRAS = {
    "teacher_scores": Y + RNG.normal(size=N),
    "reference_scores": RNG.normal(size=N),
    "position": np.concatenate([np.arange(n) + 1.0 for n in np.bincount(QID)]),
}


def trees(loss, **parameters):
    options = {
        "n_estimators": 5,
        "min_child_samples": 3,
        "n_jobs": 1,
        "random_state": 0,
    }
    return LambdaMARTRanker(loss, **options | parameters)


def n_splits(ranker):
    return sum(
        tree["num_leaves"] - 1 for tree in ranker.booster_.dump_model()["tree_info"]
    )


def extras_for(loss):
    return {name: EXTRAS[name] for name in loss_info(loss).required_extras}


def objective(loss, rows=slice(None), curvature="auto", X=X, seed=0, **weights):
    """The objective on rows of the data, not grouped by list."""
    y, qid = Y[rows], QID[rows]
    grouped = GroupedRows(
        X[rows],
        y,
        group_queries(qid, len(y)),
        weights.get("row_weights"),
        weights.get("list_weights"),
        {name: values[rows] for name, values in extras_for(loss).items()},
    )
    informative = np.array(
        [len(np.unique(Y[QID == q])) > 1 for q in grouped.queries.ids]
    )
    plan, numbers = plan_loss(loss)
    return LossObjective(
        plan, numbers, grouped, informative, loss_name=loss, curvature=curvature,
        n_trees=10, seed=seed,
    )  # fmt: skip


# One of each family; examples/benchmark_tree_losses.py trains all.
STARTS = ("hinge", "lambdarank", "lipo_lambda", "soft_spearman", "pld", "irpo", "rrhf")


@pytest.mark.parametrize("name", STARTS)
def test_trees_start(name):
    """There is a split from equal scores, or the error says why not."""
    fit = functools.partial(trees(LOSSES[name], n_estimators=1).fit, X, Y, QID)
    if name == "rrhf":  # every margin is reached
        message = (
            f"loss={LOSSES[name]!r} has no gradient where all scores are equal, and "
            "there trees begin, so no tree would have a split. Use another loss."
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            fit(**extras_for(LOSSES[name]))
    else:
        assert n_splits(fit(**extras_for(LOSSES[name]))) >= 1


@pytest.mark.parametrize("loss", [LOSSES["ranknet"], LOSSES["approx_ndcg"]])
def test_objective_is_gradient_and_curvature(loss):
    """Of each list, whatever its size, with weights of rows and lists."""
    weights = RNG.integers(0, 3, N).astype(float)
    of_lists = RNG.uniform(0.5, 2.0, QID.max() + 1)[QID]
    function = objective(loss, row_weights=weights, list_weights=of_lists)
    scores = RNG.normal(size=N)
    gradient, curvature = function(scores)
    where = np.arange(9) < np.bincount(QID)[:, None]  # (n_lists, longest)
    assert (np.diff(QID) >= 0).all()
    padded = {}
    for column, values in {"s": scores, "y": Y, "w": weights}.items():
        padded[column] = np.zeros(where.shape, np.float32)
        padded[column][where] = values
    inputs = {"where": where, "weights": padded["w"], "curvature": "auto"}
    inputs |= loss_info(loss).arguments(normalize=True)
    _, *expected = derivatives(loss, padded["s"], padded["y"], **inputs)
    expected = np.array([np.asarray(values)[where] * of_lists for values in expected])
    gradient_factor, curvature_factor = function._factors
    np.testing.assert_allclose(
        gradient / gradient_factor, expected[0], rtol=1e-4, atol=1e-6
    )
    if loss is LOSSES["ranknet"]:  # the secant has other signs
        floor = expected[1] < 1e-2 * expected[1].max()
        np.testing.assert_allclose(
            (curvature / curvature_factor)[~floor], expected[1][~floor], rtol=1e-4
        )
    is_used = expected[0] != 0
    assert (curvature[is_used] > 0).all()
    np.testing.assert_array_equal(gradient[weights == 0], 0.0)


@pytest.mark.parametrize(
    "loss", [lambdarank_loss, LOSSES["approx_ndcg"], LOSSES["gumbel_ndcg"]]
)
@pytest.mark.parametrize("is_sparse", [False, True])
def test_order_of_rows(loss, is_sparse):
    """Rows in another order have the same gradient, whatever the loss draws."""
    table = scipy.sparse.csr_matrix(X) if is_sparse else X
    order = RNG.permutation(N)
    scores = np.round(RNG.normal(size=N))  # with ties
    expected = objective(loss, X=table)(scores)
    permuted = objective(loss, order, X=table)(scores[order])
    for values, others in zip(expected, permuted, strict=True):
        np.testing.assert_allclose(values[order], others, rtol=1e-4, atol=1e-6)


def test_a_combination_has_the_curvature_of_its_parts():
    """0.5 RankNet + 2 ListNet: pairs and softmax, weighted."""
    scores, labels = jnp.array([[0.3, 0.1, -1.0]]), jnp.array([[1.0, 2.0, 0.0]])
    both = derivatives(
        combine((0.5, "ranknet"), (2.0, "listnet")), scores, labels, curvature="auto"
    )
    parts = [
        derivatives(LOSSES[name], scores, labels, curvature="exact")
        for name in ("ranknet", "listnet")
    ]
    for i in range(3):
        expected = 0.5 * parts[0][i] + 2.0 * parts[1][i]
        np.testing.assert_allclose(both[i], expected, rtol=1e-5)
    ranker = trees(combine((0.5, "ranknet"), (1.0, "approx_ndcg"))).fit(X, Y, QID)
    assert n_splits(ranker) >= 5


def test_own_loss():
    """It is trained; one that declares nothing gets the secant, NumPy is refused."""

    def spread(scores, labels, *, where):
        return jnp.where(where, (scores - labels) ** 2, 0.0).sum(axis=-1)

    def in_numpy(scores, labels, *, where):
        return np.sum((np.asarray(scores) - labels) ** 2, axis=-1)

    def scalar(scores, labels, *, where):
        return jnp.where(where, (scores - labels) ** 2, 0.0).sum()

    assert trees(spread, n_estimators=20).fit(X, Y, QID).score(X, Y, QID) > 0.9
    with pytest.raises(TypeError, match="a loss must compute with jax.numpy; .*in_num"):
        trees(in_numpy).fit(X, Y, QID)
    with pytest.raises(ValueError, match="a loss must return one number per list, sh"):
        trees(scalar).fit(X, Y, QID)


@pytest.fixture(scope="module")
def listnet():
    return trees("listnet", n_estimators=10).fit(X, Y, QID)


def test_save_clone_and_warm_start(listnet, tmp_path):
    """The loss keeps its name; 5 trees and 5 more are 10."""
    save_ranker(listnet, tmp_path / "model")
    loaded = load_ranker(tmp_path / "model")
    assert loaded.loss == "listnet"
    assert loaded.curvature == "auto"
    np.testing.assert_array_equal(loaded.predict(X), listnet.predict(X))
    again = clone(listnet).fit(X, Y, QID)
    np.testing.assert_array_equal(again.predict(X), listnet.predict(X))
    in_two = trees("listnet", warm_start=True).fit(X, Y, QID)
    in_two.set_params(n_estimators=10).fit(X, Y, QID)
    np.testing.assert_allclose(
        in_two.predict(X), listnet.predict(X), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    "loss",
    [
        lambdarank_loss,
        functools.partial(lambdarank_loss, k=3),
        combine((1.0, "ranknet"), (0.5, functools.partial(lambdarank_loss, k=3))),
    ],
)
def test_saved_losses(loss, tmp_path):
    """Functions of the library, their options and sums are saved without code."""
    ranker = trees("lambdarank").fit(X, Y, QID).set_params(loss=loss)
    save_ranker(ranker, tmp_path / "model")
    saved = load_ranker(tmp_path / "model").loss
    assert repr(saved) == repr(loss)


def test_early_stopping():
    """The metric on held-out queries, as with LightGBM's own losses."""
    ranker = trees("ranknet", n_estimators=60, n_iter_no_change=5)
    ranker.fit(X, Y, QID, X_val=X, y_val=Y, qid_val=QID)
    assert ranker.n_iter_ <= len(ranker.history_["ndcg@10"])
    assert ranker.best_score_ == max(ranker.history_["ndcg@10"])


def test_without_effect():
    """What belongs to the other kind of loss is warned about."""
    other = (
        "has no effect: it needs a loss of ltr.losses.LOSSES that is not LightGBM's own."
        " Set that, or leave"
    )
    with pytest.warns(
        UserWarning, match=re.escape(f"curvature='ones' {other} curvature")
    ):
        trees("lambdarank", curvature="ones").fit(X, Y, QID)
    with pytest.warns(
        UserWarning, match="norm=False has no effect: it needs loss='lam"
    ):
        trees("listnet", norm=False).fit(X, Y, QID)


def test_no_informative_list():
    """Nothing to learn: a warning, and equal scores."""
    with pytest.warns(UserWarning, match="No list has two distinct labels"):
        ranker = trees("ranknet").fit(X, np.ones(N), QID)
    assert np.ptp(ranker.predict(X)) == 0


def test_in_double_precision_too(x64):
    """A program in double precision around it changes nothing."""
    ranker = trees("listnet", n_estimators=10).fit(X, Y, QID)
    assert jax.config.jax_enable_x64
    assert n_splits(ranker) >= 10


@pytest.mark.parametrize("value", [1.0, np.nan])
def test_no_column_can_be_split(value):
    """All scores are equal, and a warning says why, as with LightGBM's own losses."""
    constant = np.full((N, 2), value)
    message = (
        "^No tree has a split, so all scores are equal. Every column of X is const"
    )
    with pytest.warns(UserWarning, match=message):
        ranker = trees(LOSSES["ranknet"], n_estimators=1).fit(constant, Y, QID)
    np.testing.assert_array_equal(ranker.predict(constant), np.zeros(N))
