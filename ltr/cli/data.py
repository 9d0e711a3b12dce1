"""Data files of the command line: LETOR files and tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ltr.datasets import RankingData, load_letor, load_table
from ltr.files import id_text
from ltr.metrics.run_weights import read_weights, weights_by_id
from ltr.queries import FloatArray, group_queries

FILES = "LETOR files or tables (.csv, .tsv, .parquet, .pq)"
_TABLES = {".csv", ".tsv", ".parquet", ".pq"}
_Paths = str | Sequence[str]


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of data files to the parser of a command.

    Parameters
    ----------
    parser : ArgumentParser
        Parser of the command.
    """
    group = parser.add_argument_group(
        "data files",
        "LETOR (svmlight) lines 'label qid:id 1:value ...'; without qid if FILE.query "
        "(LightGBM) or FILE.group (XGBoost) has the number of rows of each query. Or "
        "tables with a header: .csv, .tsv, .parquet (.pq). All but these as .gz, too.",
    )
    group.add_argument("--label", default="label", help="column of a table: labels")
    group.add_argument("--qid", default="qid", help="column of a table: query ids")
    group.add_argument(
        "--features",
        help="columns of a table: features, comma-separated (default: all others)",
    )
    group.add_argument(
        "--zero-based",
        action="store_true",
        help="feature indices of LETOR files start at 0, although none is 0",
    )
    group.add_argument(
        "--encoding", default="utf-8", help="encoding of the files, such as latin-1"
    )


def add_sparse_option(parser: argparse.ArgumentParser) -> None:
    """Add the option of commands that may take sparse features.

    Parameters
    ----------
    parser : ArgumentParser
        Parser of the command, with the options of :func:`add_data_options`.
    """
    parser.add_argument(
        "--sparse",
        action="store_true",
        help="keep the features of LETOR files sparse, for wide files in which most "
        "are absent; of the rankers, lambdamart, linear_<loss>, mlp_<loss> and "
        "wide_deep_<loss> take them",
    )


def add_query_weight_option(parser: argparse.ArgumentParser, use: str) -> None:
    """Add the option of commands that weight queries.

    Parameters
    ----------
    parser : ArgumentParser
        Parser of the command, with the options of :func:`add_data_options`.
    use : str
        What the weights are for, in the help.
    """
    parser.add_argument(
        "--query-weight",
        metavar="FILE",
        help=f"file with a query and its weight {use} on each line",
    )


def row_weights(data: RankingData, options: argparse.Namespace) -> FloatArray | None:
    """Weights of ``--query-weight``, one for each row; None without the option.

    Parameters
    ----------
    data : RankingData
        Rows of the queries.
    options : Namespace
        With the options of :func:`add_query_weight_option`.

    Returns
    -------
    weights : float array of shape (n_rows,), or None

    Raises
    ------
    ValueError
        If a query of the data has no weight, or all of them have weight 0.
    """
    weights = read_weights(options.query_weight, encoding=options.encoding)
    if weights is None:
        return None
    queries = group_queries(data.qid, len(data.y))
    ids = np.array([id_text(qid) for qid in queries.ids], dtype=object)
    return weights_by_id(weights, ids)[queries.codes]


def load(
    paths: _Paths,
    options: argparse.Namespace,
    ranker: Any = None,
    *,
    needs_label: bool = True,
) -> RankingData:
    """Load data files of a command.

    Parameters
    ----------
    paths : str or sequence of str
        LETOR files or tables; several are concatenated.
    options : Namespace
        With the options of :func:`add_data_options`.
    ranker : estimator, default=None
        Fitted; its features are read.
    needs_label : bool, default=True
        Whether a table must have the column of labels.

    Returns
    -------
    data : RankingData

    Raises
    ------
    ValueError
        If a file is malformed, there are files of both kinds, or feature indices start
        at 0 although the ranker was trained on files where they start at 1.
    """
    paths = [paths] if isinstance(paths, str) else list(paths)
    are_tables = [_is_table(path) for path in paths]
    if not any(are_tables):
        return _load_letor(paths, options, ranker)
    if getattr(options, "sparse", False):
        table = paths[are_tables.index(True)]
        raise ValueError(
            f"--sparse is for LETOR files; got the table {table}. Drop the option."
        )
    if not all(are_tables):
        raise ValueError(
            "data files must be all tables or all LETOR files; got "
            f"{paths[are_tables.index(True)]} and {paths[are_tables.index(False)]}."
        )
    names = options.features.split(",") if options.features else None
    names = list(getattr(ranker, "feature_names_in_", names or [])) or names
    parts: list[RankingData] = []
    for path in paths:
        label = options.label if needs_label or names is None else None
        part = load_table(
            path,
            label=label,
            qid=options.qid,
            features=names,
            encoding=options.encoding,
        )
        names = part.feature_names
        parts.append(part)
    return concatenate(parts)


def load_alike(
    paths: Sequence[_Paths], options: argparse.Namespace
) -> list[RankingData]:
    """Load several data sets with the same columns: as many as the widest has.

    Feature indices start at 0 in all of them if an index is 0 in any.

    Parameters
    ----------
    paths : sequence of str or of sequences of str
        Files of each data set.
    options : Namespace
        With the options of :func:`add_data_options`.

    Returns
    -------
    data : list of RankingData
    """
    loaded = [load(path, options) for path in paths]
    if any(data.zero_based for data in loaded):
        from_0 = argparse.Namespace(**{**vars(options), "zero_based": True})
        loaded = [
            load(path, from_0) if data.zero_based is False else data
            for path, data in zip(paths, loaded, strict=True)
        ]
    width = max(data.X.shape[1] for data in loaded)
    return [_widened(data, width) for data in loaded]


def features(data: RankingData, names: Sequence[str] | None = None) -> Any:
    """Features of a table as a frame, so that a ranker remembers and checks the names.

    Parameters
    ----------
    data : RankingData
        Data.
    names : sequence of str, default=None
        Names that a fitted ranker expects. None: those of the data, if there are any.

    Returns
    -------
    X : array or DataFrame of shape (n_samples, n_features)
    """
    names = data.feature_names if names is None else list(names)
    return data.X if names is None else pd.DataFrame(data.X, columns=names)


def concatenate(parts: Sequence[RankingData]) -> RankingData:
    """Concatenate data sets with the same columns; equal qids become one query."""
    if len(parts) == 1:
        return parts[0]
    return RankingData(
        X=np.concatenate([part.X for part in parts]),
        y=np.concatenate([part.y for part in parts]),
        qid=np.concatenate([part.qid for part in parts]),
        feature_names=parts[0].feature_names,
        description="; ".join(part.description for part in parts),
    )


def _load_letor(
    paths: Sequence[str], options: argparse.Namespace, ranker: Any
) -> RankingData:
    """Load LETOR files, with the columns and the first index of a ranker."""
    width: Any = None if ranker is None else ranker.n_features_in_
    expected = getattr(ranker, "_zero_based", None)  # None: saved by Python or by 0.1
    read = partial(
        load_letor,
        encoding=options.encoding,
        sparse=getattr(options, "sparse", False),
    )
    if options.zero_based or expected is not False:
        starts_at_0 = bool(options.zero_based or expected)
        first = starts_at_0 or "auto"
        return _read_columns(read, paths, width, zero_based=first)
    data = read(paths)
    if data.zero_based:
        raise ValueError(
            "feature indices must start at 1 as in the training files of the model; "
            f"got an index 0 in {' '.join(paths)}. If the training files start at 0, "
            "too, and leave out that feature, train again with --zero-based; if they "
            "do start at 1, pass --zero-based here."
        )
    if data.X.shape[1] > width:
        return _read_columns(read, paths, width)  # raises with the line
    return _widened(data, width)


def _read_columns(
    read: Callable[..., RankingData], paths: Sequence[str], width: Any, **options: Any
) -> RankingData:
    """Read LETOR files with the columns of a model; its errors name the model."""
    try:
        return read(paths, n_features=width, **options)
    except ValueError as error:
        text, advice, _ = str(error).partition(" Pass a higher n_features")
        if not advice:
            raise
        raise ValueError(
            f"{text} The model was trained on {width} features; leave others out of "
            "the file, or train again on files that have them."
        ) from error


def _is_table(path: str) -> bool:
    return Path(path.removesuffix(".gz")).suffix in _TABLES


def _widened(data: RankingData, width: int) -> RankingData:
    """The same data with further columns of 0, which sparse lines leave out."""
    n_rows, n_columns = data.X.shape
    if n_columns == width or data.feature_names is not None:
        return data
    if hasattr(data.X, "tocsr"):
        X = data.X.copy()
        X.resize(n_rows, width)
        return replace(data, X=X)
    X = np.zeros((n_rows, width), dtype=data.X.dtype)
    X[:, :n_columns] = data.X
    return replace(data, X=X)
