"""Trees of LightGBM by its C library: its Python package would load 160 MB more."""

from __future__ import annotations

import ctypes
import importlib.util
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ltr.queries import FloatArray, group_queries
from ltr.rankers.query_features import join_query_features
from ltr.rankers.threads import n_threads_for
from ltr.rankers.trees.feature_tables import Categories, check_table
from ltr.rankers.warning import MANY_ROWS
from ltr.serving.scoring import Scoring

_FLOAT32, _FLOAT64, _INT32, _INT64 = 0, 1, 2, 3  # C_API_DTYPE_*
_NORMAL = 0  # C_API_PREDICT_NORMAL
_TYPES = {"float32": _FLOAT32, "float64": _FLOAT64, "int32": _INT32, "int64": _INT64}
_PLACES = (
    "lib/lib_lightgbm.so",
    "lib/lib_lightgbm.dylib",
    "lib/lib_lightgbm.dll",
    "bin/lib_lightgbm.dll",
)


class Trees:
    """A model in LightGBM's text format that predicts.

    Parameters
    ----------
    text : str
        The model, checked by :func:`ltr.rankers.trees.tree_file.check_tree_file`.

    Raises
    ------
    ImportError
        If LightGBM is not installed.
    ValueError
        If LightGBM cannot read the model.

    Notes
    -----
    ``predict`` holds no lock of Python, and any number of threads may call it at once.
    Without the library where the wheels of LightGBM have it, its Python package
    predicts.
    """

    def __init__(self, text: str) -> None:
        self._library = _library()
        self._handle: Any = ctypes.c_void_p()
        if self._library is None:
            import lightgbm

            try:
                self._handle = lightgbm.Booster(model_str=text)
            except lightgbm.basic.LightGBMError as error:
                raise ValueError(f"LightGBM cannot read trees.txt: {error}.") from error
            return
        status = self._library.LGBM_BoosterLoadModelFromString(
            ctypes.c_char_p(text.encode()),
            ctypes.byref(ctypes.c_int(0)),
            ctypes.byref(self._handle),
        )
        if status:
            raise ValueError(f"LightGBM cannot read trees.txt: {self._error()}.")

    def __del__(self) -> None:
        library = getattr(self, "_library", None)
        if library is not None and self._handle:
            library.LGBM_BoosterFree(self._handle)

    def predict(self, table: Any, n_trees: int, n_threads: int) -> FloatArray:
        """Score rows.

        Parameters
        ----------
        table : float32 or float64 array in C order, or CSR matrix
            Features; NaN is a missing value.
        n_trees : int
            The first trees that count; <= 0: all.
        n_threads : int
            Threads of OpenMP; 0: all cores.

        Returns
        -------
        scores : float array of shape (n_samples,)

        Raises
        ------
        RuntimeError
            If LightGBM fails.
        """
        if self._library is None:
            scores = self._handle.predict(
                table, num_iteration=n_trees, num_threads=n_threads
            )
            return np.asarray(scores, dtype=np.float64)
        scores = np.empty(table.shape[0])
        n_scores = ctypes.c_int64(0)
        # LightGBM splits off "num_threads", which is for this call only
        options = ctypes.c_char_p(f"num_threads={n_threads}".encode())
        last = (
            ctypes.c_int(_NORMAL),
            ctypes.c_int(0),
            ctypes.c_int(n_trees),
            options,
            ctypes.byref(n_scores),
            scores.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
        )
        if isinstance(table, np.ndarray):
            status = self._library.LGBM_BoosterPredictForMat(
                self._handle,
                ctypes.c_void_p(table.ctypes.data),
                ctypes.c_int(_TYPES[str(table.dtype)]),
                ctypes.c_int32(table.shape[0]),
                ctypes.c_int32(table.shape[1]),
                ctypes.c_int(1),  # row by row
                *last,
            )
        else:
            status = self._predict_sparse(table, last)
        if status:
            raise RuntimeError(f"LightGBM cannot predict: {self._error()}.")
        return scores

    def _predict_sparse(self, table: Any, last: tuple[Any, ...]) -> int:
        starts, columns, values = (
            np.ascontiguousarray(part)
            for part in (table.indptr, table.indices, table.data)
        )
        columns = columns.astype(np.int32, copy=False)
        library: Any = self._library
        status: int = library.LGBM_BoosterPredictForCSR(
            self._handle,
            ctypes.c_void_p(starts.ctypes.data),
            ctypes.c_int(_TYPES[str(starts.dtype)]),
            ctypes.c_void_p(columns.ctypes.data),
            ctypes.c_void_p(values.ctypes.data),
            ctypes.c_int(_TYPES[str(values.dtype)]),
            ctypes.c_int64(len(starts)),
            ctypes.c_int64(len(values)),
            ctypes.c_int64(table.shape[1]),
            *last,
        )
        return status

    def _error(self) -> str:
        library: Any = self._library
        return str(library.LGBM_GetLastError().decode("utf-8", "replace"))


_lock = threading.Lock()


def _library() -> Any:
    """The C library of LightGBM; None if only its Python package knows where it is."""
    with _lock:
        return _find_library()


@cache
def _find_library() -> Any:
    spec = importlib.util.find_spec("lightgbm")  # imports nothing
    if spec is None or spec.origin is None:
        raise ImportError(
            "LightGBM is required by a ranker with trees. Install it: pip install "
            "lightgbm."
        )
    folder = Path(spec.origin).parent
    paths = [folder / place for place in _PLACES if (folder / place).is_file()]
    if not paths:
        return None
    library = ctypes.CDLL(str(paths[0]))
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    return library


@dataclass(eq=False, repr=False)
class TreeScoring(Scoring):
    """Boosted trees.

    The rows of a list, up to 1000, go through the trees on the thread of the caller:
    the threads of a server would wait for each other's.
    """

    trees: Trees
    categories: Categories
    n_trees: int
    n_jobs: int | None

    @property
    def takes(self) -> tuple[str, ...]:
        """Features of queries."""
        return ("query_features",)

    def predict(
        self, X: Any, qid: Any = None, *, query_features: Any = None, **inputs: Any
    ) -> FloatArray:
        """As :meth:`ltr.LambdaMARTRanker.predict`."""
        if query_features is not None:
            X = join_query_features(X, qid, query_features)
        columns: Any = self.columns
        table = check_table(columns, X, reset=False, categories=self.categories)
        group_queries(qid, table.shape[0], rows=X)
        if not table.shape[0]:
            return np.zeros(0)
        threads = 1
        if table.shape[0] > MANY_ROWS:
            threads = n_threads_for(table.shape[0], self.n_trees, self.n_jobs)
        return self.trees.predict(table, self.n_trees, threads)
