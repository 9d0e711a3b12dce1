"""Training throughput of NeuralRanker against the plain way to train in JAX.

The plain way: pad all lists to the longest, a rax loss, optax.adam, one jitted step.
Both sides: the same MLP, 32 lists a batch, shuffled every epoch, gathering included.
Prints documents per second and their ratio, and NDCG@10 on held-out lists after the
same number of epochs. Needs `pip install rax`.

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


class PlainTraining:
    """What one writes by hand with rax and optax."""

    def __init__(self, loss: str, data: RankingData, seed: int) -> None:
        sizes = np.bincount(data.qid)
        width, starts = sizes.max(), np.cumsum(sizes) - sizes
        where = np.arange(width) < sizes[:, None]
        rows = np.where(where, starts[:, None] + np.arange(width), 0)
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


def main(n_lists: int = 1600, n_epochs: int = 5, repeats: int = 3) -> list[dict]:
    """Run the comparison; return and print one row per loss."""
    train, valid = make_lists(n_lists, seed=1), make_lists(n_lists // 4, seed=2)
    score = lambda s: ndcg_score(valid.y, s, qid=valid.qid, k=10)
    table = []
    for loss in RAX:
        plain = PlainTraining(loss, train, seed=0)
        settings = {"optimizer": "adam", "weight_decay": 0.0, "preprocess": None}
        ours = NeuralRanker(
            loss, "mlp", hidden_layer_sizes=HIDDEN, batch_size=BATCH, random_state=0,
            early_stopping=False, max_epochs=n_epochs, verbose=0, **settings,
        )  # fmt: skip
        seconds = {"plain": [], "ltr": []}
        for epoch in range(n_epochs):
            started = time.perf_counter()
            plain.epoch()
            seconds["plain"].append(time.perf_counter() - started)
            del epoch
        quality = {"plain": score(plain.predict(valid.X))}
        for _ in range(repeats):
            ours.fit(train.X, train.y, train.qid)
            seconds["ltr"] += ours.history_["seconds"][1:]
        quality["ltr"] = score(ours.predict(valid.X))
        median = {side: statistics.median(t[1:]) for side, t in seconds.items()}
        row = {
            "loss": loss,
            "plain docs/s": len(train.y) / median["plain"],
            "ltr docs/s": len(train.y) / median["ltr"],
            "ratio": median["plain"] / median["ltr"],
            "plain ndcg@10": quality["plain"],
            "ltr ndcg@10": quality["ltr"],
        }
        table.append(row)
        print(
            f"{loss:8} plain {row['plain docs/s']:9.0f} docs/s  "
            f"ltr {row['ltr docs/s']:9.0f} docs/s  ratio {row['ratio']:.2f}  "
            f"ndcg@10 plain {quality['plain']:.4f} ltr {quality['ltr']:.4f}"
        )
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lists", type=int, default=1600)
    main(parser.parse_args().lists)
