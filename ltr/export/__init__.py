"""Fitted rankers as files of other software: ONNX, LightGBM, XGBoost, RankLib, Solr.

============================  ==================================  =====================
function                      who reads it                        what it can hold
============================  ==================================  =====================
:func:`export_onnx`           ONNX runtimes                       nearly all rankers,
                                                                  blends among them
:func:`export_lightgbm`       LightGBM, treelite                  trees
:func:`export_xgboost_json`   XGBoost; learning-to-rank plugins   trees
                              of Elasticsearch and OpenSearch
:func:`export_ranklib`        RankLib; the same plugins           trees, linear rankers
:func:`export_linear_json`    the same plugins                    linear rankers
:func:`export_solr`           Solr                                trees, linear rankers
:func:`export_feature_set`    definitions of the features for     columns of any ranker
                              these engines
============================  ==================================  =====================

What a format cannot hold is refused, with the reason: a file never scores differently
from ``predict`` in silence. The arrays of linear and neural rankers are in their
attribute ``weights_``.
"""

from ltr.export.lightgbm_model import export_lightgbm
from ltr.export.onnx_model import export_onnx
from ltr.export.ranklib import export_ranklib
from ltr.export.search_features import export_feature_set, export_linear_json
from ltr.export.solr import export_solr
from ltr.export.xgboost_model import export_xgboost_json

__all__ = [
    "export_feature_set",
    "export_lightgbm",
    "export_linear_json",
    "export_onnx",
    "export_ranklib",
    "export_solr",
    "export_xgboost_json",
]
