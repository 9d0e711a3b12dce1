"""Fits that go on after the process was killed."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
import zipfile
from functools import partial

import jax
import numpy as np
import pytest

from ltr import NeuralRanker, TSPRanker, load_ranker, save_ranker
from ltr.datasets import make_ranking
from ltr.losses import combine, gumbel_ndcg_loss
from ltr.rankers.neural.identity import text_of
from ltr.training.checkpoint import Checkpoint

DATA = make_ranking(60, list_size=6, n_features=4, n_informative=2, random_state=0)
TRAIN = DATA.X, DATA.y, DATA.qid
DRAW = "ltr.rankers.neural.training.check_random_state"
# 15 steps an epoch, in two calls of the program
OPTIONS = {"max_epochs": 4, "batch_size": 4, "checkpoint_every_s": 0.0}
RANKERS = {
    "draws": NeuralRanker(  # a loss that draws, early stopping, a moving optimizer
        partial(gumbel_ndcg_loss, n_samples=2),
        hidden_layer_sizes=(5,),
        early_stopping=True,
        random_state=3,
        **OPTIONS,
    ),
    "any seed": NeuralRanker("listnet", "linear", **OPTIONS),
    "members": TSPRanker(encoder="identity", n_estimators=2, random_state=0, **OPTIONS),
}


class Killed(BaseException):
    """Nothing catches it, as nothing catches a signal."""


def states(ranker):
    """Everything that a fit has learned."""
    learned = ranker._learned_state
    history = {k: v for k, v in ranker.history_.items() if "seconds" not in k}
    return [*jax.tree.leaves(learned.params), *history.values()]


def fit(ranker):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ranker.fit(*TRAIN)


def die_after(monkeypatch, n_writings):
    """Kill training after so many states are written."""
    save, count = Checkpoint.save, iter(range(10**6))

    def save_and_die(self, *arguments):
        save(self, *arguments)
        if next(count) == n_writings:
            raise Killed

    monkeypatch.setattr(Checkpoint, "save", save_and_die)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory):
    """By name: what a fit without a pause learns, and how often it writes."""

    def run(name):
        with pytest.MonkeyPatch.context() as context:
            writings = []
            save = Checkpoint.save
            context.setattr(
                Checkpoint,
                "save",
                lambda self, *arguments: writings.append(save(self, *arguments)),
            )
            if name == "any seed":
                SEEDS.rewind()
                context.setattr(DRAW, lambda _: np.random.RandomState(next(SEEDS)))
            folder = tmp_path_factory.mktemp("whole")
            learned = states(fit(ranker_of(name, folder)))
        plain = ranker_of(name, None)
        if name != "any seed":
            for value, expected in zip(states(fit(plain)), learned, strict=True):
                np.testing.assert_array_equal(value, expected)
        return learned, len(writings)

    return {name: run(name) for name in RANKERS}


@pytest.mark.parametrize("name", RANKERS)
@pytest.mark.parametrize("share", [0.0, 0.35, 0.6, 0.999])
def test_it_goes_on_to_the_same_bits(name, share, wholes, monkeypatch, tmp_path):
    """Killed in an epoch, at the end, or between the members of an ensemble."""
    expected, n_writings = wholes[name]
    if name == "any seed":  # that of the first attempt is part of the state
        monkeypatch.setattr(DRAW, lambda _: np.random.RandomState(next(SEEDS)))
    ranker = ranker_of(name, tmp_path)
    with monkeypatch.context() as context:
        die_after(context, int(share * n_writings))
        with pytest.raises(Killed):
            fit(ranker)
    assert not hasattr(ranker, "n_features_in_")
    assert list(tmp_path.iterdir())
    for value, whole in zip(states(fit(ranker)), expected, strict=True):
        np.testing.assert_array_equal(value, whole)
    assert list(tmp_path.iterdir()) == []


class Seeds:
    """1, 2, 3, …, from the start again after a rewind."""

    def __init__(self):
        self.rewind()

    def rewind(self):
        self.last = 0

    def __next__(self):
        self.last += 1
        return self.last


SEEDS = Seeds()


@pytest.fixture(autouse=True)
def first_seed():
    """Each test begins with seed 1."""
    SEEDS.rewind()


def ranker_of(name, folder):
    """A new ranker with this folder."""
    from sklearn.base import clone

    return clone(RANKERS[name]).set_params(checkpoint_dir=folder)


SCRIPT = """
import sys, warnings
sys.path.insert(0, {tests!r})
warnings.simplefilter("ignore")
from test_checkpoint import RANKERS, fit
fit(RANKERS["draws"].set_params(checkpoint_dir=sys.argv[1], max_epochs=40))
"""


def test_a_process_that_is_killed(tmp_path):
    """By SIGKILL, once it has written a state; the next one ends with the same bits."""
    script = SCRIPT.format(tests=os.path.dirname(__file__))
    path = tmp_path / "member_0.npz"
    while not path.exists():  # again if it ended before
        process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
        while process.poll() is None and not path.exists():
            time.sleep(0.005)
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        assert process.wait() in (0, -signal.SIGKILL)
    whole, resumed = (
        fit(ranker_of("draws", folder).set_params(max_epochs=40))
        for folder in (None, tmp_path)
    )
    for state, expected in zip(states(resumed), states(whole), strict=True):
        np.testing.assert_array_equal(state, expected)


@pytest.fixture
def killed(monkeypatch, tmp_path):
    """A folder with the state of a fit that was killed."""
    with monkeypatch.context() as context:
        die_after(context, 3)
        with pytest.raises(Killed):
            fit(ranker_of("any seed", tmp_path).set_params(random_state=0))
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "row", "others"),
    [
        ({"learning_rate": 0.1, "random_state": 0}, None, "parameters"),
        ({"random_state": 1}, None, "parameters"),
        ({"random_state": 0}, 0, "data"),
        ({"random_state": 0, "loss": "mse"}, 5, "data and other parameters"),
    ],
)
def test_another_fit_is_refused(changes, row, others, killed):
    """The state of the first one stays."""
    ranker = ranker_of("any seed", killed).set_params(**changes)
    features = DATA.X.copy()
    if row is not None:
        features[row] += 1
    message = (
        "checkpoint_dir must be empty or hold the state of this same fit; "
        f"{killed / 'member_0.npz'} has that of a fit with other {others}. Pass "
        "another folder, or delete the file to begin from the start."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.fit(features, DATA.y, DATA.qid)
    assert (killed / "member_0.npz").exists()


def test_a_damaged_file_is_refused(killed):
    """Nothing in it is executed, and it is not overwritten."""
    path = killed / "member_0.npz"
    content = path.read_bytes()
    ranker = ranker_of("any seed", killed).set_params(random_state=0)
    for damaged in (content[:-30], b"", b"PK" + content[2:900], b"\x93NUMPY"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="no checkpoint of a fit: .* Delete it"):
            fit(ranker)
        assert path.read_bytes() == damaged
    np.savez(path, header=np.array([object()], dtype=object))
    with pytest.raises(ValueError, match="no checkpoint of a fit: .* Delete it"):
        fit(ranker)


def forged(path, change=dict, **arrays):
    """Write the file with another header or other arrays."""
    with np.load(path) as archive:
        members = dict(archive)
    header = json.loads(members["header"].tobytes())
    text = json.dumps(change(header)).encode()
    members["header"] = np.frombuffer(text, np.uint8)
    np.savez(path, **{**members, **arrays})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", None),
        ("seed", 1.5),
        ("identity", [1]),
        ("generator", {"bit_generator": "PCG64"}),
        ("n_steps", -1),
        ("n_steps", "3"),
        ("epoch_steps", 1.0),
        ("losses", ["x"]),
        ("losses", 3),
        ("rates", ["x"]),
        ("watched", [1.0]),
        ("watched", {"mrr": "x"}),
        ("best_score", None),
        ("best_epoch", True),
    ],
)
def test_a_header_of_other_types_is_refused(name, value, killed):
    """Missing, or of another type."""
    path = killed / "member_0.npz"
    forged(path, lambda header: {**header, name: value})
    ranker = ranker_of("any seed", killed).set_params(random_state=0)
    message = (
        f"{path} is no checkpoint of a fit: its header is of another form. Delete it "
        "to begin from the start."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fit(ranker)
    forged(path, lambda header: {k: v for k, v in header.items() if k != name})
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fit(ranker)


def test_forged_arrays_are_refused(killed):
    """Compressed ones, which may be of any size, and those longer than the file."""
    path = killed / "member_0.npz"
    content = path.read_bytes()
    ranker = ranker_of("any seed", killed).set_params(random_state=0)
    refused = "no checkpoint of a fit: "
    forged(path, totals=np.zeros((2, 2)))
    with pytest.raises(ValueError, match=refused + "its header is of another form"):
        fit(ranker)
    with np.load(io.BytesIO(content)) as archive:
        np.savez_compressed(path, **archive)
    with pytest.raises(ValueError, match=refused + "header.npy is compressed"):
        fit(ranker)
    np.savez_compressed(path, header=np.zeros(9999))
    with pytest.raises(ValueError, match=refused + "its arrays are larger than the fi"):
        fit(ranker)
    zeros = io.BytesIO()
    np.save(zeros, np.zeros(3))
    huge = zeros.getvalue().replace(b"(3,), }", b"(9999999,), }")
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("header", "totals"):
            archive.writestr(f"{name}.npy", huge)
    with pytest.raises(
        ValueError, match=refused + "header.npy holds no array of shape"
    ):
        fit(ranker)


def test_a_file_in_place_of_the_folder(tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(NotADirectoryError) as info:
        fit(ranker_of("any seed", path))
    assert str(info.value) == (
        f"checkpoint_dir must be a folder; {path} is a file. Pass another path."
    )


class Scaled:
    """A loss with an option of its own."""

    def __init__(self, factor):
        self.factor, self.owner = factor, self

    def __call__(self, scores, labels, **options):
        return self.factor * (scores - labels).sum(axis=-1)


def test_a_ranker_with_a_path_is_saved(tmp_path):
    """As text."""
    ranker = NeuralRanker("mse", "linear", max_epochs=1, checkpoint_dir=tmp_path / "c")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save_ranker(ranker.fit(*TRAIN), tmp_path / "ranker")
    loaded = load_ranker(tmp_path / "ranker")
    assert loaded.checkpoint_dir == str(tmp_path / "c")


def test_functions_are_told_apart():
    """By code, defaults, closures and attributes; no addresses, no order of sets."""
    times = lambda factor: lambda scores, labels, **options: factor * scores
    values = [
        times(1),
        times(2),
        lambda scores, labels: scores in {"a", "b", "c"},
        lambda scores, labels: scores - 1,
        lambda scores, labels=3: scores - 1,
        partial(times(1), options=times(3)),
        partial(times(1), options=times(4)),
        Scaled(1),
        Scaled(2),
        Scaled(1).__call__,
        combine((0.5, "ranknet"), (2.0, times(1))),
        combine((0.5, "ranknet"), (2.0, times(2))),
        np.arange(2000),
        np.append(np.arange(1999), 5),
        jax.jit(times(1)),
    ]
    texts = [text_of(value) for value in values]
    assert len(set(texts)) == len(texts)
    assert not any(" at 0x" in text for text in texts)
    assert text_of(Scaled(1)) == texts[7]
    assert text_of(frozenset("abc")) == "frozenset([\"'a'\", \"'b'\", \"'c'\"])"


def test_parameters():
    """Messages, before anything is written."""
    ranker = NeuralRanker("mse", "linear", checkpoint_dir=3)
    with pytest.raises(
        ValueError, match="checkpoint_dir must be a path or None; got 3"
    ):
        ranker.fit(*TRAIN)
    ranker = NeuralRanker("mse", "linear", checkpoint_every_s=-1)
    with pytest.raises(ValueError, match="checkpoint_every_s must be"):
        ranker.fit(*TRAIN)
