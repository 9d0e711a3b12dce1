"""Collections in the forms of BEIR, BRIGHT, R2MED and RAR-b, made by hand."""

import gzip
import json
import re

import pandas as pd
import pytest

from ltr.datasets import (
    exclude,
    read_choices,
    read_corpus,
    read_excluded,
    read_qrels,
    read_queries,
    read_run,
)
from ltr.metrics import evaluate_run


def write(path, *records):
    path.parent.mkdir(exist_ok=True)
    text = "".join(json.dumps(record) + "\n" for record in records)
    path.write_bytes(
        gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode()
    )


def overlap_run(queries, corpus):
    """A run by shared words, as a user would make it."""
    return {
        q: {
            d: len({*a.split()} & {*b.split()})
            for d, b in zip(corpus.docid, corpus.text, strict=True)
        }
        for q, a in zip(queries.qid, queries.text, strict=True)
    }


def test_beir_folder(tmp_path):
    """Texts, judgments of a split, and identical ids dropped."""
    write(
        tmp_path / "corpus.jsonl.gz",
        {"_id": "d1", "title": "Wings", "text": "wings lift", "metadata": {}},
        {"_id": "q1", "title": None, "text": "why do wings lift"},
    )
    write(
        tmp_path / "queries.jsonl",
        {"_id": "q1", "text": "why do wings lift", "metadata": {}},
    )
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\td1\t1\n"
    )
    corpus, queries = read_corpus(tmp_path), read_queries(tmp_path)
    run = overlap_run(queries, corpus)
    values = evaluate_run(exclude(run, "same_id"), read_qrels(tmp_path), ["ndcg@10"])
    assert values.loc["ndcg@10", "mean"] == 1.0
    assert (
        evaluate_run(run, read_qrels(tmp_path), ["ndcg@10"]).loc["ndcg@10", "mean"]
        < 0.7
    )
    assert corpus.to_dict("list") == {
        "docid": ["d1", "q1"],
        "title": ["Wings", ""],
        "text": ["wings lift", "why do wings lift"],
    }


def test_r2med_folder(tmp_path):
    """Ids are called id, q_id and p_id."""
    write(
        tmp_path / "corpus.jsonl",
        {"id": "p1", "text": "a rash"},
        {"id": "p2", "text": "a cough"},
    )
    write(tmp_path / "query.jsonl", {"id": "7", "text": "child with a rash"})
    write(tmp_path / "qrels.jsonl", {"q_id": "7", "p_id": "p1", "score": 1})
    run = overlap_run(read_queries(tmp_path), read_corpus(tmp_path))
    assert (
        evaluate_run(run, read_qrels(tmp_path), ["ndcg@10"]).loc["ndcg@10", "mean"]
        == 1.0
    )


EXAMPLES = (
    {
        "id": "0",
        "query": "leaves",
        "excluded_ids": ["N/A"],
        "gold_ids": ["b", "b"],
        "gold_ids_long": ["N/A"],
    },
    {
        "id": "1",
        "query": "roots",
        "excluded_ids": ["a"],
        "gold_ids": ["b"],
        "gold_ids_long": ["c"],
    },
)


def test_bright_folder(tmp_path):
    """Examples are queries, judgments and exclusions at once."""
    write(
        tmp_path / "documents.jsonl",
        {"id": "a", "content": "roots of"},
        {"id": "b", "content": "leaves"},
    )
    write(tmp_path / "examples.jsonl", *EXAMPLES)
    run = overlap_run(read_queries(tmp_path), read_corpus(tmp_path))
    run = exclude(run, read_excluded(tmp_path))
    assert (
        evaluate_run(run, read_qrels(tmp_path), ["ndcg@10"]).loc["ndcg@10", "mean"]
        == 1.0
    )
    assert read_excluded(tmp_path) == {"0": [], "1": ["a"]}
    long = read_qrels(tmp_path, gold="gold_ids_long")
    assert long.to_dict("list") == {"qid": ["1"], "docid": ["c"], "label": [1.0]}


def test_bright_examples_as_a_table():
    """As the library of Hugging Face hands them to pandas, with arrays."""
    table = pd.DataFrame(EXAMPLES)
    table["gold_ids"] = [pd.Series(ids).to_numpy() for ids in table["gold_ids"]]
    assert read_qrels(table)["docid"].tolist() == ["b", "b"]
    assert read_qrels(table, gold="gold_ids_long")["docid"].tolist() == ["c"]


@pytest.mark.parametrize(
    ("answers", "options"),
    [(("1", "2"), {}), (("0", "1"), {}), (("1", "1"), {"first": 0}), (("A", "b"), {}),
     (("sol1", "sol2"), {}), (("to dry, wipe", "sell"), {})],
)  # fmt: skip
def test_choices(tmp_path, answers, options):
    """RAR-b: the accuracy is success@1; the answer may be told in five ways."""
    path = tmp_path / "piqa.csv"
    rows = [
        f'dry a cup,"to dry, wipe",oil,"{answers[0]}"',
        f'buy,give,sell,"{answers[1]}"',
    ]
    path.write_text("\n".join(["goal,sol1,sol2,label", *rows]))
    lists = read_choices(
        path, question="goal", choices=["sol1", "sol2"], answer="label", **options
    )
    run = lists.assign(score=[9.0, 3.0, 1.0, 4.0])
    right = [1, 0, 0, 1] if not options else [0, 1, 0, 1]
    assert lists["label"].tolist() == right
    assert lists["question"].tolist() == ["dry a cup"] * 2 + ["buy"] * 2
    success = evaluate_run(run, lists, ["success@1"]).loc["success@1", "mean"]
    assert success == (1.0 if right == [1, 0, 0, 1] else 0.5)  # the longest text


def test_empty_choices(tmp_path):
    """A question may have fewer choices; its answer must be one of them."""
    path = tmp_path / "arc.tsv"
    path.write_text("q\ta\tb\tc\tkey\nx\tu\tv\t\tB\ny\tu\tv\tw\tC\n")
    columns = {"question": "q", "choices": ["a", "b", "c"], "answer": "key"}
    lists = read_choices(path, **columns)
    assert lists["label"].tolist() == [0, 1, 0, 0, 1]
    path.write_text("q\ta\tb\tc\tkey\nx\tu\tv\t\tC\n")
    message = f"{path}, line 2: column 'key' must name one of the choices that are there; got 'C'."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_choices(path, **columns)
    path.write_text("q\ta\tb\tc\tkey\nx\tu\tv\tw\t2\n")
    message = (
        f"{path}: whether the first of 3 choices has the number 0 or 1 must be clear; got the "
        "answers [2]. Pass first=0 or first=1."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_choices(path, **columns)
    message = f"{path} must have the columns ['q', 'd', 'key']; got ['q', 'a', 'b', 'c', 'key']."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_choices(path, question="q", choices=["d"], answer="key")


ID = "'_id' (or 'id', 'docid', 'doc_id', 'docno', 'corpus-id', 'corpus_id', 'p_id', 'pid')"
TEXT = "'text' (or 'contents', 'content', 'body', 'passage')"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"ident": 1, "text": ""}', "line 1: OBJECT; got no '_id', but ['ident', 'text']."),
        ("a.jsonl", '\n{"id": 1, "words": ""}', "line 2: OBJECT; got no 'text', but ['id', 'words']."),
        ("a.jsonl", '{"id": 1, "text": null}', "line 1: OBJECT; got 'text': None."),
        ("a.jsonl", '{"id": "", "text": "x"}', "line 1: OBJECT; got 'id': ''."),
        (
            "a.jsonl",
            '{"id": 1, "text": ""}\n{"id": "1", "text": ""}',
            "line 2: a docid must be there only once; got '1' again, as in line 1. Keep one of the lines.",
        ),
        ("a.tsv", "d1\tone\nd2\n", "line 2: a row must have 2 cells between tabs; got 1 in 'd2'."),
        ("a.tsv", " \tone\n", "line 1: an id must not be empty; got 'one'."),
    ],
)  # fmt: skip
def test_malformed_documents(tmp_path, name, text, message):
    """The whole message, with the names that came."""
    path = tmp_path / name
    path.write_text(text)
    message = message.replace(
        "OBJECT", f"a line must be a JSON object with {ID} and {TEXT}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}, {message}')}$"):
        read_corpus(path)


def test_missing_and_empty_files(tmp_path):
    expected = "queries.tsv or query.tsv or examples.tsv (or .jsonl, or gzipped)"
    with pytest.raises(
        FileNotFoundError,
        match=f"^{re.escape(f'{tmp_path} must have a file {expected}; it has no file.')}$",
    ):
        read_queries(tmp_path)
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "dev.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq0\td0\t1\n"
    )
    with pytest.raises(
        FileNotFoundError,
        match=r"file qrels/test\.tsv or qrels\.tsv .* it has qrels/dev\.tsv\.$",
    ):
        read_qrels(tmp_path)
    assert len(read_qrels(tmp_path, split="dev")) == 1
    table = tmp_path / "corpus.csv"
    table.write_text("docid,text\nd1,one\n")
    message = (
        f"{table} must be a .jsonl or .tsv file; got .csv. Read it with pandas into "
        "columns 'docid' and 'text'."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_corpus(table)
    (tmp_path / "corpus.jsonl").write_text("\n")
    with pytest.raises(
        ValueError, match=r"corpus\.jsonl must have at least one line; got none\.$"
    ):
        read_corpus(tmp_path)


def test_tables_of_texts(tmp_path):
    """With a header, or as MS MARCO's queries; lines may be gzipped."""
    (tmp_path / "queries.tsv").write_text("7\twhat is a wing\n")
    assert read_queries(tmp_path).to_dict("list") == {
        "qid": ["7"],
        "title": [""],
        "text": ["what is a wing"],
    }
    (tmp_path / "corpus.tsv").write_text("pid\tpassage\ttitle\n1\tx\ty\n")
    assert read_corpus(tmp_path).to_dict("list") == {
        "docid": ["1"],
        "title": ["y"],
        "text": ["x"],
    }


def test_wrong_keys_are_named(tmp_path):
    """Judgments that lack a key, whatever the file is called."""
    line = {"q_id": "7", "paper": "p1", "score": 1}
    for name in ("qrels.jsonl", "qrels.json", "qrels.txt"):
        write(tmp_path / name, line)
        message = (
            f"{tmp_path / name}, line 1: a line must be a JSON object with 'qid', 'docid' and 'label', or "
            "with 'qid' and 'results'; got no 'docid', but ['q_id', 'paper', 'score']."
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            read_qrels(tmp_path / name)
    write(tmp_path / "e.jsonl", {"id": 7, "gold_ids": ["a"]})
    message = r"got no 'gold_ids_long', but \['id', 'gold_ids'\]\.$"
    with pytest.raises(ValueError, match=message):
        read_qrels(tmp_path / "e.jsonl", gold="gold_ids_long")
    with pytest.raises(
        ValueError, match=r"got no 'excluded_ids', but \['id', 'gold_ids'\]\.$"
    ):
        read_excluded(tmp_path / "e.jsonl")


def test_a_column_doc_beside_docid_is_not_the_id():
    """It may be the text of the document."""
    table = pd.DataFrame(
        {"qid": [1], "docid": ["a"], "doc": ["words"], "pid": [3], "score": [2.0]}
    )
    assert read_run(table)["docid"].tolist() == ["a"]
    assert read_run(table.drop(columns=["docid", "pid"]))["docid"].tolist() == ["words"]


def test_exclude_what():
    with pytest.raises(
        ValueError,
        match=r"^documents must be \{qid: \[docid, ...\]\} or 'same_id'; got 'self'\.$",
    ):
        exclude({"q": {"a": 1.0}}, "self")


def test_half_a_character(tmp_path):
    """Of texts that were cut within an emoji; whole pairs are one character."""
    path = tmp_path / "corpus.jsonl"
    path.write_text(
        r'{"_id": "a", "title": "\ud83d", "text": "\ud83d\ude00 and \ude00"}' + "\n"
    )
    corpus = read_corpus(path)
    assert corpus["title"].tolist() == ["\ufffd"]
    assert corpus["text"].tolist() == ["\U0001f600 and \ufffd"]
