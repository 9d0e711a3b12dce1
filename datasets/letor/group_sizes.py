"""Sizes of queries in a file of their own, as LightGBM and XGBoost read them.

``rank.train.query`` (LightGBM) or ``rank.train.group`` (XGBoost) beside ``rank.train``
has a number per line: that many rows, one after another, are a query. Lines of the data
need no ``qid`` then.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ltr.text import open_text

_ENDINGS = (".query", ".group")


def sizes_file(path: Path) -> Path | None:
    r"""Return the file of query sizes beside a data file; None without one.

    Parameters
    ----------
    path : Path
        Data file; that of ``rank.train.gz`` may also be ``rank.train.query``.

    Returns
    -------
    sizes : Path or None

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "rank.train.query").write_text("2\n")
    >>> sizes_file(folder / "rank.train").name
    'rank.train.query'
    """
    stems = [str(path)] + [str(path)[:-3]] * (path.suffix == ".gz")
    files = [Path(stem + ending) for stem in stems for ending in _ENDINGS]
    return next((file for file in files if file.is_file()), None)


class QuerySizes:
    """Puts the qid into the lines of a data file, by the sizes of its queries.

    Parameters
    ----------
    path : Path
        Data file, for messages.
    file : Path
        Sizes of its queries.
    numbers : iterator of int
        Names for the queries.

    Raises
    ------
    ValueError
        If a size is not a whole number ≥ 0.
    """

    def __init__(self, path: Path, file: Path, numbers: Iterator[int]) -> None:
        self._path, self._file, self._numbers = path, file, numbers
        self._sizes: list[int] = []
        with open_text(file) as lines:
            for first_line, text in lines.blocks():
                for number, line in enumerate(text.splitlines(), start=first_line):
                    self._add(number, line.strip())
        self._n_expected, self._n_rows = sum(self._sizes), 0
        self._qids = self._each_row()
        self._is_needed: bool | None = None

    def _add(self, number: int, size: bytes) -> None:
        if size and not (size.isdigit() and len(size) < 16):
            raise ValueError(
                f"{self._file}, line {number}: a line must be the number of rows of a "
                f"query; got {size.decode(errors='replace')!r}."
            )
        if size:
            self._sizes.append(int(size))

    def insert(self, text: bytes) -> bytes:
        """Add ``qid:…`` after each label, unless the first line has one."""
        if self._is_needed is False:
            return text
        return b"\n".join(map(self._with_qid, text.split(b"\n")))

    def check_end(self) -> None:
        """Raise if the file has other rows than the sizes say."""
        if self._is_needed and self._n_rows != self._n_expected:
            has_more = self._n_rows > self._n_expected
            n_rows = f"more than {self._n_expected}" if has_more else self._n_rows
            raise ValueError(
                f"the sizes in {self._file} must add up to the rows of {self._path}; "
                f"got {self._n_expected} for {n_rows} rows."
            )

    def _each_row(self) -> Iterator[bytes]:
        for size in self._sizes:
            qid = next(self._numbers)
            for _ in range(size):
                yield b" qid:%d " % qid

    def _with_qid(self, line: bytes) -> bytes:
        body = line.partition(b"#")[0].split(None, 2)
        if not body:
            return line
        if self._is_needed is None:
            self._is_needed = body[1:2] == [] or not body[1].startswith(b"qid:")
        if not self._is_needed:
            return line
        qid = next(self._qids, None)
        if qid is None:
            self._n_rows = self._n_expected + 1
            self.check_end()
            return line
        self._n_rows += 1
        label, rest = line.lstrip()[: len(body[0])], line.lstrip()[len(body[0]) :]
        return label + qid + rest.lstrip()
