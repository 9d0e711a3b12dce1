"""States of the members of an ensemble of pair scorers, as one state and back."""

from __future__ import annotations

from typing import Any

from ltr.rankers.neural.training import LearnedState
from ltr.scorers import PairEnsemble, Scorer
from ltr.training import TrainingResult


def split_state(
    start: LearnedState | None, n_members: int
) -> list[LearnedState | None]:
    """The state that each member goes on from; None for each if there is none.

    Parameters
    ----------
    start : LearnedState or None
        Of the ranker.
    n_members : int
        Members now.

    Returns
    -------
    starts : list of LearnedState or None

    Raises
    ------
    ValueError
        If the ranker had another number of members.
    """
    if start is None:
        return [None] * n_members
    scorer = start.scorer
    n_before = scorer.n_members if isinstance(scorer, PairEnsemble) else 1
    if n_before != n_members:
        raise ValueError(
            f"n_estimators must be {n_before}, as in the fit that goes on; got "
            f"{n_members}. Set it back, or fit with warm_start=False."
        )
    if not isinstance(scorer, PairEnsemble):
        return [start]
    leaves = start.optimizer_leaves
    size = len(leaves or ()) // n_members
    return [
        LearnedState(
            scorer=scorer.member,
            params=start.params[k],
            scaling=start.scaling,
            last_params=None if start.last_params is None else start.last_params[k],
            optimizer_leaves=leaves and leaves[k * size : (k + 1) * size],
            pair_scaling=start.pair_scaling,
        )
        for k in range(n_members)
    ]


def join_members(
    members: list[tuple[LearnedState, TrainingResult]], scorer: Scorer
) -> tuple[LearnedState, TrainingResult]:
    """One state and one result of members that were trained one after the other.

    Parameters
    ----------
    members : list of (LearnedState, TrainingResult)
        They share the scaling of the features.
    scorer : Scorer
        Of the ensemble.

    Returns
    -------
    state : LearnedState
    result : TrainingResult
        Its epochs are those of all members; ``best_epoch`` is that of the first.
    """
    states, results = zip(*members, strict=True)
    first_state, first = states[0], results[0]
    goes_on = first_state.last_params is not None
    leaves: list[Any] = [leaf for s in states for leaf in s.optimizer_leaves or ()]
    state = LearnedState(
        scorer=scorer,
        params=tuple(s.params for s in states),
        scaling=first_state.scaling,
        last_params=tuple(s.last_params for s in states) if goes_on else None,
        optimizer_leaves=leaves if goes_on else None,
        pair_scaling=first_state.pair_scaling,
    )
    trends = [r.unfinished for r in results if r.unfinished is not None]
    result = TrainingResult(
        params=state.params,
        optimizer_state=None,
        last_params=tuple(r.last_params for r in results),
        losses=[loss for r in results for loss in r.losses],
        seconds=[seconds for r in results for seconds in r.seconds],
        compile_seconds=sum(r.compile_seconds for r in results),
        scores=[score for r in results for score in r.scores],
        watched={
            name: [value for r in results for value in r.watched[name]]
            for name in first.watched
        },
        rates=[rate for r in results for rate in r.rates],
        best_score=first.best_score,
        best_epoch=first.best_epoch,
        unfinished=trends[0] if trends else None,
        validation=first.validation,
    )
    return state, result
