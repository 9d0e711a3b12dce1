"""TSPRanker: laws of its orders, probabilities against enumeration, its parameters."""

import functools
import pickle
import re
from itertools import permutations

import numpy as np
import pytest
from sklearn.base import clone
from support.brute_force import best, ordering_value, path_value

from ltr import TSPRanker, load_ranker, save_ranker
from ltr.datasets import make_ranking
from ltr.losses.paths import PATH_LOSSES, pairwise_logistic_loss
from ltr.metrics import kendall_tau_score
from ltr.rankers.pairs.decoding import Decoder, borda_scores
from ltr.scorers import PairScorer, PairScores
from ltr.solvers import solve_path

DATA = make_ranking(
    100,
    list_size=5,
    n_features=6,
    n_informative=3,
    noise=0.1,
    nonlinearity=0.0,
    random_state=0,
)
TRAIN, TEST = DATA.train_test_split(0.3, random_state=0)


def small(loss="successor", **parameters):
    """A ranker that fits in a moment."""
    options = {
        "hidden_layer_sizes": (8,),
        "max_epochs": 25,
        "learning_rate": 0.02,
        "n_jobs": 1,
        "random_state": 0,
    }
    return TSPRanker(loss, **(options | parameters))


@functools.cache
def fitted(loss="successor", **parameters):
    """A fitted ranker, made once."""
    return small(loss, **parameters).fit(TRAIN.X, TRAIN.y, TRAIN.qid)


def lists(ranker, data=TEST):
    """Row numbers and pair scores of each list."""
    pairs = ranker.pairwise_matrix(data.X, data.qid)
    ids = list(dict.fromkeys(data.qid))
    return [(np.flatnonzero(data.qid == q), p) for q, p in zip(ids, pairs, strict=True)]


@pytest.mark.parametrize("loss", PATH_LOSSES)
def test_every_loss_learns(loss):
    """Each loss orders lists that it has not seen far better than chance, τ = 0."""
    assert fitted(loss).score(TEST.X, TEST.y, TEST.qid) > 0.3


@pytest.mark.parametrize("loss", ["successor", "pairwise"])
def test_decoded_order_is_the_best(loss):
    """Every order of the solver has the value of the best of all permutations."""
    ranker = fitted(loss)
    solutions = ranker.decode(TEST.X, TEST.qid)
    for (rows, pairs), solution in zip(lists(ranker), solutions, strict=True):
        if loss == "pairwise":
            value = lambda order, A=pairs.matrix: ordering_value(order, A)
        else:
            value = lambda order, p=pairs: path_value(order, *p)
        assert solution.is_optimal
        assert sorted(solution.order) == list(range(len(rows)))
        assert value(solution.order) == pytest.approx(best(value, len(rows))[0])


@pytest.mark.parametrize("parameters", [
    {}, {"loss": "pairwise"}, {"decoder": "bayes"},
    {"loss": "pairwise", "decoder": "borda"}, {"encoder": "attention"},
], ids=str)  # fmt: skip
def test_permuting_rows_permutes_the_ranking(parameters):
    """The order of the rows of a list decides nothing."""
    ranker = fitted(**parameters)
    rows = np.random.default_rng(0).permutation(len(TEST.y))
    shuffled = ranker.predict(TEST.X[rows], TEST.qid[rows])
    np.testing.assert_allclose(
        shuffled, ranker.predict(TEST.X, TEST.qid)[rows], atol=1e-9
    )


def test_rank_follows_decode():
    """rank is 1 for the first item of the order, and predict counts from the end."""
    ranker = fitted()
    ranks = ranker.rank(TEST.X, TEST.qid)
    scores = ranker.predict(TEST.X, TEST.qid)
    solutions = ranker.decode(TEST.X, TEST.qid)
    for (rows, _), solution in zip(lists(ranker), solutions, strict=True):
        np.testing.assert_array_equal(ranks[rows][solution.order], 1 + np.arange(5))
        np.testing.assert_array_equal(scores[rows], 5 - ranks[rows])


def test_shifts_of_rows_and_columns():
    """A constant on a row with its end, or a column with its start, moves no path."""
    rng = np.random.default_rng(0)
    matrix, start, end = rng.normal(size=(3, 6, 6)), *rng.normal(size=(2, 3, 6))
    u, v = rng.normal(size=(2, 3, 6))
    pairs = PairScores(matrix, start, end)
    shifted = PairScores(matrix + u[:, :, None] + v[:, None, :], start + v, end + u)
    before, after = (Decoder("path", n_jobs=1).solve(p) for p in (pairs, shifted))
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a.order, b.order)


def test_a_path_over_preferences_is_degenerate():
    """With A_ij = f_i − f_j every path with the right ends is best; one ordering is."""
    f = np.array([0.3, 2.0, 1.1, -0.4, 0.9])
    matrix, zeros = f[:, None] - f[None, :], np.zeros(5)
    right = np.argsort(-f)
    value = lambda order: path_value(order, matrix)
    tied = [
        p for p in permutations(range(5)) if np.isclose(value(p), f.max() - f.min())
    ]
    assert len(tied) == 6  # 3! middles
    assert all((p[0], p[-1]) == (right[0], right[-1]) for p in tied)
    taus = [kendall_tau_score(f, 5.0 - np.argsort(p)) for p in tied]
    assert np.mean(taus) == pytest.approx(0.7)
    pairs = PairScores(matrix[None], zeros[None], zeros[None])
    np.testing.assert_array_equal(Decoder("ordering").solve(pairs)[0].order, right)
    values = sorted(ordering_value(p, matrix) for p in permutations(range(5)))
    assert values[-1] > values[-2] + 0.1


def test_probabilities_are_those_of_enumeration():
    """P(j right after i), P(i before j) and mean ranks over all paths."""
    ranker = fitted("crf")
    successor = ranker.successor_proba(TEST.X, TEST.qid)
    precedence = ranker.precedence_proba(TEST.X, TEST.qid)
    ranks = ranker.expected_ranks(TEST.X, TEST.qid)
    rows, pairs = lists(ranker)[1]
    orders = list(permutations(range(5)))
    weights = np.exp([path_value(order, *pairs) for order in orders])
    weights /= weights.sum()
    after, first, before, mean = (
        np.zeros((5, 5)),
        np.zeros(5),
        np.zeros((5, 5)),
        np.zeros(5),
    )
    for order, weight in zip(orders, weights, strict=True):
        first[order[0]] += weight
        for place, i in enumerate(order):
            mean[i] += weight * (place + 1)
            before[i, list(order[place + 1 :])] += weight
            after[i, list(order[place + 1 : place + 2])] += weight
    np.testing.assert_allclose(successor[1].matrix, after, atol=1e-10)
    np.testing.assert_allclose(successor[1].start, first, atol=1e-10)
    np.testing.assert_allclose(precedence[1], before, atol=1e-10)
    np.testing.assert_allclose(ranks[rows], mean, atol=1e-10)
    expected = [sum(before[i, j] for i, j in pairs_of(order)) for order in orders]
    bayes = ranker.set_params(decoder="bayes").decode(TEST.X, TEST.qid)[1]
    ranker.set_params(decoder="auto")
    assert bayes.objective == pytest.approx(max(expected))


def pairs_of(order):
    """All pairs, the earlier item first."""
    return [(i, j) for place, i in enumerate(order) for j in order[place + 1 :]]


def test_probabilities_of_a_pairwise_loss():
    """They are those of orderings; the chance to be next is not defined."""
    ranker = fitted("pairwise")
    precedence = ranker.precedence_proba(TEST.X, TEST.qid)[0]
    matrix = lists(ranker)[0][1].matrix
    orders = list(permutations(range(5)))
    weights = np.exp([ordering_value(order, matrix) for order in orders])
    first = sum(
        w
        for order, w in zip(orders, weights, strict=True)
        if order.index(0) < order.index(1)
    )
    assert precedence[0, 1] == pytest.approx(first / weights.sum())
    with pytest.raises(ValueError, match="learns which item comes earlier, not which"):
        ranker.successor_proba(TEST.X, TEST.qid)


BY_DECODE = "take their best orders from decode, or their scores from pairwise_matrix"


@pytest.mark.parametrize(
    ("call", "what", "cure"),
    [
        ("successor_proba", "successor_proba", BY_DECODE),
        ("precedence_proba", "precedence_proba", BY_DECODE),
        ("expected_ranks", "precedence_proba", BY_DECODE),
        ("predict", "decoder='bayes'", "set decoder='auto'"),
        ("decode", "decoder='bayes'", "set decoder='auto'"),
    ],
)
def test_lists_too_long_to_sum_over_their_orders(call, what, cure):
    """The limit, the longest list, and what to do, before any list is scored."""
    ranker = clone(small(max_epochs=0)).fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    ranker.set_params(decoder="bayes")
    qid = ["a"] * 5 + ["b"] * 16 + ["c"] * 18 + ["d"] * (len(TEST.y) - 39)
    long = len(TEST.y) - 39
    message = (
        f"{what} sums over all orders of a query's items, at most 15; got {long} items "
        f"for query 'd', the longest of 3 above the limit. Leave those out, or {cure}."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        getattr(ranker, call)(TEST.X, qid)


@pytest.mark.parametrize(
    ("loss", "decoder"), [("successor", "auto"), ("pairwise", "auto"), ("crf", "bayes")]
)
def test_copies_share_their_places(loss, decoder):
    """Rows that nothing tells apart get one score, whatever the order of the rows."""
    ranker = clone(small(loss, decoder=decoder)).fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    X = TEST.X[[0, 1, 0, 2, 3, 0, 2, 4]]
    qid = np.zeros(8)
    scores = ranker.predict(X, qid)
    assert len(np.unique(scores[[0, 2, 5]])) == len(np.unique(scores[[3, 6]])) == 1
    assert len(np.unique(scores[[0, 1, 3, 4, 7]])) > 1
    assert scores.sum() == 28
    (solution,) = ranker.decode(X, qid)
    places = 7 - np.argsort(solution.order)
    assert scores[0] == pytest.approx(places[[0, 2, 5]].mean())
    for seed in range(5):
        rows = np.random.default_rng(seed).permutation(8)
        np.testing.assert_allclose(ranker.predict(X[rows], qid), scores[rows])


def test_borda():
    """Row sums of what the matrix says for minus what it says against."""
    matrix = np.array(
        [
            [0, 0.5, -0.2, 0.1],
            [0.3, 0, 0.8, -0.4],
            [-0.6, 0.2, 0, 0.9],
            [0.7, -0.1, 0.4, 0],
        ]
    )
    np.testing.assert_allclose(borda_scores(matrix), [0.0, 0.1, -0.5, 0.4], atol=1e-12)
    pairs = PairScores(matrix[None], np.zeros((1, 4)), np.zeros((1, 4)))
    solution = Decoder("borda").solve(pairs)[0]
    assert solution.order.tolist() == [3, 1, 0, 2]
    assert solution.objective == pytest.approx(ordering_value(solution.order, matrix))
    assert solution.bound >= best(lambda o: ordering_value(o, matrix), 4)[0]
    assert not solution.is_optimal
    assert solution.wall_time_s > 0
    agreed = PairScores(np.triu(np.full((1, 6, 6), 0.1), 1), None, None)
    assert Decoder("borda").solve(agreed)[0].is_optimal


def test_lists_of_one_two_and_many():
    """Any size; a work limit leaves an order with a gap, never nothing."""
    qid = np.repeat([0, 1, 2], [1, 2, 40])
    X = np.random.default_rng(0).normal(size=(43, 6))
    ranker = clone(small(work_limit=0.0)).fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    scores = ranker.predict(X, qid)
    assert sorted(scores[3:]) == list(range(40))
    assert scores[0] == 0
    solutions = ranker.decode(X, qid)
    assert [len(s.order) for s in solutions] == [1, 2, 40]
    assert all(s.bound >= s.objective for s in solutions)


@pytest.mark.parametrize(
    ("n_items", "limit", "work"),
    [(150, None, 20.0), (300, None, 5.0), (1000, None, 0.45), (1000, 2.0, 2.0)],
)
def test_long_lists_have_less_work_by_default(n_items, limit, work, monkeypatch):
    """As the docstring of ``work_limit`` says; a limit of the user's own counts."""
    limits = []

    def solve_paths(matrices, **options):
        limits.append(options["work_limit"])
        return [solve_path(matrix) for matrix in np.zeros((len(matrices), 2, 2))]

    monkeypatch.setattr("ltr.solvers.solve_paths", solve_paths)
    matrix = np.broadcast_to(0.0, (1, n_items, n_items))
    Decoder("path", work_limit=limit).solve(PairScores(matrix, None, None))
    assert limits == pytest.approx([work])


def test_open_lists_are_counted(capsys):
    """With verbose, predict says how many orders are not proven."""
    rng = np.random.default_rng(1)
    ranker = clone(small(work_limit=0.0, verbose=1, max_epochs=1))
    ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    params = dict(ranker._learned_state.params)
    params |= {"left": rng.normal(size=(8, 8)), "single": np.zeros((8, 3))}  # not easy
    ranker._learned_state = ranker._learned_state._replace(params=params)
    X = rng.normal(size=(120, 6)) * 30
    qid = np.arange(120) % 2
    gaps = [solution.gap for solution in ranker.decode(X, qid)]
    assert min(gaps) > 1e-6
    capsys.readouterr()
    ranker.predict(X, qid)
    assert capsys.readouterr().err == (
        f"2 of 2 lists are decoded without a proof; largest gap {max(gaps):.2g}\n"
    )


def test_forgotten_qid_warns():
    """So many rows are hardly one list, if fit had many lists."""
    ranker = fitted(decoder="borda", loss="pairwise", max_epochs=0)
    ranker.predict(TEST.X[:5])
    with pytest.warns(UserWarning, match="^qid is None, so all 1001 rows compete in"):
        ranker.predict(np.resize(TEST.X, (1001, TEST.X.shape[1])))


def test_decoder_must_fit_the_loss():
    """A mismatch works, and says what is wrong with it."""
    with pytest.warns(UserWarning, match="does not fit") as caught:
        small("pairwise", decoder="path", max_epochs=0).fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    assert str(caught[0].message) == (
        "decoder='path' does not fit loss='pairwise', which trains for "
        "decoder='ordering': a path sees only neighbors, a linear ordering all pairs. "
        "Set decoder='auto'."
    )


@pytest.mark.parametrize(("parameters", "message"), [
    ({"loss": "listnet"}, "loss must be one of 'successor', "),
    ({"decoder": "sort"}, "decoder must be one of 'auto', 'path', "),
    ({"encoder": "cnn"}, "encoder must be one of 'identity', 'mlp', 'attention'; got 'cnn'"),
    ({"low_rank": 0}, "low_rank must be a whole number >= 1; got 0"),
    ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes must be a whole number >= 1; got 0"),
    ({"time_limit_s": -1}, "time_limit_s must be a number >= 0, or None; got -1"),
])  # fmt: skip
def test_bad_parameters(parameters, message):
    """The message names the parameter, what it may be, and what came."""
    with pytest.raises(ValueError, match=re.escape(message)):
        small(**parameters).fit(TRAIN.X, TRAIN.y, TRAIN.qid)


def test_loss_with_options():
    """A partial of a path loss decodes as that loss."""
    loss = functools.partial(pairwise_logistic_loss, normalize=True)
    ranker = small(loss).fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    named = fitted("pairwise")
    np.testing.assert_array_equal(
        ranker.predict(TEST.X, TEST.qid), named.predict(TEST.X, TEST.qid)
    )


def test_pickle_and_repeats():
    """The same seed gives the same ranker, and so does a pickle."""
    ranker = fitted()
    again = clone(ranker).fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    copy = pickle.loads(pickle.dumps(ranker))
    for other in (again, copy):
        np.testing.assert_array_equal(
            other.predict(TEST.X, TEST.qid), ranker.predict(TEST.X, TEST.qid)
        )


def test_query_weight():
    """A list of weight 0 teaches nothing."""
    n = len(TRAIN.y) // 2 // 5 * 5
    weight = np.r_[np.ones(n), np.zeros(len(TRAIN.y) - n)]
    reversed_ = TRAIN.y.copy()
    reversed_[n:] = TRAIN.y.max() - reversed_[n:]
    options = {"early_stopping": False, "preprocess": None, "max_epochs": 3}
    fits = [
        small(**options).fit(TRAIN.X, y, TRAIN.qid, query_weight=weight)
        for y in (TRAIN.y, reversed_)
    ]
    a, b = (fit.pairwise_matrix(TEST.X, TEST.qid)[0].matrix for fit in fits)
    np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("scorer", [
    PairScorer("identity"), PairScorer("mlp", (8,), low_rank=2), PairScorer("attention", (8,)),
    PairScorer("mlp", (8,), skew=True),
], ids=repr)  # fmt: skip
def test_pair_scorer(scorer, x64):
    """Permuting items permutes the matrix; NumPy and JAX agree; skew is skew."""
    import jax

    params = scorer.init(jax.random.key(0), 3)
    X = np.random.default_rng(0).normal(size=(2, 5, 3))
    pairs = scorer.apply(params, jax.numpy.asarray(X))
    in_numpy = scorer.apply(jax.tree.map(np.asarray, params), X)
    order = np.array([3, 1, 4, 0, 2])
    moved = scorer.apply(params, jax.numpy.asarray(X[:, order]))
    for a, b in zip(pairs, in_numpy, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)
    np.testing.assert_allclose(
        moved.matrix, pairs.matrix[:, order][:, :, order], atol=1e-12
    )
    np.testing.assert_allclose(moved.start, pairs.start[:, order], atol=1e-12)
    is_skew = np.allclose(pairs.matrix, -np.swapaxes(pairs.matrix, 1, 2))
    assert is_skew == scorer.skew


def test_as_published():
    """It warns, learns, and depends on the order of the rows."""
    ranker = small("hybrid", compat="paper", max_epochs=40)
    with pytest.warns(UserWarning, match="compat='paper' is for comparison"):
        ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    assert ranker.score(TEST.X, TEST.y, TEST.qid) > 0.2
    rows = np.random.default_rng(0).permutation(len(TEST.y))
    a = ranker.predict(TEST.X[rows], TEST.qid[rows])
    assert (a != ranker.predict(TEST.X, TEST.qid)[rows]).any()
    assert ranker.pairwise_matrix(TEST.X, TEST.qid)[0].start is None
    with pytest.raises(ValueError, match="loss must be one of 'successor', "):
        small("crf", compat="paper").fit(TRAIN.X, TRAIN.y, TRAIN.qid)


def test_saved_and_loaded(tmp_path):
    """As JSON and arrays, nothing to execute; with the same predictions."""
    save_ranker(fitted(), tmp_path / "model")
    loaded = load_ranker(tmp_path / "model")
    np.testing.assert_array_equal(
        loaded.predict(TEST.X, TEST.qid), fitted().predict(TEST.X, TEST.qid)
    )
