"""Fits that change an estimator as a whole, or not at all."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


class FitStopped(KeyboardInterrupt):
    """Ctrl-C ended a fit early, but what it learned so far is complete: keep it.

    Attributes
    ----------
    estimator : estimator or None
        Whose fit it ended. The fit of an estimator that consists of others is not
        complete when the fit of one of them is: it is as before.
    """

    estimator: Any = None


class AtomicFit:
    """Mixin of estimators whose fit changes everything at once, or nothing.

    ``fit``, ``fit_stream`` and ``partial_fit`` of every subclass run on a shallow copy
    of the estimator, whose attributes replace those of the estimator in one assignment
    at the end. An error, Ctrl-C included, leaves the estimator as it was, and a thread
    that predicts in the meantime never sees a mixture of two fits. So a fit binds its
    attributes, and changes none of their old values in place.

    Examples
    --------
    >>> class Mean(AtomicFit):
    ...     def fit(self, values):
    ...         self.n_values_ = len(values)
    ...         self.mean_ = sum(values) / self.n_values_
    ...         return self
    >>> mean = Mean().fit([1.0, 3.0])
    >>> try:
    ...     mean.fit([])
    ... except ZeroDivisionError:
    ...     print(mean.n_values_, mean.mean_)
    2 2.0
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in ("fit", "fit_stream", "partial_fit"):
            method = vars(cls).get(name)
            if inspect.isfunction(method):
                setattr(cls, name, _atomic(method))


def _atomic(fit: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method run on a copy, and keep the copy's attributes if it returns."""

    @functools.wraps(fit)
    def fit_a_copy(self: Any, *args: Any, **kwargs: Any) -> Any:
        candidate = object.__new__(type(self))
        candidate.__dict__.update(vars(self))
        try:
            result = fit(candidate, *args, **kwargs)
        except FitStopped as stop:
            if stop.estimator in (None, candidate):
                self.__dict__ = candidate.__dict__
                stop.estimator = self
            raise
        self.__dict__ = candidate.__dict__  # one assignment: no signal comes between
        return self if result is candidate else result

    return fit_a_copy
