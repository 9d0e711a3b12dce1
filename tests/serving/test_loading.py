"""Saved rankers in a process without JAX, scikit-learn, pandas and LightGBM's package."""

import re
import threading

import numpy as np
import pandas as pd
import pytest
from support.saved_rankers import (
    MISSING,
    QID,
    TABLE,
    X,
    Y,
    trees,
)

from ltr import (
    LinearRanker,
    NeuralRanker,
    VotingRanker,
    save_ranker,
)
from ltr.scorers import SCORERS, LinearScorer, Scorer
from ltr.scorers.parameters import leaves


def test_predictions_are_those_of_the_training_process(saved, served):
    _, _, expected = saved
    actual, _ = served
    assert set(actual) == set(expected)
    for name, values in expected.items():
        assert actual[name].dtype == values.dtype, name
        np.testing.assert_array_equal(actual[name], values, err_msg=name)


def test_a_serving_process_imports_only_numpy(served):
    """SciPy comes with the solver of paths and orderings, after all other rankers."""
    _, seen = served
    allowed = {"path", "ordering", "ensemble", "constrained"}
    assert {name: seen[name] for name in seen if name not in allowed} == {
        name: [] for name in seen if name not in allowed
    }
    for name in allowed:
        assert seen[name] in ([], ["scipy"])


def test_every_class_that_can_be_saved_counts_as_its_own():
    """isinstance of a loaded ranker looks for the class in the module that has it."""
    from ltr.rankers.persistence import _CLASSES
    from ltr.serving.loading import _DEFINED_IN

    modules = {name: kind.__module__ for name, kind in _CLASSES.items()}
    del modules["ModelIndex"]  # scores no rows, and is never a LoadedRanker
    assert _DEFINED_IN == {**modules, "Pipeline": "sklearn.pipeline"}


def test_a_process_with_estimators_gets_the_estimator(saved):
    from ltr import load_ranker

    assert type(load_ranker(saved[0] / "mlp")) is NeuralRanker


def test_a_loaded_ranker_becomes_the_estimator(loaded, saved):
    """Whatever but predict, rank and order is asked for; its predictions stay."""
    ranker = loaded("linear-rows")
    assert type(ranker).__name__ == "LoadedRanker"
    assert repr(ranker) == (
        "<LinearRanker of 6 features, loaded to predict from "
        f"{str((saved[0] / 'linear-rows').resolve())!r}>"
    )
    assert isinstance(ranker, LinearRanker)
    assert type(ranker).__name__ == "LoadedRanker"
    scores = ranker.predict(X, QID)
    assert ranker.score(X, Y, QID) > 0
    assert type(ranker) is LinearRanker
    np.testing.assert_array_equal(ranker.predict(X, QID), scores)
    assert ranker.alpha_ == loaded("linear-rows").alpha_


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            ModuleNotFoundError("No module named 'jax'", name="jax"),
            "needs jax, which is not installed here",
        ),
        (ImportError("libgomp.so.1"), "needs an import that fails here (libgomp.so.1)"),
    ],
)
def test_an_estimator_that_cannot_be_imported(loaded, monkeypatch, error, reason):
    def fail(ranker):
        raise error

    monkeypatch.setattr("ltr.serving.loading._estimator", fail)
    with pytest.raises(AttributeError) as refusal:
        _ = loaded("linear").score
    assert str(refusal.value) == (
        f"'score' of a ranker that is loaded to serve {reason}; predict, rank and order "
        "do not."
    )


def test_a_loaded_ranker_is_cloned_copied_and_pickled_as_an_estimator(loaded):
    import copy
    import pickle

    from sklearn.base import clone

    expected = loaded("ranks").predict(X, QID)
    assert type(clone(loaded("ranks"))) is VotingRanker
    for copied in (
        copy.deepcopy(loaded("ranks")),
        pickle.loads(pickle.dumps(loaded("ranks"))),
    ):
        assert type(copied) is VotingRanker
        np.testing.assert_array_equal(copied.predict(X, QID), expected)
    ranker = loaded("ranks")
    ranker.metric = "mrr"
    assert (type(ranker), ranker.get_params()["metric"]) == (VotingRanker, "mrr")


def test_a_loaded_ranker_that_was_replaced(loaded, saved, tmp_path):
    """It goes on predicting, but cannot become what is in the folder now."""
    folder = tmp_path / "model"
    save_ranker(LinearRanker(alpha=1.0).fit(X, Y, QID), folder)
    ranker = loaded(folder)
    save_ranker(LinearRanker(alpha=2.0).fit(X, Y, QID), folder)
    assert len(ranker.predict(X, QID)) == len(X)
    message = (
        f"{folder.resolve()} must still hold the ranker that was loaded; another one "
        "was saved there since. Call load_ranker again."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.fit(X, Y, QID)


@pytest.mark.parametrize("name", ["mlp", "attention", "trees", "stacking", "path"])
def test_threads_predict_at_once(loaded, saved, name):
    """Eight threads get the bits that one gets."""
    ranker, expected = loaded(name), saved[2]
    table = dict(saved[1])[name]
    rows = {"X": X, "missing": MISSING, "single": X.astype("f4")}[table]
    results = [None] * 8

    def run(number):
        results[number] = [ranker.predict(rows, QID) for _ in range(5)]

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for scores in (scores for result in results for scores in result):
        np.testing.assert_array_equal(scores, expected[name])


def test_threads_predict_while_another_makes_it_an_estimator(loaded, saved):
    """No call sees half of it."""
    for _ in range(5):
        ranker, expected = loaded("ranks"), saved[2]["ranks"]
        results, stop = [], threading.Event()

        def run(ranker=ranker, results=results, stop=stop):
            while not stop.is_set():
                results.append(ranker.predict(X, QID))

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert ranker.score(X, Y, QID) > 0
        stop.set()
        for thread in threads:
            thread.join()
        results.append(ranker.predict(X, QID))
        for scores in results:
            np.testing.assert_array_equal(scores, expected)


def test_frames_and_other_tables(loaded, tmp_path):
    """Names are compared, categories decoded, and lists read, as by the estimator."""
    ranker = trees().fit(TABLE, Y, QID)
    save_ranker(ranker, tmp_path / "table")
    served = loaded(tmp_path / "table")
    np.testing.assert_array_equal(
        served.predict(TABLE, QID), ranker.predict(TABLE, QID)
    )
    assert list(served.feature_names_in_) == list("abcdef")
    assert not hasattr(loaded("mlp"), "feature_names_in_")
    simple = loaded("linear-rows")
    expected = simple.predict(X[:4])
    for rows in (X[:4].tolist(), X[:4].astype(object), np.asfortranarray(X[:4])):
        np.testing.assert_array_equal(simple.predict(rows), expected)
    assert simple.predict([]).shape == (0,)
    with pytest.warns(UserWarning, match="^X has feature names, but LinearRanker was"):
        simple.predict(pd.DataFrame(X[:4], columns=list("abcdef")))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            X[:, :5],
            "X has 5 features, but LinearRanker is expecting 6 features as input.",
        ),
        (
            X[0],
            "Expected 2D array, got 1D array instead: X must have a row for each item; "
            "got shape (6,). Pass X.reshape(1, -1) for one item.",
        ),
        (
            [[1, 2, 3, 4, 5, "six"]],
            "X must hold numbers; got text that is none, of dtype <U21. Encode it.",
        ),
        (X[:1] * 1j, "Complex data not supported: X must hold real numbers."),
        (
            np.where(X[:2] == X[1, 3], np.inf, X[:2]),
            "X must be finite or NaN; got inf at row 1, column 3. Clip or replace it.",
        ),
    ],
)
def test_messages_about_rows(loaded, rows, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        loaded("linear-rows").predict(rows)


@pytest.mark.parametrize(
    "make", [lambda load: load("mlp"), lambda load: LinearRanker()]
)
def test_a_cut_off_in_the_place_of_qid(loaded, make):
    """order(X, 10) is an easy slip."""
    message = (
        "qid must have one entry per row of X; got 10. To take the first 10 rows of each "
        "query, pass k=10."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make(loaded).order(X, 10)


def test_outlines_are_the_shapes_that_init_draws():
    """For every scorer with a name, and those of pairs; jax.tree has our order."""
    import jax

    from ltr.scorers import PairEnsemble, PairScorer, PublishedPairScorer, get_scorer

    scorers = [get_scorer(name, (8, 4), 3) for name in SCORERS]
    scorers += [
        get_scorer("two_tower", (), 2),
        get_scorer("two_tower", (), 2, "bilinear"),
    ]
    for encoder in ("identity", "mlp", "attention"):
        scorers += [
            PairScorer(encoder, (8, 4), low_rank=2),
            PairEnsemble(PairScorer(encoder, (8, 4), None, False, 3, (5,)), 2),
            PairScorer(encoder, (8, 4), None, True, 3),
            PublishedPairScorer(encoder, (8, 4)),
        ]
    for scorer in scorers:
        drawn = jax.eval_shape(lambda key, s=scorer: s.init(key, 6), jax.random.key(0))
        outline = scorer.outline(6)
        assert jax.tree.structure(drawn) == jax.tree.structure(outline), scorer
        shapes = [leaf.shape for leaf in jax.tree.leaves(drawn)]
        assert [leaf.shape for leaf in leaves(outline)] == shapes, scorer


def test_outline_of_a_scorer_of_your_own():
    """It need not say what its parameters look like."""

    class Doubled(LinearScorer):
        outline = Scorer.outline

    shapes = [leaf.shape for leaf in leaves(Doubled().outline(3))]
    assert shapes == [leaf.shape for leaf in leaves(LinearScorer().outline(3))]
