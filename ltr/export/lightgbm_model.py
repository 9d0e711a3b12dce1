"""Trees as a file of LightGBM."""

from __future__ import annotations

from pathlib import Path

from ltr.export.ensemble import booster_text
from ltr.files import PathLike, whole_file
from ltr.rankers import LambdaMARTRanker


def export_lightgbm(ranker: LambdaMARTRanker, path: PathLike) -> None:
    """Write the trees that ``predict`` uses in LightGBM's own text format.

    ``lightgbm.Booster(model_file=path)``, LightGBM's command line and its C API read
    it, and treelite too.

    Parameters
    ----------
    ranker : LambdaMARTRanker
        Fitted.
    path : path-like
        File to write.

    Raises
    ------
    ValueError
        If it is another ranker.

    Notes
    -----
    Scores of the booster equal those of ``predict`` to the last bit on arrays of
    numbers. A column of category dtype must hold the codes that ``predict`` finds: the
    index of a category in the dtype of the column in ``fit``, NaN for a new one; the
    booster finds these by itself in a DataFrame with the same dtypes.

    Examples
    --------
    >>> import tempfile, lightgbm
    >>> from ltr import LambdaMARTRanker
    >>> from ltr.datasets import make_ranking
    >>> data = make_ranking(20, random_state=0)
    >>> ranker = LambdaMARTRanker(n_estimators=2, n_jobs=1)
    >>> _ = ranker.fit(data.X, data.y, data.qid)
    >>> path = tempfile.mkdtemp() + "/trees.txt"
    >>> export_lightgbm(ranker, path)
    >>> booster = lightgbm.Booster(model_file=path)
    >>> bool((booster.predict(data.X) == ranker.predict(data.X)).all())
    True
    """
    text = booster_text(ranker, "export_lightgbm")
    with whole_file(Path(path)) as scratch:
        scratch.write_text(text, "utf-8", newline="\n")
