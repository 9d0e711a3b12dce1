"""Has training converged? The trend of the loss, and how long to train by default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# "auto" trains for 100 epochs; if the loss still falls then, until it has settled, for
# at most 5000 steps. Early stopping waits 10 epochs, and at least 200 steps.
AUTO_EPOCHS, AUTO_STEPS = 100, 5000
AUTO_PATIENCE_EPOCHS, AUTO_PATIENCE_STEPS = 10, 200
# Shares below which the loss has settled, and above which it clearly falls, see
# loss_trend: of linear scorers, and of others.
_LINEAR_SHARES, _OTHER_SHARES = (0.025, 0.04), (0.005, 0.025)
_PERFECT = 1e-2  # of the first loss
_NOISE = 3.0  # standard errors
_ROUNDING = 1e-5  # of the loss, in single precision


class Trend(NamedTuple):
    """The loss over the last tenth of the epochs, against the tenth before.

    Attributes
    ----------
    before, after : float
        Mean loss of these two tenths.
    share : float
        Decrease from one to the other, as a share of the decrease since the second
        tenth (linear scorers) or the first epoch (others); 0 if the loss is not below
        that.
    noise : float
        Standard error of ``before - after``.
    is_zero : bool, default=False
        Whether next to nothing of the first loss remains, as on separable data, where
        the loss tends to 0 without end and the order no longer changes.
    is_linear : bool, default=False
        Whether it is that of a linear scorer.
    """

    before: float
    after: float
    share: float
    noise: float
    is_zero: bool = False
    is_linear: bool = False

    @property
    def falls(self) -> bool:
        """Whether the loss falls at all: by more than noise, and not yet to 0."""
        decrease = self.before - self.after
        threshold = max(_NOISE * self.noise, _ROUNDING * abs(self.after))
        return decrease > threshold and not self.is_zero

    @property
    def still_falls(self) -> bool:
        """Whether more epochs would clearly lower the loss."""
        return self.share > self._shares[1] and self.falls

    @property
    def has_settled(self) -> bool:
        """Whether more epochs would hardly lower the loss."""
        decrease = self.before - self.after
        is_flat = decrease < _ROUNDING * abs(self.after)
        return self.share < self._shares[0] or is_flat or self.is_zero

    @property
    def _shares(self) -> tuple[float, float]:
        return _LINEAR_SHARES if self.is_linear else _OTHER_SHARES


def loss_trend(losses: Sequence[float], *, is_linear: bool = False) -> Trend | None:
    """Compare the end of training with what came just before.

    The loss of a linear scorer has one minimum, and the decay keeps it from fitting
    noise: what counts is the distance to it. So the first tenth is left out, whose
    steep fall would make all that comes later look settled. If the loss decays as
    exp(-t/τ), ``share`` is about 0.04 after 2.7 τ and 0.025 after 3.7 τ; along a line
    it is 1/8, and if it falls as 1/t, as on separable data, 0.022.

    Other scorers go on to fit the noise of few lists once the steep fall is over (on 10
    lists of Cranfield, 100 epochs of the default perceptron have an NDCG@10 of .58, 400
    have .48). So all of the fall counts, and ``share`` is about 0.025 after 2.7 τ and
    0.005 after 5 τ.

    Parameters
    ----------
    losses : sequence of float of length n_epochs
        Mean training loss of each epoch.
    is_linear : bool, default=False
        Whether the scorer is linear.

    Returns
    -------
    trend : Trend or None
        None for fewer than 3 epochs, which show no trend.

    Examples
    --------
    >>> loss_trend([10.0 - epoch for epoch in range(10)]).still_falls
    True
    >>> loss_trend([2.0**-epoch for epoch in range(10)]).has_settled
    True
    """
    n_epochs = len(losses)
    if n_epochs < 3:
        return None
    tenth = max(1, n_epochs // 10)
    before = float(np.mean(losses[n_epochs - 2 * tenth : n_epochs - tenth]))
    after = float(np.mean(losses[n_epochs - tenth :]))
    # Means of tenths are centered at 0.15 (base), 0.85 (before) and 0.95 (after) of the
    # T epochs: share = (e^-.85k - e^-.95k) / (e^-.15k - e^-.95k) with k = T/τ; the base
    # of other scorers is the first epoch, e^0.
    base = float(np.mean(losses[tenth : 2 * tenth])) if is_linear else losses[0]
    total = base - after
    share = (before - after) / total if total > 0 else 0.0
    # Second differences of a smooth curve are about 0, those of independent noise have
    # the variance (1 + 4 + 1) σ²; the difference of two means has 2 σ² / tenth.
    curvature = np.diff(losses[-max(3 * tenth, 3) :], n=2)
    variance = float(np.mean(curvature**2)) / 6
    noise = (2 * variance / tenth) ** 0.5
    is_zero = 0 <= after < _PERFECT * losses[0]
    return Trend(before, after, share, noise, is_zero, is_linear)


class EpochLimits(NamedTuple):
    """When training ends.

    Attributes
    ----------
    max_epochs : int
        Epochs after which it ends in any case.
    settle_epochs : int or None
        Epochs after which it goes on only if the loss still falls, and then until the
        loss has settled. None: the loss does not matter.
    patience : int
        Epochs without a better validation metric after which it ends.
    is_linear : bool, default=False
        Whether the scorer is linear.
    selects : bool, default=True
        Whether the validation metric decides when training ends, and which epoch is
        kept; it is only watched otherwise.
    """

    max_epochs: int
    settle_epochs: int | None
    patience: int
    is_linear: bool = False
    selects: bool = True

    def ends_settled(self, losses: Sequence[float]) -> bool:
        """Whether to end after these epochs because the loss has settled."""
        n_epochs = len(losses)
        if self.settle_epochs is None or n_epochs < self.settle_epochs:
            return False
        trend = loss_trend(losses, is_linear=self.is_linear)
        if trend is None:
            return False
        if n_epochs == self.settle_epochs:
            return not trend.still_falls
        return n_epochs % 10 == 0 and trend.has_settled


def epoch_limits(
    max_epochs: int | str,
    n_iter_no_change: int | str,
    n_steps: int,
    *,
    is_linear: bool = False,
    has_schedule: bool = False,
    selects: bool = True,
) -> EpochLimits:
    """Turn parameters of a ranker, which may be "auto", into numbers of epochs.

    Parameters
    ----------
    max_epochs, n_iter_no_change : int or "auto"
        Parameters of the ranker.
    n_steps : int
        Steps in an epoch.
    is_linear : bool, default=False
        Whether the scorer is linear.
    has_schedule : bool, default=False
        Whether the learning rate depends on the number of epochs, so that "auto" trains
        that many whether or not the loss has settled.
    selects : bool, default=True
        Whether a validation metric, if there is one, ends training.

    Returns
    -------
    limits : EpochLimits

    Examples
    --------
    >>> epoch_limits("auto", "auto", n_steps=1)  # doctest: +NORMALIZE_WHITESPACE
    EpochLimits(max_epochs=5000, settle_epochs=100, patience=200, is_linear=False,
                selects=True)
    >>> epoch_limits("auto", 10, n_steps=200)  # doctest: +NORMALIZE_WHITESPACE
    EpochLimits(max_epochs=100, settle_epochs=None, patience=10, is_linear=False,
                selects=True)
    """
    n_steps = max(n_steps, 1)
    settle_epochs = None
    if isinstance(max_epochs, str):
        max_epochs = max(AUTO_EPOCHS, -(-AUTO_STEPS // n_steps))
        goes_on = max_epochs > AUTO_EPOCHS and not has_schedule
        settle_epochs = AUTO_EPOCHS if goes_on else None
    if isinstance(n_iter_no_change, str):
        patience = -(-AUTO_PATIENCE_STEPS // n_steps)
        n_iter_no_change = max(AUTO_PATIENCE_EPOCHS, patience)
    return EpochLimits(max_epochs, settle_epochs, n_iter_no_change, is_linear, selects)
