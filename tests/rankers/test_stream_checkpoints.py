"""fit_stream goes on after the process was killed, to the same bits."""

import os
import random
import re
import signal
import subprocess
import sys
import time
import warnings
from functools import partial

import jax
import numpy as np
import pytest
from sklearn.base import clone

from ltr import NeuralRanker, TSPRanker
from ltr.datasets import RankingData, make_ranking, open_shards, save_shards
from ltr.losses import gumbel_ndcg_loss
from ltr.training.checkpoint import Checkpoint

DATA = make_ranking(60, list_size=(4, 9), n_features=4, n_informative=2, random_state=0)
TEST = make_ranking(9, list_size=6, n_features=4, n_informative=2, random_state=1)
OPTIONS = {"max_epochs": 3, "batch_size": 8, "checkpoint_every_s": 0.0}
# A loss that draws, a schedule that depends on the steps of an epoch, early stopping.
DRAWS = NeuralRanker(
    partial(gumbel_ndcg_loss, n_samples=2),
    "linear",
    learning_rate_schedule="cosine",
    random_state=3,
    **OPTIONS,
)
MEMBERS = TSPRanker(encoder="identity", n_estimators=2, random_state=0, **OPTIONS)


class Killed(BaseException):
    """Nothing catches it, as nothing catches a signal."""


def pieces_of_an_epoch(epoch):
    """A function, whose later epochs have other pieces than the first one."""
    for query in range(0, 60, 15):
        rows = (DATA.qid >= query) & (DATA.qid < query + 15 - epoch)
        yield DATA.take(np.flatnonzero(rows))


CASES = {
    "pieces": (DRAWS, DATA, {"buffer_rows": 150, "validation": TEST}),
    "function": (DRAWS, pieces_of_an_epoch, {}),
    "members": (MEMBERS, DATA, {"buffer_rows": 150}),
}


def fit(ranker, source, folder=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ranker = clone(ranker).set_params(checkpoint_dir=folder)
        return ranker.fit_stream(source, **options)


def states(ranker):
    """Everything that a fit has learned."""
    learned = ranker._learned_state
    history = {k: v for k, v in ranker.history_.items() if "seconds" not in k}
    return [*jax.tree.leaves(learned.params), *history.values()]


def assert_same_bits(ranker, expected):
    for value, other in zip(states(ranker), states(expected), strict=True):
        np.testing.assert_array_equal(value, other)


def die_after(context, n_writings):
    """Kill training after so many states are written."""
    save, count = Checkpoint.save, iter(range(10**6))

    def save_and_die(self, *arguments):
        save(self, *arguments)
        if next(count) == n_writings:
            raise Killed

    context.setattr(Checkpoint, "save", save_and_die)


@pytest.fixture(scope="module")
def wholes():
    """By name: a fit without a pause and without checkpoints."""
    return {
        name: fit(ranker, source, **options)
        for name, (ranker, source, options) in CASES.items()
    }


@pytest.mark.parametrize(
    ("name", "n_writings"),
    [("pieces", 0), ("pieces", 12), ("pieces", 22), ("function", 11), ("members", 29)],
)
def test_it_goes_on_to_the_same_bits(name, n_writings, wholes, monkeypatch, tmp_path):
    """Killed in the first or in a later epoch, after the last, in a later member."""
    ranker, source, options = CASES[name]
    with monkeypatch.context() as context:
        die_after(context, n_writings)
        with pytest.raises(Killed):
            fit(ranker, source, tmp_path, **options)
    assert list(tmp_path.iterdir())
    assert_same_bits(fit(ranker, source, tmp_path, **options), wholes[name])
    assert list(tmp_path.iterdir()) == []


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from test_stream_checkpoints import DRAWS, fit, open_shards
fit(
    DRAWS.set_params(max_epochs=100),
    open_shards(sys.argv[1]),
    sys.argv[2],
    buffer_rows=150,
)
"""


def test_a_process_that_is_killed(tmp_path):
    """By SIGKILL at random moments of training; LTR_KILLS says how often."""
    save_shards(DATA, tmp_path / "train", rows=99)
    folder = tmp_path / "state"
    script = SCRIPT.format(tests=os.path.dirname(__file__))
    command = [sys.executable, "-c", script, tmp_path / "train", folder]
    n_kills, wanted = 0, int(os.environ.get("LTR_KILLS", "1"))
    path, rng = folder / "member_0.npz", random.Random(0)
    while n_kills < wanted:
        seen = path.stat().st_mtime_ns if path.exists() else 0
        process = subprocess.Popen(command)
        while process.poll() is None and not (
            path.exists() and path.stat().st_mtime_ns != seen
        ):
            time.sleep(0.005)
        time.sleep(rng.uniform(0.0, 0.2 / wanted))
        process.send_signal(signal.SIGKILL)
        assert process.wait() in (0, -signal.SIGKILL)
        n_kills = n_kills + 1 if path.exists() else 0  # 0 if it ended before
    shards, ranker = open_shards(tmp_path / "train"), clone(DRAWS)
    ranker.set_params(max_epochs=100)
    whole = states(fit(clone(ranker), shards, buffer_rows=150))
    resumed = states(fit(ranker, shards, folder, buffer_rows=150))
    for state, expected in zip(resumed, whole, strict=True):
        np.testing.assert_array_equal(state, expected)


def relabeled(row):
    """The data with another label in a row."""
    y = DATA.y.copy()
    y[row] = 4 - y[row]
    return RankingData(DATA.X, y, DATA.qid)


def test_another_fit_is_refused(monkeypatch, tmp_path):
    """Other rows anywhere, other pieces, other validation; ``fit`` on the same rows."""
    ranker, source, options = CASES["pieces"]
    options = {"buffer_rows": 40, "validation": TEST}
    with monkeypatch.context() as context:
        die_after(context, 3)
        with pytest.raises(Killed):
            fit(ranker, source, tmp_path, **options)
    file = tmp_path / "member_0.npz"
    content = file.read_bytes()

    def is_refused(others, attempt):
        message = (
            "checkpoint_dir must be empty or hold the state of this same fit; "
            f"{file} has that of a fit with other {others}. Pass another folder, or "
            "delete the file to begin from the start."
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            attempt()
        assert file.read_bytes() == content

    again = partial(fit, ranker, folder=tmp_path)
    for row in (0, 37, 150, 301):
        is_refused("data", partial(again, relabeled(row), **options))
    is_refused("data", partial(again, source, **{**options, "buffer_rows": 60}))
    is_refused("data", partial(again, source, buffer_rows=40))
    is_refused("data", partial(again, lambda epoch: [source], **options))
    is_refused(
        "parameters",
        partial(
            fit, clone(ranker).set_params(clip_norm=1.0), source, tmp_path, **options
        ),
    )
    in_memory = clone(ranker).set_params(checkpoint_dir=tmp_path)
    is_refused("data", partial(in_memory.fit, DATA.X, DATA.y, DATA.qid))


def test_ctrl_c_in_a_member_of_several(monkeypatch):
    """It ends the fit, as that of ``fit``."""
    from ltr.rankers.neural import streaming

    train = streaming.train

    def interrupted(*arguments, **options):
        result = train(*arguments, **options)
        result.interrupted = True
        return result

    monkeypatch.setattr(streaming, "train", interrupted)
    with pytest.raises(
        KeyboardInterrupt, match="^stopped in member 1 of 2; the ranker"
    ):
        fit(MEMBERS, DATA)
