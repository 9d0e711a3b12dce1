"""Where PLD and LiPO-λ gain what their papers say: shared with other examples."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from ltr import NeuralRanker
from ltr.losses import combine, dpo_loss, lipo_lambda_loss, pld_loss

BETA = 1.0
STUDENTS = {
    "CE": "softmax",
    "PLD": "pld",
    "PLD, T = 4": functools.partial(pld_loss, temperature=4.0),
    "KL": "kl_distillation",
    "CE + KL": combine((1.0, "softmax"), (1.0, "kl_distillation")),
}


def digit_students(
    n_labels: int = 100,
    width: int = 16,
    wrong: float = 0.3,
    seed: int = 0,
    students: Sequence[str] = tuple(STUDENTS),
) -> dict[str, np.ndarray]:
    """Whether each test image is classified right, by teacher and students.

    An image is a list of ten classes, and a row is the class ⊗ (image, 1), so that a
    linear scorer is multinomial logistic regression. The teacher saw all the training
    images; a student sees few, with a share of wrong labels, and the teacher's scores.
    """
    rng = np.random.default_rng(seed)
    pixels, digit = load_digits(return_X_y=True)
    train, test = np.split(rng.permutation(len(digit)), [1000])
    test = test[:400]
    teacher = LogisticRegression(max_iter=300).fit(pixels[train] / 16.0, digit[train])
    few = train[:n_labels]
    images = PCA(width, whiten=True, random_state=seed).fit(pixels[train])

    def rows(part: np.ndarray) -> np.ndarray:
        image = np.c_[images.transform(pixels[part]), np.ones(len(part))]
        table = np.einsum("cd,nf->ncdf", np.eye(10), image)
        return table.reshape(10 * len(part), -1)

    label = digit[few].copy()
    is_wrong = rng.random(n_labels) < wrong
    label[is_wrong] = rng.integers(10, size=is_wrong.sum())
    scores = teacher.predict_log_proba(pixels[few] / 16.0)
    qid, X = np.arange(n_labels).repeat(10), rows(few)
    y, X_test = np.eye(10)[label].ravel(), rows(test)
    is_right = {"teacher": teacher.predict(pixels[test] / 16.0) == digit[test]}
    for name in students:
        student = NeuralRanker(
            STUDENTS[name], "linear", max_epochs=100, learning_rate=0.05,
            early_stopping=False, preprocess=None, weight_decay=0.01,
            random_state=seed,
        )  # fmt: skip
        extras = {} if name == "CE" else {"teacher_scores": scores.ravel()}
        student.fit(X, y, qid, **extras)
        best = student.predict(X_test).reshape(-1, 10).argmax(axis=1)
        is_right[name] = best == digit[test]
    return {name: values.astype(float) for name, values in is_right.items()}


def two_sided(n_seeds: int = 3, n_queries: int = 300) -> dict[str, np.ndarray]:
    """Utility of the first item, where no linear score is right everywhere.

    With a = 2 x₀ the utility is a + 2 x₁ for good items (a > 0) and a − 2 x₁ for bad
    ones: what tells good items apart misleads among bad ones. Votes on each pair, one
    each, are the labels.
    """
    losses = {"LiPO-λ": lipo_lambda_loss, "DPO": dpo_loss}
    values: dict[str, list[np.ndarray]] = {name: [] for name in losses}
    for seed in range(n_seeds):
        X, y, qid, _ = _two_sided_lists(n_queries, seed)
        X_test, _, _, utility = _two_sided_lists(n_queries, 1000 + seed)
        for name, loss in losses.items():
            ranker = NeuralRanker(
                functools.partial(loss, beta=BETA), "linear", max_epochs=40,
                early_stopping=False, preprocess=None, weight_decay=0.0,
                learning_rate=0.02, random_state=seed,
            ).fit(X, y, qid, reference_scores=np.zeros(len(y)))  # fmt: skip
            best = ranker.predict(X_test).reshape(-1, 8).argmax(axis=1)
            values[name].append(utility[np.arange(n_queries), best])
    return {name: np.concatenate(runs) for name, runs in values.items()}


def _two_sided_lists(n_queries: int, seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_queries, 8, 4))
    a = 2.0 * x[..., 0]
    utility = a + np.where(a > 0, 2.0, -2.0) * x[..., 1]
    margin = utility[:, :, None] - utility[:, None, :]
    wins = rng.random(margin.shape) < 1 / (1 + np.exp(-margin))
    upper = np.triu(np.ones((8, 8), bool), 1)
    wins = np.where(upper, wins, ~np.swapaxes(wins, 1, 2))
    share = (wins.sum(-1) - np.diagonal(wins, axis1=1, axis2=2)) / 7.0
    qid = np.arange(n_queries).repeat(8)
    return x.reshape(-1, 4), share.ravel(), qid, utility
