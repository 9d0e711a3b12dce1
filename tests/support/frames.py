"""How long the way is from a call to the function that does the work, in our frames.

``python tests/support/frames.py`` prints the table of the main calls.
"""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType

import jax

import ltr

_HOUSE = Path(ltr.__file__).parent.parent
_ROOMS = tuple(f"{_HOUSE / room}/" for room in ("ltr", "solvers", "datasets"))


def is_own(code: CodeType) -> bool:
    """Whether it is a function of the library; comprehensions are part of theirs."""
    if code.co_name.startswith("<") and code.co_name != "<lambda>":
        return False
    return code.co_filename.startswith(_ROOMS)


def frames_between(
    call: Callable[[], object], outer: Callable, inner: Callable
) -> list[str]:
    """Names of our functions on the longest way from ``outer`` down to ``inner``.

    Both ends are left out. ``call`` runs ``outer``, which must reach ``inner`` in the
    same thread.
    """
    ways: list[list[str]] = []

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or frame.f_code is not inner.__code__:
            return
        names, above = [], frame.f_back
        while above is not None and above.f_code is not outer.__code__:
            if is_own(above.f_code):
                names.append(above.f_code.co_qualname)
            above = above.f_back
        if above is not None:
            ways.append(names[::-1])

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(before)
    assert ways, f"{outer.__qualname__} never calls {inner.__qualname__}"
    return max(ways, key=len)


@dataclass
class Walk:
    """The way of one call through our functions.

    Attributes
    ----------
    depth : int
        Most of our frames on the stack at a time; the call itself is frame 1.
    functions, files : set
        Our functions that were entered, and their files.
    moves : int
        How often the way went from one of our files to another, returns included.
    """

    depth: int = 0
    functions: set[CodeType] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    moves: int = 0


class _Counter:
    """The profile function of one thread."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._stack: list[str] = []  # files of our frames

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event not in ("call", "return") or not is_own(frame.f_code):
            return
        file, walk = frame.f_code.co_filename, self._walk
        here = self._stack[-1] if self._stack else file
        if event == "call":
            self._stack.append(file)
            walk.functions.add(frame.f_code)
            walk.files.add(file)
            walk.depth = max(walk.depth, len(self._stack))
        elif self._stack:
            self._stack.pop()
        there = self._stack[-1] if self._stack else here
        walk.moves += here != there


def count(call: Callable[[], object]) -> Walk:
    """Count a call that has run once before, so that imports are not counted.

    Compiled steps are forgotten, because a compiled one does not enter the loss. A
    thread of a pool begins at frame 1.
    """
    call()
    jax.clear_caches()
    walk = Walk()
    before = sys.getprofile()
    threading.setprofile(lambda *event: sys.setprofile(_Counter(walk)))
    sys.setprofile(_Counter(walk))
    try:
        call()
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    return walk


def calls() -> dict[str, Callable[[], object]]:
    """The calls of the table, on data that are small enough to count."""
    from ltr import LambdaMARTRanker, NeuralRanker, TSPRanker
    from ltr.datasets import make_ranking
    from ltr.metrics import evaluate_run

    data = make_ranking(20, list_size=6, n_features=4, n_informative=2, random_state=0)
    train = data.X, data.y, data.qid
    neural = NeuralRanker(max_epochs=2, hidden_layer_sizes=(4,))
    trees = LambdaMARTRanker(n_estimators=2, n_jobs=1)
    pairs = TSPRanker(max_epochs=2, hidden_layer_sizes=(4,), n_jobs=1)
    qrels = {"q1": {"a": 1, "b": 0}, "q2": {"a": 0, "c": 2}}
    run = {"q1": {"a": 0.35, "b": 0.95}, "q2": {"a": 0.15, "c": 0.25}}
    return {
        "NeuralRanker.fit": lambda: neural.fit(*train),
        "NeuralRanker.predict": lambda: neural.predict(data.X, data.qid),
        "LambdaMARTRanker.fit": lambda: trees.fit(*train),
        "LambdaMARTRanker.predict": lambda: trees.predict(data.X, data.qid),
        "TSPRanker.fit": lambda: pairs.fit(*train),
        "TSPRanker.predict": lambda: pairs.predict(data.X, data.qid),
        "evaluate_run": lambda: evaluate_run(run, qrels, ["ndcg@10", "map"]),
    }


def table() -> str:
    """Depth, functions, files and moves of each call."""
    lines = [f"{'call':26}{'depth':>6}{'functions':>11}{'files':>7}{'moves':>7}"]
    for name, call in calls().items():
        walk = count(call)
        lines.append(
            f"{name:26}{walk.depth:6}{len(walk.functions):11}{len(walk.files):7}"
            f"{walk.moves:7}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
