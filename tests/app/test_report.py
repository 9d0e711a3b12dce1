"""The HTML page of a comparison: what is in it, and what cannot get into it."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from ltr import RandomRanker, SingleFeatureRanker
from ltr.cli import main
from ltr.compare import Fold, compare_rankers, query_folds
from ltr.compare.leaderboard import Leaderboard
from ltr.compare.report import comparison_report, cutoff_metrics
from ltr.datasets import RankingData, describe, make_ranking
from ltr.plotting import COLORS
from ltr.rankers.base import BaseRanker

DATA = make_ranking(30, list_size=(3, 8), n_features=4, n_informative=3, random_state=0)
FOLDS = query_folds(DATA, n_folds=3)
EVIL = "<script>alert('1')</script>&\"$\\frac{"
VOID = {"meta", "wbr", "path", "use", "rect"}


class FailingRanker(RandomRanker):
    """Cannot be fitted."""

    def fit(self, X, y, qid=None):
        raise ValueError(f"the labels are upside down {EVIL}")


class NoisyRanker(BaseRanker):
    """The first feature plus noise of the seed."""

    def __init__(self, random_state=0, metric="ndcg@10"):
        self.random_state = random_state
        self.metric = metric

    def fit(self, X, y, qid=None):
        self.n_features_in_ = X.shape[1]
        self._fitted_with_qid = qid is not None
        return self

    def predict(self, X, qid=None):
        return X[:, 0] + np.random.default_rng(self.random_state).normal(size=len(X))


class Page(HTMLParser):
    """Tags with their attributes, the text of each, and whether they close."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(page)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, text):
        if text.strip():
            self.texts.append((self.open[-1] if self.open else "", text.strip()))

    def text(self, *tags):
        return " ".join(text for tag, text in self.texts if not tags or tag in tags)

    def headings(self):
        return [text for tag, text in self.texts if tag in ("h2", "h3")]


PICTURES = [
    "Variation over seeds and queries",
    "The best ranker and the runner-up, query by query",
    "ndcg by cut-off",
    "Short and long lists",
]


def compared(rankers, folds=FOLDS, metrics=("ndcg@3", "ndcg@1", "mrr"), **options):
    extra = cutoff_metrics(metrics, 8)
    return compare_rankers(rankers, folds, metrics=[*metrics, *extra], **options)


def test_page_of_the_command(tmp_path, capsys):
    """Numbers as in the printed table, the four pictures, data, command, seeds."""
    path = tmp_path / "report.html"
    line = ["compare", "--rankers", "random,best_feature", "--folds", "3", "--quiet"]
    line += ["--metrics", "ndcg@10,map", "--seeds", "2", "--report", str(path)]
    assert main(line) == 0
    printed = capsys.readouterr().out.splitlines()
    text = path.read_text()
    page = Page(text)
    assert [h for h in page.headings() if h in PICTURES] == PICTURES[:1] + PICTURES[2:]
    for row in printed[1:3]:
        assert row.split()[1] in page.text("td"), "the mean"
        assert " ".join(row.split()[2:4]) in page.text("span"), "its interval"
    assert "ndcg@20" not in page.text("th"), "cut-offs of the picture are not columns"
    assert page.text("pre") == f"ltr {' '.join(line)}"
    assert "200 queries, 4147 rows, 20 features" in page.text("p")
    assert "0, 1" in page.text("dd")
    assert "SingleFeatureRanker()" in page.text("code")
    assert "'ndcg@10'" in page.text("dd"), "a hyperparameter"
    assert list(tmp_path.iterdir()) == [path], "no scratch file is left"
    assert path.stat().st_size < 400_000


def test_page_stands_alone():
    """No script, nothing from elsewhere, colors of the reader's mode, unique ids."""
    board = compared({"a": NoisyRanker(), "b": SingleFeatureRanker()}, seeds=(0, 1))
    text = comparison_report(board, metrics=["ndcg@3", "mrr"])
    page = Page(text)
    assert [h for h in page.headings() if h in PICTURES] == PICTURES
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "image", "foreignobject"}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "xlink:href", "src"):
                assert value.startswith("#"), f"{tag} {name}={value}"
    assert not re.search(r"url\((?!#)|@import", text)
    pictures = text[text.index("<svg ") :]
    for color in (*COLORS, "#1c1c22", "#fffffe"):
        assert color not in pictures, "a color that does not follow the mode"
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'(?:url\(|href=")#([\w-]+)', text))
    assert used <= set(ids)


class FirstFeature(NoisyRanker):
    """Another ranker that differs."""

    def predict(self, X, qid=None):
        return X[:, 0]


def test_names_are_text():
    """Names of rankers, files and messages are shown, never run."""
    odd = 'a\nb #0069a6 id="x" stroke: --> --!>'
    names = [EVIL, "n" * 80, "名前 🙂", odd]
    rankers = [NoisyRanker(), FirstFeature(), SingleFeatureRanker(), RandomRanker()]
    fits = dict(zip(names, rankers, strict=True)) | {"bad": FailingRanker()}
    command = f"ltr compare '{EVIL}'"
    board = compared(fits)
    text = comparison_report(board, what=f"{EVIL}.txt", command=command)
    page = Page(text)
    assert "<script" not in text
    assert f"{EVIL}.txt" in page.text("p")
    assert page.text("pre") == command
    for name in names:
        assert name in page.text("th"), "the whole name is in the table"
    assert f"the labels are upside down {EVIL}" in page.text("li")
    assert "Failed fits" in page.headings()
    assert EVIL[:15] in page.text("text"), "and its ends are in the pictures"
    assert "nnnnnnn…" in page.text("text")


def test_warnings():
    """What describe finds stands before the numbers."""
    board = compared({"a": SingleFeatureRanker()})
    blank = describe(DATA.X, np.zeros(len(DATA.y)), DATA.qid)
    page = Page(comparison_report(board, description=blank))
    assert "Problems of the data" in page.headings()
    assert "no query has two distinct labels" in page.text("li")
    fine = describe(DATA.X, DATA.y, DATA.qid)
    page = Page(comparison_report(board, description=fine))
    assert "Problems of the data" not in page.headings()
    assert f"{len(DATA.y)} rows, 4 features" in page.text("dd")


def test_verdict():
    """The best, those that are not told apart, and the worse ones."""
    data = make_ranking(90, list_size=8, nonlinearity=0.0, noise=0.1, random_state=0)
    rankers = {"a": SingleFeatureRanker(), "b": SingleFeatureRanker()}
    board = compare_rankers(
        rankers | {"random": RandomRanker()}, query_folds(data, 3), metrics=("ndcg@5",)
    )
    page = comparison_report(board)
    assert "<strong>a</strong> has the highest ndcg@5: " in page
    assert (
        "Not significantly different (p ≥ 0.05): <em>b</em>. Significantly worse (p "
        "&lt; 0.05): " in page
    )
    assert "The best ranker and the runner-up" not in page, "a and b are the same"


def one_list():
    """Folds that test one list."""
    (fold,) = query_folds(DATA, 3)[:1]
    first = fold.test.qid == fold.test.qid[0]
    return [Fold(fold.train, fold.valid, fold.test.take(first))]


def without_labels(data):
    return RankingData(data.X, np.zeros_like(data.y), data.qid)


@pytest.mark.filterwarnings("ignore:The mean is not defined")  # as metrics say
def test_little_data():
    """One list, one ranker, no ranker, no label: a page all the same."""
    one = comparison_report(
        compared({"a": NoisyRanker(), "b": SingleFeatureRanker()}, one_list())
    )
    assert "over 1 test query." in one
    assert Page(one).headings().count(PICTURES[1]) == 1
    alone = Page(comparison_report(compared({"a": NoisyRanker()})))
    assert [h for h in alone.headings() if h in PICTURES] == PICTURES[:1] + PICTURES[2:]
    nothing = Page(comparison_report(compared({"bad": FailingRanker()})))
    assert "Every fit failed." in nothing.text("p")
    assert not {tag for tag, _ in nothing.tags} & {"svg", "table"}
    blank = [
        Fold(fold.train, *map(without_labels, (fold.valid, fold.test)))
        for fold in FOLDS
    ]
    board = compared({"a": NoisyRanker(), "b": SingleFeatureRanker()}, blank)
    page = Page(comparison_report(board))
    assert "ndcg@3 is undefined for every test query." in page.text("p")
    assert "–" in page.text("td")
    assert board.to_text().count("nan") >= 2


def test_ten_thousand_lists():
    """The page does not grow with the lists."""
    rng = np.random.default_rng(0)
    few = compared({"a": NoisyRanker(), "b": SingleFeatureRanker()})
    n, width = 10_000, len(few.metrics)
    board = Leaderboard(
        few.metrics,
        {name: rng.random((n, width)) for name in few.per_query},
        few.seed_means,
        few.seconds,
        {},
        (0,),
        few.lists.sample(n, replace=True, random_state=0).assign(qid=np.arange(n)),
        rng.random((n, width)),
    )
    page = comparison_report(board)
    assert "over 10,000 test queries." in page
    assert len(page) < 400_000


def test_cutoff_metrics():
    """Cut-offs of the first metric that has one, up to the longest list."""
    assert cutoff_metrics(["map", "mrr"], 100) == []
    names = cutoff_metrics(["ndcg(gain=linear)@10", "ndcg(gain=linear)@1"], 4)
    assert names == [f"ndcg(gain=linear)@{k}" for k in (2, 3, 4)]
    assert cutoff_metrics(["p@5"], 1000)[-1] == "p@100"


def test_report_is_checked_first(tmp_path, capsys):
    """A folder that is not there is found before anything is trained."""
    assert main(["compare", "--report", str(tmp_path / "no" / "report.html")]) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1
    assert "cannot be written: there is no folder " in err[0]


def test_report_without_matplotlib(monkeypatch, capsys):
    """The same for a library that is not installed."""
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["compare", "--report", "report.html"]) == 2
    assert capsys.readouterr().err == (
        "ltr compare: --report needs matplotlib, which is not installed. Install it "
        "with pip install 'ltr[plot]'.\n"
    )
