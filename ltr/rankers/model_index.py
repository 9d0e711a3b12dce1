"""A model that is the index: one softmax over the ids of all documents."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ltr.arguments import (
    ArgumentError,
    check_choice,
    check_number,
    check_seed,
    check_verbose,
    check_whole,
)
from ltr.atomic import AtomicFit, FitStopped
from ltr.files import id_text
from ltr.memory import check_memory
from ltr.progress import SECONDS_BETWEEN_LINES, ProgressLine
from ltr.queries import FloatArray, IntArray, check_rows
from ltr.row_values import check_column

if TYPE_CHECKING:
    import pandas as pd

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8  # of Adam, as published
_COPIES = 6  # of the weights, at the peak of a fit


class ModelIndex(AtomicFit, BaseEstimator):
    r"""Retrieve by a softmax over the ids of all documents, learned from their texts.

    The model has a vector w for each document and no other index. The probability of
    document i for an embedding x, of length 1, is

    .. math:: p_i = \frac{e^{⟨w_i, x⟩ / T}}{\sum_j e^{⟨w_j, x⟩ / T}},

    and fit maximizes that of the right documents: of passages, which belong to their
    document, and of past queries, which belong to what was judged relevant. So a
    document is found by what it says *and* by what people asked when they wanted it.

    Parameters
    ----------
    init : {"zeros", "items"}, default="zeros"
        Vectors to start from: 0, with which the problem is a convex one; or the
        embeddings of the documents, with which training starts from dense retrieval.
    temperature : float, default=0.05
        T.
    learning_rate : float, default=0.001
        Step size of Adam.
    max_epochs : int, default=10
        Passes over the rows.
    batch_size : int, default=256
        Rows of a step.
    weight_decay : float, default=0.0
        Decoupled decay of the vectors: each step takes off this times the learning
        rate.
    dtype : {"float32", "float64"}, default="float32"
        Precision of training.
    random_state : int, RandomState or None, default=None
        Seed of the order of the rows.
    verbose : int, default=0
        1: a line every 5 seconds; 2: a line per epoch.

    Attributes
    ----------
    docids_ : object array of shape (n_documents,)
        Ids of the documents as text, in order of appearance.
    weights_ : array of shape (n_documents, n_features)
        A vector for each document.
    n_features_in_ : int
        Width of the embeddings.
    n_iter_ : int
        Number of epochs.
    history_ : dict of str to list
        ``"loss"`` (mean of −log p) and ``"seconds"`` of each epoch.

    Notes
    -----
    Start from ``init="items"`` where the embeddings are good: with sentence embeddings
    it is the better start on the collections of ``examples/papers 30``.

    A step takes products of ``batch_size`` rows with all documents, and memory is that
    of six copies of the vectors. Ctrl-C ends a fit after the last whole epoch, and
    raises when the index is usable.

    References
    ----------
    .. [1] Zhou et al., "DynamicRetriever: a pre-training model-based IR system without
       an explicit index", Machine Intelligence Research 2023.

    Examples
    --------
    >>> import numpy as np
    >>> passages = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> index = ModelIndex(learning_rate=0.1, random_state=0)
    >>> index = index.fit(passages, ["a", "a", "b"])
    >>> index.predict_run([[0.9, 0.3]], k=1)["docid"].tolist()
    ['a']
    >>> index = index.partial_fit([[-1.0, 0.0]], ["c"])
    >>> index.docids_.tolist()
    ['a', 'b', 'c']
    """

    _set_by_fit: ClassVar[str] = "weights_"
    docids_: NDArray[np.object_]
    weights_: NDArray[Any]
    n_features_in_: int

    def __init__(
        self,
        init: Literal["zeros", "items"] = "zeros",
        temperature: float = 0.05,
        learning_rate: float = 0.001,
        max_epochs: int = 10,
        batch_size: int = 256,
        weight_decay: float = 0.0,
        dtype: Literal["float32", "float64"] = "float32",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.init = init
        self.temperature = temperature
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: ArrayLike,
        docid: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        items: Mapping[Any, ArrayLike] | pd.DataFrame | None = None,
    ) -> Self:
        """Learn a vector for each document.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embeddings of passages and of queries, one a row.
        docid : array-like of shape (n_samples,)
            The document that each belongs to. A query with several relevant documents
            has a row for each.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights ≥ 0 of the rows. None: 1 for all.
        items : mapping or DataFrame, default=None
            Embedding of each document, as ``{docid: vector}`` or as rows with docids as
            their index. They are documents of the index, even without a row in ``X``;
            ``init="items"`` requires them.

        Returns
        -------
        self : ModelIndex

        Raises
        ------
        ValueError
            If an embedding is not finite (with its row), or shapes differ.
        ArgumentError
            If a parameter is invalid.
        """
        self._check_parameters()
        return self._train(X, docid, sample_weight, items, self.max_epochs, start=None)

    def partial_fit(
        self,
        X: ArrayLike,
        docid: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        items: Mapping[Any, ArrayLike] | pd.DataFrame | None = None,
    ) -> Self:
        """Make one pass over more rows; documents that are new are added.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As in :meth:`fit`.
        docid : array-like of shape (n_samples,)
            As in :meth:`fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            As in :meth:`fit`.
        items : mapping or DataFrame, default=None
            As in :meth:`fit`; of new documents only. Others keep their vectors.

        Returns
        -------
        self : ModelIndex

        Raises
        ------
        ValueError
            As :meth:`fit`.
        """
        self._check_parameters()
        start = self if hasattr(self, "weights_") else None
        return self._train(X, docid, sample_weight, items, 1, start=start)

    def predict_run(
        self, X: ArrayLike, qids: ArrayLike | None = None, k: int = 100
    ) -> pd.DataFrame:
        """Retrieve the k most probable documents of each query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Embeddings of queries.
        qids : array-like of shape (n_queries,), default=None
            Their distinct ids. None: 0, 1, ….
        k : int, default=100
            Documents of each query.

        Returns
        -------
        run : DataFrame
            Columns ``qid``, ``docid`` and ``score`` (the logit ⟨w, x⟩ / T), best first,
            as of :func:`ltr.refine.search`.

        Raises
        ------
        ValueError
            If an embedding is not finite (with its row), or of another width.
        """
        from ltr.refine import search
        from ltr.refine.vectors import read_vectors, unit

        check_is_fitted(self)
        queries = unit(read_vectors("X", X, self.n_features_in_))
        return search(
            queries / self.temperature,
            self.weights_,
            k,
            qids=None if qids is None else np.asarray(qids, dtype=object),
            docids=self.docids_,
            similarity="dot",
        )

    def saved_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays that :func:`ltr.save_ranker` writes."""
        text = "\0".join(self.docids_).encode()  # ids have no NUL, as in runs
        return {
            "weights_": self.weights_,
            "docids_": np.frombuffer(text, dtype=np.uint8),
        }

    def restore_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the arrays of :meth:`saved_arrays`, checked.

        Parameters
        ----------
        arrays : mapping of str to array
            From a file.

        Raises
        ------
        ValueError
            If they are not what a fit makes.
        """
        weights, text = arrays["weights_"], arrays["docids_"]
        if text.dtype != np.uint8 or text.ndim != 1:
            raise ValueError(f"docids_ must be bytes; got {text!r:.100}.")
        names = text.tobytes().decode().split("\0")
        expected = len(set(names)), self.n_features_in_
        is_valid = weights.dtype == self.dtype and weights.shape == expected
        if len(names) != expected[0] or not is_valid or not np.isfinite(weights).all():
            raise ValueError(
                f"weights_ must be finite, of shape {expected} and type {self.dtype}, "
                f"with distinct docids_; got {weights!r:.100}."
            )
        self.weights_, self.docids_ = weights, np.array(names, dtype=object)

    def _check_parameters(self) -> None:
        check_choice("init", self.init, ("zeros", "items"))
        check_number("temperature", self.temperature, low=0.0, open_low=True)
        check_number("learning_rate", self.learning_rate, low=0.0, open_low=True)
        check_whole("max_epochs", self.max_epochs, low=0)
        check_whole("batch_size", self.batch_size, low=1)
        check_number("weight_decay", self.weight_decay, low=0.0)
        check_choice("dtype", self.dtype, ("float32", "float64"))
        check_seed("random_state", self.random_state)
        check_verbose(self.verbose)

    def _train(
        self,
        X: ArrayLike,
        docid: ArrayLike,
        sample_weight: ArrayLike | None,
        items: Any,
        max_epochs: int,
        start: ModelIndex | None,
    ) -> Self:
        from ltr.refine.vectors import read_vectors, unit

        check_rows({"X": X, "docid": docid, "sample_weight": sample_weight})
        width = None if start is None else start.n_features_in_
        rows = unit(read_vectors("X", X, width)).astype(self.dtype)
        names = _read_docid(docid, len(rows))
        weight = np.ones(len(rows))
        if sample_weight is not None:
            weight = check_column(sample_weight, "sample_weight", len(rows))
            if (weight < 0.0).any():
                row = int((weight < 0.0).argmax())
                raise ArgumentError(
                    f"sample_weight must be >= 0; got {weight[row]:g} at row {row}."
                )
        if not (weight > 0.0).any():
            raise ArgumentError("X must have a row of positive weight; got none.")
        vectors = _read_items(items, rows.shape[1])
        if self.init == "items" and vectors is None and start is None:
            raise ArgumentError(
                "items is required by init='items': the embedding of each document, as "
                "{docid: vector}."
            )
        number: dict[str, int] = {}
        present = () if start is None else start.docids_
        for name in (*present, *(vectors or ()), *names):
            number.setdefault(name, len(number))
        shape = len(number), rows.shape[1]
        check_memory(
            np.dtype(self.dtype).itemsize
            * float(len(number))
            * (_COPIES * rows.shape[1] + 2 * min(self.batch_size, len(rows))),
            f"an index of {len(number)} documents",
            "Use a smaller batch_size, or narrower embeddings.",
        )
        bad = next((name for name in number if "\0" in name), None)
        if bad is not None:
            raise ArgumentError(f"docid must not contain a NUL character; got {bad!r}.")
        weights = np.zeros(shape, dtype=self.dtype)
        if self.init == "items" and vectors:
            for name, vector in vectors.items():
                weights[number[name]] = unit(vector)
        if start is not None:
            weights[: len(present)] = start.weights_
        target = np.array([number[name] for name in names], dtype=np.intp)
        is_row = weight > 0.0
        fit = _Fit(self, rows[is_row], target[is_row], weight[is_row], weights)
        interrupted = fit.run(max_epochs)
        self.docids_ = np.array(list(number), dtype=object)
        self.n_features_in_ = rows.shape[1]
        self.weights_ = fit.weights
        self.n_iter_ = len(fit.losses)
        self.history_ = {"loss": fit.losses, "seconds": fit.seconds}
        if interrupted and not fit.losses:
            raise KeyboardInterrupt(
                "stopped in the first epoch; the index is as it was before"
            )
        if interrupted:
            raise FitStopped(
                f"stopped after {self.n_iter_} epochs; the index is usable"
            )
        return self


class _Fit:
    """Adam on the mean of −log p over the rows."""

    def __init__(
        self,
        index: ModelIndex,
        X: NDArray[Any],
        target: IntArray,
        weight: FloatArray,
        weights: NDArray[Any],
    ) -> None:
        self.index, self.X, self.target = index, X, target
        self.weight = weight.astype(X.dtype)
        self.weights = weights
        self.losses: list[float] = []
        self.seconds: list[float] = []

    def run(self, max_epochs: int) -> bool:
        """Train; whether Ctrl-C ended it, with the weights of the last whole epoch."""
        index = self.index
        random = check_random_state(index.random_state)
        every_s = 0.0 if index.verbose >= 2 else SECONDS_BETWEEN_LINES
        progress = ProgressLine(every_s)
        weights = self.weights.copy()
        adam = _Adam(weights, index.learning_rate, index.weight_decay)
        try:
            for epoch in range(1, max_epochs + 1):
                total, began = 0.0, time.perf_counter()
                order = random.permutation(len(self.X))
                for begin in range(0, len(order), index.batch_size):
                    batch = order[begin : begin + index.batch_size]
                    total += self._step(weights, adam, batch)
                self.weights = weights.copy()
                self.losses.append(total / float(self.weight.sum()))
                self.seconds.append(time.perf_counter() - began)
                if index.verbose:
                    progress(
                        lambda: (
                            f"epoch {len(self.losses)}/{max_epochs}  "
                            f"loss {self.losses[-1]:.5f}  {progress.seconds:.1f} s"
                        ),
                        last=epoch == max_epochs,
                    )
        except KeyboardInterrupt:
            return True
        return False

    def _step(self, weights: NDArray[Any], adam: _Adam, batch: IntArray) -> float:
        """Update the weights; the sum of weight · −log p over the batch."""
        x, target, weight = self.X[batch], self.target[batch], self.weight[batch]
        p = x @ weights.T  # (batch, n_documents)
        p /= self.index.temperature
        p -= p.max(axis=1, keepdims=True)
        rows = np.arange(len(batch))
        logit = p[rows, target]
        np.exp(p, out=p)
        total = p.sum(axis=1)
        loss = float(weight @ (np.log(total) - logit))
        # d(−log p_t)/dw_i = (p_i − [i = t]) x / T
        p /= total[:, None]
        p[rows, target] -= 1.0
        p *= (weight / (weight.sum() * self.index.temperature))[:, None]
        adam.step(weights, p.T @ x)
        return loss


class _Adam:
    """Adam with decoupled decay, in place."""

    def __init__(self, weights: NDArray[Any], rate: float, decay: float) -> None:
        self.mean, self.square = np.zeros_like(weights), np.zeros_like(weights)
        self.rate, self.decay, self.n_steps = rate, decay, 0

    def step(self, weights: NDArray[Any], gradient: NDArray[Any]) -> None:
        """Change the weights by one step; the gradient is overwritten."""
        self.n_steps += 1
        self.mean += (1.0 - _BETA_1) * (gradient - self.mean)
        gradient *= gradient
        self.square += (1.0 - _BETA_2) * (gradient - self.square)
        bias_1, bias_2 = 1.0 - _BETA_1**self.n_steps, 1.0 - _BETA_2**self.n_steps
        np.sqrt(self.square, out=gradient)
        gradient += _EPSILON * bias_2**0.5
        np.divide(self.mean, gradient, out=gradient)
        gradient *= self.rate * bias_2**0.5 / bias_1
        if self.decay:
            weights *= 1.0 - self.rate * self.decay
        weights -= gradient


def _read_docid(docid: Any, n_rows: int) -> list[str]:
    """Id of each row as text."""
    import pandas as pd

    ids = np.asarray(docid, dtype=object)
    if ids.ndim == 2 and ids.shape[1] == 1:
        ids = ids[:, 0]
    if ids.ndim != 1:
        raise ArgumentError(f"docid must be one-dimensional; got shape {ids.shape}.")
    if len(ids) != n_rows:
        raise ArgumentError(
            f"docid must have one id per row of X; got {len(ids)} ids for {n_rows} "
            "rows."
        )
    missing = pd.isna(ids)
    if missing.any():
        row = int(missing.argmax())
        raise ArgumentError(
            f"docid must not have missing values; got {ids[row]!r} at row {row}."
        )
    return [id_text(value, "docid") for value in ids]


def _read_items(items: Any, width: int) -> dict[str, NDArray[Any]] | None:
    """Embeddings of documents by their ids as text."""
    from ltr.refine.vectors import read_vectors

    if items is None:
        return None
    if hasattr(items, "iloc"):
        names, rows = list(items.index), items.to_numpy()
    elif isinstance(items, Mapping):
        names, rows = list(items), list(items.values())
    else:
        raise ArgumentError(
            "items must be {docid: vector}, or a DataFrame with docids as its index; "
            f"got {type(items).__name__}."
        )
    vectors = read_vectors("items", rows, width) if names else np.zeros((0, width))
    texts = [id_text(name, "items") for name in names]
    if len(set(texts)) < len(texts):
        repeated = next(text for i, text in enumerate(texts) if text in texts[:i])
        raise ArgumentError(f"items must have distinct docids; got {repeated!r} twice.")
    return dict(zip(texts, vectors, strict=True))
