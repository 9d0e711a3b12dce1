"""Rankers as folders of JSON and arrays: loading one executes no code from it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ltr.files import PathLike
from ltr.rankers.base import BaseRanker
from ltr.rankers.baselines import RandomRanker, SingleFeatureRanker
from ltr.rankers.blend import AutoRanker, StackingRanker, VotingRanker
from ltr.rankers.blend.numeric import NumericRanker
from ltr.rankers.constrained import ConstrainedRanker
from ltr.rankers.document_checks import check_parameters
from ltr.rankers.linear import LinearRanker
from ltr.rankers.model_folder import (
    DOCUMENT,
    SavedModel,
    check_replaceable,
    damage_as_value_error,
    members_of,
    read_model,
    write_model,
)
from ltr.rankers.model_index import ModelIndex
from ltr.rankers.neural import NeuralRanker
from ltr.rankers.neural.gradient import GradientRanker
from ltr.rankers.neural.training import LearnedState
from ltr.rankers.pairs.tsprank import TSPRanker
from ltr.rankers.saved_arrays import pack_arrays, unpack_arrays
from ltr.rankers.saved_classes import FIELDS, OPTIONAL, REQUIRED
from ltr.rankers.saved_fields import (
    check_attributes,
    check_column_names,
    check_keys,
    check_names,
    check_numbers,
    check_pair_scaling,
    check_scaling,
    scaling_arrays,
)
from ltr.rankers.saved_functions import Trusted, insert_functions
from ltr.rankers.saved_members import (
    decode_parameter,
    encode_parameters,
    fitted_members,
    set_members,
)
from ltr.rankers.saved_steps import (
    check_step_names,
    describe_steps,
    make_step,
    read_steps,
)
from ltr.rankers.saved_trees import check_trees
from ltr.rankers.saved_values import encode
from ltr.rankers.saved_weights import check_layers, check_weights
from ltr.rankers.trees.lambdamart import LambdaMARTRanker
from ltr.scorers.parameters import leaves
from ltr.scorers.products import array_type

_CLASSES: dict[str, Any] = {
    "AutoRanker": AutoRanker,
    "ConstrainedRanker": ConstrainedRanker,
    "LambdaMARTRanker": LambdaMARTRanker,
    "LinearRanker": LinearRanker,
    "ModelIndex": ModelIndex,
    "NeuralRanker": NeuralRanker,
    "NumericRanker": NumericRanker,
    "RandomRanker": RandomRanker,
    "SingleFeatureRanker": SingleFeatureRanker,
    "StackingRanker": StackingRanker,
    "TSPRanker": TSPRanker,
    "VotingRanker": VotingRanker,
}


def save_ranker(ranker: BaseRanker | ModelIndex | Pipeline, folder: PathLike) -> None:
    """Write a fitted ranker to a folder.

    Parameters
    ----------
    ranker : ranker
        A fitted ranker of this library, a :class:`ltr.ModelIndex`, or a
        :class:`sklearn.pipeline.Pipeline` that ends in a ranker, of StandardScaler,
        MinMaxScaler, MaxAbsScaler, RobustScaler, SimpleImputer (of numbers),
        VarianceThreshold, and the scalers of :mod:`ltr.model_selection`. Functions of
        your own (a loss, a metric, label gains) are saved as their names, and must
        stand at the top level of a module: see ``trusted`` of :func:`load_ranker`.
    folder : path
        New or empty, or a folder that :func:`save_ranker` wrote, which is replaced at
        once: whoever loads it meanwhile, or after the process was killed, gets the old
        ranker or the new one. Of several processes that save, the last one wins.

    Raises
    ------
    ValueError
        If a parameter cannot be written as JSON, or is invalid.
    FileExistsError
        If ``folder`` is something else.

    Notes
    -----
    With ``warm_start=True``, and after ``partial_fit``, the state of the optimizer is
    saved as well, so that training goes on after loading as it would have without.
    ``trees.txt`` is in LightGBM's own format.

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
    check_replaceable(target)
    model = _describe(ranker)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_model(target, model)


def load_ranker(
    folder: PathLike,
    *,
    pair_features: Callable[..., Any] | None = None,
    trusted: Trusted = (),
) -> Any:
    """Read a ranker that :func:`save_ranker` wrote.

    Nothing in the folder is executed: it holds JSON, arrays without pickled objects,
    and LightGBM's text format.

    Parameters
    ----------
    folder : path
        The folder.
    pair_features : callable, default=None
        The function that the ranker was fitted with as its parameter ``pair_features``;
        only its name is saved.
    trusted : collection of str or callable, default=()
        Functions that the ranker was fitted with (a loss, a metric or label gains of
        your own), or their names ``"module:name"``, which are then imported. Others
        are refused.

    Returns
    -------
    ranker : ranker
        Fitted, with the same predictions.

    Raises
    ------
    ValueError
        If the folder was not written by :func:`save_ranker`, was written by a newer
        version, is damaged, or was forged: a field of the wrong kind or out of range,
        or trees that LightGBM could not read without harm.

    See Also
    --------
    ltr.load_ranker : For a process that only predicts, without JAX and scikit-learn.
    """
    source = Path(folder)
    model = read_model(source)
    with damage_as_value_error(source):
        document = insert_functions(model.document, pair_features, trusted)
        return _restore(model._replace(document=document))


def _restore(model: SavedModel) -> Any:
    if model.document.get("class") == "Pipeline":
        return _restore_pipeline(model)
    document = check_keys(DOCUMENT, model.document, FIELDS)
    name: Any = document.get("class")
    ranker = _with_parameters(name, document.get("parameters"))
    required = REQUIRED[name]
    fields = {*required, *OPTIONAL}
    attributes = check_keys("attributes", document.get("attributes"), fields)
    for key, value in check_attributes(attributes, required=required).items():
        setattr(ranker, key, value)
    if "column_names" in document:
        ranker._column_names = check_column_names(
            document["column_names"], ranker.n_features_in_
        )
    arrays = unpack_arrays(model.parts["arrays.npz"])
    if "feature_names_in_" in arrays:
        names = arrays.pop("feature_names_in_")
        ranker.feature_names_in_ = check_names(names, ranker.n_features_in_)
    if isinstance(ranker, GradientRanker):
        _restore_neural(ranker, arrays)
    elif isinstance(ranker, LinearRanker):
        coef = arrays.pop("coef_", None)
        ranker.coef_ = check_numbers("coef_", coef, ranker.n_features_in_)
        ranker._scaling = check_scaling(arrays, ranker.n_features_in_)
    elif isinstance(ranker, LambdaMARTRanker):
        _restore_trees(ranker, model)
    elif isinstance(ranker, ModelIndex):
        ranker.restore_arrays(arrays)
    elif isinstance(ranker, NumericRanker):
        ranker.medians_ = check_numbers(
            "medians_", arrays.get("medians_"), len(ranker.columns_)
        )
    if isinstance(ranker, ModelIndex):
        return ranker
    set_members(ranker, [_restore(member) for member in members_of(model)])
    return ranker


def _with_parameters(name: Any, document: Any) -> Any:
    """An unfitted ranker of a class, with parameters from JSON."""
    if not isinstance(name, str) or name not in _CLASSES:
        raise ValueError(
            f"class in {DOCUMENT} must be one of {sorted(_CLASSES)}; got "
            f"{name!r:.100}. Update ltr, or save the ranker again."
        )
    names = set(inspect.signature(_CLASSES[name]).parameters)
    parameters = check_keys("parameters", document, names)
    values = {
        key: decode_parameter(key, value, _with_parameters)
        for key, value in parameters.items()
    }
    ranker = _CLASSES[name](**values)
    check_parameters(ranker)
    return ranker


def _describe_pipeline(pipeline: Pipeline) -> SavedModel:
    """Its last step as a member, and the steps before it."""
    check_is_fitted(pipeline)
    *steps, (_, ranker) = pipeline.steps
    documents, arrays = describe_steps(steps)
    member = _describe(ranker)
    document = {
        "ltr_version": version("ltr"),
        "class": "Pipeline",
        "parameters": {"name": pipeline.steps[-1][0]},
        "attributes": {},
        "steps": documents,
        "members": [member.document],
    }
    parts = {f"member0-{name}": part for name, part in member.parts.items()}
    return SavedModel(document, {**parts, "arrays.npz": pack_arrays(arrays)})


def _restore_pipeline(model: SavedModel) -> Pipeline:
    document = check_keys(DOCUMENT, model.document, FIELDS)
    saved = read_steps(document.get("steps"), unpack_arrays(model.parts["arrays.npz"]))
    steps = [(step.name, make_step(step)) for step in saved]
    (ranker,) = (_restore(member) for member in members_of(model))
    parameters = check_keys("parameters", document.get("parameters"), {"name"})
    check_step_names([*(name for name, _ in steps), parameters["name"]])
    return Pipeline([*steps, (parameters["name"], ranker)])


def _describe(ranker: BaseRanker | ModelIndex | Pipeline) -> SavedModel:
    """Everything that is written."""
    if type(ranker) is Pipeline:
        return _describe_pipeline(ranker)
    name = type(ranker).__name__
    if _CLASSES.get(name) is not type(ranker):
        cure = (
            "Pass ranker.to_local()."
            if hasattr(ranker, "to_local")
            else "Other estimators can be pickled."
        )
        raise ValueError(
            f"ranker must be one of {sorted([*_CLASSES, 'Pipeline'])}; got {name}. "
            f"{cure}"
        )
    check_is_fitted(ranker)
    encoded = encode_parameters(ranker, _CLASSES)
    check_parameters(ranker)
    document: dict[str, Any] = {
        "ltr_version": version("ltr"),
        "class": name,
        "parameters": encoded,
        "attributes": {
            key: _attribute(key, vars(ranker)[key])
            for key in (*REQUIRED[name], *OPTIONAL)
            if key in vars(ranker)
        },
    }
    if "_column_names" in vars(ranker) and ranker._column_names is not None:
        document["column_names"] = [
            encode("a column name", column) for column in ranker._column_names
        ]
    arrays: dict[str, Any] = {}
    parts: dict[str, bytes] = {}
    has_member = isinstance(ranker, ConstrainedRanker)  # which has the names
    if "feature_names_in_" in vars(ranker) and not has_member:
        arrays["feature_names_in_"] = np.asarray(ranker.feature_names_in_, dtype=str)
    if isinstance(ranker, GradientRanker):
        learned = ranker._learned_state
        if ranker.make_scorer() != learned.scorer:
            raise ValueError(
                "the ranker was fitted with another scorer than its parameters say now "
                f"({learned.scorer!r} and {ranker.make_scorer()!r}). Fit it again, or "
                "set the parameters back."
            )
        for prefix, weights in _leaves(learned).items():
            arrays |= {f"{prefix}_{i}": leaf for i, leaf in enumerate(weights)}
        arrays |= scaling_arrays(learned.scaling)
        if learned.pair_scaling is not None:
            arrays["pair_mean"], arrays["pair_scale"] = learned.pair_scaling
    elif isinstance(ranker, LinearRanker):
        arrays |= {"coef_": ranker.coef_, **scaling_arrays(ranker._scaling)}
    elif isinstance(ranker, LambdaMARTRanker):
        values = ranker._categories.values
        document["categories"] = {
            "columns": list(ranker._categories.columns),
            "values": None
            if values is None
            else [[key, encode("categories", list(v))] for key, v in values.items()],
        }
        trees = ranker.booster_.model_to_string(num_iteration=-1)
        parts["trees.txt"] = trees.encode()
    elif isinstance(ranker, ModelIndex):
        arrays |= ranker.saved_arrays()
    elif isinstance(ranker, NumericRanker):
        arrays["medians_"] = ranker.medians_
    parts["arrays.npz"] = pack_arrays(arrays)
    members = [] if isinstance(ranker, ModelIndex) else fitted_members(ranker)
    for i, member in enumerate(members):
        model = _describe(member)
        document.setdefault("members", []).append(model.document)
        parts |= {f"member{i}-{name}": part for name, part in model.parts.items()}
    return SavedModel(document, parts)


def _attribute(name: str, value: Any) -> Any:
    """An attribute as JSON; a metric may be a function."""
    return encode(name, value) if callable(value) else value


def _leaves(learned: LearnedState) -> dict[str, list[Any]]:
    """Arrays of the scorer and, where training may go on, of the optimizer."""
    arrays = {"params": leaves(learned.params)}
    if learned.last_params is not None:
        arrays["last"] = leaves(learned.last_params)
        arrays["optimizer"] = learned.optimizer_leaves or []
    return arrays


def _restore_neural(ranker: GradientRanker, arrays: dict[str, Any]) -> None:
    scorer, n_features = ranker.make_scorer(), ranker.n_features_in_
    for name in ("hidden_layer_sizes", "pair_hidden_layer_sizes"):
        check_layers(name, getattr(ranker, name, ()), arrays)
    weights = check_weights(scorer, arrays, n_features, array_type(ranker.dtype))
    pair_scaling = check_pair_scaling(arrays, getattr(scorer, "n_pair_features", 0))
    ranker._learned_state = LearnedState(
        scorer,
        weights.params,
        check_scaling(arrays, n_features),
        weights.last_params,
        weights.optimizer_leaves,
        pair_scaling,
    )


def _restore_trees(ranker: LambdaMARTRanker, model: SavedModel) -> None:
    import lightgbm

    text, categories = check_trees(model, ranker.n_features_in_, ranker.n_iter_)
    try:
        ranker.booster_ = lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise ValueError(f"LightGBM cannot read trees.txt: {error}.") from error
    ranker.booster_.pandas_categorical = categories.for_lightgbm
    ranker._categories = categories
