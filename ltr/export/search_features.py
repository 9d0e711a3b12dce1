"""Definitions of features for search engines, and linear models by feature name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ltr.arguments import ArgumentError, check_choice, suggest
from ltr.export.json_file import write_json
from ltr.export.linear import single_weights
from ltr.export.names import feature_names
from ltr.files import PathLike

Engine = Literal["elasticsearch", "opensearch", "solr"]


def export_linear_json(
    ranker: Any, path: PathLike, *, features: Sequence[str] | None = None
) -> None:
    r"""Write a linear ranker as ``model/linear`` of Elasticsearch and OpenSearch.

    Parameters
    ----------
    ranker : LinearRanker, or NeuralRanker with ``scorer="linear"``
        Fitted.
    path : path-like
        File to write: an object with the weight of each feature.
    features : sequence of str, default=None
        Names of the columns. None: those of ``fit``, else ``f0``, ``f1``, ….

    Raises
    ------
    ValueError
        If the scores are not linear in the features: they are scaled within the list,
        or logarithms are taken.

    Notes
    -----
    The scaling of the features is folded into the weights. The format has no constant:
    scores are those of ``predict`` up to the same number for all items, which changes
    no order.

    Examples
    --------
    >>> import tempfile
    >>> from ltr import LinearRanker
    >>> ranker = LinearRanker(preprocess=None, alpha=0.0)
    >>> _ = ranker.fit([[1.0], [0.0]], [1, 0])
    >>> path = tempfile.mkdtemp() + "/model.json"
    >>> export_linear_json(ranker, path, features=["price"])
    >>> with open(path) as file:
    ...     file.read()
    '{"price": 2.0}\n'
    """
    names = feature_names(ranker, features)
    write_json(path, single_weights(ranker, names, "export_linear_json"))


def export_feature_set(
    ranker: Any,
    path: PathLike,
    *,
    engine: Engine = "elasticsearch",
    name: str = "features",
    features: Sequence[str] | None = None,
    queries: Mapping[str, Any] | None = None,
) -> None:
    """Write the definitions of a ranker's features for a search engine.

    Parameters
    ----------
    ranker : fitted ranker
        Its columns are the features, in their order.
    path : path-like
        File to write: the body for ``_ltr/_featureset/<name>`` of Elasticsearch or
        OpenSearch, or for the ``feature-store`` of Solr.
    engine : {"elasticsearch", "opensearch", "solr"}, default="elasticsearch"
        What reads it.
    name : str, default="features"
        Name of the feature set or feature store.
    features : sequence of str, default=None
        Names of the columns. None: those of ``fit``, else ``f0``, ``f1``, ….
    queries : mapping of str to dict, default=None
        How the engine computes a feature, by its name. For Elasticsearch and
        OpenSearch: a query, in which ``{{keywords}}`` is the search text, such as
        ``{"match": {"title": "{{keywords}}"}}``. For Solr: a feature without its name,
        such as ``{"class": "org.apache.solr.ltr.feature.OriginalScoreFeature",
        "params": {}}``. A feature that is not in it is the numeric field of that name,
        0 where a document has none.

    Raises
    ------
    ValueError
        If ``queries`` names a feature that the ranker does not have.

    Examples
    --------
    >>> import json, tempfile
    >>> from ltr import LinearRanker
    >>> ranker = LinearRanker().fit([[1.0, 3.0], [0.0, 2.0]], [1, 0])
    >>> path = tempfile.mkdtemp() + "/features.json"
    >>> title = {"match": {"title": "{{keywords}}"}}
    >>> export_feature_set(
    ...     ranker, path, features=["title", "price"], queries={"title": title}
    ... )
    >>> with open(path) as file:
    ...     [f["template"] for f in json.load(file)["featureset"]["features"]][0]
    {'match': {'title': '{{keywords}}'}}
    """
    check_choice("engine", engine, ("elasticsearch", "opensearch", "solr"))
    names = feature_names(ranker, features)
    templates = _templates(queries)
    for key in templates:
        if key not in names:
            raise ArgumentError(
                f"queries must be of features of the ranker; got {key!r}."
                f"{suggest(key, names)}"
            )
    document: Any
    if engine == "solr":
        document = [
            {**templates.get(feature, _field(feature)), "name": feature, "store": name}
            for feature in names
        ]
    else:
        entries = [
            {
                "name": feature,
                "params": ["keywords"] if "{{keywords}}" in json.dumps(query) else [],
                "template_language": "mustache",
                "template": query,
            }
            for feature in names
            for query in [templates.get(feature, _field_value(feature))]
        ]
        document = {"featureset": {"name": name, "features": entries}}
    write_json(path, document, indent=1)


def _templates(queries: Any) -> dict[str, Any]:
    """How features are computed, each of which JSON can hold."""
    if queries is None:
        return {}
    is_mapping = isinstance(queries, Mapping)
    if not is_mapping or not all(isinstance(q, Mapping) for q in queries.values()):
        raise ArgumentError(
            "queries must be a mapping of names of features to dictionaries; got "
            f"{queries!r:.100}."
        )
    for name, query in queries.items():
        try:
            json.dumps(query, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ArgumentError(
                f"queries must be what JSON can hold; that of {name!r} is not: {error}."
            ) from None
    return dict(queries)


def _field_value(field: str) -> dict[str, Any]:
    """A query whose score is a numeric field."""
    factor = {"field": field, "missing": 0}
    return {
        "function_score": {
            "query": {"match_all": {}},
            "field_value_factor": factor,
            "boost_mode": "replace",
        }
    }


def _field(field: str) -> dict[str, Any]:
    kind = "org.apache.solr.ltr.feature.FieldValueFeature"
    return {"class": kind, "params": {"field": field}}
