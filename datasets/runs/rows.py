"""Checked rows of a run or of judgments: a query, a document and a number each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ltr.datasets.runs.ids import Ids
from ltr.queries import FloatArray, IntArray
from ltr.text import excerpt, line_error

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Rows:
    """Rows of a run or of judgments.

    Attributes
    ----------
    qid, docid : Ids
        Query and document of each row.
    values : float array of shape (n_rows,)
        Score or label.
    lines : int array of shape (n_rows,), optional
        Line of a file that each row was read from. None: it was in memory.
    has_scores : bool, default=True
        Whether a run came with scores, and not as rankings, whose values are only an
        order.
    """

    qid: Ids
    docid: Ids
    values: FloatArray
    lines: IntArray | None = field(default=None, repr=False)
    has_scores: bool = field(default=True, repr=False)

    def as_table(self, value: str) -> pd.DataFrame:
        """Return a table with columns ``qid``, ``docid`` and ``value``."""
        import pandas as pd

        columns: dict[str, Any] = {
            name: pd.Categorical.from_codes(ids.codes, pd.Index(ids.text))
            for name, ids in (("qid", self.qid), ("docid", self.docid))
        }
        return pd.DataFrame({**columns, value: self.values})

    def checked(self, value: str, name: str) -> Rows:
        """Return the rows if no query has a document twice and labels are finite.

        Parameters
        ----------
        value : {"score", "label"}
            What the numbers are.
        name : str
            The source in messages.

        Returns
        -------
        rows : Rows

        Raises
        ------
        ValueError
            If a query has a document twice, a number is NaN or a label is infinite.
        """
        import pandas as pd

        bad = np.isnan(self.values) if value == "score" else ~np.isfinite(self.values)
        if bad.any():
            row = int(bad.argmax())
            need = "a number" if value == "score" else "a finite number"
            raise self._error(
                name,
                row,
                f"a {value} must be {need}",
                f"{self.values[row]} for query {excerpt(self.qid.of(row))}, document "
                f"{excerpt(self.docid.of(row))}",
            )
        # one integer per (query, document): query · n_documents + document
        pairs = self.qid.codes.astype(np.int64) * len(self.docid.names)
        pairs += self.docid.codes
        repeated = pd.Series(pairs).duplicated()
        if repeated.any():
            row = int(repeated.to_numpy().argmax())
            first = int((pairs == pairs[row]).argmax())
            before = "" if self.lines is None else f", as in line {self.lines[first]}"
            raise self._error(
                name,
                row,
                "a query must have a document only once",
                f"{excerpt(self.docid.of(row))} again for query "
                f"{excerpt(self.qid.of(row))}{before}",
                "Keep one of the rows.",
            )
        return self

    def _error(
        self, name: str, row: int, expected: str, got: str, cure: str = ""
    ) -> ValueError:
        if self.lines is not None:
            return line_error(name, int(self.lines[row]), expected, got, cure)
        end = f" {cure}" if cure else ""
        return ValueError(f"{name}: {expected}; got {got}.{end}")
