"""The way from a call to the function that does the work: how many of our frames."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType

from ltr.metrics import ndcg_score
from ltr.metrics.runs import evaluate_run

ROOT = Path(__file__).parent.parent
OURS = tuple(str(ROOT / room) for room in ("ltr", "solvers", "datasets"))


def is_ours(code: CodeType) -> bool:
    """Whether it is a function of the library; comprehensions are part of theirs."""
    if code.co_name.startswith("<") and code.co_name != "<lambda>":
        return False
    return str(Path(code.co_filename).resolve()).startswith(OURS)


def frames_between(
    call: Callable[[], object], outer: Callable, inner: Callable
) -> list[str]:
    """Names of our functions on the longest way from ``outer`` down to ``inner``.

    Both ends are left out. ``call`` runs ``outer``, which must reach ``inner``.
    """
    ways: list[list[str]] = []

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or frame.f_code is not inner.__code__:
            return
        names, above = [], frame.f_back
        while above is not None and above.f_code is not outer.__code__:
            if is_ours(above.f_code):
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


def test_the_counter():
    """It counts our frames only, and the longest of several ways."""
    info = ndcg_score.info
    names = frames_between(
        lambda: list(map(lambda y: ndcg_score(y, [2, 1]), [[1, 0], [0, 1]])),
        ndcg_score,
        info.kernel,
    )
    assert names == ["score", "MetricInfo.measure"]


def test_evaluate_run():
    """At most 6 frames between a run and the kernel of its metric."""
    run, qrels = {"q": {"a": 2, "b": 1}}, {"q": {"b": 1}}
    names = frames_between(
        lambda: evaluate_run(run, qrels, "ndcg@10"),
        evaluate_run,
        ndcg_score.info.kernel,
    )
    assert len(names) <= 6, names
