"""Answers that outlive the process: a mapping, or a file of JSON lines."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterable, Mapping, MutableMapping
from contextvars import ContextVar
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ltr.arguments import ArgumentError, abridged
from ltr.files import check_parent

NO_ANSWER = object()
_KIND = re.compile(rb'\{"kind": "([a-z]+)"')


class AnswerFile:
    """A file of JSON lines, one an answer, of a kind of driver.

    Parameters
    ----------
    path : Path
        The file; it need not exist.
    kind : str
        Kind of driver: ``"pairwise"``.

    Raises
    ------
    ArgumentError
        If the file holds something else, or the answers of another kind of driver.
    """

    def __init__(self, path: Path, kind: str) -> None:
        check_parent(path)
        if path.is_dir():
            raise IsADirectoryError(
                f"cache must be a file of answers; {path} is a folder. Add the name of "
                "a file to it."
            )
        self._path, self._kind = path, kind
        self._start = json.dumps({"kind": kind})[:-1].encode()
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._is_torn = False
        self._answers: dict[tuple[str, str], Any] = {}
        if path.exists():
            self._load(path.read_bytes())

    def get(self, query: str, question: str) -> Any:
        """The stored answer, or ``NO_ANSWER``."""
        return self._answers.get((query, question), NO_ANSWER)

    def put(self, query: str, question: str, answer: Any) -> None:
        """Append an answer, which is on its way to the disk on return."""
        self._answers[query, question] = answer
        of_query = "" if query == "null" else f', "query": {query}'
        answer_text = json.dumps(coded(answer))
        line = f'{of_query}, "question": {question}, "answer": {answer_text}}}\n'
        with self._lock:
            if self._file is None:
                # unbuffered: a line is one write, whole even with several writers
                self._file = self._path.open("ab", buffering=0)
            torn = b"\n" if self._is_torn else b""
            self._is_torn = False
            self._file.write(torn + self._start + line.encode())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _load(self, text: bytes) -> None:
        self._is_torn = bool(text) and not text.endswith(b"\n")
        for number, line in enumerate(text.split(b"\n"), 1):
            if line.startswith(self._start):
                entry = _stored(line)
                if entry is not None:
                    query, question, self._answers[query, question] = entry
            elif not self._start.startswith(line):  # nor is it a torn beginning
                raise ArgumentError(self._refusal(number, line))

    def _refusal(self, number: int, line: bytes) -> str:
        kind = _KIND.match(line)
        content = (
            f"line {number} is {abridged(line[:60].decode(errors='replace'))}"
            if kind is None or _stored(line) is None
            else f"line {number} is an answer of a {kind[1].decode()} driver"
        )
        return (
            f"cache must be a file of answers of a {self._kind} driver; {self._path}: "
            f"{content}. Choose another file."
        )


class RunScope:
    """What the queries of a run share: files of answers, each read once."""

    def __init__(self) -> None:
        self._files: dict[tuple[Path, str], AnswerFile] = {}
        self._lock = threading.Lock()

    def file(self, path: Path, kind: str) -> AnswerFile:
        """The file of a path."""
        with self._lock:
            if (path, kind) not in self._files:
                self._files[path, kind] = AnswerFile(path, kind)
            return self._files[path, kind]

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()


class QueryScope(NamedTuple):
    """The query that is being reranked, in a run."""

    qid: Any
    run: RunScope


SCOPE: ContextVar[QueryScope | None] = ContextVar("query", default=None)


class AnswerCache:
    """Answers by kind of driver, query and question.

    Parameters
    ----------
    store : mutable mapping or path-like, default=None
        A mapping gets keys ``(kind, question)``, or ``(kind, qid, question)`` inside
        :func:`ltr.rerank.rerank_run`. A path is a file of JSON lines, one an answer,
        which is appended to and flushed answer by answer. None: nothing is stored.
    kind : str
        Kind of driver: ``"pairwise"``.
    """

    def __init__(
        self, store: MutableMapping[Any, Any] | os.PathLike[str] | str | None, kind: str
    ) -> None:
        scope = SCOPE.get()
        self._key: tuple[Any, ...] = (kind,) if scope is None else (kind, scope.qid)
        self._query = "null" if scope is None else json.dumps(_coded_id(scope.qid))
        self._mapping: MutableMapping[Any, Any] | None = None
        self._file: AnswerFile | None = None
        self._is_shared = scope is not None
        if isinstance(store, MutableMapping):
            self._mapping = store
        elif store is not None and scope is not None:
            self._file = scope.run.file(Path(store), kind)
        elif store is not None:
            self._file = AnswerFile(Path(store), kind)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is stored, so that no question needs to be looked up."""
        return self._mapping is None and self._file is None

    def get(self, question: tuple[Any, ...]) -> Any:
        """The stored answer of a judge as it came, or ``NO_ANSWER``."""
        if self._mapping is not None:
            return self._mapping.get((*self._key, question), NO_ANSWER)
        if self._file is not None:
            return self._file.get(self._query, _question_text(question))
        return NO_ANSWER

    def put(self, question: tuple[Any, ...], answer: Any) -> None:
        """Store an answer; that of a file is on its way to the disk on return."""
        if self._mapping is not None:
            self._mapping[(*self._key, question)] = answer
        elif self._file is not None:
            self._file.put(self._query, _question_text(question), answer)

    def close(self) -> None:
        """Close the file, unless the queries of a run share it."""
        if self._file is not None and not self._is_shared:
            self._file.close()


def _stored(line: bytes) -> tuple[str, str, Any] | None:
    """Query, question and answer of a line; None if it is torn or forged."""
    try:
        entry = json.loads(line)
        query, question = json.dumps(entry.get("query")), json.dumps(entry["question"])
        return query, question, decoded(entry["answer"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _question_text(question: tuple[Any, ...]) -> str:
    return json.dumps([_coded_id(entry) for entry in question])


def _coded_id(value: Any) -> Any:
    if isinstance(value, tuple):
        return {"tuple": [_coded_id(entry) for entry in value]}
    is_number = isinstance(value, (int, float, np.number, np.bool_))
    if not (is_number or value is None or isinstance(value, str)) or isinstance(
        value, np.timedelta64
    ):
        raise ArgumentError(
            "ids must be text, numbers or tuples of them for a cache file; got "
            f"{abridged(value)}. Use such ids, or a mapping as the cache."
        )
    return coded(value)


def coded(value: Any) -> Any:
    """A value as JSON can hold it.

    Parameters
    ----------
    value : object
        Answer or id. Arrays and iterables of any library become lists. What is neither
        text, number, None nor made of them is replaced by its ``repr``, which no id
        equals.

    Returns
    -------
    coded : object
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return {"repr": repr(value)}
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, (Real, Decimal)):
        return float(value)
    if isinstance(value, tuple):
        return {"tuple": [coded(entry) for entry in value]}
    if isinstance(value, Mapping):
        return {"items": [[coded(key), coded(entry)] for key, entry in value.items()]}
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        number = value.item()
        is_read = isinstance(number, (bool, Real, str))
        return coded(number) if is_read else {"repr": repr(value)}
    if isinstance(value, Iterable) and not isinstance(value, (bytes, set, frozenset)):
        return [coded(entry) for entry in value]
    return {"repr": repr(value)}


def decoded(value: Any) -> Any:
    """The inverse of :func:`coded`; a ``repr`` becomes an object that equals no id.

    Parameters
    ----------
    value : object
        What JSON held.

    Returns
    -------
    decoded : object
    """
    if isinstance(value, list):
        return [decoded(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(decoded(entry) for entry in value["tuple"])
    if "items" in value:
        return {decoded(key): decoded(entry) for key, entry in value["items"]}
    return object()
