"""Training throughput of NeuralRanker compared with a plain training loop in JAX.

The plain loop pads all lists to the longest, and uses a rax loss, optax.adam and one
jitted step. Both sides train the same MLP on batches of 32 lists, shuffled every epoch,
gathering included. Prints documents per second and their ratio, and the loss (of rax)
and NDCG@10 on held-out queries after the same number of epochs. Needs
`pip install rax`.

    python examples/benchmark_training.py
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import rax

from ltr import NeuralRanker
from ltr.datasets import RankingData
from ltr.metrics import ndcg_score

N_FEATURES, HIDDEN, BATCH = 136, (128, 64), 32
RAX = {"softmax": rax.softmax_loss, "ranknet": rax.pairwise_logistic_loss}


def make_lists(n_lists: int, seed: int) -> RankingData:
    """Log-normal list sizes from 5 to 400 with median 100; five grades."""
    rng = np.random.default_rng(seed)
    sizes = np.exp(rng.normal(np.log(100), 0.5, n_lists)).round()
    sizes = np.clip(sizes, 5, 400).astype(int)
    sizes[0] = 400
    qid = np.repeat(np.arange(n_lists), sizes)
    X = rng.normal(size=(len(qid), N_FEATURES)).astype(np.float32)
    truth = np.random.default_rng(0).normal(size=N_FEATURES) / N_FEATURES**0.5
    utility = X @ truth + 0.5 * rng.normal(size=len(qid))
    y = np.digitize(utility, [0.0, 0.8, 1.5, 2.0])
    return RankingData(X, y, qid)


def pad(data: RankingData) -> tuple[np.ndarray, np.ndarray]:
    """Row of each item in a padded block, and the mask of items."""
    sizes = np.bincount(data.qid)
    starts = np.cumsum(sizes) - sizes
    where = np.arange(sizes.max()) < sizes[:, None]
    return np.where(where, starts[:, None] + np.arange(sizes.max()), 0), where


class PlainTraining:
    """A training loop as one would write it by hand, with rax and optax."""

    def __init__(self, loss: str, data: RankingData, seed: int) -> None:
        rows, where = pad(data)
        self.X = jnp.asarray(data.X[rows] * where[..., None])
        self.y = jnp.asarray(data.y[rows] * where, jnp.float32)
        self.where = jnp.asarray(where)
        self.rng = np.random.default_rng(seed)
        self.optimizer = optax.adam(1e-3)
        widths = (N_FEATURES, *HIDDEN, 1)
        keys = jax.random.split(jax.random.key(seed), 3)
        self.params = [
            ((2 / m) ** 0.5 * jax.random.normal(k, (m, n)), jnp.zeros(n))
            for k, m, n in zip(keys, widths, widths[1:], strict=False)
        ]
        self.state = self.optimizer.init(self.params)

        def objective(params, X, y, where):
            return RAX[loss](self.apply(params, X), y, where=where)

        @jax.jit
        def step(params, state, X, y, where, lists):
            batch = X[lists], y[lists], where[lists]
            gradient = jax.grad(objective)(params, *batch)
            updates, state = self.optimizer.update(gradient, state)
            return optax.apply_updates(params, updates), state

        self.step = step

    @staticmethod
    def apply(params, X):
        """Score items."""
        for i, (weight, bias) in enumerate(params):
            X = X @ weight + bias
            X = X if i == len(params) - 1 else jax.nn.relu(X)
        return X[..., 0]

    def epoch(self) -> None:
        """One pass over all lists."""
        order = self.rng.permutation(len(self.y))
        for start in range(0, len(order), BATCH):
            lists = order[start : start + BATCH]
            self.params, self.state = self.step(
                self.params, self.state, self.X, self.y, self.where, lists
            )
        jax.block_until_ready(self.params)

    def predict(self, X) -> np.ndarray:
        """Score rows."""
        return np.asarray(self.apply(self.params, jnp.asarray(X)))


def train_ours(loss: str, data: RankingData, n_epochs: int) -> NeuralRanker:
    """Train the same model, with the same batches and optimizer, by NeuralRanker."""
    ranker = NeuralRanker(
        loss,
        "mlp",
        hidden_layer_sizes=HIDDEN,
        batch_size=BATCH,
        optimizer="adam",
        weight_decay=0.0,
        preprocess=None,
        normalize=loss == "ranknet",  # rax normalizes by pairs, not by labels
        early_stopping=False,
        max_epochs=n_epochs,
        random_state=0,
    )
    return ranker.fit(data.X, data.y, data.qid)


def main(
    n_lists: int = 1600, n_epochs: int = 5, n_timed: int = 40, rounds: int = 3
) -> list[dict]:
    """Run the comparison; print and return a row for each loss."""
    train, valid = make_lists(n_lists, seed=1), make_lists(n_lists // 4, seed=2)
    rows, where = pad(valid)
    table = []
    print(f"{len(train.y)} documents in {n_lists} lists; both sides in turn,")
    print(f"medians over epochs without the first, then over {rounds} rounds")
    for loss in RAX:
        medians = {"plain": [], "ltr": []}
        for _ in range(rounds):
            plain, seconds = PlainTraining(loss, train, seed=0), []
            for _ in range(n_epochs):
                started = time.perf_counter()
                plain.epoch()
                seconds.append(time.perf_counter() - started)
            medians["plain"].append(statistics.median(seconds[1:]))
            seconds = train_ours(loss, train, n_timed).history_["seconds"]
            medians["ltr"].append(statistics.median(seconds[1:]))
        ours = train_ours(loss, train, n_epochs)
        ratios = [a / b for a, b in zip(medians["plain"], medians["ltr"], strict=True)]
        row = {
            "loss": loss,
            "plain docs/s": len(train.y) / statistics.median(medians["plain"]),
            "ltr docs/s": len(train.y) / statistics.median(medians["ltr"]),
            "ratio": statistics.median(ratios),
        }
        for side, scores in {
            "plain": plain.predict(valid.X),
            "ltr": ours.predict(valid.X),
        }.items():
            held_out = RAX[loss](scores[rows], valid.y[rows].astype(float), where=where)
            row[f"{side} held-out loss after {n_epochs}"] = float(held_out)
            ndcg = ndcg_score(valid.y, scores, qid=valid.qid, k=10)
            row[f"{side} held-out ndcg@10"] = ndcg
        table.append(row)
        for name, value in row.items():
            text = value if isinstance(value, str) else f"{value:,.4g}"
            print(f"  {name:34} {text}")
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lists", type=int, default=1600)
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main(options.lists)
