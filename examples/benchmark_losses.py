"""Time and memory of losses, value and gradient of a batch, compared with rax.

Both sides are jitted and called in turn. A row has the loss, the milliseconds of both
and their ratio, the temporary memory of the compiled programs, and the largest
difference of the gradients. Needs `pip install rax`.

    python examples/benchmark_losses.py
    python examples/benchmark_losses.py --lists 2 --size 4096
    python examples/benchmark_losses.py --lists 32 --uneven
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import rax

from ltr import losses

rax_pairs = rax.pairwise_logistic_loss
weighted = lambda weight: functools.partial(rax_pairs, lambdaweight_fn=weight)
labeldiff = functools.partial(losses.ranknet_loss, pair_weight="label_difference")
dcg = functools.partial(losses.lambdarank_loss, metric="dcg")
dcg2 = functools.partial(losses.ndcg_loss2_loss, metric="dcg")
# our loss, rax's, and the factor from ours to rax's for lists of n items
PEERS: dict[str, tuple[Callable, Callable, Callable]] = {
    "mse": (losses.mse_loss, rax.pointwise_mse_loss, lambda n: 1),
    "bce": (losses.bce_loss, rax.pointwise_sigmoid_loss, lambda n: 1),
    "ranknet": (losses.ranknet_loss, rax_pairs, lambda n: 1),
    "ranknet label_difference": (
        labeldiff,
        weighted(rax.labeldiff_lambdaweight),
        lambda n: 1,
    ),
    "hinge": (losses.hinge_loss, rax.pairwise_hinge_loss, lambda n: 1),
    "soft_zero_one": (
        losses.soft_zero_one_loss,
        rax.pairwise_soft_zero_one_loss,
        lambda n: 1,
    ),
    "pair_mse": (losses.pair_mse_loss, rax.pairwise_mse_loss, lambda n: 1),
    "quantile": (losses.quantile_loss, rax.pairwise_qr_loss, lambda n: 1),
    "lambdarank dcg": (dcg, weighted(rax.dcg_lambdaweight), lambda n: n),
    "ndcg_loss2 dcg": (dcg2, weighted(rax.dcg2_lambdaweight), lambda n: n),
    "softmax": (losses.softmax_loss, rax.softmax_loss, lambda n: 1),
    "unique_softmax": (
        losses.unique_softmax_loss,
        rax.unique_softmax_loss,
        lambda n: 1,
    ),
    "listmle": (losses.listmle_loss, rax.listmle_loss, lambda n: 1),
}


def measure(
    ours: Callable, peer: Callable, inputs: tuple[jax.Array, ...], rounds: int
) -> dict[str, float]:
    """Median times and ratio, memory, and difference of gradients."""
    compiled, memory, gradients = [], [], []
    for loss in (ours, peer):
        total = lambda s, y, w, loss=loss: loss(s, y, where=w).sum()
        program = jax.jit(jax.value_and_grad(total)).lower(*inputs).compile()
        compiled.append(program)
        memory.append(program.memory_analysis().temp_size_in_bytes)
        gradients.append(np.asarray(jax.block_until_ready(program(*inputs))[1]))
    times = []
    for _ in range(rounds):
        row = []
        for program in compiled:
            started = time.perf_counter()
            jax.block_until_ready(program(*inputs))
            row.append(time.perf_counter() - started)
        times.append(row)
    scale = np.abs(gradients[1]).max()
    return {
        "ours ms": 1e3 * statistics.median(row[0] for row in times),
        "rax ms": 1e3 * statistics.median(row[1] for row in times),
        "ratio": statistics.median(row[1] / row[0] for row in times),
        "ours MiB": memory[0] / 2**20,
        "rax MiB": memory[1] / 2**20,
        "gradient": float(np.abs(gradients[0] - gradients[1]).max() / scale),
    }


def main(
    n_lists: int = 128,
    size: int = 128,
    rounds: int = 21,
    names: str = "",
    uneven: bool = False,
) -> dict[str, dict[str, float]]:
    """Print and return a row for each loss."""
    rng = np.random.default_rng(0)
    where = jnp.asarray(rng.random((n_lists, size)) >= 0.1)
    if uneven:
        sizes = np.exp(rng.uniform(np.log(5), np.log(size), n_lists))
        where = jnp.asarray(np.arange(size) < sizes[:, None])
    scores = jnp.asarray(rng.normal(size=(n_lists, size)), jnp.float32)
    grades = jnp.asarray(rng.integers(0, 5, (n_lists, size)), jnp.float32)
    order = jnp.asarray(rng.permuted(np.tile(np.arange(size), (n_lists, 1)), axis=1))
    print(
        f"{n_lists} lists x {size} items on {jax.devices()[0]}, jax {jax.__version__}"
    )
    table = {}
    for name, (ours, peer, factor) in PEERS.items():
        if names and name not in names.split(","):
            continue
        labels = order.astype(jnp.float32) if name == "listmle" else grades  # no ties
        scale = factor(size)
        scaled = lambda s, y, where, ours=ours, scale=scale: (
            scale * ours(s, y, where=where)
        )
        peer = functools.partial(peer, reduce_fn=jnp.sum)
        row = measure(scaled, peer, (scores, labels, where), rounds)
        table[name] = row
        cells = "".join(f"  {key} {value:<9.3g}" for key, value in row.items())
        print(f"{name:26}{cells}")
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lists", type=int, default=128)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--losses", default="", help="comma-separated")
    parser.add_argument(
        "--uneven", action="store_true", help="lists of 5 to SIZE items, padded"
    )
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main(options.lists, options.size, names=options.losses, uneven=options.uneven)
