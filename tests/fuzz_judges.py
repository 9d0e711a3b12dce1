"""Drivers of ``ltr.rerank`` against judges that err, fail, lie and take their time.

    python tests/fuzz_judges.py --seconds 600 --kills 20

draws a driver, its options, a list and a judge, and checks that the result is a
permutation, that the budget holds, that threads, batches and ``async`` change nothing,
and that a run that ended early resumes to the same result without repeating a call.
``--kills`` kills processes at random moments and resumes from their cache files.
``--seed 3 --case 812`` runs one case again. The exit code is 1 if anything was wrong.
"""

import argparse
import asyncio
import itertools
import json
import math
import os
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ltr import rerank
from ltr.rerank import Calls

TEMPERS = (
    "consistent",
    "noisy",
    "cyclic",
    "constant",
    "silent",
    "raising",
    "flaky",
    "malformed",
    "foreign",
    "nan",
    "slow",
    "mixed",
)
GARBAGE = ("", "A", b"B", [], [[]], {}, {"x": "y"}, math.nan, object(), 1j, 7, -1, 0)
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "pointwise": [{}],
    "pairwise": [
        *(
            {"method": "all", "aggregate": a}
            for a in ("order", "wins", "probabilities")
        ),
        *({"method": m} for m in ("heap", "bubble", "tournament", "verified")),
        {"method": "verified", "verify": "top", "span": 1},
    ],
    "setwise": [{}, {"method": "bubble", "size": 3}, {"size": 2, "votes": 3}],
    "listwise": [
        {"window": 4, "step": 2},
        {"window": 3, "step": 1, "passes": "stable"},
        {"window": None},
        {"method": "tournament", "window": 3},
        {"window": 5, "step": 5, "passes": 2, "depth": 7},
    ],
    "groupwise": [{"size": 3}, {"size": 4, "repeats": 3}],
    "sequential": [{}],
}
IS_SPREAD = {"pointwise", "pairwise", "sequential"}
MAX_CALLS = 20_000


class Hang(BaseException):
    """The driver asks without end."""


@dataclass(frozen=True)
class Case:
    """A driver, its options, the ids, and how the judge behaves."""

    driver: str
    options: dict[str, Any]
    ids: list[Any]
    temper: str
    seed: int
    calls: dict[str, Any]


def draw(seed: int, number: int) -> Case:
    """The case of a number."""
    rng = random.Random(f"{seed} {number}")
    driver = rng.choice(list(OPTIONS))
    options = dict(rng.choice(OPTIONS[driver]))
    n = rng.choice((0, 1, 2, 3, 5, 8, 8, 13))
    if driver in ("pairwise", "setwise", "listwise") or rng.random() < 0.3:
        options["k"] = rng.choice((1, 2, 3, 10))
    if driver == "pairwise":
        options["both_orders"] = rng.random() < 0.5
    ids = [f"d{place}" for place in range(n)]
    if rng.random() < 0.3:
        ids = list(range(n))
    elif rng.random() < 0.2:
        ids = [("doc", place) for place in range(n)]
    rng.shuffle(ids)
    calls: dict[str, Any] = {"on_failure": rng.choice(("keep", "keep", "raise"))}
    if rng.random() < 0.5:
        calls["budget"] = rng.choice((0, 1, 2, 3, 5, 10, 30, 7.5))
    if rng.random() < 0.3:
        calls["retries"] = rng.choice((1, 2))
    if rng.random() < 0.2:
        calls["strict"] = True
    if rng.random() < 0.3:
        calls["cost"] = lambda question: 0.1 + len(question)
    return Case(driver, options, ids, rng.choice(TEMPERS), number, calls)


class Judge:
    """A judge whose answer depends on the question and the attempt alone."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.asked: Counter[Any] = Counter()
        self.n_calls = 0

    def plain(self, *question: Any) -> Any:
        """Answer one question."""
        question = question if self.case.driver in IS_SPREAD else question[0]
        self.asked[question] += 1
        self.n_calls += 1
        if self.n_calls > MAX_CALLS:
            raise Hang
        temper, attempt = self.case.temper, self.asked[question]
        rng = random.Random(zlib.crc32(repr((self.case.seed, question)).encode()))
        if temper == "mixed":
            temper = rng.choice(TEMPERS[:-1])
        if temper == "raising" and rng.random() < 0.4:
            raise OSError(f"no answer to {question!r}")
        if temper == "flaky" and attempt == 1 and rng.random() < 0.5:
            raise TimeoutError(f"late with {question!r}")
        if temper == "slow":
            time.sleep(rng.random() * 2e-4)
        if temper == "malformed" and rng.random() < 0.5:
            return rng.choice(GARBAGE)
        if temper == "silent" and rng.random() < 0.7:
            return None
        return getattr(self, f"_{self.case.driver}")(question, temper, rng)

    def batch(self, questions: list[Any]) -> list[Any]:
        """Answer a round, with exceptions as answers."""
        answers = []
        for question in questions:
            try:
                spread = self.case.driver in IS_SPREAD
                answers.append(
                    self.plain(*question) if spread else self.plain(question)
                )
            except Exception as error:  # noqa: BLE001
                answers.append(error)
        return answers

    async def awaited(self, *question: Any) -> Any:
        """Answer one question after others that came later."""
        await asyncio.sleep(0)
        if self.case.temper == "slow":
            await asyncio.sleep(zlib.crc32(repr(question).encode()) % 7 * 1e-5)
        return self.plain(*question)

    def _value(self, item: Any, temper: str, rng: random.Random) -> float:
        number = float(item[-1] if isinstance(item, tuple) else str(item).strip("d"))
        if temper == "constant":
            return 0.5
        if temper == "nan" and rng.random() < 0.5:
            return math.nan
        return -number + (rng.gauss(0, 3) if temper == "noisy" else 0.0)

    def _pointwise(self, question: Any, temper: str, rng: random.Random) -> Any:
        return self._value(question[0], temper, rng)

    def _pairwise(self, question: Any, temper: str, rng: random.Random) -> Any:
        first, second = (self._value(item, "", rng) for item in question)
        if temper == "cyclic":
            return (second - first) % 7 < 3
        if temper == "constant":
            return True
        if temper == "nan":
            return math.nan
        return rng.random() if temper == "noisy" else first > second

    def _sorted(self, items: Any, temper: str, rng: random.Random) -> list[Any]:
        if temper == "cyclic":
            pivot = max(self._value(item, "", rng) for item in items)
            return sorted(
                items, key=lambda item: (self._value(item, "", rng) * 3 - pivot) % 7
            )
        if temper == "constant":
            return list(items)
        return sorted(items, key=lambda item: -self._value(item, temper, rng))

    def _setwise(self, question: Any, temper: str, rng: random.Random) -> Any:
        if temper == "foreign" and rng.random() < 0.5:
            return rng.choice(("d99", 99, [], None, True))
        return self._sorted(question, temper, rng)[0]

    def _listwise(self, question: Any, temper: str, rng: random.Random) -> Any:
        answer = self._sorted(question, temper, rng)
        if temper == "foreign":
            answer += ["d99", 99, True, [], answer[0]]
            rng.shuffle(answer)
            answer = answer[: rng.randrange(len(answer) + 1)]
        return answer

    def _groupwise(self, question: Any, temper: str, rng: random.Random) -> Any:
        if temper == "foreign":
            return {"d99": 1.0, **{item: 1.0 for item in question[1:]}}
        return [self._value(item, temper, rng) for item in question]

    def _sequential(self, question: Any, temper: str, rng: random.Random) -> Any:
        picked, remaining = question
        if temper == "foreign" and rng.random() < 0.5:
            return rng.choice((*picked, "d99", []))
        if temper == "constant" and len(picked) == 4:
            return None
        return self._sorted(remaining, temper, rng)[0]


def outcome(case: Case, judge: Any, **calls: Any) -> tuple[Any, Any]:
    """The result without times, or the error; and the Reranking."""
    driver = getattr(rerank, f"{case.driver}_rerank")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = driver(
                case.ids, judge, calls=Calls(**(case.calls | calls)), **case.options
            )
        except Exception as error:
            if not isinstance(error, (OSError, ValueError)):
                raise
            return (type(error), str(error)), None
    scores = None if result.scores is None else result.scores.tobytes()
    answers = [(a.question, repr(a.answer), a.round) for a in result.answers]
    order = (result.ids, scores, result.k, result.is_complete, result.repairs, answers)
    counts = (result.n_calls, result.cost, result.n_rounds, result.n_failed)
    return (order, counts), result


def faults_of(case: Case) -> list[str]:
    """What is wrong with a case, in words."""
    faults = []
    judge = Judge(case)
    expected, result = outcome(case, judge.plain)
    if result is None:
        if case.calls["on_failure"] == "keep":
            faults.append(f"raised, with on_failure='keep': {expected}")
    else:
        if sorted(result.ids, key=repr) != sorted(case.ids, key=repr):
            faults.append(f"not a permutation: {result.ids}")
        if result.n_calls != judge.n_calls:
            faults.append(f"n_calls {result.n_calls}, but {judge.n_calls} were made")
        if result.cost > case.calls.get("budget", math.inf):
            faults.append(f"cost {result.cost} over the budget")
    ways = {
        "8 threads": (Judge(case).plain, {"max_concurrency": 8}),
        "async": (Judge(case).awaited, {"max_concurrency": 4}),
        "batched": (Judge(case).batch, {"batched": True}),
    }
    for name, (way, calls) in ways.items():
        found, _ = outcome(case, way, **calls)
        if found != expected:
            faults.append(f"{name}: {found} instead of {expected}")
    if result is not None and "budget" not in case.calls:
        faults += _resumed(case, expected)
    return faults


def _resumed(case: Case, expected: Any) -> list[str]:
    """A run cut short by a budget, then resumed from its cache."""
    stored: dict[Any, Any] = {}
    judge = Judge(case)
    _, short = outcome(case, judge.plain, cache=stored, budget=case.seed % 11)
    before = set(judge.asked)
    answered = {key[-1] for key in stored}
    if short is not None:
        answered |= {answer.question for answer in short.answers}
    judge = Judge(case)
    if case.temper in ("flaky", "mixed"):
        judge.asked.update(before)  # an attempt was made already
        case.calls.setdefault("retries", 0)
    resumed, _ = outcome(case, judge.plain, cache=stored)
    repeated = (
        answered
        & {question for question, n in judge.asked.items() if n > (question in before)}
        if case.temper in ("flaky", "mixed")
        else answered & set(judge.asked)
    )
    if repeated:
        return [f"asked again for {repeated}"]
    if case.temper not in ("flaky", "mixed") and resumed[0] != expected[0]:
        return [f"resumed: {resumed[0]} instead of {expected[0]}"]
    return []


def kills(n_kills: int, seed: int) -> list[str]:
    """Kill a process at random moments, resume, and count the calls."""
    rng = random.Random(seed)
    faults = []
    names = ("pairwise", "setwise", "listwise")
    with tempfile.TemporaryDirectory() as folder:
        for number, name in zip(range(n_kills), itertools.cycle(names), strict=False):
            options = {"passes": "stable", "window": 6, "step": 3}
            options = options if name == "listwise" else {}
            if name == "pairwise":
                options = {"method": "heap"}
            ids = list(range(40))
            rng.shuffle(ids)
            case = Case(name, options, ids, "slow", number, {})
            faults += _killed(case, Path(folder) / f"{number}.jsonl", rng)
    return faults


def _killed(case: Case, path: Path, rng: random.Random) -> list[str]:
    expected, _ = outcome(case, Judge(case).plain)
    log = path.with_suffix(".log")
    faults: list[str] = []
    is_over = False
    while not is_over and not faults:
        if path.exists() and rng.random() < 0.5:
            text = path.read_bytes()
            path.write_bytes(text[: len(text) - rng.randrange(40)])  # a torn line
        lines = path.read_bytes().split(b"\n") if path.exists() else []
        stored = {json.dumps(_content(line)) for line in lines} - {"null"}
        log.write_text("")
        child = os.fork()
        if not child:
            _child(case, path, log)
        status = _killed_after(child, log, rng.randrange(20), rng.random() * 1e-3)
        is_over = os.WIFEXITED(status)
        asked = log.read_text().splitlines()
        if stored & set(asked) or len(set(asked)) < len(asked):
            faults.append(f"killed {case.driver}: {stored & set(asked)} asked again")
    resumed, result = outcome(case, Judge(case).plain, cache=path)
    if resumed[0] != expected[0] or result.n_calls:
        faults.append(f"killed {case.driver}: {resumed} instead of {expected}")
    return faults


def _killed_after(child: int, log: Path, n_lines: int, seconds: float) -> int:
    """Exit status of a child that is killed shortly after some answers."""
    finished = 0
    while not finished and log.read_bytes().count(b"\n") < n_lines:
        time.sleep(2e-4)
        finished, status = os.waitpid(child, os.WNOHANG)
    if not finished:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return status


def _content(line: bytes) -> Any:
    """The question of a line of a cache file; None if the line is torn."""
    try:
        return json.loads(line)["question"]
    except (ValueError, KeyError):
        return None


def _child(case: Case, path: Path, log: Path) -> None:
    judge = Judge(case)
    spread = case.driver in IS_SPREAD

    def ask(*question: Any) -> Any:
        time.sleep(3e-4)
        answer = judge.plain(*question)
        with log.open("a") as file:
            file.write(json.dumps(question if spread else question[0]) + "\n")
        return answer

    outcome(case, ask, cache=path)
    os._exit(0)


def fuzz(seconds: float, seed: int, numbers: Any) -> tuple[Counter[str], list[str]]:
    """Run cases until the time is over."""
    counts: Counter[str] = Counter()
    failures = []
    started = time.process_time()
    for number in numbers:
        if time.process_time() - started > seconds:
            break
        case = draw(seed, number)
        try:
            faults = faults_of(case)
        except (Exception, Hang):  # noqa: BLE001
            faults = [traceback.format_exc()]
        counts[case.driver] += 1
        counts[case.temper] += 1
        for fault in faults:
            text = fault if len(fault) < 2000 else f"{fault[:2000]} …"
            failures.append(f"--seed {seed} --case {number}: {case}\n{text}")
    return counts, failures


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of CPU")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, help="end after this many")
    parser.add_argument("--case", type=int, help="run this case only")
    parser.add_argument("--kills", type=int, default=0, help="processes to kill")
    options = parser.parse_args(arguments)
    numbers: Any = itertools.count()
    if options.case is not None:
        numbers = [options.case]
    elif options.cases is not None:
        numbers = range(options.cases)
    say = partial(print, file=sys.stdout)
    failures = kills(options.kills, options.seed)
    counts, faults = fuzz(options.seconds, options.seed, numbers)
    failures += faults
    say(", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    n_cases = sum(counts[name] for name in OPTIONS)
    say(f"{n_cases} cases, {options.kills} lists killed and resumed")
    say(f"{len(failures)} faults")
    for failure in failures[:20]:
        say(f"\n{failure}")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
