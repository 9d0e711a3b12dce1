"""Runs and judgments in files: writers of small ones, and obvious readers."""

import json
import math
import re

from support.file_text import Refused, lines_of, words_of

NAMES = {
    "qid": ["qid", "query-id", "query_id", "q_id", "topic"],
    "docid": [
        "docid",
        "corpus-id",
        "corpus_id",
        "doc_id",
        "docno",
        "p_id",
        "pid",
        "doc",
    ],
    "score": ["score"],
    "label": ["label", "relevance", "rel", "score"],
}
WORDS = [b"Q0", b"query-id", b"score", b"results", b"a", b"{", b"}", b"[", b"]", b"# x"]


def _rows(rng):
    qids = [["1", "2"], ["q", "é"]][rng.integers(2)]
    rows = [
        (q, f"d{i}") for q in qids for i in rng.permutation(6)[: rng.integers(1, 4)]
    ]
    return [(q, d, round(float(rng.normal()), 3)) for q, d in rows]


def write_run(rng):
    """A TREC run, some with further words, comments and blank lines."""
    end = [" t", "", " t more"][rng.integers(3)]
    lines = [f"{q} Q0 {d} {i} {s}{end}" for i, (q, d, s) in enumerate(_rows(rng))]
    for extra in ("# comment", "", " # indented"):
        if rng.random() < 0.2:
            lines.insert(int(rng.integers(len(lines))), extra)
    return ("\n".join(lines) + "\n").encode()


def write_qrels(rng):
    """TREC judgments."""
    return "".join(f"{q} 0 {d} {round(s)}\n" for q, d, s in _rows(rng)).encode()


def write_tsv(rng):
    """A header, and a row per document."""
    head = ["qid\tdocid\tscore", "x\tquery-id\tcorpus-id\tscore"][rng.integers(2)]
    start = "7\t" if head[0] == "x" else ""
    rows = [f"{start}{q}\t{d}\t{s}" for q, d, s in _rows(rng)]
    return "\n".join([head, *rows]).encode()


def write_jsonl(rng):
    """An object per document, or per query."""
    rows = _rows(rng)
    if rng.random() < 0.5:
        lines = [json.dumps({"qid": q, "docid": d, "score": s}) for q, d, s in rows]
    else:
        queries = list(dict.fromkeys(q for q, _, _ in rows))
        lines = [
            json.dumps({"qid": q, "results": {d: s for p, d, s in rows if p == q}})
            for q in queries
        ]
    return "\n".join(lines).encode()


def _number(word, finite=False):
    """A decimal number, or an infinity by name."""
    if re.fullmatch(r"[+-]?(inf|infinity)", word, re.IGNORECASE | re.ASCII):
        value = float(word)
    elif re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", word):
        value = float(word)
        if math.isinf(value):
            raise Refused
    else:
        raise Refused
    if finite and math.isinf(value):
        raise Refused
    return value


def _distinct(rows):
    if not rows or len({row[:2] for row in rows}) < len(rows):
        raise Refused
    return rows


def read_run(data):
    """Rows of a TREC run."""
    rows = []
    for line in lines_of(data):
        words = words_of(line)
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 5:
            raise Refused
        if len(words) > 6 and words[3].lower().lstrip("+-") != "nan":
            _number(words[3])
        rows.append((words[0], words[2], _number(words[4])))
    return _distinct(rows)


def read_qrels(data):
    """Rows of TREC judgments."""
    rows = []
    for line in lines_of(data):
        words = words_of(line)
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 4:
            raise Refused
        rows.append((words[0], words[2], _number(words[3], finite=True)))
    return _distinct(rows)


def _full(data):
    return [line for line in lines_of(data) if words_of(line)]


def read_tsv(data):
    """Rows of a table; without a header, those of a TREC run."""
    lines = _full(data)
    cells = [line.split("\t") for line in lines]
    cells[:1] = [[cell.strip(" ") for cell in row] for row in cells[:1]]
    if not lines or not set(cells[0]) & set(NAMES["qid"]):
        return read_run(data)
    places = []
    for name in ("qid", "docid", "score"):
        present = [n for n in NAMES[name] if n in cells[0]]
        if len(present) != 1 or cells[0].count(present[0]) > 1:
            raise Refused
        places.append(cells[0].index(present[0]))
    rows = []
    for row in cells[1:]:
        if len(row) != len(cells[0]):
            raise Refused
        qid, docid, score = (row[place] for place in places)
        if not (qid.strip(" ") and docid.strip(" ")):
            raise Refused
        rows.append((qid, docid, _number(score.strip(" "))))
    return _distinct(rows)


def read_jsonl(data):
    """Rows of JSON lines."""
    rows = []
    for line in _full(data):
        try:
            record = json.loads(line, object_pairs_hook=_object, parse_float=_float)
        except (ValueError, RecursionError):
            raise Refused from None
        if not isinstance(record, dict):
            raise Refused
        qid = _id(_field(record, "qid"))
        if "results" not in record:
            results = {_id(_field(record, "docid")): _field(record, "score")}
        elif isinstance(record["results"], dict):
            results = {_id(docid): value for docid, value in record["results"].items()}
        else:
            raise Refused
        rows += [(qid, docid, _value(value)) for docid, value in results.items()]
    return _distinct(rows)


def _object(pairs):
    if len(dict(pairs)) < len(pairs):
        raise Refused
    return dict(pairs)


def _float(digits):
    return _number(digits, finite=True)


def _field(record, name):
    fields = [field for field in NAMES[name] if field in record]
    if len(fields) != 1:
        raise Refused
    return record[fields[0]]


def _id(word):
    if type(word) not in (str, int) or word == "":
        raise Refused
    text = str(word)
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise Refused
    return text


def _value(value):
    if type(value) not in (int, float) or value != value:
        raise Refused
    try:
        return float(value)
    except OverflowError:
        raise Refused from None
