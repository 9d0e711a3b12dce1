"""Compiled programs on disk."""

import json
import os
import subprocess
import sys

import pytest

from ltr import compilation_cache
from ltr.cli.compare import keep_programs

FIT = """
import json, sys
import ltr
from ltr.datasets import make_ranking

if sys.argv[2] == "late":
    import jax
ltr.compilation_cache(sys.argv[1])
import jax

events = []
jax.monitoring.register_event_listener(lambda name, **_: events.append(name))
data = make_ranking(12, list_size=5, n_features=3, n_informative=2, random_state=0)
ranker = ltr.NeuralRanker("mse", "linear", max_epochs=2, random_state=0)
scores = ranker.fit(data.X, data.y, data.qid).predict(data.X, data.qid)
names = [name.rsplit("/", 1)[-1] for name in events]
print(json.dumps([names.count("cache_hits"), names.count("cache_misses"), *scores]))
"""


def test_a_second_process_reads_what_the_first_compiled(tmp_path):
    """Also if JAX was imported before the call; its scores are the same."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    outputs = []
    for moment in ("early", "late"):
        command = [sys.executable, "-c", FIT, str(tmp_path / "programs"), moment]
        process = subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        )
        outputs.append(json.loads(process.stdout.splitlines()[-1]))
    (hits, misses, *scores), (hits_again, misses_again, *scores_again) = outputs
    assert hits == 0
    assert misses == hits_again > 5
    assert misses_again == 0
    assert scores == scores_again


@pytest.fixture
def no_settings(monkeypatch):
    """Variables as in a new process; what a test sets is undone."""
    for name in [name for name in os.environ if name.startswith("JAX_")]:
        monkeypatch.delenv(name)
        monkeypatch.setitem(os.environ, name, "")
        monkeypatch.delitem(os.environ, name)
    monkeypatch.delitem(sys.modules, "jax")  # whose settings stay


def test_where_the_folder_is(no_settings, monkeypatch, tmp_path):
    """In the home, or where JAX's own variable says."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "own"))
    assert compilation_cache() == tmp_path / "own"
    assert compilation_cache("~/other") == tmp_path / "other"
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    assert compilation_cache() == tmp_path / ".cache" / "ltr" / "compiled"
    assert os.environ["JAX_COMPILATION_CACHE_DIR"].endswith("compiled")


def test_a_home_that_cannot_be_written(no_settings, monkeypatch, tmp_path, capsys):
    """The command goes on, and says so."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "file"))
    keep_programs()
    assert capsys.readouterr().err == (
        f"! compiled programs are not kept: {tmp_path / 'file'} is a file, not a "
        "folder. Set JAX_COMPILATION_CACHE_DIR to a folder that can be written.\n"
    )
