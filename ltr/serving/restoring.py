"""From the parts of a saved model to what predicts, each checked as it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, get_args

from ltr.arguments import check_choice, check_limit, check_whole
from ltr.rankers.columns import Columns
from ltr.rankers.model_folder import DOCUMENT, SavedModel, members_of
from ltr.rankers.neural.fitted import FittedScorer
from ltr.rankers.saved_arrays import unpack_arrays
from ltr.rankers.saved_classes import FIELDS, OPTIONAL, REQUIRED
from ltr.rankers.saved_fields import (
    check_attributes,
    check_column_names,
    check_count,
    check_keys,
    check_names,
    check_numbers,
    check_pair_scaling,
    check_scaling,
)
from ltr.rankers.saved_functions import Trusted, decode_scorer, insert_functions
from ltr.rankers.saved_weights import check_layers, check_weights
from ltr.scorers import Scorer, get_scorer
from ltr.scorers.products import Precision, array_type
from ltr.serving.scoring import (
    ConstantScoring,
    FeatureScoring,
    LinearScoring,
    NeuralScoring,
    Scoring,
)

_NOT_SERVED = "ModelIndex"  # it retrieves, and scores no rows


def restore(
    model: SavedModel, pair_features: Callable[..., Any] | None, trusted: Trusted
) -> Scoring | None:
    """Make what predicts.

    Parameters
    ----------
    model : SavedModel
        Contents of a folder.
    pair_features : callable or None
        What the user passed for the name of a function.
    trusted : collection of str or callable
        Functions that may be imported; only those that predict are.

    Returns
    -------
    scoring : Scoring or None
        None for a class that has no scores of rows.

    Raises
    ------
    ValueError
        If a field is missing, of the wrong kind, or out of range.
    """
    if model.document.get("class") == _NOT_SERVED:
        return None
    document = insert_functions(
        model.document, pair_features, trusted, only="pair_features"
    )
    return _restore(model._replace(document=document))


def _restore(model: SavedModel) -> Scoring:
    document = check_keys(DOCUMENT, model.document, FIELDS)
    name = document.get("class")
    makers = {
        "AutoRanker": _blend,
        "ConstrainedRanker": _constrained,
        "LambdaMARTRanker": _trees,
        "LinearRanker": _linear,
        "NeuralRanker": _neural,
        "NumericRanker": _numeric,
        "RandomRanker": _constant,
        "SingleFeatureRanker": _feature,
        "StackingRanker": _blend,
        "TSPRanker": _pairs,
        "VotingRanker": _blend,
    }
    if name == "Pipeline":
        return _pipeline(model)
    if not isinstance(name, str) or name not in makers:
        raise ValueError(
            f"class in {DOCUMENT} must be one of {sorted(makers)}; got {name!r:.100}. "
            "Update ltr, or save the ranker again."
        )
    parameters = document.get("parameters")
    if not isinstance(parameters, dict):
        raise ValueError(f"parameters must be an object; got {parameters!r:.100}.")
    attributes = check_keys(
        "attributes", document.get("attributes"), {*REQUIRED[name], *OPTIONAL}
    )
    check_attributes(attributes, required=REQUIRED[name])
    return makers[name](model, _Saved(name, parameters, attributes))


class _Saved(NamedTuple):
    """Class, parameters and attributes of a ranker."""

    name: str
    parameters: Mapping[str, Any]
    attributes: Mapping[str, Any]

    @property
    def fitted_with_qid(self) -> bool:
        return bool(self.attributes["_fitted_with_qid"])

    def columns(self, document: Mapping[str, Any], arrays: dict[str, Any]) -> Columns:
        """Take the names of the columns out of document and arrays."""
        n_features = self.attributes["n_features_in_"]
        names, column_names = arrays.pop("feature_names_in_", None), None
        if names is not None:
            names = check_names(names, n_features)
        if "column_names" in document:
            column_names = check_column_names(document["column_names"], n_features)
        return Columns(self.name, n_features, names, column_names)


def _read(model: SavedModel, saved: _Saved) -> tuple[Columns, dict[str, Any]]:
    check_count(len(members_of(model)), 0, "members")
    arrays = unpack_arrays(model.parts["arrays.npz"])
    return saved.columns(model.document, arrays), arrays


def _constant(model: SavedModel, saved: _Saved) -> Scoring:
    columns, _ = _read(model, saved)
    return ConstantScoring(columns, saved.fitted_with_qid)


def _feature(model: SavedModel, saved: _Saved) -> Scoring:
    columns, _ = _read(model, saved)
    feature, direction = (saved.attributes[name] for name in ("feature_", "direction_"))
    return FeatureScoring(columns, saved.fitted_with_qid, feature, direction)


def _linear(model: SavedModel, saved: _Saved) -> Scoring:
    columns, arrays = _read(model, saved)
    n_features = columns.n_features_in_
    coef = check_numbers("coef_", arrays.pop("coef_", None), n_features)
    scaling = check_scaling(arrays, n_features)
    return LinearScoring(columns, saved.fitted_with_qid, coef, scaling)


def _fitted(
    scorer: Scorer, saved: _Saved, arrays: dict[str, Any], columns: Columns
) -> FittedScorer:
    """The scorer with its weights and scaling; all arrays are used."""
    dtype = saved.parameters["dtype"]
    check_choice("dtype", dtype, get_args(Precision))
    weights = check_weights(scorer, arrays, columns.n_features_in_, array_type(dtype))
    scaling = check_scaling(arrays, columns.n_features_in_)
    return FittedScorer(scorer, weights.params, scaling).ready()


def _neural(model: SavedModel, saved: _Saved) -> Scoring:
    columns, arrays = _read(model, saved)
    parameters = saved.parameters
    sizes, width = parameters["hidden_layer_sizes"], parameters["n_query_features"]
    check_layers("hidden_layer_sizes", sizes, arrays)
    check_whole("n_query_features", width, low=1, optional=True)
    similarity = parameters["similarity"]
    check_choice("similarity", similarity, ("cosine", "dot", "bilinear"))
    scorer = get_scorer(decode_scorer(parameters["scorer"]), sizes, width, similarity)
    fitted = _fitted(scorer, saved, arrays, columns)
    return NeuralScoring(columns, saved.fitted_with_qid, fitted)


def _pairs(model: SavedModel, saved: _Saved) -> Scoring:
    from ltr.scorers.pairs import PairEnsemble, get_pair_scorer
    from ltr.serving.pairs import PairScoring, make_decoder

    columns, arrays = _read(model, saved)
    parameters, n_members = saved.parameters, saved.parameters["n_estimators"]
    for name in ("hidden_layer_sizes", "pair_hidden_layer_sizes"):
        check_layers(name, parameters[name], arrays)
    check_whole("n_estimators", n_members, low=1, high=len(arrays) + 1)
    n_pair_features = saved.attributes.get("_n_pair_features", 0)
    form = ("encoder", "hidden_layer_sizes", "low_rank", "skew", "compat")
    member = get_pair_scorer(
        **{name: parameters[name] for name in form},
        n_pair_features=n_pair_features,
        pair_hidden_layer_sizes=parameters["pair_hidden_layer_sizes"],
    )
    scorer = member if n_members == 1 else PairEnsemble(member, n_members)
    pair_scaling = check_pair_scaling(arrays, n_pair_features)
    return PairScoring(
        columns,
        saved.fitted_with_qid,
        _fitted(scorer, saved, arrays, columns),
        make_decoder(parameters, saved.attributes.get("decoder_")),
        parameters.get("pair_features"),
        n_pair_features,
        pair_scaling,
    )


def _trees(model: SavedModel, saved: _Saved) -> Scoring:
    from ltr.rankers.saved_trees import check_trees
    from ltr.serving.trees import Trees, TreeScoring

    columns, _ = _read(model, saved)
    n_trees = saved.attributes["n_iter_"]
    text, categories = check_trees(model, columns.n_features_in_, n_trees)
    jobs = saved.parameters["n_jobs"]
    check_whole("n_jobs", jobs, low=-1024, high=1024, optional=True)
    return TreeScoring(
        columns, saved.fitted_with_qid, Trees(text), categories, n_trees, jobs
    )


def _numeric(model: SavedModel, saved: _Saved) -> Scoring:
    from ltr.serving.blends import NumericScoring

    arrays = unpack_arrays(model.parts["arrays.npz"])
    columns = saved.columns(model.document, arrays)
    numeric = tuple(saved.attributes["columns_"])
    medians = check_numbers("medians_", arrays.get("medians_"), len(numeric))
    (member,) = _members(model, 1)
    check_count(member.columns.n_features_in_, len(numeric), "columns of a member")
    return NumericScoring(columns, saved.fitted_with_qid, member, numeric, medians)


def _blend(model: SavedModel, saved: _Saved) -> Scoring:
    from ltr.rankers.blend.normalization import NORMALIZATIONS
    from ltr.serving.blends import BlendScoring

    names = tuple(saved.attributes["_names"])
    weights = saved.attributes.get("_weights")
    is_stack = saved.name == "StackingRanker"
    members = _members(model, len(names) + is_stack)
    final = members.pop() if is_stack else None
    if final is not None:
        check_count(final.columns.n_features_in_, len(names), "scores to stack")
    if weights is not None:
        check_count(len(weights), len(names), "weights")
    n_columns = max((member.n_columns for member in members), default=0)
    for member in members:
        check_count(member.n_columns, n_columns, "columns of a member")
    columns = Columns(saved.name, n_columns)
    for member in members:  # that take all columns as features
        if member.columns.n_features_in_ == n_columns:
            columns = replace(member.columns, owner=saved.name)
            break
    normalize = saved.parameters.get("normalize", "zscore")
    check_choice("normalize", normalize, NORMALIZATIONS)
    return BlendScoring(
        columns,
        saved.fitted_with_qid,
        tuple(members),
        names,
        normalize,
        None if weights is None else tuple(weights),
        final,
    )


def _members(model: SavedModel, expected: int) -> list[Scoring]:
    members = members_of(model)
    check_count(len(members), expected, "members")
    return [_restore(member) for member in members]


def _pipeline(model: SavedModel) -> Scoring:
    from ltr.rankers.saved_steps import read_steps
    from ltr.serving.pipelines import PipelineScoring

    arrays = unpack_arrays(model.parts["arrays.npz"])
    steps = read_steps(model.document.get("steps"), arrays)
    (member,) = _members(model, 1)
    columns = member.columns
    if steps:
        names, others = steps[0].feature_names, steps[0].column_names
        n_apart = columns.n_features_in_ - steps[-1].n_outputs  # of query_features
        if n_apart < 0 or (n_apart and "query_features" not in member.takes):
            raise ValueError(
                f"the ranker must have the {steps[-1].n_outputs} features of the "
                f"steps; got {columns.n_features_in_}. Save it again."
            )
        columns = Columns("Pipeline", steps[0].n_features, names, others)
    return PipelineScoring(columns, member.fitted_with_qid, tuple(steps), member)


def _constrained(model: SavedModel, saved: _Saved) -> Scoring:
    from ltr.rankers.constrained_orders import ConstrainedOrders
    from ltr.rankers.saved_constraints import decode_constraint
    from ltr.serving.constrained import ConstrainedScoring

    (member,) = _members(model, 1)
    parameters, columns = saved.parameters, member.columns
    constraints = parameters["constraints"]
    if isinstance(constraints, dict):
        constraints = [decode_constraint(e) for e in constraints["constraints"]]
    check_choice("infeasible", parameters["infeasible"], ("raise", "drop"))
    check_whole("k", parameters["k"], low=1, optional=True)
    check_limit("work_limit", parameters["work_limit"])
    orders = ConstrainedOrders(
        predict=member.predict,
        feature_names=columns.names,
        fitted_with_qid=member.fitted_with_qid,
        constraints=constraints,
        k=parameters["k"],
        infeasible=parameters["infeasible"],
        work_limit=parameters["work_limit"],
    )
    columns = replace(columns, owner=saved.name)
    return ConstrainedScoring(columns, member.fitted_with_qid, orders)
