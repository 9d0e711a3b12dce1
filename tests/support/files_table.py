"""CSV and TSV files: a writer of small ones, and an obvious reader."""

import re

from support.file_text import Refused, lines_of

MISSING = {"", "nan", "NaN", "-nan", "-NaN", "NA", "N/A", "n/a", "<NA>", "#N/A", "#NA"}
MISSING |= {"NULL", "null", "None"}
BOOLS = {"true": 1.0, "false": 0.0}
NUMBER = re.compile(
    r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|inf|infinity)", re.I | re.A
)


def write(rng, separator=","):
    """A label, a query, a document, and up to three features, in any order."""
    names = ["label", "qid", "docid", "f", "bm25", "a b"][: rng.integers(4, 7)]
    order = rng.permutation(len(names))
    qids = [["1", "2", "30"], ["a", "7", "é"], ["07", "7", "NA"]][rng.integers(3)]
    words = ["d1", "x y", f'"a{separator}b"', '"say ""no"""', '5" disk']
    docids = [words[i] for i in rng.permutation(5)]
    rows = [names]
    for i in range(rng.integers(1, 6)):
        numbers = [str(round(rng.normal(), 3)) for _ in names[3:]]
        if rng.random() < 0.2:
            numbers[0] = ["", "nan", "True", "1e3"][rng.integers(4)]
        rows.append([str(rng.integers(3)), qids[rng.integers(3)], docids[i], *numbers])
    if any(row[3] == "True" for row in rows):  # booleans are a column of their own
        for i, row in enumerate(rows[1:]):
            row[3] = ["True", "False"][i % 2]
    lines = [separator.join(row[i] for i in order) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def reference(data, separator=","):
    """Features, labels, qids, docids, names."""
    header, *rows = [row for row in cells(data, separator) if row != [None]] or [[]]
    if not rows or len(set(header)) < len(header) or "" in header:
        raise Refused
    if any(len(row) != len(header) for row in rows):
        raise Refused
    if not {"label", "qid", "docid"} <= set(header):
        raise Refused
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    names = [name for name in header if name not in ("label", "qid", "docid")]
    labels = numbers(columns["label"])
    if any(label - label != 0 for label in labels):
        raise Refused
    features = [numbers(columns[name]) for name in names]
    table = [list(row) for row in zip(*features, strict=True)] or [[] for _ in rows]
    return [table, labels, ids(columns["qid"]), ids(columns["docid"]), names]


def cells(data, separator):
    """Rows of cells; a blank line is [None]."""
    text = "\n".join(lines_of(data, has_quotes=True)) + "\n"
    rows, row, i = [], [], 0
    if text == "\n":
        return []
    while i < len(text):
        if not row and i and text[i] == "\ufeff":
            i += 1  # where files were joined
        if text[i] == '"':
            cell, i = "", i + 1
            while True:
                if i >= len(text):
                    raise Refused  # the quote is not closed
                if text[i] != '"':
                    cell += text[i]
                elif text[i + 1] == '"':
                    cell, i = cell + '"', i + 1
                else:
                    break
                i += 1
            i += 1
            if text[i] not in (separator, "\n"):
                raise Refused
        else:
            end = min(
                text.find(mark, i) % (len(text) + 1) for mark in (separator, "\n")
            )
            cell, i = text[i:end], end
            if not row and not cell and text[i] == "\n":
                cell = None
        row.append(cell)
        if text[i] == "\n":
            rows.append(row)
            row = []
        i += 1
    return rows


def numbers(words):
    """A column of numbers, with NaN for what is missing, or of booleans."""
    if all(word.lower() in BOOLS for word in words):
        return [BOOLS[word.lower()] for word in words]
    values = []
    for word in words:
        if word in MISSING:
            values.append(float("nan"))
        elif NUMBER.fullmatch(word.strip(" \t\v\f")):
            if abs(float(word)) == float("inf") and re.search("[0-9]", word):
                raise Refused
            values.append(float(word) + 0.0)  # a column of integers has no -0
        else:
            raise Refused
    return values


def ids(words):
    """Integers if all are written as such."""
    if "" in words:
        raise Refused
    if all(re.fullmatch(r"0|-?[1-9][0-9]{0,18}", word) for word in words):
        values = [int(word) for word in words]
        if all(-(2**63) <= value < 2**63 for value in values):
            return values
    return list(words)
