"""Which fields and attributes a saved ranker has, by its class."""

from __future__ import annotations

# attributes that each class needs to predict, and those that it may have besides
REQUIRED = {
    "AutoRanker": ("_fitted_with_qid", "_names", "_rows", "left_out_", "metric_"),
    "ConstrainedRanker": (),
    "LambdaMARTRanker": ("n_features_in_", "_fitted_with_qid", "n_iter_"),
    "LinearRanker": ("n_features_in_", "_fitted_with_qid", "alpha_"),
    "ModelIndex": ("n_features_in_",),
    "NeuralRanker": ("n_features_in_", "_fitted_with_qid"),
    "NumericRanker": ("n_features_in_", "_fitted_with_qid", "columns_"),
    "RandomRanker": ("n_features_in_", "_fitted_with_qid"),
    "SingleFeatureRanker": (
        "n_features_in_",
        "_fitted_with_qid",
        "feature_",
        "direction_",
    ),
    "StackingRanker": ("_fitted_with_qid", "_names"),
    "TSPRanker": ("n_features_in_", "_fitted_with_qid"),
    "VotingRanker": ("_fitted_with_qid", "_names", "_weights"),
}
OPTIONAL = (
    "n_iter_",
    "best_epoch_",
    "best_score_",
    "history_",
    "_zero_based",
    "_n_pair_features",
    "decoder_",
    "_weights",
)
FIELDS = {
    "format",
    "ltr_version",
    "class",
    "parameters",
    "attributes",
    "categories",
    "column_names",
    "members",
    "steps",
    "sha256",
    "checksum",
}
