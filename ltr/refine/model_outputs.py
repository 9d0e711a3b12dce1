"""Scores from what a language model gives back: logits, probabilities, attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, check_choice, check_number
from ltr.queries import FloatArray
from ltr.refine.vectors import check_finite, read_floats, read_vectors


def yes_no_score(logits: ArrayLike) -> FloatArray:
    r"""Probability of "yes" against "no".

    .. math:: \frac{e^{z_{yes}}}{e^{z_{yes}} + e^{z_{no}}}

    Parameters
    ----------
    logits : array-like of shape (..., 2)
        Logits, or log-probabilities, of the tokens "yes" and "no", in this order.

    Returns
    -------
    scores : float array of shape (...)
        In [0, 1].

    Raises
    ------
    ArgumentError
        If the last axis has another length, or a logit is not finite.

    References
    ----------
    .. [1] Li et al., "ProRank: prompt warmup via reinforcement learning for small
       language models reranking", 2025.

    Examples
    --------
    >>> yes_no_score([2.0, 0.5]).round(7)
    np.float64(0.8175745)
    """
    z = check_finite("logits", read_floats("logits", logits)).astype(np.float64)
    if z.ndim == 0 or z.shape[-1] != 2:
        raise ArgumentError(
            "logits must have shape (..., 2): those of yes and of no; got shape "
            f"{z.shape}."
        )
    # e^{-log(1 + e^{no - yes})} overflows on neither side
    return np.exp(-np.logaddexp(0.0, z[..., 1] - z[..., 0]))


def integer_score(
    probs: ArrayLike, how: Literal["expected", "peak"] = "expected"
) -> FloatArray:
    r"""Score of an item from the probabilities of the grades 0, 1, …, m.

    .. math:: \frac{\sum_g g\, p_g}{\sum_g p_g} \quad \text{("expected")}, \quad
        g^* p_{g^*} \text{ with } g^* = \arg\max_g p_g \quad \text{("peak")}

    The expected grade tells apart what a rounded one ties, and rises steadily with the
    belief; a doubtful peak scores less than a certain one of a lower grade.

    Parameters
    ----------
    probs : array-like of shape (..., m + 1)
        Probability of each grade. They need not sum to 1: the rest are other tokens.
    how : {"expected", "peak"}, default="expected"
        See above.

    Returns
    -------
    scores : float array of shape (...)
        In [0, m].

    Raises
    ------
    ArgumentError
        If a probability is negative, above 1 or not finite, or all of an item are 0.

    References
    ----------
    .. [1] Cai et al., "ERank: fusing supervised fine-tuning and reinforcement learning
       for effective and efficient text reranking", 2025 ("peak").

    Examples
    --------
    >>> p = [0.1, 0.2, 0.7]
    >>> integer_score(p).round(4), integer_score(p, "peak").round(4)
    (np.float64(1.6), np.float64(1.4))
    """
    check_choice("how", how, ("expected", "peak"))
    p = check_finite("probs", read_floats("probs", probs)).astype(np.float64)
    if p.ndim == 0 or p.shape[-1] == 0:
        raise ArgumentError(
            f"probs must have shape (..., n_grades); got shape {p.shape}."
        )
    if (p < 0.0).any() or (p > 1.0 + 1e-6).any():
        wrong = p[(p < 0.0) | (p > 1.0 + 1e-6)][0]
        raise ArgumentError(
            f"probs must be in [0, 1]; got {wrong:g}. Apply a softmax to logits first."
        )
    total = p.sum(axis=-1)
    if (total == 0.0).any():
        place = f" {np.argwhere(total == 0.0)[0].tolist()}" if total.ndim else ""
        raise ArgumentError(f"probs must not all be 0; those of item{place} are.")
    if how == "peak":
        return np.asarray(p.argmax(axis=-1) * p.max(axis=-1))
    return np.asarray(p @ np.arange(p.shape[-1]) / total)


def icr_scores(
    attention: ArrayLike,
    null_attention: ArrayLike,
    spans: Sequence[tuple[int, int]],
    *,
    n_std: float = 2.0,
) -> FloatArray:
    r"""Score documents by the attention of a query to them: in-context reranking.

    A token scores :math:`c = a - a^{null}`, with a the attention of the query's tokens
    to it, averaged over them and summed over layers and heads, and :math:`a^{null}`
    the same for a query without content such as "N/A", which removes the attention that
    a position gets whatever is asked. A document scores the sum over those of its
    tokens with :math:`c > \bar c - n_{std}\, s`, mean and standard deviation (of n − 1)
    over its own tokens.

    Parameters
    ----------
    attention : array-like of shape (n_layers, n_heads, n_query_tokens, n_tokens)
        Attention of the tokens of the query to those of the documents.
    null_attention : array-like of shape (n_layers, n_heads, n_null_tokens, n_tokens)
        That of a query without content, in the same prompt.
    spans : sequence of (begin, end)
        Tokens of each document: from begin, before end.
    n_std : float, default=2.0
        Standard deviations below the mean at which a token is dropped. With five tokens
        or fewer none lies 2 below.

    Returns
    -------
    scores : float array of shape (n_documents,)

    Raises
    ------
    ArgumentError
        If shapes differ, a number is not finite, or a span is empty or out of range.

    Notes
    -----
    The single token of a document is kept: it has no standard deviation. Spans of one
    token each give the scores of tokens.

    References
    ----------
    .. [1] Chen, Gutiérrez & Su, "Attention in large language models yields efficient
       zero-shot re-rankers", ICLR 2025.

    Examples
    --------
    >>> attention = [[[[0.5, 0.2, 0.3]]]]
    >>> null_attention = [[[[0.5, 0.1, 0.1]]]]
    >>> icr_scores(attention, null_attention, [(0, 1), (1, 3)]).round(4).tolist()
    [0.0, 0.3]
    """
    check_number("n_std", n_std, low=0.0)
    content = _token_attention("attention", attention)
    null = _token_attention("null_attention", null_attention)
    if np.shape(attention)[:2] != np.shape(null_attention)[:2] or null.shape != (
        content.shape
    ):
        raise ArgumentError(
            "null_attention must have the layers, heads and document tokens of "
            f"attention; got shapes {np.shape(null_attention)} and "
            f"{np.shape(attention)}."
        )
    calibrated = content - null
    scores = np.empty(len(spans))
    for i, span in enumerate(spans):
        if np.shape(span) != (2,) or np.asarray(span).dtype.kind not in "iu":
            raise ArgumentError(
                f"spans must be (begin, end) in whole numbers; got {span!r} for "
                f"document {i}."
            )
        begin, end = span
        if not 0 <= begin < end <= len(calibrated):
            raise ArgumentError(
                f"spans must be (begin, end) with 0 <= begin < end <= "
                f"{len(calibrated)}; got {(begin, end)!r} for document {i}."
            )
        tokens = calibrated[begin:end]
        if len(tokens) > 1:
            low = tokens.mean() - n_std * tokens.std(ddof=1)
            tokens = tokens[tokens > low] if (tokens != tokens[0]).any() else tokens
        scores[i] = tokens.sum()
    return scores


def _token_attention(name: str, attention: ArrayLike) -> FloatArray:
    """Mean over query tokens, sum over layers and heads, (n_tokens,)."""
    a = check_finite(name, read_floats(name, attention))
    if a.ndim != 4 or a.shape[2] == 0:
        raise ArgumentError(
            f"{name} must have shape (n_layers, n_heads, n_query_tokens, n_tokens); "
            f"got shape {a.shape}."
        )
    return np.asarray(a.mean(axis=2, dtype=np.float64).sum(axis=(0, 1)))


def grounding_scores(
    generated: ArrayLike,
    items: ArrayLike,
    *,
    prior: ArrayLike | None = None,
    gamma: float = 1.0,
    form: Literal["log", "published"] = "log",
) -> FloatArray:
    r"""Ground what a model generated in the items that exist, by distance and a prior.

    With the Euclidean distances d of the embedding of a generated text to those of the
    items, and a prior p such as popularity, scaled to [0, 1],

    .. math:: -\log d + γ \log(1 + p) \quad \text{("log")}, \quad
        \frac{d - d_{min}}{d_{max} - d_{min}} (1 + p)^{-γ} \quad \text{("published")}

    Parameters
    ----------
    generated : array-like of shape (width,)
        Embedding of the generated text.
    items : array-like of shape (n_items, width)
        Embeddings of the items.
    prior : array-like of shape (n_items,), default=None
        Popularity, or the score of another system; min-max scaled. None: 0 for all.
    gamma : float, default=1.0
        Weight of the prior.
    form : {"log", "published"}, default="log"
        ``"log"`` is a score, the higher the better. ``"published"`` is a *distance*,
        the lower the better: that of the nearest item is 0, so the prior can never
        change the first rank.

    Returns
    -------
    scores : float array of shape (n_items,)
        Infinite, in the form ``"log"``, for an item at distance 0.

    Raises
    ------
    ArgumentError
        If an embedding is not finite (with its row), or shapes differ.

    References
    ----------
    .. [1] Bao et al., "A bi-step grounding paradigm for large language models in
       recommendation systems", TORS 2025.

    Examples
    --------
    >>> items = [[1.0], [2.0], [4.0]]
    >>> grounding_scores([0.0], items, prior=[0.0, 1.0, 0.5]).round(4).tolist()
    [0.0, 0.0, -0.9808]
    """
    check_choice("form", form, ("log", "published"))
    check_number("gamma", gamma)
    point = check_finite("generated", read_floats("generated", generated))
    d = read_vectors("items", items)
    if point.shape != d.shape[1:]:
        raise ArgumentError(
            f"generated must be one embedding of shape {d.shape[1:]}, as wide as the "
            f"items; got shape {point.shape}."
        )
    distance = np.linalg.norm(d.astype(np.float64) - point, axis=1)
    p = np.zeros(len(d))
    if prior is not None:
        p = check_finite("prior", read_floats("prior", prior)).astype(np.float64)
        if p.shape != (len(d),):
            raise ArgumentError(
                f"prior must be one number for each of {len(d)} items; got shape "
                f"{p.shape}."
            )
        p = _minmax(p)
    if form == "published":
        return _minmax(distance) * (1.0 + p) ** -gamma
    with np.errstate(divide="ignore"):
        return 0.0 - np.log(distance) + gamma * np.log1p(p)


def _minmax(x: FloatArray) -> FloatArray:
    """(x − min) / (max − min); 0 if all are equal."""
    low, high = (x.min(), x.max()) if len(x) else (0.0, 0.0)
    return (x - low) / (high - low if high > low else 1.0)
