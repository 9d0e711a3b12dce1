"""From checked data to trained parameters: what happens inside fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ltr.lists import pack, with_padding_rows
from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.rankers.inputs import (
    TrainingSet,
    check_labels_from_0,
    check_single_precision,
    informative_lists,
    warn_if_no_order,
)
from ltr.rankers.neural.scaling import FeatureScaling, fit_scaling
from ltr.rankers.validation import (
    ScoreRows,
    check_counts,
    hold_out_lists,
    score_function,
    score_rows,
)
from ltr.scorers import Scorer
from ltr.training import (
    Data,
    TrainingPlan,
    TrainingResult,
    get_optimizer,
    plan_loss,
    train,
)
from ltr.training.loop import init_optimizer
from ltr.training.progress import EpochPrinter

_COMPILE_COST_ROWS = 1_000_000  # compiling a step takes as long as training on so many


class Learned(NamedTuple):
    """What a fit leaves behind, as NumPy arrays.

    Attributes
    ----------
    scorer : Scorer
        What the parameters belong to.
    params : pytree of arrays
        Parameters of the scorer to predict with.
    scaling : FeatureScaling or None
        What the features go through first.
    last_params : pytree of arrays or None
        Parameters to train on from; None: ``params``.
    optimizer_leaves : list of arrays or None
        Leaves of the optimizer state to train on with; None: a fresh one.
    """

    scorer: Scorer
    params: Any
    scaling: FeatureScaling | None
    last_params: Any = None
    optimizer_leaves: list[Any] | None = None


def train_neural(
    ranker: Any,
    scorer: Scorer,
    loss: Callable[..., jax.Array],
    data: TrainingSet,
    validation: TrainingSet | None,
    start: Learned | None,
    *,
    max_epochs: int,
    score: ScoreRows = score_rows,
    piecewise: bool = False,
) -> tuple[TrainingResult, FeatureScaling | None]:
    """Train the scorer of a ranker.

    Parameters
    ----------
    ranker : NeuralRanker or TSPRanker
        Its parameters are read, nothing is written.
    scorer : Scorer
        What to train.
    loss : callable
        What to minimise.
    data : TrainingSet
        Training rows.
    validation : TrainingSet or None
        Validation rows, if given.
    start : Learned or None
        Where to go on from. None: start anew.
    max_epochs : int
        Most epochs.
    score : callable, default=score_rows
        How the trained scorer will rank validation lists.
    piecewise : bool, default=False
        Whether the data is a piece of a stream, whose shapes should recur.

    Returns
    -------
    result : TrainingResult
    scaling : FeatureScaling or None
    """
    plan, numbers = make_plan(ranker, scorer, loss, data)
    warn_if_no_order(data)
    if start is not None and start.scorer != scorer:
        raise ValueError(
            "training can go on only with the scorer that it began with, "
            f"{start.scorer!r}; got {scorer!r}. Set the parameters back, or fit "
            "with warm_start=False."
        )
    seed = check_random_state(ranker.random_state).randint(2**31 - 1)
    rng = np.random.default_rng(seed)
    informative = informative_lists(data, _two_items_suffice(plan, data))
    held_out = np.zeros(data.queries.n_lists, dtype=bool)
    if validation is None and not piecewise:
        held_out = hold_out_lists(ranker, data.y, informative, rng)
    learns = informative & ~held_out
    keep = learns[data.queries.codes]
    if data.weights is not None:
        keep &= data.weights > 0

    if start is None:
        scaling = _fit_scaling(ranker.preprocess, data, ~held_out, scorer)
    else:
        scaling = start.scaling
    validate = None
    if validation is not None:
        validate = _validate(
            ranker, partial(score, scorer), scaling, validation, slice(None)
        )
    elif held_out.any():
        rows = data.queries.subset(held_out)
        if data.weights is not None:
            rows = rows[data.weights[rows] > 0]
        validate = _validate(ranker, partial(score, scorer), scaling, data, rows)
    packed = pack(
        data.queries,
        keep=keep,
        batch_size=int(ranker.batch_size),
        list_size_cost=_COMPILE_COST_ROWS / max(max_epochs, 1),
        reusable_shapes=piecewise,
    )
    printer = None
    if ranker.verbose > 0:
        printer = EpochPrinter(ranker.verbose, max_epochs, ranker.metric)
    with jax.enable_x64(ranker.dtype == "float64"):
        params, state = _start(plan, start, data.X.shape[1], int(rng.integers(2**31)))
        result = train(
            plan,
            params,
            state,
            _on_device(data, scaling, learns, ranker.dtype, piecewise),
            packed,
            numbers=numbers,
            rng=rng,
            max_epochs=max_epochs if packed.buckets else 0,
            validate=validate,
            n_iter_no_change=ranker.n_iter_no_change,
            on_epoch=printer,
        )
    return result, scaling


def make_plan(
    ranker: Any, scorer: Scorer, loss: Callable[..., jax.Array], data: TrainingSet
) -> tuple[TrainingPlan, dict[str, float]]:
    """Put scorer, loss and optimizer together, and check that they fit the data."""
    plan, numbers = plan_loss(loss, normalize=ranker.normalize)
    for name in sorted(set(data.extras) - set(plan.info.extras)):
        raise ValueError(f"loss={ranker.loss!r} takes no {name}. Leave it out of fit.")
    for name in sorted(set(plan.info.required_extras) - set(data.extras)):
        raise ValueError(
            f"{name} is required by loss={ranker.loss!r}. Pass it to fit(..., "
            f"{name}=...)."
        )
    if data.weights is not None and not plan.info.takes("weights"):
        raise ValueError(
            f"loss={ranker.loss!r} takes no weights, so sample_weight has no effect. "
            "Leave it out, or give the loss an argument weights."
        )
    if plan.info.labels == "from_0":
        check_labels_from_0(data.y, ranker.loss)
    if ranker.dtype == "float32":
        cure = "Shift or scale them, or set dtype='float64'."
        check_single_precision(data.y, "y", cure)
    numbers |= {
        "learning_rate": float(ranker.learning_rate),
        "weight_decay": _weight_decay(ranker.weight_decay, ranker.optimizer),
    }
    optimizer = get_optimizer(ranker.optimizer)
    return TrainingPlan(scorer, plan, optimizer), numbers


def _two_items_suffice(plan: TrainingPlan, data: TrainingSet) -> bool:
    """Whether a list teaches something even if all its labels are equal."""
    by_nature = plan.loss.info.learns_from == "two_items"
    optional = set(plan.loss.info.extras) - set(plan.loss.info.required_extras)
    return by_nature or "teacher_scores" in optional & set(data.extras)


def _weight_decay(weight_decay: float | str, optimizer: Any) -> float:
    if weight_decay == "auto":
        return 1.0 if optimizer == "adamw" else 0.0
    return float(weight_decay)


def _fit_scaling(
    preprocess: Any, data: TrainingSet, lists: BoolArray, scorer: Scorer
) -> FeatureScaling | None:
    if preprocess == "auto" and scorer.wants_raw_features:
        return None
    rows = slice(None) if lists.all() else data.queries.subset(lists)
    weights = None if data.weights is None else data.weights[rows]
    return fit_scaling(data.X[rows], weights, preprocess)


def _validate(
    ranker: Any,
    rank: Callable[..., FloatArray],
    scaling: FeatureScaling | None,
    data: TrainingSet,
    rows: IntArray | slice,
) -> Callable[[Any], float]:
    Z = data.X[rows] if scaling is None else scaling.transform(data.X[rows])
    codes = data.queries.codes[rows]
    check_counts(ranker.metric, data.y[rows], codes)
    return score_function(rank, ranker.metric, Z, data.y[rows], codes)


def _on_device(
    data: TrainingSet,
    scaling: FeatureScaling | None,
    learns: BoolArray,
    dtype: str,
    piecewise: bool,
) -> Data:
    def put(values: NDArray[Any]) -> jax.Array:
        return jnp.asarray(with_padding_rows(values, dtype, piecewise))

    list_weights = np.ones(len(learns))
    if data.list_weights is not None and learns.any():
        list_weights = data.list_weights / data.list_weights[learns].mean()
    return Data(
        n_samples=len(data.y),
        X=put(data.X if scaling is None else scaling.transform(data.X)),
        y=put(data.y),
        weights=None if data.weights is None else put(data.weights),
        list_weights=put(list_weights[data.queries.codes]),
        extras={name: put(values) for name, values in data.extras.items()},
    )


def _start(
    plan: TrainingPlan, start: Learned | None, n_features: int, seed: int
) -> tuple[Any, Any]:
    """Parameters and optimizer state to start from."""
    if start is None:
        params = plan.scorer.init(jax.random.key(seed), n_features)
        return params, init_optimizer(plan, params)
    params = start.params if start.last_params is None else start.last_params
    fresh = init_optimizer(plan, params)
    leaves, structure = jax.tree.flatten(fresh)
    kept = start.optimizer_leaves or []
    if [np.shape(leaf) for leaf in kept] != [np.shape(leaf) for leaf in leaves]:
        return params, fresh  # none was kept, or another optimizer was set since
    return params, jax.tree.unflatten(structure, kept)
