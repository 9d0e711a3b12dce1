"""Values of the metrics in other libraries: scikit-learn, SciPy, rax, LightGBM, …"""

import jax
import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr
from sklearn.metrics import ndcg_score as sklearn_ndcg
from sklearn.metrics import roc_auc_score
from support.strategies import each_list, ragged

from ltr import metrics as m


@pytest.mark.parametrize("k", [None, 1, 5, 10])
def test_ndcg_equals_sklearn(k):
    """sklearn averages ties too; its gains are the labels it is given."""
    y, s, qid = ragged()
    expected = [sklearn_ndcg([2**a - 1], [b], k=k) for a, b in each_list(y, s, qid)]
    ours = m.ndcg_score(y, s, qid=qid, k=k, empty=0, per_query=True)
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_kendall_and_spearman_equal_scipy():
    """τ_b and ρ of every list."""
    y, s, qid = ragged()
    tau = m.kendall_tau_score(y, s, qid=qid, per_query=True)
    rho = m.spearman_score(y, s, qid=qid, per_query=True)
    for i, (a, b) in enumerate(each_list(y, s, qid)):
        if len(set(a)) < 2:
            assert np.isnan(tau[i])
            assert np.isnan(rho[i])
        elif len(set(b)) > 1:
            np.testing.assert_allclose(tau[i], kendalltau(a, b)[0], atol=1e-12)
            np.testing.assert_allclose(rho[i], spearmanr(a, b)[0], atol=1e-12)


def test_pairwise_accuracy_is_auc_for_two_grades():
    """With labels 0 and 1 it is the area under the ROC curve."""
    y, s, qid = ragged()
    y = (y > 0).astype(float)
    ours = m.pairwise_accuracy_score(y, s, qid=qid, per_query=True)
    for i, (a, b) in enumerate(each_list(y, s, qid)):
        if len(set(a)) == 2:
            np.testing.assert_allclose(ours[i], roc_auc_score(a, b))


def test_long_list():
    """Kendall's τ of 20,000 items needs no table of pairs."""
    rng = np.random.default_rng(0)
    y, s = rng.normal(size=20_000), rng.normal(size=20_000).round(2)
    np.testing.assert_allclose(
        m.kendall_tau_score(y, s), kendalltau(y, s)[0], atol=1e-12
    )


@pytest.mark.parametrize("name", ["ndcg_at_5", "map", "mrr", "precision", "recall"])
def test_equals_rax(name):
    """rax has these; it counts blank lists as 0 and keeps ties in row order."""
    rax = pytest.importorskip("rax")
    ours = {
        "ndcg_at_5": lambda *a, **o: m.ndcg_score(*a, k=5, **o),
        "map": m.average_precision_score,
        "mrr": m.reciprocal_rank_score,
        "precision": lambda *a, **o: m.precision_score(*a, k=3, **o),
        "recall": lambda *a, **o: m.recall_score(*a, k=3, **o),
    }[name]
    theirs = {
        "ndcg_at_5": lambda s, y, w: rax.ndcg_metric(s, y, where=w, topn=5),
        "map": lambda s, y, w: rax.ap_metric(s, y, where=w),
        "mrr": lambda s, y, w: rax.mrr_metric(s, y, where=w),
        "precision": lambda s, y, w: rax.precision_metric(s, y, where=w, topn=3),
        "recall": lambda s, y, w: rax.recall_metric(s, y, where=w, topn=3),
    }[name]
    y, s, qid = ragged(ties=False)
    if name != "ndcg_at_5":
        y = (y > 0).astype(float)
    padded = np.zeros((3, 60, 30), np.float32)
    for i, (a, b) in enumerate(each_list(y, s, qid)):
        padded[:, i, : len(a)] = b, a, np.ones(len(a))
    with jax.numpy_rank_promotion("allow"):
        expected = jax.vmap(lambda s, y, w: theirs(s, y, w > 0))(*padded)
    value = ours(y, s, qid=qid, empty=0, per_query=True)
    kept = [len(a) >= 3 for a, _ in each_list(y, s, qid)]
    np.testing.assert_allclose(
        value[kept], np.asarray(expected)[kept], rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("k", [1, 3, 10])
def test_equals_lightgbm(k):
    """NDCG and MAP of its own evaluation: stable ties, blank lists 1, min(R, k)."""
    lightgbm = pytest.importorskip("lightgbm")
    y, s, qid = ragged()
    order = np.argsort(qid, kind="stable")
    y, s, qid = y[order], s[order], qid[order]
    data = lightgbm.Dataset(
        np.arange(len(y), dtype=float)[:, None],
        y,
        group=np.bincount(qid),
        init_score=s,
        free_raw_data=False,
    )
    parameters = {"objective": "lambdarank", "metric": ["ndcg", "map"], "verbose": -1}
    booster = lightgbm.Booster(parameters | {"eval_at": [k]}, data)
    theirs = {name: value for _, name, value, _ in booster.eval_train()}
    options = {"qid": qid, "k": k, "ties": "first", "empty": 1}
    ndcg = m.ndcg_score(y, s, **options)
    ap = m.average_precision_score(y, s, denominator="min", **options)
    np.testing.assert_allclose(
        [ndcg, ap], [theirs[f"ndcg@{k}"], theirs[f"map@{k}"]], atol=1e-6
    )


@pytest.mark.parametrize("k", [None, 1, 3])
@pytest.mark.parametrize("empty", [0, 1])
def test_equals_xgboost(k, empty):
    """NDCG of its own evaluation, without ties; a blank list is 1, or 0 with a minus."""
    xgboost = pytest.importorskip("xgboost")
    y, s, qid = ragged(ties=False)
    order = np.argsort(qid, kind="stable")
    y, s, qid = y[order], s[order], np.unique(qid[order], return_inverse=True)[1]
    name = "ndcg" + (f"@{k}" if k else "") + ("" if empty else "-")
    data = xgboost.DMatrix(np.zeros((len(y), 1)), label=y, qid=qid, base_margin=s)
    parameters = {"objective": "rank:ndcg", "eval_metric": name, "nthread": 1}
    booster = xgboost.train(parameters, data, num_boost_round=0)
    theirs = float(booster.eval(data).rpartition(":")[2])
    ours = m.ndcg_score(y, s, qid=qid, k=k, empty=empty)
    assert ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("k", [None, 1, 3, 10])
def test_equals_pytrec_eval(k):
    """Everything that it has, with ties by document id and blank lists 0."""
    trec = pytest.importorskip("pytrec_eval")
    y, s, qid = ragged()
    docids = np.array([f"d{i}" for i in np.random.default_rng(1).permutation(len(y))])
    run, qrels = {}, {}
    for q, d, a, b in zip(qid, docids, y, s, strict=True):
        run.setdefault(str(q), {})[d] = float(b)
        qrels.setdefault(str(q), {})[d] = int(a)
    cut = ("ndcg_cut", "map_cut", "P", "recall", "success")
    whole = ("ndcg", "map", "recip_rank", "Rprec", "bpref")
    names = [f"{name}_{k}" for name in cut] if k else list(whole)
    asked = {f"{name}.{k}" for name in cut} if k else set(whole)
    theirs = trec.RelevanceEvaluator(qrels, asked).evaluate(run)
    options = {"gain": "linear", "ties": "trec", "docids": docids, "empty": 0}
    s = s.astype(np.float32)  # as pytrec_eval, of version 9, reads them
    ours = m.evaluate(y, s, qid, names, per_query=True, **options)
    expected = [[theirs[str(q)][name] for name in names] for q in ours.index]
    np.testing.assert_allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize("drop", [False, True])
def test_runs_equal_pytrec_eval(drop):
    """Near ties, missed and unjudged documents, interpolated precision: version 9."""
    trec = pytest.importorskip("pytrec_eval")
    rng = np.random.default_rng(0)
    run, qrels = {}, {}
    for q in map(str, range(60)):
        docs = [f"d{i}" for i in rng.permutation(60)]
        scores = rng.integers(0, 8, 40) + 1e-9 * rng.integers(0, 3, 40) + 1e3
        run[q] = dict(zip(docs[:40], scores.tolist(), strict=True))
        qrels[q] = {
            d: int(y) for d, y in zip(docs[20:], rng.integers(-1, 3, 40), strict=True)
        }
    names = [
        "map",
        "ndcg",
        "recip_rank",
        "Rprec",
        "bpref",
        "P_5",
        "P_30",
        "ndcg_cut_10",
    ]
    names += [f"iprec_at_recall_{i / 10:.2f}" for i in range(11)]
    names += ["11pt_avg", "num_ret", "num_rel", "num_rel_ret", "set_F", "recall_30"]
    evaluator = trec.RelevanceEvaluator(
        qrels, trec.supported_measures, judged_docs_only_flag=drop
    )
    theirs = evaluator.evaluate(run)
    options = {"unjudged": "drop" if drop else "irrelevant", "per_query": True}
    ours = m.evaluate_run(run, qrels, names, trec_eval="9", **options)
    expected = [[theirs[q][name] for name in names] for q in ours.index]
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    newer = m.evaluate_run(run, qrels, ["map", "11pt_avg"], **options)
    assert (newer != ours[["map", "11pt_avg"]]).any().all()


@pytest.mark.filterwarnings("ignore:unsafe cast from uint64")  # numba compiles ranx
@pytest.mark.parametrize(
    "name", ["ndcg@5", "map@5", "mrr", "precision@3", "r_precision"]
)
def test_equals_ranx(name):
    """Scores without ties; blank lists 0. Its NDCG has linear gains."""
    ranx = pytest.importorskip("ranx")
    y, s, qid = ragged(ties=False)
    run, qrels = {}, {}
    for i, (q, a, b) in enumerate(zip(qid, y, s, strict=True)):
        run.setdefault(str(q), {})[f"d{i}"] = float(b)
        qrels.setdefault(str(q), {})[f"d{i}"] = int(a)
    theirs = ranx.evaluate(
        ranx.Qrels(qrels), ranx.Run(run), name.replace("r_precision", "r-precision")
    )
    ours = m.evaluate(y, s, qid, name, empty=0, gain="linear")["mean"].item()
    assert ours == pytest.approx(theirs, abs=1e-6)
