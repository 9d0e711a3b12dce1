"""LETOR files: a writer of small ones, and an obvious reader."""

import re

from support.file_text import Refused, lines_of, number, words_of


def write(rng):
    """Two or three queries, dense or sparse, from 0 or from 1, some with docids."""
    first, width = int(rng.integers(2)), int(rng.integers(1, 5))
    qids = [["1", "2", "30"], ["a", "q-7", "é"]][rng.integers(2)]
    lines = []
    for _ in range(rng.integers(1, 7)):
        indices = [i + first for i in range(width) if rng.random() < 0.8]
        words = [str(rng.integers(3)), f"qid:{qids[rng.integers(3)]}"]
        words += [f"{i}:{round(rng.normal(), 3)}" for i in indices]
        if rng.random() < 0.3:
            words.append(["# docid = d1 inc = 1", "# a note", "#"][rng.integers(3)])
        lines.append(" ".join(words))
    return ("\n".join(lines) + "\n").encode()


def reference(data):
    """Shape, entries that are not 0, labels, qids, docids."""
    rows, labels, qids, docids = [], [], [], []
    for line in lines_of(data):
        body, _, comment = line.partition("#")
        words = words_of(body)
        if not words:
            continue
        if len(words) < 2 or not words[1].startswith("qid:") or words[1] == "qid:":
            raise Refused
        if re.search(r"\s", words[1]):
            raise Refused
        labels.append(number(words[0]))
        qids.append(words[1][4:])
        docids.append(_docid(comment.strip(" \t\v\f")))
        rows.append(_features(words[2:]))
    if not rows:
        raise Refused
    indices = [index for row in rows for index in row]
    first = 0 if 0 in indices else 1
    width = max(indices, default=first - 1) + 1 - first
    entries = [
        (i, index - first, value)
        for i, row in enumerate(rows)
        for index, value in sorted(row.items())
        if value != 0
    ]
    if all(re.fullmatch(r"0|-?[1-9][0-9]{0,18}", qid) for qid in qids):
        numbers = [int(qid) for qid in qids]
        if all(-(2**63) <= value < 2**63 for value in numbers):
            qids = numbers
    return [[len(rows), width], entries, labels, qids, docids if any(docids) else None]


def _features(words):
    row = {}
    for word in words:
        index, colon, value = word.partition(":")
        if not colon or not re.fullmatch("[0-9]+", index):
            raise Refused
        place = int(index[-400:]) if not index[:-400].strip("0") else 10**9
        if place > 10_000_000:
            raise Refused
        if place in row:
            raise Refused
        row[int(place)] = float("nan") if value in ("nan", "NaN") else number(value)
    return row


def _docid(comment):
    match = re.search(r"docid[ \t\v\f]*=[ \t\v\f]*([^ \t\v\f]+)", comment)
    return match[1] if match else comment
