"""Answers that outlive the process: a mapping, or a file of JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ltr.arguments import ArgumentError, abridged
from ltr.files import check_parent

# The query that is being reranked, so that the queries of a run may share one cache.
QUERY: ContextVar[Any] = ContextVar("query", default=None)
NO_ANSWER = object()
_START = b'{"kind": "'


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

    Raises
    ------
    ArgumentError
        If the file holds something else, or the answers of another kind of driver.
    """

    def __init__(
        self, store: MutableMapping[Any, Any] | os.PathLike[str] | str | None, kind: str
    ) -> None:
        self._kind, self._query = kind, QUERY.get()
        self._mapping = store if isinstance(store, MutableMapping) else None
        self._path = None if store is None or self._mapping is not None else Path(store)  # type: ignore[arg-type]
        self._file: BinaryIO | None = None
        self._answers: dict[str, Any] = {}
        self._is_torn = False
        query = {} if self._query is None else {"query": coded(self._query)}
        head = json.dumps({"kind": kind, **query})
        self._head = (head[:-1] + ', "question": ').encode()
        if self._path is not None:
            check_parent(self._path)
            self._load(self._path)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is stored, so that no question needs to be looked up."""
        return self._mapping is None and self._path is None

    def get(self, question: tuple[Any, ...]) -> Any:
        """The stored answer of a judge as it came, or ``NO_ANSWER``."""
        if self._mapping is not None:
            return self._mapping.get(self._key(question), NO_ANSWER)
        if self._path is None:
            return NO_ANSWER
        return self._answers.get(_question_text(question), NO_ANSWER)

    def put(self, question: tuple[Any, ...], answer: Any) -> None:
        """Store an answer; that of a file is on its way to the disk on return."""
        if self._mapping is not None:
            self._mapping[self._key(question)] = answer
        elif self._path is not None:
            text = _question_text(question)
            self._answers[text] = answer
            if self._file is None:
                # unbuffered: a line is one write, whole even with several writers
                self._file = self._path.open("ab", buffering=0)
            line = f'{text}, "answer": {json.dumps(coded(answer))}}}\n'.encode()
            torn = b"\n" if self._is_torn else b""
            self._is_torn = False
            self._file.write(torn + self._head + line)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _key(self, question: tuple[Any, ...]) -> tuple[Any, ...]:
        query = () if self._query is None else (self._query,)
        return (self._kind, *query, question)

    def _load(self, path: Path) -> None:
        if not path.exists():
            return
        text = path.read_bytes()
        self._is_torn = bool(text) and not text.endswith(b"\n")
        own_kind = json.dumps({"kind": self._kind})[:-1].encode()
        for number, line in enumerate(text.split(b"\n"), 1):
            if line.startswith(self._head):
                answer = _parsed(line)
                if answer is not None:
                    self._answers[json.dumps(answer["question"])] = decoded(
                        answer["answer"]
                    )
            elif not (line.startswith(own_kind) or own_kind.startswith(line)):
                raise ArgumentError(self._refusal(path, number, line))

    def _refusal(self, path: Path, number: int, line: bytes) -> str:
        answer = _parsed(line) if line.startswith(_START) else None
        content = (
            f"line {number} is {abridged(line[:60].decode(errors='replace'))}"
            if answer is None
            else f"line {number} is an answer of a {answer['kind']} driver"
        )
        return (
            f"cache must be a file of answers of a {self._kind} driver; {path}: "
            f"{content}. Choose another file."
        )


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The content of a line; None if it is torn."""
    try:
        answer = json.loads(line)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and "answer" in answer else None


def _question_text(question: tuple[Any, ...]) -> str:
    return json.dumps([_coded_id(entry) for entry in question])


def _coded_id(value: Any) -> Any:
    if isinstance(value, tuple):
        return {"tuple": [_coded_id(entry) for entry in value]}
    text = coded(value)
    if isinstance(text, (dict, list)):
        raise ArgumentError(
            "ids must be text, numbers or tuples of them for a cache file; got "
            f"{abridged(value)}. Use such ids, or a mapping as the cache."
        )
    return text


def coded(value: Any) -> Any:
    """A value as JSON can hold it.

    Parameters
    ----------
    value : object
        Answer or id. What is neither text, number, None nor made of them is replaced by
        its ``repr``, which no id equals.

    Returns
    -------
    coded : object
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, np.generic):
        return coded(value.item())
    if isinstance(value, tuple):
        return {"tuple": [coded(entry) for entry in value]}
    if isinstance(value, (list, np.ndarray)):
        return [coded(entry) for entry in value]
    if isinstance(value, Mapping):
        return {"items": [[coded(key), coded(entry)] for key, entry in value.items()]}
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
