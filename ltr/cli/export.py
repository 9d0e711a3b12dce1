"""The command ``ltr export``: a saved ranker as a file of other software."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ltr.cli.train import load_model
from ltr.export import (
    export_feature_set,
    export_lightgbm,
    export_linear_json,
    export_onnx,
    export_ranklib,
    export_solr,
    export_xgboost_json,
)
from ltr.export.search_features import Engine
from ltr.files import check_target

# format: function, and those of its keyword arguments that options give
_FORMATS: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = {
    "onnx": (export_onnx, ("dtype", "one_list")),
    "lightgbm": (export_lightgbm, ()),
    "xgboost": (export_xgboost_json, ("features", "form")),
    "ranklib": (export_ranklib, ("missing",)),
    "linear": (export_linear_json, ("features",)),
    "solr": (export_solr, ("features", "name", "missing")),
}


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ltr export`` to a parser.

    Parameters
    ----------
    parser : ArgumentParser
        Parser of the command.
    """
    parser.add_argument("--model", required=True, help="folder of a saved ranker")
    parser.add_argument(
        "--format",
        required=True,
        choices=[*_FORMATS],
        help="what reads the file: an ONNX runtime, LightGBM, XGBoost or the plugins "
        "of Elasticsearch and OpenSearch (xgboost, ranklib, linear), Solr",
    )
    parser.add_argument("--out", required=True, help="file to write")
    parser.add_argument(
        "--features",
        type=lambda text: text.split(","),
        metavar="NAME,…",
        help="names of the features, for xgboost, linear and solr (default: those of "
        "the training data, or f0,f1,…)",
    )
    parser.add_argument(
        "--feature-set",
        metavar="FILE",
        help="write the definitions of the features for the search engine to FILE",
    )
    parser.add_argument("--name", help="name of the model, for solr (default: ranker)")
    parser.add_argument(
        "--form",
        choices=["plugin", "model"],
        help="for xgboost: what the plugins read, or what XGBoost loads (default: "
        "plugin)",
    )
    parser.add_argument(
        "--missing",
        choices=["error", "zero"],
        help="for ranklib and solr, where an absent feature is 0: refuse trees that "
        "treat missing values otherwise, or count these as 0 (default: error)",
    )
    parser.add_argument(
        "--dtype",
        choices=["float32", "float64"],
        help="for onnx: type of the features and scores (default: float32)",
    )
    parser.add_argument(
        "--one-list",
        action="store_true",
        default=None,
        help="for onnx: rows of a call are the items of one query",
    )
    parser.set_defaults(run=_export, jobs=None)


def _export(options: argparse.Namespace) -> int:
    export, names = _FORMATS[options.format]
    arguments = _arguments(options, names)
    for path in filter(None, (options.out, options.feature_set)):
        check_target(path)
    ranker = load_model(options)
    export(ranker, options.out, **arguments)
    print(f"{type(ranker).__name__} written to {options.out}")
    if options.feature_set:
        engine: Engine = "solr" if options.format == "solr" else "elasticsearch"
        export_feature_set(
            ranker, options.feature_set, engine=engine, features=options.features
        )
        print(f"features written to {options.feature_set}")
    return 0


def _arguments(options: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    """Keyword arguments of the format; an error if an option is for another one."""
    every = {name for _, of_format in _FORMATS.values() for name in of_format}
    values = {name: getattr(options, name) for name in sorted(every)}
    for name, value in values.items():
        is_extra = name == "features" and options.feature_set
        if value is not None and name not in names and not is_extra:
            formats = [f for f, (_, of_format) in _FORMATS.items() if name in of_format]
            raise ValueError(
                f"--{name.replace('_', '-')} is for --format {' or '.join(formats)}; "
                f"got --format {options.format}. Drop the option."
            )
    return {name: values[name] for name in names if values[name] is not None}
