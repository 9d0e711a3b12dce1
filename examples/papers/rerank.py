"""Rows about judges: each driver of ltr.rerank, and what it asks."""

from __future__ import annotations

import itertools
import warnings
from collections import Counter

import numpy as np
from judged import comparer, lists_of, ndcg
from row import PaperRow, Setting, interval

from ltr.fusion import check_alignment, comb_sum, pool_union, round_robin
from ltr.metrics import normalized_recall_score
from ltr.rerank import (
    first_token_ranking,
    groupwise_rerank,
    listwise_rerank,
    pairwise_rerank,
    sequential_rerank,
    setwise_rerank,
)

SMALL_LIST = [5, 2, 7, 0, 3, 6, 1, 4]


def by_score(scores: np.ndarray):
    """A judge of windows and sets that orders by scores."""
    return lambda ids: sorted(ids, key=lambda i: -scores[i])


def pairwise(setting: Setting) -> PaperRow:
    """PRP: pairs by all, heap, bubble, verified; with 15 % of the answers flipped."""
    lists = lists_of(setting)
    methods = {
        "all, wins": {"method": "all", "aggregate": "wins"},
        "all, best order": {"method": "all"},
        "heap": {"method": "heap"},
        "bubble": {"method": "bubble"},
        "verified": {"method": "verified"},
    }
    lines, values, n_calls = [], {}, {}
    for name, options in methods.items():
        runs = [
            pairwise_rerank(
                range(len(scores)),
                comparer(scores, 0.15, seed),
                both_orders=False,
                **options,
            )
            for seed, scores in enumerate(lists.judged)
        ]
        values[name] = ndcg(lists.relevance, [run.ids for run in runs])
        n_calls[name] = np.mean([run.n_calls for run in runs])
        line = f"{name:16} NDCG@10 {np.nanmean(values[name]):.4f}"
        lines.append(f"{line} with {n_calls[name]:.0f} calls a query")
    gain = interval(values["all, best order"] - values["all, wins"])
    effect = "" if gain.low > 0 else "; effect not shown"
    lines.append(f"PRP: best order of all pairs minus counting wins {gain}{effect}")
    golden = {
        method: pairwise_rerank(
            SMALL_LIST,
            lambda a, b: a < b,
            k=3,
            both_orders=False,
            method=method,
        )
        for method in ("heap", "bubble", "all", "verified")
    }
    first = [run.ids[:3] for run in golden.values()]
    holds = all(ids == [0, 1, 2] for ids in first) and golden["heap"].n_calls == 17
    return PaperRow(
        31,
        lines,
        "a consistent judge's top 3 by every method, heap in 17 calls; verified asks "
        "less than half of all pairs; with wrong answers the best order is at most .02 "
        "below counting wins",
        holds and n_calls["verified"] < n_calls["all, wins"] / 2 and gain.mean > -0.02,
    )


def groupwise(setting: Setting) -> PaperRow:
    """GroupRank: two repeats of random groups average the noise of one."""
    lists = lists_of(setting)
    values = {}
    for repeats in (1, 4):
        orders = []
        for seed, scores in enumerate(lists.judged):
            rng = np.random.default_rng(seed)
            judge = lambda ids, scores=scores, rng=rng: [
                scores[i] + rng.normal(0, 0.5) for i in ids
            ]
            run = groupwise_rerank(
                range(len(scores)), judge, size=10, repeats=repeats, random_state=seed
            )
            orders.append(run.ids)
        values[repeats] = ndcg(lists.relevance, orders)
    n_calls = _n_group_calls()
    gain = interval(values[4] - values[1])
    return PaperRow(
        3,
        [
            f"{n_calls} calls for 100 items in groups of 20, twice",
            f"GroupRank: four repeats minus one, NDCG@10 {gain}",
        ],
        "10 calls, and repeats are ahead on average",
        n_calls == 10 and gain.mean > 0,
    )


def _n_group_calls() -> int:
    scores = np.random.default_rng(0).random(100)
    judge = lambda ids: [scores[i] for i in ids]
    return groupwise_rerank(range(100), judge, size=20, repeats=2).n_calls


def insert_rank(setting: Setting) -> PaperRow:
    """InsertRank: a judge of windows that also reads the retriever's scores."""
    lists = lists_of(setting._replace(small=False))  # cheap
    blind, informed, rng = [], [], np.random.default_rng(0)
    for scores, first in zip(lists.judged, lists.first, strict=True):
        noisy = scores + rng.normal(0, 4 * scores.std(), len(scores))
        extra = {
            i: {"score": value, "rank": i + 1} for i, value in enumerate(first.tolist())
        }
        noisy = (noisy - noisy.mean()) / noisy.std()

        def judge(ids, extra=None, noisy=noisy, first=first):
            bonus = {} if extra is None else z_of(extra, first)
            values = {i: noisy[i] + bonus.get(i, 0.0) for i in ids}
            return sorted(ids, key=values.get, reverse=True)

        ids = range(len(scores))
        blind.append(listwise_rerank(ids, lambda ids, judge=judge: judge(ids)).ids)
        informed.append(listwise_rerank(ids, judge, extra=extra).ids)
    gain = interval(ndcg(lists.relevance, informed) - ndcg(lists.relevance, blind))
    effect = "" if gain.low > 0 else "; effect not shown"
    return PaperRow(
        9,
        [
            "InsertRank: judge with the first stage's scores minus without "
            f"{gain}{effect}"
        ],
        "a very noisy judge does not lose significantly by the scores",
        gain.high > 0,
    )


def z_of(extra: dict, first: np.ndarray) -> dict[int, float]:
    """Scores of the first stage that came with the question, as z-scores."""
    return {i: (v["score"] - first.mean()) / first.std() for i, v in extra.items()}


def one_token(setting: Setting) -> PaperRow:
    """FIRST, reproduced: one token's logits give the order of a whole window."""
    lists = lists_of(setting)
    tokens = np.arange(20) + 100

    def logits_of(scores):
        logits = np.full(200, -9.0)
        logits[tokens[: len(scores)]] = scores
        return logits

    def one(scores, ids):
        places = first_token_ranking(logits_of(scores[list(ids)]), tokens[: len(ids)])
        return [ids[place] for place in places]

    same, n_calls = [], []
    for scores in lists.judged:
        ids = range(len(scores))
        full = listwise_rerank(ids, by_score(scores))
        first = listwise_rerank(ids, lambda ids, s=scores: one(s, list(ids)))
        same.append(full.ids == first.ids)
        n_calls.append(first.n_calls)
    n_tokens = 20  # identifiers that a full ranking writes for a window
    return PaperRow(
        10,
        [
            f"one token a window instead of {n_tokens}, {np.mean(n_calls):.0f} calls",
            f"FIRST reproduction: the same order in {np.mean(same):.0%} of the lists",
        ],
        "the order by the first token's logits is the full one",
        all(same),
    )


def setwise(setting: Setting) -> PaperRow:
    """Rank-R1: the best of 20 at a time by a heap, near the order of all items."""
    consistent = [
        setwise_rerank(order, min, k=10, size=20).n_calls
        for order in (range(100), range(99, -1, -1))
    ]
    lists = lists_of(setting)
    heap, every = [], []
    for scores in lists.judged:
        ids = range(len(scores))
        best = lambda ids, s=scores: max(ids, key=lambda i: s[i])
        heap.append(setwise_rerank(ids, best, size=20).ids)
        every.append(np.argsort(-scores, kind="stable").tolist())
    gap = interval(ndcg(lists.relevance, heap) - ndcg(lists.relevance, every))
    return PaperRow(
        13,
        [
            f"calls for 100 items, k 10, size 20: {consistent[0]} sorted, "
            f"{consistent[1]} reversed",
            f"Rank-R1: setwise heap minus the judge's order of all {gap}",
        ],
        "19 and 25 calls, and NDCG@10 within .01 of all items",
        consistent == [19, 25] and abs(gap.mean) < 0.01,
    )


def dear(setting: Setting) -> PaperRow:
    """DeAR: a pointwise student first, then windows on its first 30."""
    from ltr import NeuralRanker  # JAX, which the other rows do without

    lists = lists_of(setting._replace(small=False))  # cheap
    n, size = lists.first.shape
    X = np.stack([lists.first, np.log1p(np.arange(size))[None].repeat(n, 0)], axis=-1)
    student = NeuralRanker(
        "dear", "linear", max_epochs=30, early_stopping=False, random_state=0
    )
    qid = np.arange(n).repeat(size)
    X = X.reshape(n * size, 2)
    teacher = lists.judged.ravel() / lists.judged.std()
    student.fit(X, lists.relevance.ravel(), qid, teacher_scores=teacher)
    scores = student.predict(X, qid).reshape(n, size)
    alone = [np.argsort(-row, kind="stable").tolist() for row in scores]
    both = [
        listwise_rerank(order, by_score(judged), depth=30).ids
        for order, judged in zip(alone, lists.judged, strict=True)
    ]
    gain = interval(ndcg(lists.relevance, both) - ndcg(lists.relevance, alone))
    effect = "" if gain.low > 0 else "; effect not shown"
    return PaperRow(
        15,
        [f"DeAR: windows on the student's first 30 minus the student {gain}{effect}"],
        "the second stage does not lose significantly",
        gain.high > 0,
    )


def partial_answers(setting: Setting) -> PaperRow:
    """CoTRR: a judge that names five items; the others keep their order."""
    lists = lists_of(setting)
    orders, missing = [], 0
    for scores in lists.judged:
        run = listwise_rerank(
            range(len(scores)),
            lambda ids, s=scores: [*by_score(s)(ids)[:5], "nonsense"],
            window=None,
        )
        orders.append(run.ids)
        missing += run.repairs.missing
    n = lists.first.shape[1]
    are_permutations = all(sorted(order) == list(range(n)) for order in orders)
    rest_in_order = all(order[5:] == sorted(order[5:]) for order in orders)
    first = np.nanmean(ndcg(lists.relevance, [list(range(n))] * len(orders)))
    value = np.nanmean(ndcg(lists.relevance, orders))
    return PaperRow(
        19,
        [
            f"{missing} items of {len(orders)} answers missed, and kept their order",
            f"CoTRR: first stage NDCG@10 {first:.4f}, five items named {value:.4f}",
        ],
        "every result is a permutation, what was not named keeps its order, and five "
        "names are ahead of the first stage",
        are_permutations and rest_in_order and value > first,
    )


def full_ranking(setting: Setting) -> PaperRow:
    """Full ranking: one call for all items; nine passes of windows sort 100."""
    order = np.random.default_rng(0).permutation(100).tolist()
    once = listwise_rerank(order, sorted, window=None)
    nine = listwise_rerank(order, sorted, passes=9)
    stable = listwise_rerank(order, sorted, passes="stable")
    lists = lists_of(setting)
    values = [
        ndcg(lists.relevance, [
            listwise_rerank(range(len(s)), by_score(s), **options).ids
            for s in lists.judged
        ])
        for options in ({"window": None}, {"window": 20, "step": 10})
    ]  # fmt: skip
    gap = interval(values[0] - values[1])
    return PaperRow(
        32,
        [
            f"100 items: {once.n_calls} call; {stable.n_calls} calls until stable",
            f"Full ranking: one call minus one pass of windows, NDCG@10 {gap}; effect "
            "not shown with a judge whose answers do not depend on the window",
        ],
        "one call, and nine passes or passes until stable give the full order; NDCG@10 "
        "of both is the same to .01",
        once.n_calls == 1
        and once.ids == nine.ids == stable.ids == list(range(100))
        and abs(gap.mean) < 0.01,
    )


def lit_llms(setting: Setting) -> PaperRow:
    """LitLLMs: several keyword queries are pooled, and groups of ten are scored."""
    lists = lists_of(setting._replace(small=False))  # cheap
    n_queries, size = lists.first.shape
    rng = np.random.default_rng(0)
    names = lambda row: [str(i) for i in row]
    searches = [  # each keyword query finds other documents
        {
            str(q): names(np.argsort(-(row + rng.normal(0, 2 * row.std(), size)))[:15])
            for q, row in enumerate(lists.first)
        }
        for _ in range(3)
    ]
    pooled = pool_union(searches, 15)
    recalls = {"one query": [], "pool and groups": []}
    for q in range(n_queries):
        pool = pooled["docid"][pooled["qid"] == str(q)].astype(int).tolist()
        judge = lambda ids, q=q: [lists.judged[q, i] for i in ids]
        ranked = groupwise_rerank(pool, judge, size=10, repeats=1).ids
        one = [int(i) for i in searches[0][str(q)]]
        for name, order in zip(recalls, (one, ranked), strict=True):
            recalls[name].append(_recall_of_pool(lists.relevance[q], order, pool))
    gain = interval(np.subtract(*list(recalls.values())[::-1]))
    effect = "" if gain.low > 0 else "; effect not shown"
    return PaperRow(
        34,
        [
            "LitLLMs: normalized recall@10, pool and groups minus one query "
            f"{gain}{effect}"
        ],
        "pool and groups do not lose significantly to one query",
        gain.high > 0,
    )


def _recall_of_pool(relevance: np.ndarray, order: list[int], pool: list[int]) -> float:
    """Share of the relevant documents of the pool among the first 10; NaN if none."""
    if not relevance[pool].any():
        return np.nan
    scores = dict(zip(order, range(len(order), 0, -1), strict=True))
    value = normalized_recall_score(
        (relevance[pool] > 0).astype(float), [scores.get(i, 0) for i in pool], k=10
    )
    return float(value)


def admiral(setting: Setting) -> PaperRow:
    """AdMIRaL: the next piece of evidence depends on those that were picked."""
    n = 40 if setting.small else 200
    rng = np.random.default_rng(0)
    hits, lengths = {"pointwise": 0, "sequential": 0}, []
    for _ in range(n):
        length = int(rng.integers(2, 5))
        links = rng.permutation(30)[: length + 1]  # entities of the chain
        facts = list(itertools.pairwise(links))
        noise = [tuple(rng.integers(0, 30, 2)) for _ in range(15)]
        pool = [(*fact, i) for i, fact in enumerate(facts + noise)]
        gold, start, goal = set(pool[:length]), links[0], links[-1]
        ids = [pool[i] for i in rng.permutation(len(pool))]
        values = {fact: (fact[0] == start) + (fact[1] == goal) for fact in ids}
        first = sorted(ids, key=values.get, reverse=True)[:length]
        hits["pointwise"] += set(first) == gold

        def pick(chosen, rest, start=start, goal=goal):
            reached = chosen[-1][1] if chosen else start
            if chosen and reached == goal:
                return None
            goes_on = {fact[0] for fact in rest} | {goal}
            steps = [fact for fact in rest if fact[0] == reached]
            return max(
                steps,
                key=lambda fact: (fact[1] == goal, fact[1] in goes_on),
                default=None,
            )

        run = sequential_rerank(ids, pick)
        hits["sequential"] += set(run.ids[: run.k]) == gold
        lengths.append(run.k == length)
    shares = {name: count / n for name, count in hits.items()}
    return PaperRow(
        35,
        [
            f"proofs found whole: pointwise {shares['pointwise']:.0%}, sequential "
            f"{shares['sequential']:.0%}",
            f"AdMIRaL: stops at the length of the proof in {np.mean(lengths):.0%}",
        ],
        "sequential finds at least 20 % more of the proofs",
        shares["sequential"] > shares["pointwise"] + 0.2,
    )


def vote_in_context(setting: Setting) -> PaperRow:
    """ViC: a pool with repeats shows a judge how many runs agree on a document."""
    lists = lists_of(setting)
    n_queries, size = lists.first.shape
    rng = np.random.default_rng(0)
    z = lambda values: (values - values.mean(1, keepdims=True)) / values.std()
    shape = lists.first.shape
    systems = [z(lists.relevance) + rng.normal(0, 1.5, shape) for _ in "abc"]
    runs = {name: _run_of(values) for name, values in zip("abc", systems, strict=True)}
    fused = comb_sum(runs, depth=15)
    pool = round_robin(runs, repeats=True, depth=15)
    votes, sums = [], []
    for q in range(n_queries):
        documents = pool["docid"][pool["qid"] == str(q)].astype(int).tolist()
        count = Counter(documents)
        ids = list(dict.fromkeys(documents))  # by turn: a tie goes to the earlier one
        judge = lambda ids, q=q, count=count: sorted(
            ids, key=lambda i: -(count[i] + z(lists.judged)[q, i])
        )
        votes.append(listwise_rerank(ids, judge, window=None).ids)
        sums.append(fused["docid"][fused["qid"] == str(q)].astype(int).tolist())
    rest = lambda order: [*order, *(i for i in range(size) if i not in set(order))]
    gain = interval(
        ndcg(lists.relevance, list(map(rest, votes)))
        - ndcg(lists.relevance, list(map(rest, sums)))
    )
    shared = rng.normal(size=(30, 60))
    matrices = [shared + rng.normal(size=shared.shape) for _ in "ab"]
    permuted = [_run_of(matrices[0]), _run_of(matrices[1][:, rng.permutation(60)])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flags = [
            bool(check_alignment(pair)["is_aligned"][0])
            for pair in (list(map(_run_of, matrices)), permuted)
        ]
    return PaperRow(
        2,
        [
            f"check_alignment: two runs {flags[0]}, one of them permuted {flags[1]}",
            f"ViC: a judge that reads a pool with repeats minus CombSUM {gain}",
        ],
        "the judge is ahead on average, and only the permuted run is reported",
        gain.mean > 0 and flags == [True, False],
    )


def _run_of(scores: np.ndarray) -> dict[str, dict[str, float]]:
    return {
        str(q): {str(i): float(value) for i, value in enumerate(row)}
        for q, row in enumerate(scores)
    }


PAPERS = {
    2: vote_in_context,
    3: groupwise,
    9: insert_rank,
    10: one_token,
    13: setwise,
    15: dear,
    19: partial_answers,
    31: pairwise,
    32: full_ranking,
    34: lit_llms,
    35: admiral,
}
