"""Rankers as folders of JSON and arrays: loading one executes no code from it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from sklearn.utils.validation import check_is_fitted

from ltr.files import PathLike, whole_folder
from ltr.losses import LOSSES, Combination, combine
from ltr.rankers.base import BaseRanker
from ltr.rankers.baselines import RandomRanker, SingleFeatureRanker
from ltr.rankers.neural import NeuralRanker
from ltr.rankers.neural.gradient import GradientRanker
from ltr.rankers.neural.scaling import FeatureScaling
from ltr.rankers.neural.training import LearnedState
from ltr.rankers.pairs.tsprank import TSPRanker
from ltr.rankers.trees.feature_tables import Categories
from ltr.rankers.trees.lambdamart import LambdaMARTRanker

_FORMAT = 1
_FILES = {"ranker.json", "arrays.npz", "trees.txt"}
_CLASSES: dict[str, type[BaseRanker]] = {
    "LambdaMARTRanker": LambdaMARTRanker,
    "NeuralRanker": NeuralRanker,
    "RandomRanker": RandomRanker,
    "SingleFeatureRanker": SingleFeatureRanker,
    "TSPRanker": TSPRanker,
}
_PLAIN = (
    "n_features_in_",
    "_fitted_with_qid",
    "n_iter_",
    "best_epoch_",
    "best_score_",
    "history_",
    "feature_",
    "direction_",
)


def save_ranker(ranker: BaseRanker, folder: PathLike) -> None:
    """Write a fitted ranker to a folder.

    Parameters
    ----------
    ranker : ranker
        A fitted ranker of this library. Its loss must be a name of
        :data:`ltr.losses.LOSSES` or a ``functools.partial`` of such a loss.
    folder : path
        New, or a folder that :func:`save_ranker` wrote, which is replaced. It is
        written whole or not at all.

    Raises
    ------
    ValueError
        If a parameter cannot be written as JSON.
    FileExistsError
        If ``folder`` is something else.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> ranker = RandomRanker().fit(np.zeros((2, 1)), [0, 1])
    >>> folder = tempfile.mkdtemp() + "/model"
    >>> save_ranker(ranker, folder)
    >>> load_ranker(folder)
    RandomRanker()
    """
    target = Path(folder).resolve()
    _check_replaceable(target)
    document, arrays = _describe(ranker)
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(target, replace=True) as scratch:
        np.savez(scratch / "arrays.npz", **arrays)
        if isinstance(ranker, LambdaMARTRanker):
            trees = ranker.booster_.model_to_string(num_iteration=-1)
            (scratch / "trees.txt").write_text(trees, encoding="utf-8")
        document["sha256"] = {
            file.name: _sha256(file) for file in sorted(scratch.iterdir())
        }
        text = json.dumps(document, indent=1, allow_nan=True)
        (scratch / "ranker.json").write_text(text + "\n", encoding="utf-8")


def load_ranker(folder: PathLike) -> Any:
    """Read a ranker that :func:`save_ranker` wrote.

    Nothing in the folder is executed: it holds JSON, arrays without pickled objects,
    and LightGBM's text format.

    Parameters
    ----------
    folder : path
        The folder.

    Returns
    -------
    ranker : ranker
        Fitted, with the same predictions.

    Raises
    ------
    ValueError
        If the folder was not written by :func:`save_ranker`, was written by a newer
        version, or is damaged.
    """
    source = Path(folder)
    if not (source / "ranker.json").is_file():
        raise ValueError(
            f"folder must hold a saved ranker; got {str(source)!r}, which has no "
            "ranker.json. Write one with save_ranker or `ltr train`."
        )
    try:
        return _load(source)
    except (KeyError, TypeError, AttributeError, IndexError, OSError) as error:
        raise ValueError(
            f"{source} is not a complete saved ranker: {type(error).__name__}: "
            f"{error}. Save it again."
        ) from error


def _load(source: Path) -> Any:
    try:
        document = json.loads((source / "ranker.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{source / 'ranker.json'} is not JSON: {error}. Save the ranker again."
        ) from error
    if document.get("format") != _FORMAT or document.get("class") not in _CLASSES:
        raise ValueError(
            f"{source / 'ranker.json'} must have format {_FORMAT} and a class of "
            f"{sorted(_CLASSES)}; got format {document.get('format')!r} and class "
            f"{document.get('class')!r}. Update ltr, or save the ranker again."
        )
    trees = ["trees.txt"] if document["class"] == "LambdaMARTRanker" else []
    for name in ["arrays.npz", *trees]:
        if _sha256(source / name) != document["sha256"][name]:
            raise ValueError(
                f"{source / name} is not the file that was saved with ranker.json: its "
                "checksum differs. Save the ranker again."
            )
    with np.load(source / "arrays.npz", allow_pickle=False) as file:
        arrays = dict(file)
    parameters = {
        name: _decode(value) for name, value in document["parameters"].items()
    }
    ranker = _CLASSES[document["class"]](**parameters)
    for name in _PLAIN:
        if name in document["attributes"]:
            setattr(ranker, name, document["attributes"][name])
    if "column_names" in document:
        ranker._column_names = [_decode(name) for name in document["column_names"]]
    if "feature_names_in_" in arrays:
        ranker.feature_names_in_ = arrays["feature_names_in_"].astype(object)
    if isinstance(ranker, GradientRanker):
        _restore_neural(ranker, arrays)
    elif isinstance(ranker, LambdaMARTRanker):
        _restore_trees(ranker, document, source)
    return ranker


def _check_replaceable(target: Path) -> None:
    """Raise unless ``target`` is new, or holds a saved ranker and nothing else."""
    if not target.exists():
        return
    names = {path.name for path in target.iterdir()} if target.is_dir() else {"."}
    if not ("ranker.json" in names and names <= _FILES):
        foreign = sorted(names - _FILES) or ["no ranker.json"]
        raise FileExistsError(
            f"folder must be new or hold a saved ranker only; got {str(target)!r}, "
            f"which has {foreign[0]!r}. Choose another name."
        )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _describe(ranker: BaseRanker) -> tuple[dict[str, Any], dict[str, Any]]:
    """JSON document and arrays."""
    name = type(ranker).__name__
    if _CLASSES.get(name) is not type(ranker):
        raise ValueError(
            f"ranker must be one of {sorted(_CLASSES)}; got {name}. Other estimators "
            "can be pickled."
        )
    check_is_fitted(ranker)
    parameters = ranker.get_params(deep=False)
    document: dict[str, Any] = {
        "format": _FORMAT,
        "ltr_version": version("ltr"),
        "class": name,
        "parameters": {key: _encode(key, v) for key, v in parameters.items()},
        "attributes": {key: vars(ranker)[key] for key in _PLAIN if key in vars(ranker)},
    }
    if ranker._column_names is not None:
        document["column_names"] = [
            _encode("a column name", column) for column in ranker._column_names
        ]
    arrays: dict[str, Any] = {}
    if hasattr(ranker, "feature_names_in_"):
        arrays["feature_names_in_"] = np.asarray(ranker.feature_names_in_, dtype=str)
    if isinstance(ranker, GradientRanker):
        learned = ranker._learned_state
        if ranker.make_scorer() != learned.scorer:
            raise ValueError(
                "the ranker was fitted with another scorer than its parameters say now "
                f"({learned.scorer!r} and {ranker.make_scorer()!r}). Fit it again, or "
                "set the parameters back."
            )
        for i, leaf in enumerate(jax.tree.leaves(learned.params)):
            arrays[f"params_{i}"] = leaf
        if learned.scaling is not None:
            arrays |= vars(learned.scaling)
    elif isinstance(ranker, LambdaMARTRanker):
        values = ranker._categories.values or {}
        document["categories"] = {
            "columns": list(ranker._categories.columns),
            "values": [
                [key, _encode("categories", list(v))] for key, v in values.items()
            ],
        }
    return document, arrays


def _restore_neural(ranker: GradientRanker, arrays: dict[str, Any]) -> None:
    scorer = ranker.make_scorer()
    with jax.enable_x64(ranker.dtype == "float64"):
        shapes = jax.eval_shape(
            lambda key: scorer.init(key, ranker.n_features_in_), jax.random.key(0)
        )
    leaves, structure = jax.tree.flatten(shapes)
    saved_leaves = [arrays[f"params_{i}"] for i in range(len(leaves))]
    shapes_saved = [leaf.shape for leaf in saved_leaves]
    expected = [leaf.shape for leaf in leaves]
    if shapes_saved != expected:
        raise ValueError(
            f"the saved weights must have shapes {expected} for {scorer!r}; got "
            f"{shapes_saved}. Save the ranker again."
        )
    scaling = None
    if "mean" in arrays:
        names = [field.name for field in dataclasses.fields(FeatureScaling)]
        scaling = FeatureScaling(**{name: arrays[name] for name in names})
    params = jax.tree.unflatten(structure, saved_leaves)
    ranker._learned_state = LearnedState(scorer, params, scaling)


def _restore_trees(
    ranker: LambdaMARTRanker, document: dict[str, Any], source: Path
) -> None:
    import lightgbm

    trees = (source / "trees.txt").read_text(encoding="utf-8")
    ranker.booster_ = lightgbm.Booster(model_str=trees)
    categories = document["categories"]
    values = {key: tuple(map(_decode, v)) for key, v in categories["values"]}
    ranker._categories = Categories(tuple(categories["columns"]), values)


def _encode(name: str, value: Any) -> Any:
    """A parameter as JSON; losses with options as {"loss": name, option: value}."""
    if isinstance(value, Combination):
        return {"combine": [[w, _encode(name, part)] for w, part in value.terms()]}
    if isinstance(value, functools.partial) and not value.args:
        names = [key for key, function in LOSSES.items() if function is value.func]
        if names:
            options = {key: _encode(key, v) for key, v in value.keywords.items()}
            return {"loss": names[0], "options": options}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple):
        value = list(value)
    try:
        json.dumps(value)
    except TypeError:
        raise ValueError(
            f"{name} must be a plain value to be saved; got {value!r}. Use a name "
            "instead of a function, or pickle the ranker."
        ) from None
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"combine"}:
        return combine(*((weight, _decode(part)) for weight, part in value["combine"]))
    if isinstance(value, dict) and set(value) == {"loss", "options"}:
        options = {key: _decode(option) for key, option in value["options"].items()}
        return functools.partial(LOSSES[value["loss"]], **options)
    return tuple(value) if isinstance(value, list) else value
