"""Trees that LightGBM has grown already: to predict with, or to add to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from ltr.arguments import ArgumentError
from ltr.rankers.features import listed
from ltr.rankers.trees.boosting import is_mean
from ltr.rankers.trees.feature_tables import Categories, fit_categories
from ltr.rankers.trees.losses import LIGHTGBM_OBJECTIVES
from ltr.rankers.trees.parameters import TRANSLATED, is_forest
from ltr.rankers.trees.tree_file import TreeFileError, check_tree_file

_N_OUTPUTS = re.compile(r"\nnum_(?:class|tree_per_iteration)=(\d{1,9})\b")
_LAST_FEATURE = re.compile(r"\nmax_feature_idx=(\d{1,9})\n")
_RANGES = re.compile(r"\nfeature_infos=(.*)\n")
_CODES = re.compile(r"-?\d+(:-?\d+)*")  # of a categorical column in feature_infos
_IS_CATEGORICAL = re.compile(r"\n\[categorical_feature: ([\d,]+)\]\n")


class ExistingTrees(NamedTuple):
    """Trees, and what they know about the columns.

    Attributes
    ----------
    booster : lightgbm.Booster
        Up to its best iteration; not the object that was passed.
    n_features : int
        Number of columns.
    names : tuple of str, or None
        Their names; None if LightGBM made them up.
    categories : Categories
        Categorical columns, and the categories of those of a DataFrame.
    parameters : dict of str to object
        Parameters of a LambdaMARTRanker that would grow them.
    """

    booster: Any
    n_features: int
    names: tuple[str, ...] | None
    categories: Categories
    parameters: dict[str, Any]


class Start(NamedTuple):
    """Trees that a fit adds to.

    Attributes
    ----------
    trees : ExistingTrees
        The trees.
    argument : {"warm_start", "init_model"}
        Where they come from.
    """

    trees: ExistingTrees
    argument: str

    @property
    def booster(self) -> Any:
        """The booster."""
        return self.trees.booster

    @property
    def keeps_columns(self) -> bool:
        """Whether X must have the columns of an earlier fit, by name."""
        return self.argument == "warm_start" or self.trees.names is not None

    def categories_for(self, X: Any, categorical_features: Any) -> Categories:
        """Categories of the trees, for columns of ``X`` that have category dtype.

        Raises
        ------
        ValueError
            If these are other columns than those whose categories the trees know.
        """
        categories = fit_categories(X, categorical_features)
        expected = sorted(self.trees.categories.values or {})
        columns = sorted(categories.values or {})
        if columns != expected:
            raise ValueError(
                "X must have category dtype in the columns whose categories init_model "
                f"knows, {listed(expected) or 'none'}; got it in "
                f"{listed(columns) or 'none'}. Convert them."
            )
        unordered = categories.columns or self.trees.categories.columns
        return Categories(unordered, self.trees.categories.values)

    def check_width(self, table: Any) -> None:
        """Raise unless the trees are for as many columns."""
        if table.shape[1] != self.trees.n_features:
            raise ValueError(
                f"X must have the {self.trees.n_features} columns that init_model was "
                f"trained on; got {table.shape[1]}."
            )

    def n_trees(self, n_estimators: int) -> int:
        """Number of trees to add.

        Raises
        ------
        ValueError
            If a warm start has all of them already.
        """
        if self.argument == "init_model":
            return n_estimators
        n_before = self.booster.current_iteration()
        if n_before >= n_estimators:
            raise ValueError(
                "n_estimators must be above the number of trees so far to add more "
                f"with warm_start; got n_estimators={n_estimators} and {n_before} "
                "trees. Raise it before the next fit, or set warm_start=False to begin "
                "again."
            )
        return n_estimators - n_before

    def check_boosting(self, params: Mapping[str, Any]) -> None:
        """Raise if LightGBM cannot add trees of that kind to them."""
        reason = (
            f"{self.argument} cannot add trees to a random forest, as LightGBM draws "
            "and averages them in one go; "
        )
        if is_forest(params):
            raise ValueError(
                f"{reason}got boosting='rf'. Fit all n_estimators at once."
            )
        if is_mean(self.booster.model_to_string(num_iteration=1)):
            without = {
                "warm_start": "set warm_start=False",
                "init_model": "leave init_model out",
            }
            raise ValueError(
                f"{reason}the trees so far have boosting='rf'. Fit all n_estimators at "
                f"once, or {without[self.argument]}."
            )


def existing_trees(
    model: Any, name: str, columns: Sequence[int | str] | None = None
) -> ExistingTrees:
    """Read trees of LightGBM.

    Parameters
    ----------
    model : path, lightgbm.Booster, or fitted ranker
        A file by ``Booster.save_model``; a booster; or an estimator with one, such as
        ``lightgbm.LGBMRanker``.
    name : str
        The argument, for messages.
    columns : sequence of int or str, or None, default=None
        The columns of category dtype, if they cannot be told from the trees.

    Returns
    -------
    trees : ExistingTrees

    Raises
    ------
    ArgumentError
        If it is something else.
    ValueError
        If the trees have several outputs, or none, or the file is damaged.
    """
    import lightgbm

    if isinstance(model, (str, PathLike)):
        source, text = str(model), _read(model, name)
    else:
        booster = getattr(model, "booster_", model)
        if not isinstance(booster, lightgbm.Booster):
            raise ArgumentError(
                f"{name} must be the path of a model of LightGBM, a lightgbm.Booster, "
                "or a fitted LambdaMARTRanker or LGBMRanker; got "
                f"{_kind_of(model)}."
            )
        source = name
        n_best = max(booster.best_iteration, 0) or booster.current_iteration()
        if not n_best:
            raise ValueError(f"{name} must have at least one tree; got none.")
        text = booster.model_to_string(num_iteration=n_best)
    n_features = _check(text, source, name)
    copy = lightgbm.Booster(model_str=text)
    names: tuple[str, ...] | None = tuple(copy.feature_name())
    if names == tuple(f"Column_{i}" for i in range(n_features)):
        names = None
    categories = getattr(model, "_categories", None)
    if isinstance(categories, Categories):  # ours: names may have blanks
        own_names = getattr(model, "feature_names_in_", None)
        names = None if own_names is None else tuple(map(str, own_names))
    else:
        categories = _categories(copy, text, names, columns)
    return ExistingTrees(copy, n_features, names, categories, _parameters(copy))


def _kind_of(model: Any) -> str:
    kind = type(model).__name__
    is_fitted = hasattr(model, "n_features_in_") or not hasattr(model, "get_params")
    return kind if is_fitted else f"an unfitted {kind}"


def _read(path: str | PathLike[str], name: str) -> str:
    """Text of a file of trees."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        shown = str(path)
        is_saved = Path(path, "ranker.json").is_file()
        cure = ". Pass load_ranker of this folder" if is_saved else ""
        raise type(error)(
            error.errno,
            f"{name} must be the path of a model of LightGBM; {error.strerror}{cure}",
            shown if len(shown) < 200 else shown[:200] + "…",
        ) from error
    except UnicodeDecodeError as error:
        _refuse(str(path), f"text in UTF-8; got byte {error.start} that is none")


def _check(text: str, source: str, name: str) -> int:
    """Check a file before LightGBM reads it; return the number of features."""
    header = text.partition("\nTree=0\n")[0] + "\n"
    n_outputs = max(map(int, _N_OUTPUTS.findall(header)), default=1)
    if n_outputs > 1:
        raise ValueError(
            f"{name} must have one output, the score of an item; got a model with "
            f"{n_outputs}, such as a classifier of {n_outputs} classes. Train a "
            "ranker, a regression or a binary classifier."
        )
    last = _LAST_FEATURE.search(header)
    if last is None:
        _refuse(source, "a model of LightGBM; got no line max_feature_idx")
    n_features = int(last[1]) + 1
    try:
        file = check_tree_file(text, n_features)
    except TreeFileError as error:
        _refuse(source, f"a file that LightGBM can read without harm: {error.reason}")
    if not file.n_trees:
        raise ValueError(f"{name} must have at least one tree; got none.")
    return n_features


def _refuse(source: str, expected: str) -> NoReturn:
    raise ValueError(
        f"{source} must be {expected}. If you trust it, and this LightGBM can read it, "
        "pass lightgbm.Booster(model_file=...) and save that again."
    )


def _parameters(booster: Any) -> dict[str, Any]:
    """Parameters of a LambdaMARTRanker, from those in the file of the trees."""
    values = {"n_estimators": booster.current_iteration()}
    for lightgbm_name, name in TRANSLATED.items():
        if lightgbm_name in booster.params:
            values[name] = booster.params[lightgbm_name]
    for loss, objective in LIGHTGBM_OBJECTIVES.items():
        if objective == booster.params.get("objective"):
            values["loss"] = loss
    return values


def _categories(
    booster: Any,
    text: str,
    names: Sequence[str] | None,
    columns: Sequence[int | str] | None,
) -> Categories:
    """Categorical columns of a booster.

    LightGBM knows the categories of the columns of category dtype, one after the other,
    but not which columns these are. It names those with categorical splits; ordered
    categories, split by a threshold, are none of them.
    """
    ranges = _RANGES.search(text)
    infos = ranges[1].split(" ") if ranges else []
    unordered = {i for i, info in enumerate(infos) if _CODES.fullmatch(info)}
    if flags := _IS_CATEGORICAL.search(text):
        unordered |= {int(i) for i in flags[1].split(",") if i}
    values = booster.pandas_categorical or []
    if columns is not None:
        places = [_place(column, names, len(infos)) for column in columns]
    else:
        places = sorted(unordered) if values else []
    if len(places) != len(values):
        raise ValueError(
            f"category_columns must name the {len(values)} columns of category dtype "
            "that the trees were grown on, in their order; got "
            + (
                "None, and the trees do not tell which they are"
                if columns is None
                else f"{len(places)}"
            )
            + f". Their categories are {[list(v)[:3] for v in values]!r:.200}."
        )
    levels = {place: tuple(v) for place, v in zip(places, values, strict=True)}
    return Categories(tuple(sorted(unordered)), levels or None)


def _place(column: int | str, names: Sequence[str] | None, n_features: int) -> int:
    """Index of a column that is named or numbered."""
    if isinstance(column, str) and names is not None and column in names:
        return list(names).index(column)
    if not isinstance(column, str) and 0 <= int(column) < n_features:
        return int(column)
    raise ValueError(
        f"category_columns must be columns of the trees, 0 to {n_features - 1}"
        + (f" or {listed(list(names))}" if names is not None else "")
        + f"; got {column!r}."
    )
