"""Features of pairs in TSPRanker: laws, where they come from, and what is refused."""

import copy
import functools
import pickle
import re

import jax
import numpy as np
import pytest
from sklearn.base import clone

from ltr import NeuralRanker, TSPRanker, VotingRanker, load_ranker, save_ranker
from ltr.queries import group_queries
from ltr.rankers.saved_fields import check_pair_scaling
from ltr.scorers import PairScorer
from ltr.training.pair_table import PairTable, fit_pair_scaling

RNG = np.random.default_rng(0)


def make_walks(n_lists, sizes, rng):
    """Points that a walker visits with steps of about 1, shuffled; and their order."""
    X, y, qid = [], [], []
    for number in range(n_lists):
        size = int(rng.integers(sizes[0], sizes[1] + 1))
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.9, size))
        steps = np.column_stack([np.cos(heading), np.sin(heading)])
        points = np.cumsum(steps, axis=0)
        is_first = np.arange(size) == 0
        rows = rng.permutation(size)
        X.append(np.column_stack([points - points[0], is_first])[rows])
        y.append(-np.arange(size)[rows])
        qid += [f"q{number}"] * size
    return np.concatenate(X), np.concatenate(y), np.array(qid)


def distances(X_list):
    """Distance of each pair of items, infinite gains on the diagonal included."""
    gap = X_list[:, None, :2] - X_list[None, :, :2]
    with np.errstate(divide="ignore"):
        return np.log(np.sqrt((gap**2).sum(axis=-1)))  # -inf on the diagonal


def nothing(X_list):
    """Three features that say nothing."""
    return np.zeros((len(X_list), len(X_list), 3))


def arrays_of(function, X, qid):
    """One array per query, by first appearance."""
    return [function(X[qid == q]) for q in dict.fromkeys(qid)]


TRAIN = make_walks(60, (3, 7), RNG)
TEST = make_walks(40, (7, 7), RNG)
SMALL = {
    "hidden_layer_sizes": (8,),
    "pair_hidden_layer_sizes": (4,),
    "learning_rate": 0.02,
    "max_epochs": 12,
    "n_jobs": 1,
    "random_state": 0,
}


@functools.cache
def fitted(function=None):
    """A fitted ranker, made once."""
    return TSPRanker(pair_features=function, **SMALL).fit(*TRAIN)


def test_distances_help():
    """A model that sees distances is far ahead of one that sees positions only."""
    with_pairs, without = fitted(distances).score(*TEST), fitted().score(*TEST)
    assert with_pairs > without + 0.04
    assert with_pairs > 0.8


def test_zeros_change_nothing():
    """Features that are all 0 give the fit without them."""
    pairs = zip(
        fitted(nothing).pairwise_matrix(TEST[0], TEST[2]),
        fitted().pairwise_matrix(TEST[0], TEST[2]),
        strict=True,
    )
    for part, expected in pairs:
        for a, b in zip(part, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_arrays_are_the_function():
    """Arrays of the same values give the same fit, whatever the order of the rows."""
    X, y, qid = TRAIN
    rows = np.random.default_rng(1).permutation(len(y))
    X, y, qid = X[rows], y[rows], qid[rows]
    by_function = TSPRanker(pair_features=distances, **SMALL).fit(X, y, qid)
    ranker = TSPRanker(**SMALL)
    ranker.fit(X, y, qid, pair_features=arrays_of(distances, X, qid))
    X, y, qid = TEST
    rows = np.random.default_rng(2).permutation(len(y))
    X, y, qid = X[rows], y[rows], qid[rows]
    arrays = arrays_of(distances, X, qid)
    expected = by_function.predict(X, qid)
    np.testing.assert_array_equal(
        ranker.predict(X, qid, pair_features=arrays), expected
    )
    np.testing.assert_array_equal(
        by_function.predict(X, qid, pair_features=arrays), expected
    )  # arrays of a call take the place of the function
    for method in ("rank", "order", "expected_ranks", "decode", "precedence_proba"):
        a = getattr(ranker, method)(X, qid, pair_features=arrays)
        b = getattr(by_function, method)(X, qid)
        if method == "decode":
            a, b = [s.order for s in a], [s.order for s in b]
        np.testing.assert_array_equal(a, b)
    assert ranker.score(X, y, qid, pair_features=arrays) == by_function.score(X, y, qid)


def test_equivariance():
    """The order of the rows, and the other lists, decide nothing."""
    X, _, qid = TEST
    rows = np.random.default_rng(0).permutation(len(X))
    ranker = fitted(distances)
    np.testing.assert_array_equal(
        ranker.predict(X[rows], qid[rows]), ranker.predict(X, qid)[rows]
    )
    alone = qid == qid[0]
    np.testing.assert_array_equal(
        ranker.predict(X[alone]), ranker.predict(X, qid)[alone]
    )


def test_padding_changes_nothing():
    """The scores of real items of a padded list are those of the list alone."""
    queries = group_queries([0, 1, 0, 1, 1, 1, 1], 7)  # two items, and five
    lists = [RNG.normal(size=(n, n, 2)) for n in (2, 5)]
    table = PairTable.of_lists(lists, queries)
    X = RNG.normal(size=(8, 3))
    first_pair = (np.append(part, 0) for part in table[1:])  # of the padding row
    padded = PairTable(table.values, *first_pair)
    scorer = PairScorer("identity", (), None, False, 2, (4,))
    params = jax.tree.map(np.array, scorer.init(jax.random.key(0), 3))
    params["pairs"]["weights"] += 1.0
    rows, alone = np.array([[0, 2, 7, 7, 7], [1, 3, 4, 5, 6]]), np.array([[0, 2]])
    whole = scorer.apply(params, X[rows], pair_features=padded.block(rows))
    part = scorer.apply(params, X[alone], pair_features=table.block(alone))
    np.testing.assert_allclose(whole.matrix[0, :2, :2], part.matrix[0], rtol=1e-6)
    features = table.block(rows[1:])[0]
    np.testing.assert_array_equal(features, lists[1])


def test_skew():
    """With skew, the whole matrix is a preference."""
    lopsided = lambda X_list: X_list[:, None, :2] - 2 * X_list[None, :, :2]
    options = SMALL | {"max_epochs": 1, "skew": True, "pair_hidden_layer_sizes": ()}
    ranker = TSPRanker("pairwise", pair_features=lopsided, **options).fit(*TRAIN)
    matrix = ranker.pairwise_matrix(TEST[0], TEST[2])[0].matrix
    np.testing.assert_allclose(matrix, -matrix.T, atol=1e-12)


def test_validation():
    """Early stopping sees them, too: of held-out lists and of validation lists."""
    X, y, qid = TEST
    options = SMALL | {"max_epochs": 3}
    ranker = TSPRanker(pair_features=distances, **options)
    ranker.fit(*TRAIN, X_val=X, y_val=y, qid_val=qid)
    assert ranker.best_score_ == pytest.approx(ranker.score(X, y, qid))
    other = TSPRanker(**options).fit(
        *TRAIN,
        pair_features=arrays_of(distances, TRAIN[0], TRAIN[2]),
        X_val=X,
        y_val=y,
        qid_val=qid,
        pair_features_val=arrays_of(distances, X, qid),
    )
    assert other.best_score_ == ranker.best_score_
    held_out = TSPRanker(
        pair_features=distances, early_stopping=True, **options | {"max_epochs": 0}
    )
    assert np.isfinite(held_out.fit(*TRAIN).best_score_)


def test_further_training():
    """warm_start and partial_fit go on with them, and only with as many."""
    ranker = TSPRanker(pair_features=distances, **SMALL | {"max_epochs": 1})
    first = clone(ranker).partial_fit(*TRAIN)
    before = first.pairwise_matrix(TEST[0], TEST[2])[0].matrix
    after = first.partial_fit(*TRAIN).pairwise_matrix(TEST[0], TEST[2])[0].matrix
    assert np.abs(before - after).max() > 0
    ranker.set_params(warm_start=True).fit(*TRAIN)
    losses = ranker.history_["loss"]
    assert ranker.fit(*TRAIN).history_["loss"][-1] < losses[-1]
    message = (
        "pair_features must have 1 features of each pair, as in the first fit; got "
        "none. Pass them, or fit with warm_start=False."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.set_params(pair_features=None).fit(*TRAIN)
    plain = copy.deepcopy(fitted()).set_params(warm_start=True, pair_features=distances)
    with pytest.raises(ValueError, match="fitted without them"):
        plain.fit(*TRAIN)


def test_a_new_fit_forgets_them():
    """A ranker that is fitted again without them needs none."""
    ranker = copy.deepcopy(fitted(distances)).set_params(pair_features=None)
    ranker.set_params(max_epochs=1).fit(*TRAIN)
    assert ranker.predict(TEST[0], TEST[2]).shape == TEST[1].shape


def test_saved_by_name(tmp_path):
    """Only the name of the function is saved; whoever loads passes it again."""
    ranker = fitted(distances)
    save_ranker(ranker, tmp_path / "model")
    expected = ranker.predict(TEST[0], TEST[2])
    loaded = load_ranker(tmp_path / "model", pair_features=distances)
    np.testing.assert_array_equal(loaded.predict(TEST[0], TEST[2]), expected)
    assert repr(loaded) == repr(ranker)
    message = (
        f"{tmp_path / 'model'}: pair_features is required: the ranker was saved with "
        f"the function '{__name__}:distances', and loading imports no code. Import it, "
        "and pass load_ranker(folder, pair_features=function)."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_ranker(tmp_path / "model")
    again = pickle.loads(pickle.dumps(ranker))
    np.testing.assert_array_equal(again.predict(TEST[0], TEST[2]), expected)


def test_saved_with_arrays(tmp_path):
    """A ranker of arrays is saved as any other."""
    ranker = copy.deepcopy(fitted(distances)).set_params(pair_features=None)
    save_ranker(ranker, tmp_path / "model")
    loaded = load_ranker(tmp_path / "model")
    arrays = arrays_of(distances, TEST[0], TEST[2])
    np.testing.assert_array_equal(
        loaded.predict(TEST[0], TEST[2], pair_features=arrays),
        ranker.predict(TEST[0], TEST[2], pair_features=arrays),
    )
    with pytest.raises(ValueError, match="must be None for a ranker that was saved"):
        load_ranker(tmp_path / "model", pair_features=distances)
    local = copy.deepcopy(ranker).set_params(pair_features=lambda x: distances(x))
    with pytest.raises(ValueError, match="function that can be imported to be saved"):
        save_ranker(local, tmp_path / "other")


def test_saved_in_a_blend(tmp_path):
    """The function reaches the members of a blend."""
    blend = VotingRanker([("pairs", fitted(distances)), ("other", fitted())])
    blend.set_params(pairs__max_epochs=0, other__max_epochs=0).fit(*TRAIN)
    save_ranker(blend, tmp_path / "model")
    loaded = load_ranker(tmp_path / "model", pair_features=distances)
    np.testing.assert_array_equal(loaded.predict(*TEST[::2]), blend.predict(*TEST[::2]))
    with pytest.raises(ValueError, match="pair_features is required"):
        load_ranker(tmp_path / "model")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"pair_mean": np.zeros(1)},
            "pair_scale must have one entry a feature of pairs, 1; got missing.",
        ),
        (
            {"pair_mean": np.zeros(2), "pair_scale": np.ones(2)},
            "pair_mean must have one entry a feature of pairs, 1; got float64 of shape "
            "(2,).",
        ),
        (
            {"pair_mean": np.array([np.nan]), "pair_scale": np.ones(1)},
            "pair_mean must be finite; got [nan].",
        ),
        (
            {"pair_mean": np.zeros(1), "pair_scale": np.zeros(1)},
            "pair_scale must be > 0; got a smaller entry.",
        ),
    ],
)
def test_forged_scaling(arrays, message):
    """A scaling that no fit makes is refused."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_pair_scaling(arrays, 1)


BY_ROW = (
    "pair_features must not depend on the order of the rows: permuting the items of a "
    "list must permute rows and columns of its result. Got 0 for feature 0 of items 2 "
    "and 0 of query 'a', but 1 when its rows come as [2, 0, 1]. Compute result[i, j] "
    "from X_list[i], X_list[j] and the set of all items, not from i and j."
)
TRIPLE = np.arange(6.0).reshape(3, 2), [0, 1, 2], ["a"] * 3
REFUSED = {
    "shape": (
        lambda X_list: X_list,
        "pair_features must have shape (3, 3, n_pair_features) or (3, 3) for the 3 "
        "items of query 'a'; got shape (3, 2).",
    ),
    "finite": (
        lambda X_list: np.where(np.eye(3) > 0, np.nan, -np.inf),
        "pair_features must be finite off the diagonal; got -inf for feature 0 of "
        "items 0 and 1 of the 3 items of query 'a'.",
    ),
    "order": (lambda X_list: np.triu(np.ones((3, 3))), BY_ROW),
    "numbers": (
        lambda X_list: None,
        "pair_features must have shape (3, 3, n_pair_features) or (3, 3) for the 3 "
        "items of query 'a'; got shape ().",
    ),
    "function": (
        [np.zeros((3, 3))],
        "pair_features must be a function of the features of a list, or None; got "
        "list. Pass arrays to fit and predict: ranker.fit(X, y, qid, "
        "pair_features=arrays).",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    """Whole messages about what a function returns."""
    function, message = REFUSED[name]
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        TSPRanker(pair_features=function).fit(*TRIPLE)


def test_refused_arrays():
    """Whole messages about arrays of a call."""
    X, y, qid = TRIPLE
    message = (
        "pair_features must be a list of arrays, one per query by first appearance, 1 "
        "in all; got 3 in a list. Where rows are split, as in cross-validation, set "
        "the parameter pair_features to a function instead."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        TSPRanker().fit(X, y, qid, pair_features=[np.zeros((3, 3))] * 3)
    message = "pair_features must be None for a ranker that was fitted without them"
    with pytest.raises(ValueError, match=message):
        fitted().predict(*TEST[::2], pair_features=arrays_of(distances, *TEST[::2]))
    ranker = copy.deepcopy(fitted(distances)).set_params(pair_features=None)
    message = (
        "pair_features is required because the ranker was fitted with arrays of 1 "
        "features of each pair. Pass one array of shape (n, n, 1) per query: "
        "pair_features=arrays."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.predict(*TEST[::2])
    with pytest.raises(ValueError, match=r"must have 1 feature of each pair, as in f"):
        ranker.predict(*TEST[::2], pair_features=arrays_of(nothing, *TEST[::2]))
    paper = TSPRanker(compat="paper", pair_features=nothing)
    with (
        pytest.warns(UserWarning, match="is for comparison"),
        pytest.raises(ValueError, match="compat='paper', whose scores are bilinear"),
    ):
        paper.fit(*TRIPLE)
    with pytest.raises(ValueError, match="pair_features_val needs X_val and y_val"):
        TSPRanker().fit(X, y, qid, pair_features_val=[np.zeros((3, 3))])
    with pytest.raises(TypeError, match="pair_features"):
        NeuralRanker().fit(X, y, qid, pair_features=[np.zeros((3, 3))])


def test_scaling_leaves_the_diagonal_out():
    """Moments are those of pairs of two items, of the lists that are asked for."""
    queries = group_queries([0, 1, 0, 1, 1], 5)
    lists = [RNG.normal(size=(n, n, 2)) for n in (2, 3)]
    table = PairTable.of_lists(lists, queries)
    rows = queries.subset(np.array([1]))
    scaling = fit_pair_scaling(table.rows(rows), group_queries(None, 3))
    values = lists[1][~np.eye(3, dtype=bool)]
    np.testing.assert_allclose(scaling.mean, values.mean(axis=0))
    np.testing.assert_allclose(scaling.scale, values.std(axis=0))


@pytest.mark.parametrize("unit", [1e-300, 1e300])
def test_scaling_of_features_whose_squares_are_no_numbers(unit):
    queries = group_queries(None, 2)
    lists = [unit * np.array([[9.0, 1.0], [3.0, 9.0]])[:, :, None]]
    scaling = fit_pair_scaling(PairTable.of_lists(lists, queries), queries)
    np.testing.assert_allclose(scaling.mean, [2 * unit], rtol=1e-12)
    np.testing.assert_allclose(scaling.scale, [unit], rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("masked", lambda pairs: np.ma.array(pairs, mask=pairs > 0)),
        ("complex", lambda pairs: pairs + 1j),
    ],
)
def test_masked_and_complex_features_are_refused(kind, change):
    X = np.array([[1.0], [2.0]])
    ranker = TSPRanker(pair_features=lambda X: change(np.abs(X - X.T)), max_epochs=1)
    message = (
        "pair_features must be real numbers, none of them masked, for the 2 items of "
        f"query 0; got a {kind} array. Fill it, or take its real part."
    )
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        ranker.fit(X, [0, 1], [0, 0])
