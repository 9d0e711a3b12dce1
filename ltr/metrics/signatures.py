"""Signatures of kernels and faces: checked once, when a metric is declared."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

# of a face, and no options
ROWS = ("y_true", "y_score", "qid", "query_weight", "per_query")
POLICIES = ("ties", "docids", "empty", "mean")  # options of a face, not of its kernel
KERNEL_FORM = "{}(lists, *, k=None, …) -> Measured(values, blank)"


def kernel_options(kernel: Callable[..., Any]) -> dict[str, Any]:
    """Options of a kernel and their defaults.

    Parameters
    ----------
    kernel : callable
        ``kernel(lists, *, k=None, …)``.

    Returns
    -------
    options : dict of str to object

    Raises
    ------
    TypeError
        If it is no function of ranked lists, such as one of labels and scores.

    Examples
    --------
    >>> def precision(lists, *, k=None, threshold=0.0): ...
    >>> kernel_options(precision)
    {'k': None, 'threshold': 0.0}
    """
    name = getattr(kernel, "__name__", "metric")
    try:
        signature = inspect.signature(kernel)
    except (TypeError, ValueError) as error:  # not callable; a function written in C
        raise _no_kernel(name, repr(kernel)) from error
    kinds = inspect.Parameter
    parameters = list(signature.parameters.values())
    is_required = [
        p.default is kinds.empty
        and p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
        for p in parameters
    ]
    if (
        not {*ROWS, *POLICIES}.isdisjoint(signature.parameters)
        or any(is_required[1:])
        or not parameters
        or parameters[0].kind in (kinds.KEYWORD_ONLY, kinds.VAR_KEYWORD)
    ):
        raise _no_kernel(name, f"{name}{signature}")
    return {p.name: p.default for p in parameters[1:]}


def face_options(face: Callable[..., Any], kernel: dict[str, Any]) -> tuple[str, ...]:
    """Names of the options of a face.

    Parameters
    ----------
    face : callable
        ``metric(y_true, y_score, *, qid=None, …)``.
    kernel : dict of str to object
        Options of its kernel, from :func:`kernel_options`.

    Returns
    -------
    names : tuple of str

    Raises
    ------
    TypeError
        If the face does not pass on the options of the kernel, with their defaults.

    Examples
    --------
    >>> def precision(y_true, y_score, *, qid=None, k=None, ties="average"): ...
    >>> face_options(precision, {"k": None})
    ('k', 'ties')
    """
    parameters = list(inspect.signature(face).parameters.values())[2:]
    handed_on = {
        p.name: p.default for p in parameters if p.name not in (*ROWS, *POLICIES)
    }
    if handed_on != kernel:
        raise TypeError(
            f"{getattr(face, '__name__', face)!r} must take the options of its kernel, "
            f"by keyword and with the same defaults: {kernel}; got {handed_on}."
        )
    return tuple(p.name for p in parameters if p.name not in ROWS)


def _no_kernel(name: str, signature: str) -> TypeError:
    return TypeError(
        f"the kernel of a metric must have the form {KERNEL_FORM.format(name)}, where "
        f"lists are the ranked lists; got {signature}. The docstring of "
        "ltr.metrics.ranking_metric has an example."
    )
