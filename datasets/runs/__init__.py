"""Runs and judgments by id, read into columns of integer codes.

:func:`ltr.datasets.read_run` and :func:`ltr.datasets.read_qrels` give users a table;
the metrics work on the :class:`Rows` that :func:`run_rows` and :func:`qrels_rows`
return, whose ids stay bytes.
"""

from ltr.datasets.runs.files import (
    qrels_rows,
    read_qrels,
    read_run,
    run_rows,
    write_run,
)
from ltr.datasets.runs.ids import Ids
from ltr.datasets.runs.in_memory import is_one_run
from ltr.datasets.runs.rows import Rows
from ltr.datasets.runs.texts import (
    exclude,
    read_corpus,
    read_excluded,
    read_queries,
)

__all__ = [
    "Ids",
    "Rows",
    "exclude",
    "is_one_run",
    "qrels_rows",
    "read_corpus",
    "read_excluded",
    "read_qrels",
    "read_queries",
    "read_run",
    "run_rows",
    "write_run",
]
