"""Comparisons: folds, averages over seeds, picks, resuming, the table."""

import functools
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from ltr import (
    AutoRanker,
    LinearRanker,
    NeuralRanker,
    RandomRanker,
    SingleFeatureRanker,
    VotingRanker,
)
from ltr.cli import compare as command
from ltr.cli import main
from ltr.cli.compare import _names
from ltr.compare import (
    DEFAULT_RANKERS,
    compare_rankers,
    make_ranker,
    part_folds,
    peers,
    query_folds,
)
from ltr.datasets import RankingData, make_ranking
from ltr.metrics import ndcg_score
from ltr.queries import group_queries
from ltr.rankers.base import BaseRanker

DATA = make_ranking(30, list_size=(3, 8), n_features=4, n_informative=3, random_state=0)
FOLDS = query_folds(DATA, n_folds=3)


class NoisyRanker(BaseRanker):
    """The first feature plus noise that depends on the seed."""

    def __init__(self, noise=1.0, random_state=0, metric="ndcg@10"):
        self.noise = noise
        self.random_state = random_state
        self.metric = metric

    def fit(self, X, y, qid=None):
        self.n_features_in_ = X.shape[1]
        self._fitted_with_qid = qid is not None
        return self

    def predict(self, X, qid=None):
        noise = np.random.default_rng(self.random_state).normal(size=len(X))
        return X[:, 0] + self.noise * noise


class FailingRanker(RandomRanker):
    """Cannot be fitted."""

    def fit(self, X, y, qid=None):
        raise ValueError("the labels are upside down")


def test_query_folds():
    """Every list is tested once; train, validation and test have none in common."""
    tested = []
    for fold in FOLDS:
        rows = [fold.train.X, fold.valid.X, fold.test.X]
        assert sum(len(r) for r in rows) == len(DATA.y)
        assert len(np.unique(np.concatenate(rows), axis=0)) == len(DATA.y)
        tested.append(fold.test.X)
    np.testing.assert_array_equal(
        np.sort(np.concatenate(tested), axis=0), np.sort(DATA.X, axis=0)
    )
    with pytest.raises(ValueError, match="n_folds must be >= 3"):
        query_folds(DATA, n_folds=2)


def test_part_folds_rotate_as_letor():
    """Fold 1 trains on S1–S3, validates on S4, tests on S5, and so on."""
    parts = [
        RankingData(np.full((2, 1), i), np.array([0, 1]), np.array([1, 1]))
        for i in range(1, 6)
    ]
    folds = part_folds(parts)
    used = [
        ([*dict.fromkeys(f.train.X[:, 0])], f.valid.X[0, 0], f.test.X[0, 0])
        for f in folds
    ]
    assert used == [
        ([1, 2, 3], 4, 5),
        ([2, 3, 4], 5, 1),
        ([3, 4, 5], 1, 2),
        ([4, 5, 1], 2, 3),
        ([5, 1, 2], 3, 4),
    ]
    assert folds[0].train.n_queries == 3, "one qid in three parts is three queries"
    with pytest.raises(ValueError, match="parts must have at least 3 parts; got 2"):
        part_folds(parts[:2])


def test_values_are_means_over_seeds_and_lists():
    """Against the rankers run by hand."""
    board = compare_rankers(
        {"noisy": NoisyRanker(), "feature": SingleFeatureRanker()},
        FOLDS,
        metrics=("ndcg@3", "mrr"),
        seeds=(0, 1, 2),
    )
    by_seed = []
    for seed in range(3):
        values = []
        for fold in FOLDS:
            scores = (
                NoisyRanker(random_state=seed)
                .fit(fold.train.X, None)
                .predict(fold.test.X)
            )
            values.append(
                ndcg_score(fold.test.y, scores, qid=fold.test.qid, k=3, per_query=True)
            )
        by_seed.append(np.concatenate(values))
    table = board.table()
    np.testing.assert_allclose(table.loc["noisy", "ndcg@3"], np.mean(by_seed))
    means = np.mean(by_seed, axis=1)
    np.testing.assert_allclose(board.seed_means["noisy"], means)
    np.testing.assert_allclose(table.loc["noisy", "seed sd"], means.std(ddof=1))
    assert np.isnan(table.loc["feature", "seed sd"]), "deterministic rankers run once"
    assert table.loc["noisy", "ndcg@3 low"] < table.loc["noisy", "ndcg@3"]


def test_order_and_significance():
    """Best first; a clearly worse ranker is marked, an equal one is not."""
    data = make_ranking(300, list_size=8, nonlinearity=0.0, noise=0.1, random_state=0)
    board = compare_rankers(
        {
            "random": RandomRanker(),
            "a": SingleFeatureRanker(),
            "b": SingleFeatureRanker(),
        },
        query_folds(data, 3),
        metrics=("ndcg@10",),
    )
    table = board.table()
    assert list(table.index[:2]) in (["a", "b"], ["b", "a"])
    assert np.isnan(table["p"].iloc[0])
    assert table["p"].iloc[1] == 1.0
    assert table.loc["random", "p"] < 0.01
    lines = board.to_text().splitlines()
    assert lines[3].startswith("random")
    assert "*" in lines[3]
    assert "best" in lines[1]
    assert "*" not in lines[2]


def test_pick_takes_the_best_on_validation():
    """For each fold and seed, by the validation lists alone."""
    rankers = {"a": NoisyRanker(3.0), "b": NoisyRanker(0.0), "random": RandomRanker()}
    board = compare_rankers(
        rankers, FOLDS, metrics=("ndcg@3",), picks={"picked": ["a", "b"]}
    )
    expected = []
    for fold in FOLDS:
        fitted = {k: rankers[k].fit(fold.train.X, None) for k in ("a", "b")}
        score = lambda r, part: ndcg_score(
            part.y, r.predict(part.X), qid=part.qid, k=3, per_query=True
        )
        best = max(fitted, key=lambda k: np.nanmean(score(fitted[k], fold.valid)))
        expected.append(score(fitted[best], fold.test))
    np.testing.assert_allclose(
        board.per_query["picked"][:, 0], np.concatenate(expected)
    )
    with pytest.raises(ValueError, match="pick 'p' must be among the compared rankers"):
        compare_rankers(rankers, FOLDS, picks={"p": ["c"]})


def test_folds_of_data():
    """Data are split by query_folds; what is no fold is an error that says so."""
    rankers = {"random": RandomRanker()}
    of_data = compare_rankers(rankers, DATA, metrics=["map"])
    of_folds = compare_rankers(rankers, query_folds(DATA), metrics=["map"])
    np.testing.assert_array_equal(
        of_data.per_query["random"], of_folds.per_query["random"]
    )
    for folds in (3, []):
        with pytest.raises(ValueError, match="^folds must be a Ranking") as caught:
            compare_rankers(rankers, folds)
        assert str(caught.value) == (
            "folds must be a RankingData or a sequence of Fold, such as "
            f"query_folds(data, n_folds=5), and not empty; got {folds}."
        )
    with pytest.raises(TypeError, match="^rankers must be a mapping of names to"):
        compare_rankers([RandomRanker()], DATA)


def test_failures_are_listed():
    """One ranker that cannot be fitted does not stop the others."""
    lines = []
    board = compare_rankers(
        {"bad": FailingRanker(), "random": RandomRanker()},
        FOLDS,
        picks={"picked": ["bad"]},
        progress=lines.append,
    )
    assert list(board.table().index) == ["random"]
    assert board.failures["bad"] == "the labels are upside down"
    assert "bad: failed: the labels are upside down" in board.to_text()
    assert "picked: failed: the fits of all candidates failed" in board.to_markdown()
    assert sum("failed" in line for line in lines) == 1
    nothing = compare_rankers({"bad": FailingRanker()}, FOLDS)
    assert nothing.to_text().startswith("every fit failed\nbad: failed")


def test_resume(tmp_path):
    """Finished fits are kept; a changed parameter or fold is refitted."""
    options = {"metrics": ("ndcg@3",), "work_dir": tmp_path}
    first = compare_rankers({"noisy": NoisyRanker()}, FOLDS, **options)
    assert len(list(tmp_path.iterdir())) == 3
    fitted = []

    class Watched(NoisyRanker):
        def fit(self, X, y, qid=None):
            fitted.append(1)
            return super().fit(X, y, qid)

    Watched.__qualname__ = NoisyRanker.__qualname__
    again = compare_rankers({"noisy": Watched()}, FOLDS, **options)
    assert not fitted
    np.testing.assert_array_equal(again.per_query["noisy"], first.per_query["noisy"])
    compare_rankers({"noisy": Watched(noise=2.0)}, FOLDS, **options)
    assert len(fitted) == 3
    compare_rankers(
        {"noisy": Watched()}, query_folds(DATA, 3, random_state=1), **options
    )
    assert len(fitted) == 6


def damage(path, how):
    """Spoil an entry of the cache in one of many ways."""
    content = path.read_bytes()
    path.unlink()
    if how == "pipe":
        os.mkfifo(path)
    elif how == "folder":
        path.mkdir()
    elif isinstance(how, int):
        bit = how * 8 * len(content) // 16
        flipped = content[bit // 8] ^ (1 << bit % 8)
        path.write_bytes(
            content[: bit // 8] + bytes([flipped]) + content[bit // 8 + 1 :]
        )
    else:
        spoiled = {
            "empty": b"",
            "cut": content[:-7],
            "longer": content + b"1",
            "huge": bytes(10**6),
            "text": b"not a fit\n",
        }
        path.write_bytes(spoiled[how])


KINDS = ["pipe", "folder", "empty", "cut", "longer", "huge", "text", *range(16)]


def test_damaged_fits_are_refitted(tmp_path):
    """Whatever happened to an entry: the board is the same, and it is said."""
    options = {"metrics": ("ndcg@3",), "work_dir": tmp_path}
    first = compare_rankers({"noisy": NoisyRanker()}, FOLDS, **options)
    for how in KINDS:
        path = min(tmp_path.glob("*.npz"))
        damage(path, how)
        message = f"^{re.escape(str(path))} is not a finished fit: .*It is fitted again"
        with pytest.warns(UserWarning, match=message):
            again = compare_rankers({"noisy": NoisyRanker()}, FOLDS, **options)
        assert not again.failures
        np.testing.assert_array_equal(
            again.per_query["noisy"], first.per_query["noisy"]
        )
        if how in ("pipe", "folder"):
            path.rmdir() if path.is_dir() else path.unlink()
        compare_rankers({"noisy": NoisyRanker()}, FOLDS, **options)  # says nothing


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo])
def test_work_dir_that_is_no_folder(tmp_path, make):
    """A file or a pipe: an error before anything is fitted."""
    path = tmp_path / "work"
    make(path)
    message = (
        f"work_dir must be a folder, or not exist yet; {path} is something else. Choose "
        "another path."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        compare_rankers({"noisy": NoisyRanker()}, FOLDS, work_dir=path)


VALIDATED = {
    "neural": NeuralRanker("ranknet", "linear", max_epochs=1),
    "auto": AutoRanker(members=["linear"]),
    "voting": VotingRanker([("linear", LinearRanker())]),
}


@pytest.mark.parametrize("name", VALIDATED)
def test_rankers_get_the_validation_lists_of_the_fold(name, monkeypatch):
    """To stop or to compare members on, by the metric of the table; not to train on."""
    seen = {}
    ranker = VALIDATED[name]
    fit = type(ranker).fit

    @functools.wraps(fit)
    def spy(self, X, y, qid=None, **validation):
        seen.update(validation, X=X, metric=self.metric)
        return fit(self, X, y, qid, **validation)

    monkeypatch.setattr(type(ranker), "fit", spy)
    compare_rankers({name: ranker}, FOLDS[:1], metrics=("mrr",))
    assert seen["metric"] == "mrr"
    np.testing.assert_array_equal(seen["X"], FOLDS[0].train.X)
    for part in ("X", "y", "qid"):
        expected = getattr(FOLDS[0].valid, part)
        np.testing.assert_array_equal(seen[f"{part}_val"], expected)


def test_reports():
    """Markdown and JSON hold all intervals; nothing is rounded away in JSON."""
    board = compare_rankers(
        {"noisy": NoisyRanker(), "random": RandomRanker()}, FOLDS, seeds=(0, 1)
    )
    markdown = board.to_markdown().splitlines()
    assert markdown[0].startswith(
        "| ranker | ndcg@10 | ndcg@1 | ndcg@5 | map | p vs best"
    )
    assert len(markdown[0].split("|")) == len(markdown[2].split("|"))
    document = json.loads(json.dumps(board.to_dict(), allow_nan=False))
    noisy = document["rankers"]["noisy"]
    assert noisy["ndcg@10"] == board.table().loc["noisy", "ndcg@10"]
    assert len(noisy["seeds"]) == 2
    assert document["n_lists"] == 30


def test_it_prints_as_its_table():
    """print, repr and LaTeX; the hyperparameters stand in the JSON."""
    rankers = {"noisy_1": NoisyRanker(0.5, 3), "random": RandomRanker()}
    board = compare_rankers(rankers | {"bad": FailingRanker()}, FOLDS)
    assert f"{board}\n" == f"{board!r}\n" == board.to_text()
    long_name = "ndcg(gain=linear, empty=0)@5"
    lines = str(
        compare_rankers(rankers, FOLDS, metrics=["map", long_name])
    ).splitlines()
    place = lines[0].index(long_name) + len(long_name)
    assert re.fullmatch(r" +0\.\d{4} .*", lines[1][place - len(long_name) :])
    assert re.fullmatch(r".*\.\d{4}", lines[1][:place])
    latex, table = board.to_latex().splitlines(), board.table()
    assert latex[0] == r"\begin{tabular}{lrrrrrr}"
    assert latex[2] == (
        r"ranker & ndcg@10 & 95\,\% interval & ndcg@1 & ndcg@5 & map & $p$ \\"
    )
    names = ["ndcg@10", "ndcg@10 low", "ndcg@10 high"]
    for line, (name, row) in zip(latex[4:6], table.iterrows(), strict=True):
        mean, low, high = row[names]
        bold = f"{mean:.4f}" if name != table.index[0] else rf"\textbf{{{mean:.4f}}}"
        name = name.replace("_", r"\_")
        assert line.startswith(f"{name} & {bold} & [{low:.4f}, {high:.4f}] & ")
    assert latex[-1] == "% bad: failed: the labels are upside down"
    parameters = board.to_dict()["rankers"]["noisy_1"]["parameters"]
    assert parameters == {"class": "NoisyRanker", "metric": "'ndcg@10'", "noise": "0.5"}
    nothing = compare_rankers({"bad": FailingRanker()}, FOLDS).to_latex()
    assert nothing.count("&") == 6, "the head alone"


@pytest.mark.filterwarnings("ignore:No tree has a split")  # few rows
@pytest.mark.filterwarnings("ignore:early_stopping=True chooses")
@pytest.mark.parametrize("name", [*DEFAULT_RANKERS, "attention_softmax"])
def test_make_ranker(name):
    """Every name of the command line is a ranker that can be fitted."""
    ranker = make_ranker(name)
    for limit in ("max_epochs", "n_estimators"):
        if limit in ranker.get_params():
            ranker.set_params(**{limit: 1})
    fold = FOLDS[0]
    ranker.fit(fold.train.X, fold.train.y, fold.train.qid)
    assert np.isfinite(ranker.predict(fold.test.X, fold.test.qid)).all()


def test_unknown_ranker():
    """The message lists what there is."""
    known = (
        "Known rankers: 'auto', 'random', 'best_feature', 'linear', "
        "'pointwise_trees', 'lambdamart', 'lightgbm', 'xgboost', 'catboost', and "
        "'<scorer>_<loss>' with the scorer "
    )
    for name in ("lambdamrat", "mlp_ranknett", "two_tower_listnet"):
        message = re.escape(f"unknown ranker '{name}'. {known}")
        with pytest.raises(ValueError, match=f"^{message}"):
            make_ranker(name)
    with pytest.raises(ValueError, match=r" Did you mean 'lambdamart'\?$"):
        make_ranker("lambdamrat")


def test_the_command_has_a_row_per_ranker(monkeypatch, tmp_path, capsys):
    """Two neural rankers are two rows; none is picked among them."""
    table = tmp_path / "d.csv"
    columns = np.column_stack([DATA.X, DATA.y, DATA.qid])
    head = "a,b,c,d,label,qid"
    np.savetxt(table, columns, delimiter=",", header=head, comments="")
    monkeypatch.setattr(command, "make_ranker", lambda name: RandomRanker())
    names = ["linear_ranknet", "mlp_ranknet"]
    assert main(["compare", str(table), "--rankers", ",".join(names)]) == 0
    rows = capsys.readouterr().out.splitlines()[1:4]
    assert sorted(row.split()[0] for row in rows[:2]) == names
    assert not rows[2].startswith("neural_picked")
    assert DEFAULT_RANKERS[0] == "auto"


@pytest.mark.parametrize("library", ["lightgbm", "xgboost", "catboost"])
@pytest.mark.parametrize("setting", ["default", "good"])
def test_peers_get_the_rows_list_by_list(library, setting, monkeypatch):
    """Interleaved rows give the scores of the library's own class on sorted ones."""
    module = pytest.importorskip(library)
    few = {"iterations" if library == "catboost" else "n_estimators": 3}
    monkeypatch.setitem(peers._GOOD, library, peers._GOOD[library] | few)
    monkeypatch.setitem(peers._FIXED, library, peers._FIXED[library] | few)
    shuffled = np.random.default_rng(0).permutation(len(DATA.y))
    ranker = peers.PeerRanker(library, setting, n_jobs=1, random_state=0)
    ranker.fit(DATA.X[shuffled], DATA.y[shuffled], DATA.qid[shuffled])
    scores = ranker.predict(DATA.X)
    queries = group_queries(DATA.qid[shuffled], len(DATA.y))
    rows = shuffled[queries.order]
    codes = queries.codes[queries.order]
    groups = {
        "lightgbm": {"group": queries.sizes},
        "xgboost": {"qid": codes},
        "catboost": {"group_id": codes},
    }
    options = peers._FIXED[library] | (
        peers._GOOD[library] if setting == "good" else {}
    )
    options |= {peers._THREADS[library]: 1, peers._SEEDS[library]: 0}
    own = getattr(module, peers._CLASSES[library])(**options)
    own.fit(DATA.X[rows], DATA.y[rows], **groups[library])
    np.testing.assert_array_equal(scores, own.predict(DATA.X))


def test_peers_on_the_command_line():
    """Two rows each; one that is not installed says how to get it."""
    assert _names("auto, lightgbm,xgboost_good") == [
        "auto",
        "lightgbm",
        "lightgbm_good",
        "xgboost_good",
    ]
    assert isinstance(make_ranker("auto"), AutoRanker)
    assert make_ranker("catboost_good").setting == "good"
    board = compare_rankers({"peer": peers.PeerRanker("no_such_library")}, FOLDS[:1])
    assert board.failures["peer"].startswith("library must be one of 'lightgbm', ")


def test_compilation_is_shown_apart():
    """What a ranker that compiles nothing has no number for."""
    folds = query_folds(make_ranking(n_queries=12, random_state=0), n_folds=3)
    names = ("linear_mse", "best_feature")
    board = compare_rankers({name: make_ranker(name) for name in names}, folds)
    table = board.table()
    assert table["compile s"]["linear_mse"] > 0
    assert np.isnan(table["compile s"]["best_feature"])
    assert 0 <= table["fit s"]["linear_mse"] < np.inf
    header, first, second, *_ = str(board).splitlines()
    assert header.endswith("  fit s  compile s")
    assert {len(first) == len(header), len(second) == len(header)} == {True, False}
    assert "| fit s | compile s |" in board.to_markdown()
