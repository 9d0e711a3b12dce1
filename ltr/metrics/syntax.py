"""Spellings of metrics: ours, ir_measures' and trec_eval's."""

from __future__ import annotations

import ast
import re
from typing import Any

import numpy as np

_NAME = re.compile(
    r"(?P<metric>[a-z0-9_]+)(\((?P<options>.*)\))?(@(?P<k>[0-9]*\.?[0-9]+))?", re.I
)
_TREC_CUT = re.compile(
    r"(?P<metric>ndcg_cut|map_cut|p|recall|success|relative_p|iprec_at_recall|"
    r"rprec_mult)[_.](?P<k>[0-9]*\.?[0-9]+)",
    re.I,
)
SHORT = {
    "ap": "map",
    "rr": "mrr",
    "recip_rank": "mrr",
    "p": "precision",
    "setp": "precision",
    "set_p": "precision",
    "r": "recall",
    "setr": "recall",
    "set_recall": "recall",
    "setf": "f",
    "set_f": "f",
    "f1": "f",
    "iprec": "interpolated_precision",
    "iprec_at_recall": "interpolated_precision",
    "11pt_avg": "interpolated_precision",
    "num_ret": "n_returned",
    "numret": "n_returned",
    "num_rel": "n_relevant",
    "numrel": "n_relevant",
    "num_rel_ret": "hits",
    "numrelret": "hits",
    "rprec": "r_precision",
    "rprec_mult": "r_precision",
    "infap": "inferred_ap",
    "set_map": "set_ap",
    "setap": "set_ap",
    "hit_rate": "success",
    "ndcg_cut": "ndcg",
    "map_cut": "map",
    "tau": "kendall_tau",
    "ic": "information_coefficient",
    "rank_ic": "spearman",
    "ao": "average_overlap",
}
_WITH_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "gm_map": ("map", {"mean": "geometric"}),
    "gmap": ("map", {"mean": "geometric"}),
    "gm_bpref": ("bpref", {"mean": "geometric"}),
    "relative_p": ("recall", {"cap": True}),
    "set_relative_p": ("recall", {"cap": True}),
    "setrelp": ("recall", {"cap": True}),
}
NEAREST = {  # metrics of other tools that are left out here
    "utility": ("hits", "it adds points for each kind of document, in any order"),
    **dict.fromkeys(
        ["g", "bing", "ndcg_rel", "rndcg", "yaap"],
        ("ndcg", "trec_eval's manual calls it experimental"),
    ),
    "num_q": ("n_relevant", "the number of queries is the column n_lists"),
    "numq": ("n_relevant", "the number of queries is the column n_lists"),
    "num_nonrel_judged_ret": (
        "judged",
        "it is a cost, the judged documents that are not relevant",
    ),
    "unj": ("judged", "it is a cost, 1 minus the share of judged documents"),
    "rbp_resid": (
        "judged",
        "it is a cost, the weight of the documents without judgments",
    ),
    "relstring": ("hits", "it is text"),
    "compat": (
        "rbo",
        "it is the rank-biased overlap with the nearest one of the ideal orders",
    ),
    "accuracy": ("auc", "it is the share of pairs in the right order"),
    "bpm": ("rbp", "it is a user model"),
    "insq": ("rbp", "it is a user model"),
    "inst": ("rbp", "it is a user model"),
    "sdcg": ("ndcg", "it divides DCG by that of k items with the best label"),
    "nerr": ("err", "it divides ERR by that of the best order"),
    **dict.fromkeys(["nerr8", "nerr9", "nerr10", "nerr11"], ("err", "it scales ERR")),
}
for _name, _nearest in {
    "alpha_ndcg": "ndcg",
    "α_ndcg": "ndcg",
    "alpha_dcg": "dcg",
    "α_dcg": "dcg",
    "err_ia": "err",
    "nerr_ia": "err",
    "ap_ia": "map",
    "map_ia": "map",
    "p_ia": "precision",
    "nrbp": "rbp",
    "nnrbp": "rbp",
    "strecall": "recall",
}.items():
    NEAREST[_name] = (_nearest, "it needs judgments per subtopic")


def parse_metric(text: str) -> tuple[str, int | None, dict[str, Any]] | None:
    """Parse the name of a metric.

    Parameters
    ----------
    text : str
        ``name``, ``name@k`` or ``name(option=value, …)@k``, in either case. Options are
        ours or ir_measures' ``rel=`` (lowest relevant label), ``dcg=`` (``'log2'`` or
        ``'exp-log2'``), ``p=``, ``gains=`` and ``cutoff=``. Or trec_eval's
        ``ndcg_cut_10``, ``P_5``, ``iprec_at_recall_0.10``, ``recip_rank``, ….

    Returns
    -------
    name : str
        In lower case, abbreviations expanded.
    k : int or None
        Cut-off.
    options : dict of str to object
        Under our names. If the text is malformed, None is returned instead.

    Examples
    --------
    >>> parse_metric("nDCG(dcg='exp-log2')@10"), parse_metric("P_5")
    (('ndcg', 10, {'gain': 'exp2'}), ('precision', 5, {}))
    """
    text = text.strip().replace("-", "_") if "(" not in text else text.strip()
    match = _TREC_CUT.fullmatch(text)
    if match is not None:
        name, options, cut = match["metric"], None, match["k"]
    else:
        match = _NAME.fullmatch(text)
        if match is None:
            return None
        name, options, cut = match["metric"], match["options"], match["k"]
    key = name.lower()
    keywords = _parse_options(options)
    if keywords is None:
        return None
    name, implied = _WITH_OPTIONS.get(key, (SHORT.get(key, key), {}))
    arguments = implied | _translated(keywords)
    if name == "interpolated_precision" and cut is not None:
        return name, None, {"recall": float(cut)} | arguments
    if key == "rprec_mult":
        return name, None, ({} if cut is None else {"multiple": float(cut)}) | arguments
    if cut is not None and not cut.isdigit():
        return None
    k = arguments.pop("cutoff", None) if cut is None else int(cut)
    return name, k, arguments


def _parse_options(text: str | None) -> dict[str, Any] | None:
    """Keyword arguments in brackets; a bare word is a string. None if malformed."""
    if not text:
        return {}
    try:
        call = ast.parse(f"f({text})", mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(call, ast.Call) or call.args:
        return None
    options = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            return None
        if isinstance(keyword.value, ast.Name):
            options[keyword.arg] = keyword.value.id
            continue
        try:
            options[keyword.arg] = ast.literal_eval(keyword.value)
        except ValueError:
            return None
    return options


def _translated(options: dict[str, Any]) -> dict[str, Any]:
    """Options of ir_measures under our names."""
    translated: dict[str, Any] = {}
    for name, value in options.items():
        if name == "rel":
            translated["threshold"] = float(np.nextafter(value, -np.inf))
        elif name == "dcg":
            translated["gain"] = {"log2": "linear", "exp-log2": "exp2"}.get(
                value, value
            )
        elif name == "gains":
            translated["gain"] = _gain_table(value)
        elif name == "p":
            translated["persistence"] = value
        else:
            translated[name] = value
    return translated


def _gain_table(gains: dict[int, float]) -> list[float]:
    """A table by label; labels without a gain keep their own value, as in trec_eval."""
    return [gains.get(label, label) for label in range(max(gains) + 1)]
