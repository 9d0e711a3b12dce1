"""The command line on tables and query sizes; parameters; messages in its words."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ltr import AutoRanker
from ltr.cli import build_parser, main
from ltr.cli.data import load_alike
from ltr.cli.words import in_words
from ltr.datasets import make_ranking, save_letor, save_table
from ltr.rankers import LinearRanker, load_ranker

NAMES = ["bm25", "tf", "pagerank"]
DATA = replace(
    make_ranking(20, list_size=(5, 9), n_features=3, n_informative=2, random_state=0),
    feature_names=NAMES,
)
LAMBDAMART = ["--ranker", "lambdamart"]
TREES = ["--set", "n_estimators=3", "--set", "min_child_samples=2", "--quiet"]
TREES = [*LAMBDAMART, *TREES]
pytestmark = pytest.mark.filterwarnings("ignore:early_stopping=True chooses")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same data in every format, and two models."""
    path = tmp_path_factory.mktemp("data")
    for name in ("d.csv", "d.tsv.gz"):
        save_table(DATA, path / name)
    save_letor(DATA, path / "d.txt")
    frame = pd.read_csv(path / "d.csv")
    odd = frame.rename(columns={"label": "grade", "qid": "query"})
    odd.assign(note=1).to_csv(path / "odd.csv", index=False)
    frame[["tf", "qid", "pagerank", "bm25"]].to_csv(path / "blind.csv", index=False)
    sizes = np.unique(DATA.qid, return_counts=True)[1]
    (path / "rank.train.query").write_text("".join(f"{n}\n" for n in sizes))
    lines = re.sub(r" qid:\d+", "", (path / "d.txt").read_text())
    (path / "rank.train").write_text(lines)
    for name in ("d.csv", "d.txt"):
        model = ["--model", str(path / f"model of {name}")]
        assert main(["train", str(path / name), *model, *TREES]) == 0
    return path


def printed(capsys, *words):
    assert main([str(word) for word in words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", ["d.csv", "d.tsv.gz", "rank.train"])
def test_describe_reads_every_format(folder, name, capsys):
    """As the LETOR file says it."""
    expected = printed(capsys, "describe", folder / "d.txt")
    assert printed(capsys, "describe", folder / name) == expected


def test_columns_by_name(folder, capsys):
    """--label, --qid and --features choose the columns of a table."""
    expected = printed(capsys, "describe", folder / "d.txt")
    options = ["--label", "grade", "--qid", "query", "--features", ",".join(NAMES)]
    assert printed(capsys, "describe", folder / "odd.csv", *options) == expected
    assert main(["describe", str(folder / "odd.csv")]) == 2
    assert "column 'label' is not in" in capsys.readouterr().err


def test_a_model_reads_its_own_columns(folder, capsys):
    """In any order, without labels, from a table or by position from LETOR."""
    model = ["--model", folder / "model of d.csv"]
    assert load_ranker(model[1]).feature_names_in_.tolist() == NAMES
    expected = printed(capsys, "predict", folder / "d.csv", *model)
    for name in ("blind.csv", "d.txt", "rank.train", "d.tsv.gz"):
        assert printed(capsys, "predict", folder / name, *model) == expected
    by_position = ["--model", folder / "model of d.txt"]
    assert printed(capsys, "predict", folder / "d.csv", *by_position) == expected
    assert printed(capsys, "predict", folder / "d.csv", *model, "--jobs", 1) == expected
    table = printed(capsys, "evaluate", folder / "d.csv", *model, "-m", "map")
    assert table.splitlines()[-1].split()[0] == "map"


def test_parquet(folder, capsys, monkeypatch):
    """With pyarrow as the others; without it the cure is said."""
    pytest.importorskip("pyarrow")
    save_table(DATA, folder / "d.parquet")
    expected = printed(capsys, "describe", folder / "d.txt")
    assert printed(capsys, "describe", folder / "d.parquet") == expected
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["describe", str(folder / "d.parquet")]) == 2
    assert capsys.readouterr().err == (
        "ltr describe: Parquet files need pyarrow: pip install pyarrow, or use a "
        ".csv.gz file.\n"
    )


def test_files_of_both_kinds(folder, capsys):
    """Columns have names in one and numbers in the other."""
    paths = [str(folder / "d.csv"), str(folder / "d.txt")]
    assert main(["describe", *paths]) == 2
    assert capsys.readouterr().err == (
        "ltr describe: data files must be all tables or all LETOR files; got "
        f"{paths[0]} and {paths[1]}.\n"
    )


def test_parameters_and_metric(folder, tmp_path):
    """--set and --metric reach the ranker, with the type of the value."""
    words = ["--ranker", "mlp_ranknet", "--metric", "map", "--jobs", "1", "--quiet"]
    for word in ("hidden_layer_sizes=[4, 2]", "max_epochs=1", "early_stopping=False"):
        words += ["--set", word]
    model = ["--model", str(tmp_path / "model")]
    assert main(["train", str(folder / "d.csv"), *model, *words]) == 0
    ranker = load_ranker(tmp_path / "model")
    assert ranker.hidden_layer_sizes == (4, 2)
    assert (ranker.max_epochs, ranker.early_stopping) == (1, False)
    assert (ranker.metric, ranker.loss) == ("map", "ranknet")
    assert "NPROC" not in os.environ


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--ranker", "best_feature", "--set", "metrik=map"],
            "--set metrik=map: best_feature has no parameter 'metrik'; it has metric. "
            "Did you mean 'metric'?",
        ),
        (["--set", "num_leaves"], "--set must be NAME=VALUE; got 'num_leaves'."),
        (["--set", "num_leaves=many"], "num_leaves must be "),
        (["--set", "metric=5"], "metric must be a name"),
        (["--metric", "ndgc"], "Did you mean 'ndcg'?"),
        (["--set", "learning_rate=-1"], "learning_rate must be "),
    ],
)
def test_parameters_that_do_not_fit(folder, tmp_path, words, message, capsys):
    """The message names the option or the parameter, and the nearest name."""
    model = ["--model", str(tmp_path / "model")]
    words = [*LAMBDAMART, *words]
    assert main(["train", str(folder / "d.csv"), *model, *words]) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1
    assert message in err[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2\n3 4\n", "{} must have one number per line; got 2 columns."),
        ("", "{} must have one score per row of the data; got 0 scores for "),
        ("high\n", "{} must have one number per line: could not convert"),
    ],
)
def test_scores_of_another_form(folder, tmp_path, text, message, capsys):
    """The file is named."""
    path = tmp_path / "scores"
    path.write_text(text)
    assert main(["evaluate", str(folder / "d.csv"), "--scores", str(path)]) == 2
    err = capsys.readouterr().err
    assert message.format(path) in err
    assert err.count("\n") == 1


def test_large_labels_have_a_cure_at_hand(folder, tmp_path, capsys):
    """The metric that the message names is an option, and it works."""
    save_letor(replace(DATA, y=DATA.y * 1361), tmp_path / "large.txt")
    words = ["train", str(tmp_path / "large.txt"), "--model", str(tmp_path / "model")]
    assert main([*words, *TREES]) == 2
    assert "--metric 'ndcg(gain=linear)@10'" in capsys.readouterr().err
    more = ["--metric", "ndcg(gain=linear)@10", "--set", "label_gain=linear"]
    assert main([*words, *TREES, *more]) == 0


def test_messages_speak_of_options():
    """Arguments of Python become options; what is none of them stays."""
    options = build_parser().parse_args(["compare"])
    text = "Set metric='map' or work_dir='w', then gain='linear';\ngot k=3."
    assert in_words(text, options) == (
        "Pass --metrics 'map' or --work-dir 'w', then --metrics 'ndcg(gain=linear)@10'; "
        "got k=3."
    )


def test_training_queries_validate_without_a_file(folder, capsys):
    """A fifth of them, and it is said; too few are refused."""
    path = str(folder / "d.csv")
    words = ["compare", "--train", path, "--test", path, "--rankers", "best_feature"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "4 of 20 training queries validate (no --valid)" in err
    assert out.splitlines()[1].startswith("best_feature")
    first = pd.read_csv(path).query("qid < 3")
    first.to_csv(folder / "few.csv", index=False)
    words[2] = str(folder / "few.csv")
    assert main(words) == 2
    assert "--train must have at least 5 queries" in capsys.readouterr().err


def test_help_has_percent_signs(capsys):
    """Once, as they are meant."""
    with pytest.raises(SystemExit):
        build_parser().parse_args(["compare", "--help"])
    assert "With 95 % bootstrap" in " ".join(capsys.readouterr().out.split())


def test_help_has_the_defaults(capsys):
    """Of every option that has one, and no more."""
    with pytest.raises(SystemExit):
        build_parser().parse_args(["train", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "(default: auto)" in text
    assert "seed (default: 0)" in text
    assert "None)" not in text
    with pytest.raises(SystemExit):
        build_parser().parse_args(["compare", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "number of seeds: 0, 1, … (default: 1)" in text
    assert text.count("(default: skip") == 1


def start(*words, **options):
    words = [sys.executable, "-m", "ltr", *map(str, words)]
    return subprocess.Popen(words, text=True, stderr=subprocess.PIPE, **options)


def test_a_closed_pipe_is_quiet(folder):
    """As with ``| head``: no message."""
    words = ["predict", folder / "d.csv", "--model", folder / "model of d.csv"]
    with start(*words, stdout=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


@pytest.fixture
def interrupts():
    """Ctrl-C works: the children of a background job of the shell ignore it."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


def test_an_interrupt_is_one_line(folder, interrupts):
    """Ctrl-C while rankers are fitted: status 130, no traceback."""
    words = ["compare", folder / "d.csv", "--rankers", "mlp_listnet", "--seeds", 99]
    with start(*words) as process:
        assert "20 queries" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().splitlines()[-1] == "ltr compare: interrupted"
    assert process.returncode == 130


def test_an_interrupt_while_libraries_load(monkeypatch, capsys):
    """It is answered alike."""

    class Interrupted:
        def find_spec(self, name, path=None, target=None):
            if name == "ltr.cli.commands":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "ltr.cli.commands", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    assert main(["describe", "x"]) == 130
    assert capsys.readouterr().err == "ltr describe: interrupted\n"


@pytest.fixture(scope="module")
def from_0(tmp_path_factory):
    """Files from index 0, one of which leaves it out, and a model of each."""
    path = tmp_path_factory.mktemp("from 0")
    without = replace(DATA, X=DATA.X * [0, 1, 1], feature_names=None)
    save_letor(replace(DATA, feature_names=None), path / "a.txt", zero_based=True)
    save_letor(without, path / "b.txt", sparse=True, zero_based=True)
    for name in "ab":
        words = ["train", str(path / f"{name}.txt"), "--model", str(path / name)]
        assert main([*words, *TREES]) == 0
    return path


def test_a_model_knows_the_first_index(from_0, capsys):
    """A file without its first feature is read as the training file was."""
    ranker = load_ranker(from_0 / "a")
    expected = ranker.predict(DATA.X * [0, 1, 1], DATA.qid).tolist()
    words = ["predict", from_0 / "b.txt", "--model", from_0 / "a"]
    assert list(map(float, printed(capsys, *words).split())) == expected
    ranker.fit(DATA.X, DATA.y, DATA.qid)
    assert ranker._zero_based is None
    words = ["predict", str(from_0 / "a.txt"), "--model", str(from_0 / "b")]
    assert main(words) == 2
    assert capsys.readouterr().err == (
        "ltr predict: feature indices must start at 1 as in the training files of the "
        f"model; got an index 0 in {from_0 / 'a.txt'}. If the training files start at "
        "0, too, and leave out that feature, train again with --zero-based; if they do "
        "start at 1, pass --zero-based here.\n"
    )


@pytest.mark.parametrize(("name", "index"), [("a", 3), ("1", 4)])
def test_more_features_than_the_model(name, index, from_0, folder, tmp_path, capsys):
    """From 0 and from 1; the message names the model, not an argument of Python."""
    model = from_0 / name
    if name == "1":
        model = tmp_path / "m"
        printed(capsys, "train", folder / "d.txt", "--model", model, *TREES)
    path = tmp_path / "wide.txt"
    path.write_text(f"1 qid:1 {index - 3}:1 {index}:2\n")  # the first feature
    assert main(["predict", str(path), "--model", str(model)]) == 2
    first = 0 if name == "a" else 1
    assert capsys.readouterr().err == (
        f"ltr predict: {path}, line 1: feature indices must fit into n_features=3 "
        f"columns; got the index {index}, counted from {first}. The model was trained on "
        "3 features; leave others out of the file, or train again on files that have "
        "them.\n"
    )


def test_an_index_0_holds_for_all_files(from_0, tmp_path, capsys):
    """Training and validation files, and the parts of a comparison."""
    words = [from_0 / "b.txt", "--valid", from_0 / "a.txt", "--model", tmp_path / "m"]
    printed(capsys, "train", *words, *TREES)
    assert load_ranker(tmp_path / "m").n_features_in_ == 3
    options = build_parser().parse_args(["describe", "x"])
    paths = [str(from_0 / name) for name in ("b.txt", "a.txt")]
    for data in load_alike(paths, options):
        np.testing.assert_allclose(data.X[:, 1:], DATA.X[:, 1:])
        assert data.zero_based is True


def test_shared_validation_queries(folder, tmp_path):
    """One line that early stopping sees the training data."""
    words = ["train", str(folder / "d.csv"), "--valid", str(folder / "d.tsv.gz")]
    message = (
        "20 of 20 queries of --valid are also in the training data, row by row: early "
        "stopping cannot see overfitting on them. Validate on other queries."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        assert main([*words, "--model", str(tmp_path / "m"), *TREES]) == 0


@pytest.mark.parametrize("name", ["d.csv", "d.txt"])
def test_describe_reads_other_encodings(folder, name, capsys):
    """As the file in UTF-8; a file that is not UTF-8 needs --encoding."""
    path = folder / f"latin.{name}"
    text = (folder / name).read_text()
    text = (
        text.replace("bm25", "bm\xe9") if name == "d.csv" else f"{text[:-1]} # \xe9\n"
    )
    path.write_bytes(text.encode("latin-1"))
    expected = printed(capsys, "describe", folder / name)
    if name == "d.csv":
        assert main(["describe", str(path)]) == 2
        assert "encoding" in capsys.readouterr().err
    latin = printed(capsys, "describe", path, "--encoding", "latin-1")
    assert latin.replace("bm\xe9", "bm25") == expected


def test_train_fits_a_blend_by_default(folder, tmp_path, capsys):
    """And prints what its members and the blend are worth."""
    data = ["train", str(folder / "d.csv"), "--model", str(tmp_path / "m"), "--quiet"]
    assert main([*data, "--set", "members=['linear']", "--seed", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    ranker = load_ranker(tmp_path / "m")
    assert isinstance(ranker, AutoRanker)
    assert (ranker.random_state, list(ranker.named_rankers_)) == (3, ["linear"])
    assert lines[0].startswith(
        "AutoRanker(members=['linear'], random_state=3) fitted on"
    )
    assert lines[1] == "ndcg@10 on held-out queries, with 95 % intervals:"
    assert lines[2].split() == ["score", "low", "high", "status"]
    assert {line.split()[0] for line in lines[3:]} == {"blend", "linear"}
    assert main([*data, "--set", "num_leaves=7"]) == 2
    assert capsys.readouterr().err == (
        "ltr train: --set num_leaves=7: auto has no parameter 'num_leaves'; it has "
        "members, metric, n_jobs, random_state, refit, time_limit_s, verbose. Did you "
        "mean --ranker lambdamart, which has it?\n"
    )


def test_sparse_files_train_validate_and_predict(folder, capsys, monkeypatch):
    """A neural ranker is trained without an array of the features."""
    import scipy.sparse

    wide, model = folder / "wide.txt", folder / "sparse model"
    lines = (folder / "d.txt").read_text().splitlines()
    wide.write_text("".join(f"{line} {1000 + i}:1\n" for i, line in enumerate(lines)))
    words = ["--ranker", "linear_listnet", "--sparse", "--model", model, "--quiet"]
    words += ["--set", "max_epochs=1", "--set", "batch_size=4"]
    monkeypatch.setattr(scipy.sparse.csr_matrix, "toarray", None)
    with pytest.warns(UserWarning, match="20 of 20 queries of --valid are also in"):
        printed(capsys, "train", wide, "--valid", wide, *words)
    sparse = printed(capsys, "predict", wide, "--model", model, "--sparse")
    metrics = printed(capsys, "evaluate", wide, "--model", model, "--sparse")
    words = ["describe", wide, "--other", folder / "d.txt"]
    described = printed(capsys, *words, "--sparse")
    monkeypatch.undo()
    assert printed(capsys, *words) == described
    dense = printed(capsys, "predict", wide, "--model", model)
    scores = [np.array(text.split(), dtype=float) for text in (sparse, dense)]
    np.testing.assert_allclose(*scores, atol=1e-12)
    assert load_ranker(model).n_features_in_ == 1000 + len(lines) - 1
    assert printed(capsys, "evaluate", wide, "--model", model) == metrics


def test_a_ranker_of_dense_features_refuses_sparse_files(folder, capsys):
    """In one line, with the option to leave out."""
    words = ["train", str(folder / "d.txt"), "--model", str(folder / "none")]
    assert main([*words, "--sparse", "--ranker", "attention_softmax", "--quiet"]) == 2
    assert capsys.readouterr().err == (
        "ltr train: X must be dense for AttentionScorer; got a sparse matrix. Use "
        "LambdaMARTRanker, or NeuralRanker with --set scorer='linear', 'mlp' or "
        "'wide_deep', reduce its columns, for example by "
        "sklearn.decomposition.TruncatedSVD, or leave out --sparse.\n"
    )


def test_train_weights_queries(folder, tmp_path, capsys):
    """As ``query_weight`` of fit; a query without a weight is an error."""
    path, model, ids = tmp_path / "weights.txt", tmp_path / "m", np.unique(DATA.qid)
    path.write_text("".join(f"{qid} {1 + i % 3}\n" for i, qid in enumerate(ids)))
    words = ["train", folder / "d.txt", "--model", model, "--ranker", "linear"]
    words += ["--query-weight", path]
    printed(capsys, *words)
    weights = 1 + np.searchsorted(ids, DATA.qid) % 3
    expected = LinearRanker().fit(DATA.X, DATA.y, DATA.qid, query_weight=weights)
    unweighted = LinearRanker().fit(DATA.X, DATA.y, DATA.qid).predict(DATA.X)
    scores = load_ranker(model).predict(DATA.X)
    np.testing.assert_allclose(scores, expected.predict(DATA.X), atol=1e-9)
    assert abs(scores - unweighted).max() > 1e-3
    assert main([*map(str, words), "--ranker", "random"]) == 2
    assert capsys.readouterr().err == (
        "ltr train: --query-weight needs a ranker that takes weights; random does not. "
        "Drop the option.\n"
    )
    path.write_text(f"{ids[0]} 1\n")
    assert main(list(map(str, words))) == 2
    assert f"got none of '{ids[1]}' and of {len(ids) - 2} others" in (
        capsys.readouterr().err
    )


def test_sparse_is_for_letor_files(folder, capsys):
    table, model = folder / "d.csv", folder / "none"
    assert main(["train", str(table), "--model", str(model), "--sparse"]) == 2
    assert capsys.readouterr().err == (
        f"ltr train: --sparse is for LETOR files; got the table {table}. Drop the "
        "option.\n"
    )
