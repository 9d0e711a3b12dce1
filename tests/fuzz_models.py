"""Damage saved models and load them: ``python tests/fuzz_models.py --seconds 300``.

A model of each kind is cut at every byte, flipped at random bits, and changed in its
fields and numbers; half of the cases get right checksums afterwards, as a forger would
make them. A case passes if loading raises a ValueError or an OSError with the name of
the folder, or if what was loaded predicts: the same as before, unless it was forged.
Each case runs in a process of its own kind, so that a crash or a hang is seen.
"""

import argparse
import collections
import contextlib
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.forging import sign

HOSTILE = [
    None, True, False, 0, 1, -1, 2, 3.5, -0.0, 1e308, float("nan"), float("inf"),
    10**9, -(2**63), 10**30, "", "x", "0", "../x", "\0", "ä", [], [0], [1, 1], [[]],
    [-1], [10**9], {}, {"a": 1}, {"combine": [[1, "x"]]},
    {"loss": "x", "options": {}}, {"loss": "ranknet", "options": {"sigma": "x"}},
]  # fmt: skip
NUMBERS = [b"-1", b"0", b"1", b"2", b"7", b"99", b"2147483648", b"1000000000",
           b"nan", b"inf", b"1e999", b"", b"x", b"0.5", b"-2147483649"]  # fmt: skip
LIMIT_S = 1.0  # of CPU for a case; by the clock, on a busy machine, 20 times as much


def make_models(folder, kinds=None):
    """Fit and save a small ranker of each kind, with its data and predictions."""
    import pandas as pd

    from ltr import (
        AutoRanker,
        LambdaMARTRanker,
        LinearRanker,
        NeuralRanker,
        RandomRanker,
        SingleFeatureRanker,
        StackingRanker,
        TSPRanker,
        VotingRanker,
        save_ranker,
    )
    from ltr.datasets import make_ranking
    from ltr.rankers.blend.numeric import NumericRanker

    data = make_ranking(6, list_size=4, n_features=4, n_informative=3, random_state=0)
    X = pd.DataFrame(data.X, columns=list("abcd"))
    colored = X.assign(
        color=pd.Categorical(
            np.array(["red", "blue", "green"])[(2 * data.y % 3).astype(int)]
        )
    )
    small = {"max_epochs": 1, "hidden_layer_sizes": (4,), "random_state": 0}
    trees = {"n_estimators": 3, "n_jobs": 1, "min_child_samples": 1, "num_leaves": 5}
    members = [
        ("trees", LambdaMARTRanker(**trees)),
        ("numeric", NumericRanker(LinearRanker())),
    ]
    rankers = {
        "random": RandomRanker(),
        "feature": SingleFeatureRanker(),
        "ridge": LinearRanker(preprocess="query"),
        "scaled_ridge": LinearRanker(preprocess="log1p"),
        "trees": LambdaMARTRanker(**trees),
        "categories": LambdaMARTRanker(**trees, extra_params={"min_data_per_group": 1}),
        "linear_trees": LambdaMARTRanker(
            "mse", **trees, extra_params={"linear_tree": True}
        ),
        "linear": NeuralRanker("ranknet", "linear", **small),
        "mlp": NeuralRanker("listnet", "mlp", warm_start=True, **small),
        "attention": NeuralRanker(
            "listnet", "attention", **small | {"hidden_layer_sizes": (8,)}
        ),
        "pairs": TSPRanker("pairwise", n_jobs=1, **small),
        "voting": VotingRanker(members, weights=(1, 2)),
        "stacking": StackingRanker(members, SingleFeatureRanker(), cv=2),
        "auto": AutoRanker(members=members),
    }
    for kind in kinds or rankers:
        table = colored if kind == "categories" else X
        ranker = rankers[kind].fit(table, data.y, data.qid)
        save_ranker(ranker, folder / kind)
        np.save(folder / f"{kind}.npy", ranker.predict(table, data.qid))
        table.assign(qid=data.qid).to_pickle(folder / f"{kind}.pickle")


def cuts(folder):
    """Each place at which a file can be cut, as (kind, file, length)."""
    return [
        (path.parent.name, path.name, length)
        for path in sorted(folder.glob("*/*.*"))
        for length in range(path.stat().st_size)
    ]


def damage(target, cut, rng):
    """Change a saved model at random, or cut it; whether checksums are made right."""
    if cut is not None:
        path = target / cut[0]
        path.write_bytes(path.read_bytes()[: cut[1]])
    else:
        path = sorted(target.iterdir())[rng.integers(len(list(target.iterdir())))]
        content = path.read_bytes()
        for _ in range(rng.choice([1, 1, 2, 5])):
            content = _changed(content, path.suffix, rng)
        path.write_bytes(content)
    is_forged = bool(rng.random() < 0.5)
    if is_forged:
        with contextlib.suppress(
            ValueError, KeyError, TypeError, AttributeError, OSError
        ):
            sign(target)  # which a document that is no document has no place for
    return path.name, is_forged


def _changed(content, suffix, rng):
    kind = rng.choice(["bit", "byte", "number", "line", "field"])
    content = content or b"\0"
    at = int(rng.integers(len(content)))
    if kind == "field" and suffix == ".json":
        with contextlib.suppress(ValueError):
            document = json.loads(content)
            _change_field(document, rng)
            return json.dumps(document).encode()
    if kind == "number" and suffix != ".npz":
        digits = b"0123456789.-e+"
        left = at
        while left and content[left - 1 : left] in digits:
            left -= 1
        right = at
        while right < len(content) and content[right : right + 1] in digits:
            right += 1
        return content[:left] + NUMBERS[rng.integers(len(NUMBERS))] + content[right:]
    if kind == "line" and suffix != ".npz":
        lines = content.split(b"\n")
        i, j = rng.integers(len(lines), size=2)
        lines[i] = lines[j]
        return b"\n".join(lines if rng.random() < 0.7 else lines[:i] + lines[i + 1 :])
    byte = content[at] ^ (1 << rng.integers(8)) if kind == "bit" else rng.integers(256)
    return content[:at] + bytes([int(byte)]) + content[at + 1 :]


def _change_field(node, rng):
    """Replace, delete or add a value somewhere in a document."""
    while isinstance(node, (dict, list)):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = keys[rng.integers(len(keys))]
        if isinstance(node[key], (dict, list)) and node[key] and rng.random() < 0.8:
            node = node[key]
            continue
        if rng.random() < 0.1:
            del node[key]
        elif rng.random() < 0.1 and isinstance(node, dict):
            node["x"] = 1
        elif rng.random() < 0.05:
            deep = "[" * 100 + "]" * 100
            node[key] = json.loads(deep)
        else:
            node[key] = HOSTILE[rng.integers(len(HOSTILE))]
        return


def check(folder, kind, target, is_forged):
    """Load as an estimator and to serve; the outcome of the first, or what is bad."""
    from ltr.rankers import load_ranker
    from ltr.serving import loading

    loading._ESTIMATORS = "none"  # as in a process that has imported no estimator
    outcomes = [
        check_loader(load, folder, kind, target, is_forged)
        for load in (load_ranker, loading.load_ranker)
    ]
    # what serves does not read the parameters of training
    return next((o for o in outcomes if o.startswith("bad")), outcomes[0])


def check_loader(load_ranker, folder, kind, target, is_forged):
    """Load and predict; return the outcome, which begins with "bad" if it is one."""
    import pandas as pd

    table = pd.read_pickle(folder / f"{kind}.pickle")
    X, qid = table.drop(columns="qid"), table["qid"].to_numpy()
    try:
        ranker = load_ranker(target)
    except (ValueError, OSError) as error:
        return "refused" if str(target) in str(error) else f"bad: no name in {error}"
    except BaseException:  # noqa: BLE001
        return f"bad: {traceback.format_exc()}"
    try:
        scores = ranker.predict(X, qid)
    except ValueError as error:
        return "predict refused" if is_forged else f"bad: predict raised {error}"
    except BaseException:  # noqa: BLE001
        return f"bad: {traceback.format_exc()}"
    if np.array_equal(scores, np.load(folder / f"{kind}.npy")):
        return "same"
    return "other" if is_forged else "bad: other predictions"


def work(folder, connection):
    """Take cases from a pipe, and send their outcomes."""
    warnings.simplefilter("ignore")
    models, places = Path(folder), None
    scratch = Path(tempfile.mkdtemp(dir=folder)) / "m"
    check(models, "random", models / "random", False)  # imports what every case needs
    connection.send("ready")
    for number, seed in iter(connection.recv, None):
        places = places or cuts(models)
        rng = np.random.default_rng((seed, number))
        kinds = sorted(
            path.name for path in models.iterdir() if (path / "ranker.json").exists()
        )
        kind, cut = kinds[rng.integers(len(kinds))], None
        if number % 2 == 0:
            permuted = (number // 2 * 7919 + seed) % len(places)
            kind, *cut = places[permuted]
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(models / kind, scratch)
        name, is_forged = damage(scratch, cut, rng)
        connection.send(f"{kind}/{name} cut={cut} forged={is_forged}")
        started = time.process_time()
        outcome = check(models, kind, scratch, is_forged)
        seconds = time.process_time() - started
        is_slow = seconds > LIMIT_S and not outcome.startswith("bad")
        connection.send(f"bad: hang of {seconds:.1f} s" if is_slow else outcome)


class Worker:
    """A process that is started again when it dies or hangs."""

    def __init__(self, folder):
        self._folder = folder
        self._start()

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self._connection, child = context.Pipe()
        self._process = context.Process(
            target=work, args=(str(self._folder), child), daemon=True
        )
        self._process.start()
        child.close()
        assert self._connection.recv() == "ready"

    def run(self, number, seed):
        """Outcome of a case."""
        case = "damage"
        try:
            self._connection.send((number, seed))
            case = self._connection.recv()
            if self._connection.poll(20 * LIMIT_S):
                return self._connection.recv(), case
            outcome = "bad: hang"
        except (EOFError, OSError):
            outcome = "bad: crash"
        self._process.kill()
        self._process.join()
        self._start()
        return outcome, case

    def stop(self):
        """End the process."""
        self._connection.send(None)
        self._process.join()


def fuzz(folder, *, seed=0, seconds=float("inf"), n_cases=10**9, first=0):
    """Run cases until the time or their number is reached; count outcomes by kind."""
    counts, failures = collections.Counter(), []
    worker, give_up = Worker(folder), time.monotonic() + seconds
    for number in range(first, first + n_cases):
        if time.monotonic() > give_up:
            break
        outcome, case = worker.run(number, seed)
        counts[outcome.split(":")[0]] += 1
        if outcome.startswith("bad"):
            failures.append(f"case {number} of seed {seed}: {case}: {outcome}")
    worker.stop()
    return counts, failures


def main():
    """Fuzz for a time; the exit status tells whether all cases passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--cases", type=int, default=10**9)
    parser.add_argument("--kinds", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kinds = {"random", *options.kinds} if options.kinds else None
        make_models(Path(folder), kinds)
        counts, failures = fuzz(
            Path(folder),
            seed=options.seed,
            seconds=options.seconds,
            n_cases=options.cases,
            first=options.first,
        )
    sys.stdout.write("".join(f"{failure}\n" for failure in failures[:20]))
    sys.stdout.write(f"{sum(counts.values())} damaged models: {dict(counts)}\n")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
