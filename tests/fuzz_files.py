"""Damaged files: every reader against a slow reference parser.

    python tests/fuzz_files.py --seconds 300 [--seed 0] [--format letor,csv]

Small valid files of each format are mutated and read. A reader may raise ValueError or
OSError, with the name of the file in the message; it must not raise anything else, take
more than a second, accept what the reference refuses, or read it otherwise.

A format is a row of ``FORMATS``: see :class:`Format`.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from support import (
    files_letor,
    files_mapped,
    files_problems,
    files_runs,
    files_table,
)
from support.file_text import Refused

from ltr.datasets import (
    load_letor,
    load_preflib,
    load_table,
    load_tsplib,
    open_ranking,
    read_qrels,
    read_run,
)

LIMIT_S = 1.0
SPECIAL = [
    *[b"\0", b"\r", b"\r\n", b"\n", b"\n\n", b" ", b"\t", b"\x0b", b"\x0c", b"#", b'"'],
    *[b"\xe9", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b", b"\xc2\x85", b"\xc2\xa0"],
    *["٣".encode(), "\u2028".encode(), "é".encode(), b"\\", b"_", b",", b";", b"'"],
    *[b"0", b"-1", b"+7", b"07", b"1.5", b".5", b"3.", b"1e3", b"1e400", b"1_0"],
    *[b"nan", b"NaN", b"inf", b"-inf", b"0x10", b"NA", b"None", b"True", b"1e-400"],
    *[b"9" * 25, b"-9223372036854775808", b"4294967296", b"x" * 300, b"1" * 5000],
]


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes
    ----------
    name : str
        Its name for ``--format``.
    file : str
        Name of the file that is mutated, in an empty folder.
    write : callable
        ``write(rng)``: the bytes of a small valid file.
    read : callable
        ``read(path)``: what the library reads, as plain lists, numbers and strings.
    reference : callable
        ``reference(data)``: the same from the bytes; raises ``Refused``.
    words : sequence of bytes
        What else mutations insert: words of the format.
    prepare : callable or None
        ``prepare(folder)``: writes the other files of the folder.
    """

    name: str
    file: str
    write: Callable[[np.random.Generator], bytes]
    read: Callable[[Path], Any]
    reference: Callable[[bytes], Any]
    words: Sequence[bytes] = ()
    prepare: Callable[[Path], None] | None = None


def read_letor(path: Path) -> Any:
    """Shape, entries that are not 0, labels, qids, docids."""
    data = load_letor(path)
    rows, columns = np.nonzero(data.X)
    entries = zip(
        rows.tolist(), columns.tolist(), data.X[rows, columns].tolist(), strict=True
    )
    docids = None if data.docids is None else data.docids.tolist()
    return [
        list(data.X.shape),
        list(entries),
        data.y.tolist(),
        data.qid.tolist(),
        docids,
    ]


def read_rows(read: Callable[[Path], Any], path: Path) -> Any:
    """Query, document and number of each row."""
    return list(read(path).itertuples(index=False, name=None))


def read_preflib(path: Path) -> Any:
    """Rankings, counts, names."""
    votes = load_preflib(path)
    return [votes.rankings, votes.counts, votes.names]


def read_tsplib(path: Path) -> Any:
    """Name, kind, matrix."""
    instance = load_tsplib(path)
    return [instance.name, instance.kind, instance.matrix.tolist()]


def read_table(path: Path) -> Any:
    """Features, labels, qids, docids, names."""
    data = load_table(path, docid="docid")
    labels = data.y.astype(float).tolist()
    names = data.feature_names
    table = (data.X + 0.0).tolist()
    return [table, labels, data.qid.tolist(), data.docids.tolist(), names]


def read_about(path: Path) -> Any:
    """Description, and whether there are docids."""
    data = open_ranking(path.parent)
    return [data.description, data.docids is not None]


def read_labels(path: Path) -> Any:
    """Labels of mapped data."""
    return open_ranking(path.parent).y.astype(float).tolist()


_TABLE_WORDS = [b",", b"\t", b'"', b'""', b'"a', b"label", b"qid", b"docid", b"False"]
FORMATS = [
    Format(
        "letor",
        "data.txt",
        files_letor.write,
        read_letor,
        files_letor.reference,
        [b"qid:", b"1:2", b"0:1", b":", b" 2:", b"docid = ", b"9999999:1"],
    ),
    Format(
        "run",
        "run.txt",
        files_runs.write_run,
        partial(read_rows, read_run),
        files_runs.read_run,
        files_runs.WORDS,
    ),
    Format(
        "qrels",
        "qrels.txt",
        files_runs.write_qrels,
        partial(read_rows, read_qrels),
        files_runs.read_qrels,
        files_runs.WORDS,
    ),
    Format(
        "run_tsv",
        "run.tsv",
        files_runs.write_tsv,
        partial(read_rows, read_run),
        files_runs.read_tsv,
        files_runs.WORDS,
    ),
    Format(
        "run_jsonl",
        "run.jsonl",
        files_runs.write_jsonl,
        partial(read_rows, read_run),
        files_runs.read_jsonl,
        files_runs.WORDS,
    ),
    Format(
        "preflib",
        "a.toi",
        files_problems.write_preflib,
        read_preflib,
        files_problems.read_preflib,
        files_problems.PREFLIB_WORDS,
    ),
    Format(
        "tsplib",
        "a.tsp",
        files_problems.write_tsplib,
        read_tsplib,
        files_problems.read_tsplib,
        files_problems.TSPLIB_WORDS,
    ),
    Format(
        "csv",
        "data.csv",
        files_table.write,
        read_table,
        files_table.reference,
        _TABLE_WORDS,
    ),
    Format(
        "tsv",
        "data.tsv",
        partial(files_table.write, separator="\t"),
        read_table,
        partial(files_table.reference, separator="\t"),
        _TABLE_WORDS,
    ),
    Format(
        "mapped",
        "ranking.json",
        files_mapped.write_about,
        read_about,
        files_mapped.read_about,
        [b'"X"', b"{}", b"[", b"]", b"null", b"true", b'"docids"', b'"arrays": '],
        files_mapped.prepare,
    ),
    Format(
        "mapped_y",
        "y.npy",
        files_mapped.write_labels,
        read_labels,
        files_mapped.read_labels,
        [
            b"(4,)",
            b"(5,)",
            b"'<f4'",
            b"'|O'",
            b"'<M8[s]'",
            b"True",
            b"\x93NUMPY",
            b"PK",
        ],
        files_mapped.prepare,
    ),
]


class Hang(BaseException):
    """The reader took more than a second."""


def mutate(data: bytes, rng: np.random.Generator, words: Sequence[bytes]) -> bytes:
    """The data with one to three faults."""
    for _ in range(rng.integers(1, 4)):
        data = _MUTATIONS[rng.integers(len(_MUTATIONS))](data, rng, words)
    return data


def _place(data: bytes, rng: np.random.Generator) -> int:
    return int(rng.integers(len(data) + 1))


def _insert(data: bytes, rng: np.random.Generator, words: Sequence[bytes]) -> bytes:
    pool = SPECIAL if rng.random() < 0.5 or not words else words
    i = _place(data, rng)
    return data[:i] + pool[rng.integers(len(pool))] + data[i:]


def _replace(data: bytes, rng: np.random.Generator, words: Sequence[bytes]) -> bytes:
    """A word becomes another one."""
    spans = [match.span() for match in re.finditer(rb"[^\s:,{}\"]+", data)]
    if not spans:
        return data
    begin, end = spans[rng.integers(len(spans))]
    pool = [*SPECIAL, *words, *(data[b:e] for b, e in spans)]
    return data[:begin] + pool[rng.integers(len(pool))] + data[end:]


def _flip(data: bytes, rng: np.random.Generator, words: Sequence[bytes]) -> bytes:
    if not data:
        return data
    i = int(rng.integers(len(data)))
    return data[:i] + bytes([data[i] ^ (1 << rng.integers(8))]) + data[i + 1 :]


def _delete(data: bytes, rng: np.random.Generator, words: Sequence[bytes]) -> bytes:
    i = _place(data, rng)
    return data[:i] + data[i + int(rng.integers(1, 9)) :]


def _cut(data: bytes, rng: np.random.Generator, words: Sequence[bytes]) -> bytes:
    return data[: _place(data, rng)]


def _copy(data: bytes, rng: np.random.Generator, words: Sequence[bytes]) -> bytes:
    """A piece, inserted elsewhere."""
    begin, i = _place(data, rng), _place(data, rng)
    return data[:i] + data[begin : begin + int(rng.integers(1, 20))] + data[i:]


def _lines(data: bytes, rng: np.random.Generator, words: Sequence[bytes]) -> bytes:
    """A line is dropped, doubled, or moved; or all line ends are others."""
    lines = data.split(b"\n")
    i, j = (int(k) for k in rng.integers(len(lines), size=2))
    kind = rng.integers(4)
    if kind == 3:
        return data.replace(b"\n", [b"\r", b"\r\n"][rng.integers(2)])
    line = lines.pop(i) if kind < 2 else lines[i]
    if kind:
        lines.insert(j, line)
    return b"\n".join(lines)


_MUTATIONS = [_insert, _insert, _replace, _replace, _replace, _flip, _delete, _cut]
_MUTATIONS += [_copy, _lines]


def fault(form: Format, path: Path, data: bytes) -> tuple[str, str]:
    """Outcome of a file, and what is wrong with it; "" if nothing is."""
    path.write_bytes(data)
    try:
        expected = repr(form.reference(data))
    except Refused:
        expected = None
    value, error = None, None
    # of processor time, and a longer one for a reader that waits
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    signal.setitimer(signal.ITIMER_REAL, 20 * LIMIT_S)
    try:
        value = form.read(path)
    except Hang:
        return "hang", f"more than {LIMIT_S} s"
    except (ValueError, OSError) as caught:
        error = caught
    except Exception as caught:  # noqa: BLE001 - no reader may raise it
        return "crash", f"{type(caught).__name__}: {caught}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    if error is not None:
        if str(path.parent) not in str(error):
            return "unnamed", f"no file in the message: {type(error).__name__}: {error}"
        return ("refused" if expected is None else "stricter"), ""
    if expected is None:
        return "accepted", f"the reference refuses it; got {value!r}"
    if repr(value) != expected:
        return "other", f"expected {expected}; got {value!r}"
    return "equal", ""


def cases(
    form: Format, folder: Path, seed: int
) -> Iterator[tuple[bytes, tuple[str, str]]]:
    """Mutated files of a format and their outcomes, without an end."""
    rng = np.random.default_rng([seed, *form.name.encode()])
    if form.prepare is not None:
        form.prepare(folder)
    path = folder / form.file
    path.write_bytes(form.write(rng))
    form.read(path)  # imports what the reader needs, which takes time
    while True:
        valid = form.write(rng)
        outcome = fault(form, path, valid)
        if outcome[0] in ("refused", "stricter"):
            outcome = "invalid", "a valid file is refused"
        yield valid, outcome
        for _ in range(20):
            data = mutate(valid, rng, form.words)
            yield data, fault(form, path, data)


def fuzz(
    forms: Sequence[Format],
    seed: int,
    *,
    seconds: float = np.inf,
    n_cases: float = np.inf,
) -> tuple[Counter[tuple[str, str]], list[tuple[str, bytes, str]]]:
    """Run the formats in turn until either limit: outcomes, and what was wrong."""
    counts: Counter[tuple[str, str]] = Counter()
    faults = []

    def raise_hang(*_: object) -> None:
        raise Hang

    alarms = (signal.SIGALRM, signal.SIGPROF)
    previous = [signal.signal(alarm, raise_hang) for alarm in alarms]
    deadline = time.monotonic() + seconds
    try:
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        with tempfile.TemporaryDirectory(dir=memory) as name, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            streams = []
            for form in forms:
                folder = Path(name) / form.name
                folder.mkdir()
                streams.append((form, cases(form, folder, seed)))
            n_done = 0
            while n_done < n_cases and time.monotonic() < deadline:
                for form, stream in streams:
                    data, (outcome, problem) = next(stream)
                    counts[form.name, outcome] += 1
                    n_done += 1
                    if problem:
                        faults.append((form.name, data, f"{outcome}: {problem}"))
    finally:
        for alarm, handler in zip(alarms, previous, strict=True):
            signal.signal(alarm, handler)
    return counts, faults


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as told on the command line; return 1 after a fault."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [form.name for form in FORMATS]
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", default=",".join(names), help=", ".join(names))
    options = parser.parse_args(arguments)
    say = partial(print, file=sys.stdout)
    wanted = options.format.split(",")
    unknown = set(wanted) - set(names)
    if unknown:
        parser.error(f"no format {', '.join(sorted(unknown))}; there are {names}")
    forms = [form for form in FORMATS if form.name in wanted]
    started = time.monotonic()
    counts, faults = fuzz(forms, options.seed, seconds=options.seconds)
    seconds = time.monotonic() - started
    for form in forms:
        outcomes = {
            o: n for (name, o), n in sorted(counts.items()) if name == form.name
        }
        say(f"{form.name:10} " + ", ".join(f"{n} {o}" for o, n in outcomes.items()))
    n_cases = sum(counts.values())
    say(f"{n_cases} files in {seconds:.0f} s, {n_cases / seconds:.0f} a second")
    seen: Counter[str] = Counter()
    for name, data, problem in faults:
        kind = name + problem[:40]
        seen[kind] += 1
        if seen[kind] <= 3:
            say(f"\n{name}: {data!r}\n  {problem[:600]}")
    say(f"\n{len(faults)} faults")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
