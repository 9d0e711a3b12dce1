"""Kernels, training and dynamic programs on an accelerator, against its ceilings.

The ceilings are measured in the same run: a copy of a large array, and large matrix
products in float32 (TF32 where JAX prefers it), full float32 and bfloat16. Full float32
is the ceiling of all that is no matrix product. A row has the median time of a call,
with inputs on the device and without compilation, and

- bytes a second: inputs and outputs once, operands and results of matrix products, and
  what a loop reads and writes in a step (once for unrolled steps). All else is taken to
  be fused. Tables over subsets are written and read once;
- FLOP a second: a multiplication and an addition are two, any other function is one;
- the roofline: the time that bytes and FLOP need at the ceilings over the time taken;
  in parentheses, that of inputs and outputs alone. What stays in caches is faster;
- the largest difference to the CPU on a few lists, in float32, relative to the largest
  value; for matrix products also with the device in full float32. With
  ``--dtype bfloat16`` the device rounds the operands of products, and the CPU does not.

Pairwise losses must reach 70 % of the roofline on an accelerator. A program that fails
prints its error, the others go on, and the exit code is 1.

    python examples/benchmark_gpu.py                # under 8 minutes
    python examples/benchmark_gpu.py --dtype bfloat16 --checks training,attention
    python examples/benchmark_gpu.py --small        # half a minute, also on a CPU

Without installation, set PYTHONPATH to the folder of the source; it needs JAX, optax,
SciPy and scikit-learn.
"""

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from roofline.report import Program, Report, Size, measure_ceilings
from sklearn.exceptions import ConvergenceWarning

import ltr
from ltr import losses
from ltr.scorers import AttentionScorer, get_scorer
from ltr.scorers.products import bfloat16_products
from ltr.solvers import dynamic

BAR = 0.7  # of the roofline, for pairwise losses on an accelerator
N_FEATURES = 136
PAIRWISE = ("ranknet", "hinge", "lambdarank")
OTHERS = ("softmax", "mse", "listmle", "approx_ndcg")
FITS = (
    ("linear", "listnet"),
    ("mlp", "listnet"),
    ("mlp", "ranknet"),
    ("attention", "listnet"),
)


SIZES = {
    "small": Size(
        copy=2**16,
        matrix=64,
        lists=((8, 16),),
        attention=((4, 8),),
        training=((32, 8),),
        tables=((16, 3),),
        seconds=0.0,
        losses=("ranknet",),
        fits=(("linear", "listnet"),),
    ),
    "cpu": Size(
        copy=2**25,
        matrix=1024,
        lists=((1024, 128), (16, 1024)),
        attention=((32, 100),),
        training=((1024, 100),),
        tables=((1000, 8), (1000, 10)),
        seconds=0.5,
        losses=(*PAIRWISE, *OTHERS),
        fits=FITS,
    ),
    "accelerator": Size(
        copy=2**29,
        matrix=8192,
        lists=((65536, 128), (512, 1024)),
        attention=((1024, 100), (4, 4096)),
        training=((16384, 100),),
        tables=((100_000, 8), (100_000, 10), (100_000, 12)),
        seconds=0.5,
        losses=(*PAIRWISE, *OTHERS),
        fits=FITS,
    ),
}


def make_lists(n_lists: int, n: int) -> tuple[np.ndarray, ...]:
    """Scores, grades, and a mask that leaves out every tenth item."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(n_lists, n)).astype(np.float32)
    grades = rng.integers(0, 5, (n_lists, n)).astype(np.float32)
    return scores, grades, rng.random((n_lists, n)) >= 0.1


def check_losses(report: Report) -> None:
    """Value and gradient of losses."""
    for n_lists, n in report.size.lists:
        inputs = make_lists(n_lists, n)
        for name in report.size.losses:
            program = Program(
                f"{name} {n_lists} x {n}",
                with_gradient(losses.LOSSES[name]),
                inputs,
                bar=BAR if name in PAIRWISE else 0.0,
            )
            report.attempt(program.name, lambda program=program: report.run(program))
        title = f"ranknet as a reduction {n_lists} x {n}"
        program = Program(title, ranknet_as_reduction, inputs)
        report.attempt(title, lambda program=program: report.run(program))


def with_gradient(loss: Callable[..., jax.Array]) -> Callable[..., Any]:
    """Losses of a batch of lists, and the gradient of their sum."""

    def total(scores: Any, labels: Any, where: Any) -> tuple[jax.Array, jax.Array]:
        values = loss(scores, labels, where=where)
        return values.sum(), values

    def function(*inputs: Any) -> tuple[jax.Array, jax.Array]:
        gradient, values = jax.grad(total, has_aux=True)(*inputs)
        return values, gradient

    return function


def ranknet_as_reduction(
    scores: jax.Array, labels: jax.Array, where: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """RankNet and its gradient as sums over n x n terms, which XLA may fuse.

    On a CPU the loop of ``ltr.losses`` is faster; on an accelerator this one may be.
    """
    margin = scores[..., :, None] - scores[..., None, :]  # (b, n, n)
    is_pair = where[..., :, None] & where[..., None, :]
    wins = is_pair & (labels[..., :, None] > labels[..., None, :])
    loses = is_pair & (labels[..., :, None] < labels[..., None, :])
    p = jax.nn.sigmoid(margin)
    values = jnp.where(wins, jax.nn.softplus(-margin), 0.0).sum((-2, -1))
    return values, (jnp.where(loses, p, 0.0) - jnp.where(wins, 1.0 - p, 0.0)).sum(-1)


def check_training(report: Report) -> None:
    """Epochs of NeuralRanker, and the scores after a short fit on either device."""
    for n_lists, n in report.size.training:
        for scorer, loss in report.size.fits:
            name = f"fit {scorer} {loss} {n_lists} x {n}"
            settings = (scorer, loss, n_lists, n)
            report.attempt(name, lambda s=settings, t=name: train(report, t, *s))


def train(
    report: Report, name: str, scorer: str, loss: str, n_lists: int, n: int
) -> None:
    """Time the epochs of a fit; compare a short one with the CPU."""
    X = np.random.default_rng(0).standard_normal((n_lists * n, N_FEATURES), np.float32)
    y = np.digitize(X[:, 0] + X[:, 1], [0.0, 1.0, 2.0])
    qid = np.repeat(np.arange(n_lists), n)

    def fit(
        rows: slice, batch_size: int, n_epochs: int, dtype: str = report.dtype
    ) -> ltr.NeuralRanker:
        ranker = ltr.NeuralRanker(
            loss,
            scorer,
            batch_size=batch_size,
            preprocess=None,
            early_stopping=False,
            max_epochs=n_epochs,
            dtype=dtype,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return ranker.fit(X[rows], y[rows], qid[rows])

    batch_size = max(1, n_lists // 16)
    ranker = fit(slice(None), batch_size, 6)
    seconds = statistics.median(ranker.history_["seconds"][1:])
    few, scores = slice(0, n * min(n_lists, 64)), []
    devices = (jax.devices()[0], report.dtype), (jax.devices("cpu")[0], "float32")
    for device, dtype in devices:
        with jax.default_device(device):
            short = fit(few, 16, 2, dtype)
        few_scores = short.predict(X[few], qid=qid[few]).reshape(-1, n)
        scores.append(few_scores - few_scores.mean(axis=1, keepdims=True))
    error = float(np.abs(scores[0] - scores[1]).max() / np.abs(scores[1]).max())
    blocks = X.reshape(n_lists, n, -1), y.reshape(n_lists, n).astype(np.float32)
    part = get_scorer(scorer)
    params = part.init(jax.random.key(0), N_FEATURES)

    def total(params: Any, X: Any, y: Any) -> jax.Array:
        with bfloat16_products(report.rounds):
            scores = part.apply(params, X)
        return losses.LOSSES[loss](scores, y).sum()

    gradient = lambda X, y: jax.grad(total)(params, X, y)
    report.row(
        Program(name, gradient, blocks, is_product=True),
        seconds,
        {"of scores after 8 steps": error},
    )
    print(f"    {n_lists * n / seconds:,.0f} rows a second, {batch_size} lists a step")


def check_attention(report: Report) -> None:
    """Loss of the attention scorer, and its gradient by parameters and features."""
    scorer = AttentionScorer()
    params = scorer.init(jax.random.key(0), N_FEATURES)
    for n_lists, n in report.size.attention:
        _, grades, where = make_lists(n_lists, n)
        X = np.random.default_rng(1).standard_normal((n_lists, n, N_FEATURES))

        def total(params: Any, X: Any, y: Any, where: Any) -> jax.Array:
            with bfloat16_products(report.rounds):
                scores = scorer.apply(params, X, where)
            return losses.softmax_loss(scores, y, where=where).sum()

        program = Program(
            f"attention {n_lists} x {n}",
            lambda X, y, w, f=total: jax.value_and_grad(f)(params, X, y, w),
            (X.astype(np.float32), grades, where),
            is_product=True,
        )
        report.attempt(program.name, lambda program=program: report.run(program))


def check_tables(report: Report) -> None:
    """Dynamic programs over subsets, values and gradients."""
    value = lambda f: lambda matrix: f(matrix)[0]
    slope = lambda f: (
        lambda matrix: with_gradient(lambda m, y, where: f(m))(matrix, None, None)
    )
    programs: dict[str, tuple[Callable[..., Any], int]] = {  # and how many tables
        "best path": (value(dynamic.best_path), 1),
        "path log Z, gradient": (slope(dynamic.path_log_partition), 2),
        "best ordering": (value(dynamic.best_ordering), 1),
        "ordering log Z, gradient": (slope(dynamic.ordering_log_partition), 2),
    }
    for n_lists, n in report.size.tables:
        matrix = np.random.default_rng(n).normal(size=(n_lists, n, n))
        for name, (function, n_tables) in programs.items():
            rows = n << (n - 1) if "path" in name else 1 << n  # of a list
            program = Program(
                f"{name} {n_lists} x {n}",
                function,
                (matrix.astype(np.float32),),
                table=8.0 * n_tables * rows * n_lists,
            )
            report.attempt(program.name, lambda program=program: report.run(program))


CHECKS = {
    "losses": check_losses,
    "attention": check_attention,
    "training": check_training,
    "tables": check_tables,
}


def main(
    size: str | None = None,
    checks: str = ",".join(CHECKS),
    dtype: str = "float32",
    seconds: float = 420.0,
) -> Report:
    """Run the checks; print a row for each program, and return all of them."""
    device = jax.devices()[0]
    size = size or ("cpu" if device.platform == "cpu" else "accelerator")
    try:
        version = ltr.__version__
    except PackageNotFoundError:
        version = "from its source"
    print(
        f"{device.device_kind} ({device.platform}), ltr {version}, jax "
        f"{jax.__version__}, NumPy {np.__version__}; size {size}; products of scorers "
        f"in {dtype}",
        flush=True,
    )
    report = Report(SIZES[size], seconds, dtype)

    def set_ceilings() -> None:
        report.ceilings = measure_ceilings(report.size)

    names = checks.split(",")
    if unknown := set(names) - set(CHECKS):
        raise SystemExit(
            f"--checks takes {', '.join(CHECKS)}; got {', '.join(sorted(unknown))}."
        )
    report.attempt("ceilings", set_ceilings)
    for name in names:
        started = time.perf_counter()
        print(f"{name}: {CHECKS[name].__doc__}", flush=True)
        report.attempt(name, lambda name=name: CHECKS[name](report))
        print(f"  {time.perf_counter() - started:.1f} s", flush=True)
    failures = ", ".join(report.failures) or "none"
    print(f"{len(report.rows)} rows; failed: {failures}", flush=True)
    return report


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="tiny inputs")
    parser.add_argument(
        "--checks", default=",".join(CHECKS), help="some, comma-separated (%(default)s)"
    )
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--seconds", type=float, default=420.0, help="time limit")
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    result = main(
        "small" if options.small else None,
        options.checks,
        options.dtype,
        options.seconds,
    )
    sys.exit(bool(result.failures))
