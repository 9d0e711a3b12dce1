"""Loaders and generators."""

import gzip
import re
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from ltr.datasets import RankingData, load_letor, make_ranking
from ltr.metrics import kendall_tau_score, ndcg_score


def write(folder: Path, text: str, name: str = "data.txt") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("density", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("zero_based", [False, True])
def test_equals_sklearn(tmp_path, density, zero_based):
    """Dense lines, sparse lines and empty ones, as svmlight reads them, to the bit."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 12)) * 10.0 ** rng.integers(-8, 9, (200, 12))
    X[rng.random(X.shape) > density] = 0
    y, qid = rng.integers(0, 5, 200), np.repeat(np.arange(20), 10)
    path = str(tmp_path / "data.txt")
    dump_svmlight_file(X, y, path, query_id=qid, zero_based=zero_based)
    text = Path(path).read_text()
    Path(path).write_text("".join(f"{t}\n" for t in text.splitlines() if t[0] != "#"))
    data = load_letor(path, n_features=12, zero_based=zero_based)
    theirs = load_svmlight_file(
        path, n_features=12, query_id=True, zero_based=zero_based
    )
    np.testing.assert_array_equal(data.X, theirs[0].toarray())
    np.testing.assert_array_equal(data.y, theirs[1])
    np.testing.assert_array_equal(data.qid, theirs[2])
    assert data.docids is None


number = st.floats(allow_nan=False, allow_infinity=False)


@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 4),
            st.integers(0, 9),
            st.dictionaries(st.integers(1, 6), number),
        ),
        min_size=1,
        max_size=8,
    ),
    space=st.sampled_from([" ", "  ", "\t"]),
)
def test_round_trip(tmp_path_factory, rows, space):
    """Any numbers, any features, any white space."""
    lines = [
        space.join([str(y), f"qid:{q}", *(f"{i}:{v!r}" for i, v in f.items())])
        for y, q, f in rows
    ]
    path = write(tmp_path_factory.mktemp("letor"), "\n".join(lines))
    data = load_letor(path, n_features=6)
    assert data.y.tolist() == [y for y, _, _ in rows]
    assert data.qid.tolist() == [q for _, q, _ in rows]
    expected = [[f.get(i, 0.0) for i in range(1, 7)] for _, _, f in rows]
    assert data.X.tolist() == expected


def test_files_comments_and_compression(tmp_path):
    """Several files, one gzipped; document ids; blank lines; Windows line ends."""
    first = write(
        tmp_path, "2 qid:7 1:0.5 #docid = GX-1 inc = 1\r\n\r\n0 qid:7 2:4\r\n"
    )
    second = tmp_path / "more.txt.gz"
    second.write_bytes(gzip.compress(b"# only a comment\n1 qid:9 3:1 # my doc \n"))
    data = load_letor([first, second], dtype=np.float32)
    assert data.X.tolist() == [[0.5, 0, 0], [0, 4, 0], [0, 0, 1]]
    assert data.X.dtype == np.float32
    assert data.qid.tolist() == [7, 7, 9]
    assert data.docids.tolist() == ["GX-1", "", "my doc"]
    assert str(second) in data.description


def test_ids_that_are_not_numbers(tmp_path):
    """Then all ids are strings."""
    data = load_letor(write(tmp_path, "1 qid:MB-1 1:2\n0 qid:7 1:3\n"))
    assert data.qid.tolist() == ["MB-1", "7"]


def test_blocks_of_a_long_file(tmp_path, monkeypatch):
    """Lines are put together where a block of the file ends in one."""
    text = "".join(f"{i % 3} qid:{i // 5} 1:{i}.5 2:{-i} # {i}\n" for i in range(100))
    path = write(tmp_path, text)
    whole = load_letor(path)
    monkeypatch.setattr("ltr.datasets.letor.lines._BLOCK_BYTES", 64)
    pieces = load_letor(path)
    np.testing.assert_array_equal(pieces.X, whole.X)
    assert (
        pieces.docids.tolist() == whole.docids.tolist() == [str(i) for i in range(100)]
    )
    path.write_text(text + "1 qid:1 2:x\n")
    with pytest.raises(ValueError, match="data.txt, line 101: "):
        load_letor(path)


INDICES = (
    "distinct feature indices that are whole numbers from 0 to 10000000, and values "
    "that are finite numbers or nan"
)


@pytest.mark.parametrize(
    ("line", "need"),
    [
        ("1 qid:1 1:2 2:x", INDICES),
        ("1 qid:1 -1:2", INDICES),
        ("1 qid:1 -9223372036854775808:2", INDICES),
        ("1 qid:1 1000000000:2", INDICES),
        ("1 qid:1 foo", INDICES),
        ("1 qid:1 12", INDICES),
        ("1 qid:1 1:2 foo", INDICES),
        ("1 qid:1 1:\t2", INDICES),
        ("1 qid:1 \ufeff1:2", INDICES),
        ("1 qid:1 1.5:2", INDICES),
        ("1 qid:1 1:2 3", INDICES),
        ("1 qid:1 1: 2", INDICES),
        ("1 qid:1 1:1:2", INDICES),
        ("1 qid:1 1:2 1:3", INDICES),
        ("1 qid:1 99999999999:3", INDICES),
        ("1 1:2", "a qid after the label"),
        ("1 qid: 1:2", "a qid after the label"),
        ("one qid:1 1:2", "a finite number as label"),
        ("nan qid:1 1:2", "a finite number as label"),
    ],
)
def test_malformed_line(tmp_path, line, need):
    """The message in full, with file and line number."""
    path = write(tmp_path, f"1 qid:1 1:2\n\n{line}\n1 qid:1 1:2\n")
    message = (
        f"{path}, line 3: a line must be 'label qid:id index:value index:value ... # "
        f"comment' with {need}; got {line!r}."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_letor(path)


def test_index_0_of_files_that_start_at_1(tmp_path):
    """An error if the caller says that indices start at 1."""
    path = write(tmp_path, "1 qid:1 1:2\n1 qid:1 0:2\n")
    message = f"with {INDICES.replace('from 0', 'from 1')}; got '1 qid:1 0:2'."
    with pytest.raises(ValueError, match=f"line 2: .*{re.escape(message)}$"):
        load_letor(path, zero_based=False)


@pytest.mark.parametrize("word", ["12", "foo", "1", ":", "1:", ":1"])
@pytest.mark.parametrize("other", ["", " 1:1", " 1:1 2:1"])
def test_words_that_are_no_features(tmp_path, word, other):
    """Never a row without features, whatever stands in the lines around it."""
    path = write(tmp_path, f"1 qid:1{other}\n1 qid:1 {word}\n1 qid:1{other}\n")
    with pytest.raises(ValueError, match=f"data.txt, line 2: .*; got '1 qid:1 {word}'"):
        load_letor(path)


def test_two_wrongs_do_not_make_a_right(tmp_path):
    """A number too many in one line and one too few in the next are both seen."""
    path = write(tmp_path, "1 qid:1 1:2 3\n1 qid:1 4:\n")
    with pytest.raises(ValueError, match="line 1: "):
        load_letor(path)


def test_truncated_gzip(tmp_path):
    """A download that was cut off is not read in part."""
    path = tmp_path / "data.txt.gz"
    path.write_bytes(gzip.compress(b"1 qid:1 1:2\n" * 1000)[:-20])
    with pytest.raises(
        ValueError, match="must be a complete gzip file; reading it failed"
    ):
        load_letor(path)


def test_file_errors(tmp_path):
    """Missing, empty, or with more features than expected."""
    with pytest.raises(FileNotFoundError):
        load_letor(tmp_path / "nothing.txt")
    with pytest.raises(ValueError, match="must have at least one row; got none in"):
        load_letor(write(tmp_path, "\n# nothing\n"))
    with pytest.raises(ValueError, match="must name at least one file"):
        load_letor([])
    path = write(tmp_path, "1 qid:1 7:2\n")
    message = (
        f"{path}, line 1: feature indices must fit into n_features=3 columns; got the "
        "index 7, counted from 1. Pass a higher n_features, or none."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_letor(path, n_features=3)


def test_make_ranking_repeats():
    """Same seed, same data; another seed, other data."""
    a, b, c = (make_ranking(10, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a.X, b.X)
    np.testing.assert_array_equal(a.y, b.y)
    assert not np.array_equal(a.X[:5], c.X[:5])


def test_make_ranking_sizes_and_grades():
    """Sizes within their bounds, labels from 0 up, rare at the top."""
    data = make_ranking(200, list_size=(4, 90), n_grades=4, random_state=0)
    sizes = np.bincount(data.qid)
    assert sizes.min() >= 4
    assert sizes.max() <= 90
    assert data.n_queries == data.n_lists == 200
    shares = np.bincount(data.y) / len(data.y)
    assert len(shares) == 4
    assert (np.diff(shares) < 0).all()
    fixed = make_ranking(5, list_size=3, random_state=0)
    assert np.bincount(fixed.qid).tolist() == [3] * 5
    assert len(np.unique(make_ranking(50, n_grades=9, random_state=0).y)) == 9


def test_make_ranking_truth():
    """Without noise the true scores rank perfectly; noise costs; the rest is known."""
    clean = make_ranking(50, noise=0.0, random_state=0)
    assert ndcg_score(clean.y, clean.true_scores, qid=clean.qid) == 1.0
    noisy = make_ranking(50, noise=1.0, random_state=0)
    assert 0.6 < ndcg_score(noisy.y, noisy.true_scores, qid=noisy.qid) < 0.99
    real = make_ranking(50, noise=0.0, n_grades=None, random_state=0)
    np.testing.assert_allclose(real.y, real.true_scores)
    within = real.true_scores - np.bincount(real.qid, real.true_scores)[real.qid]
    assert np.isfinite(within).all()
    np.testing.assert_allclose(real.true_scores.std(), 1.0, rtol=0.01)


def test_make_ranking_irrelevant_features():
    """Features beyond the informative ones say nothing."""
    data = make_ranking(
        300, n_features=6, n_informative=3, nonlinearity=0.0, query_offset=0.0,
        noise=0.0, n_grades=None, random_state=0,
    )  # fmt: skip
    w = np.linalg.lstsq(data.X, data.true_scores, rcond=None)[0]
    assert np.abs(w[3:]).max() < 0.05 * np.abs(w[:3]).max()


def test_make_ranking_offset_misleads_pointwise_models():
    """The true scores are a function of the features, but labels are relative."""
    data = make_ranking(
        200, nonlinearity=0.0, query_offset=3.0, noise=0.0, random_state=0
    )
    from sklearn.linear_model import LinearRegression

    pointwise = LinearRegression().fit(data.X, data.y).predict(data.X)
    assert kendall_tau_score(data.y, pointwise, qid=data.qid) < 0.95
    assert kendall_tau_score(data.y, data.true_scores, qid=data.qid) > 0.8


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_make_ranking_duplicates(share):
    """Repeated items have equal features, as many as promised; scores tie."""
    data = make_ranking(200, list_size=20, duplicates=share, random_state=0)
    _, inverse = np.unique(
        np.column_stack([data.qid, data.X]), axis=0, return_inverse=True
    )
    repeated = 1 - len(np.unique(inverse)) / len(data.y)
    assert abs(repeated - share * 19 / 20) < 0.02
    for item in np.unique(inverse):
        assert np.ptp(data.true_scores[inverse == item]) < 1e-12


def test_make_ranking_scale():
    """Within lists scores have deviation 1, and the noise is that of the noise."""
    data = make_ranking(300, noise=0.7, n_grades=None, random_state=0)
    assert (data.y - data.true_scores).std() == pytest.approx(0.7, rel=0.03)
    means = np.bincount(data.qid, data.true_scores) / np.bincount(data.qid)
    np.testing.assert_allclose(means, 0.0, atol=1e-12)
    assert data.true_scores.std() == pytest.approx(1.0)


def test_few_features_all_matter():
    """The default number of informative features is no more than there are."""
    few = make_ranking(5, n_features=3, random_state=0)
    same = make_ranking(5, n_features=3, n_informative=3, random_state=0)
    np.testing.assert_array_equal(few.y, same.y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_queries": 0}, "n_queries must be a whole number >= 1; got 0."),
        (
            {"n_informative": 9, "n_features": 3},
            "n_informative must be in 1, …, n_features; got n_informative=9 and "
            "n_features=3.",
        ),
        ({"noise": -1.0}, "noise must be a number >= 0; got -1.0."),
        ({"query_offset": -1.0}, "query_offset must be a number >= 0; got -1.0."),
        ({"n_grades": 1}, "n_grades must be a whole number >= 2, or None; got 1."),
        ({"duplicates": 1.0}, "duplicates must be a number >= 0 and < 1; got 1.0."),
        (
            {"list_size": (9, 3)},
            "list_size must be a whole number >= 1, or bounds (low, high); got (9, 3).",
        ),
    ],
)
def test_make_ranking_errors(options, message):
    """Numbers outside their range."""
    with pytest.raises(ValueError, match=re.escape(message)):
        make_ranking(**options)


def test_train_test_split():
    """By list; every row on one side; rows keep their order."""
    data = make_ranking(20, random_state=0)
    data = RankingData(data.X, data.y, np.array([f"q{q}" for q in data.qid]))
    train, test = data.train_test_split(0.25, random_state=3)
    assert set(train.qid).isdisjoint(test.qid)
    assert (train.n_queries, test.n_lists) == (15, 5)
    together = np.concatenate([train.X, test.X])
    np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(data.X, axis=0))
    again, _ = data.train_test_split(0.25, random_state=3)
    np.testing.assert_array_equal(again.X, train.X)
    with pytest.raises(
        ValueError, match="test_size must be a number > 0 and < 1; got 1"
    ):
        data.train_test_split(1)
    one = RankingData(np.zeros((2, 1)), np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="needs at least two queries; got 1"):
        one.train_test_split()


def test_mq2008(ltr_data):
    """The complete LETOR 4.0 MQ2008, as its statistics say."""
    data = load_letor([f"{ltr_data}/mq2008/S{i}.txt.gz" for i in range(1, 6)])
    assert data.X.shape == (15_211, 46)
    assert np.bincount(data.y.astype(int)).tolist() == [12_279, 2_001, 931]
    assert data.n_queries == 784
    assert data.docids[0] == "GX008-86-4444840"
