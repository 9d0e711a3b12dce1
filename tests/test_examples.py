"""The examples, in small mode: their numbers are what they promise."""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from support.examples import EXAMPLES, load

import ltr


def test_every_example_is_short_and_tested():
    """Under 150 lines, with a main, and run below."""
    here = Path(__file__).parent
    tested = "".join(path.read_text() for path in here.glob("test_examples*.py"))
    for path in EXAMPLES.glob("*.py"):
        lines = path.read_text().splitlines()
        assert len(lines) < 150 or path.stem.startswith("benchmark_")
        assert any(line.startswith("def main(") for line in lines)
        assert any("flush=True" in line for line in lines), "a first line at once"
        assert f'load("{path.stem}")' in tested


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_help_runs_nothing(path, monkeypatch, capsys):
    """Every example says what it does, and ends; two of them need their peer."""
    if "\nimport rax\n" in path.read_text():
        pytest.importorskip("rax")
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    monkeypatch.syspath_prepend(str(EXAMPLES))
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(path), run_name="__main__")
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {path.name}")


def test_quickstart(capsys):
    """Both rankers beat a random order by far."""
    result = load("quickstart").main(n_queries=80, max_epochs=30)
    assert capsys.readouterr().out.count("NDCG@10") == 3
    assert result["LambdaMART"] > result["random order"] + 0.15
    assert result["MLP with RankNet"] > result["random order"] + 0.15


def test_rerank_embeddings():
    """Untrained towers are the cosine; trained ones beat it."""
    result = load("rerank_embeddings").main(n_queries=60)
    assert result["untrained"] == pytest.approx(result["cosine"])
    assert result["low"] > 0


def test_rerank_cranfield(ltr_data):
    """On real embeddings the interval of the gain excludes 0."""
    result = load("rerank_embeddings").main(ltr_data)
    assert result["untrained"] == pytest.approx(result["cosine"])
    assert result["low"] > 0


def test_benchmark_training():
    """It runs and prints a ratio; how large is for the machine to say."""
    pytest.importorskip("rax")
    small = {"n_lists": 64, "n_epochs": 2, "n_timed": 2, "rounds": 1}
    with jax.numpy_rank_promotion("allow"):  # the peer's code, as people write it
        rows = load("benchmark_training").main(**small)
    assert [row["loss"] for row in rows] == ["softmax", "ranknet"]
    assert all(row["ratio"] > 0 for row in rows)


def test_benchmark_defaults(capsys, monkeypatch):
    """Its table, with two rankers on a few generated lists."""
    example = load("benchmark_defaults")
    task = example.divide(example.make_ranking(40, list_size=9, random_state=0), 20)
    monkeypatch.setattr(example, "generated", lambda nonlinearity: task)
    linear = example.NeuralRanker("listnet", "linear", max_epochs=5, random_state=0)
    tested = {"NeuralRanker()": linear, "best feature": example.SingleFeatureRanker()}
    monkeypatch.setattr(example, "rankers", lambda metric: tested)
    means = example.main(sizes=(8, 100), n_draws=2)
    assert list(means) == [("make_ranking", 8), ("make_ranking", 20)]
    assert all(0.5 < value < 1 for row in means.values() for value in row.values())
    assert "make_ranking, 20 lists, ndcg@10" in capsys.readouterr().out
    # test lists agree, training sets do not: the mean of 0.1 and -0.1, or one of them
    fits = np.array([[0.1] * 50, [-0.1] * 50])
    assert example.interval(fits) == pytest.approx((-0.1, 0.1))
    assert example.interval(fits[:1]) == pytest.approx((0.1, 0.1))
    lists = np.array([[0.2, 0.0, np.nan] * 30] * 4)
    assert example.interval(lists) == pytest.approx((0.075, 0.125), abs=0.02)


def test_benchmark_overhead(capsys):
    """It runs, and the trees are LightGBM's."""
    example = load("benchmark_overhead")
    example.TREES.update(n_estimators=10, n_jobs=1)
    example.main(n_lists=10, n_rows=1000, rounds=1)
    assert "equal predictions: True" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_benchmark_serving(capsys, tmp_path):
    """A moment of load: every request is answered, also after SIGTERM."""
    pytest.importorskip("uvicorn")
    X = np.random.default_rng(0).normal(size=(20, 136))
    ranker = ltr.LinearRanker(preprocess="standard").fit(X, X[:, 0])
    ltr.save_ranker(ranker, tmp_path / "ridge")
    options = SimpleNamespace(ranker="ridge", connections=4, seconds=1.0, items=3)
    load("benchmark_serving").load_test(tmp_path, options)
    assert "; errors 0; after SIGTERM unanswered 0\n" in capsys.readouterr().out


def test_benchmark_dask():
    """The same bits in each repetition, and a lost worker that ends a fit."""
    pytest.importorskip("distributed")
    result = load("benchmark_dask").main(n_rows=900, n_trees=3, n_runs=2, wait_s=1.0)
    assert result["same"] == 1.0
    assert result["lost"] < 31


def test_benchmark_loading():
    """Both loaders give equal arrays, which it checks; times are for the machine."""
    table = load("benchmark_loading").main(megabytes=0.5, rounds=1)
    assert set(table) == {"dense", "half-empty"}
    assert all(row["ratio"] > 0 for row in table.values())


def test_benchmark_losses():
    """The gradients are those of the peer."""
    pytest.importorskip("rax")
    benchmark = load("benchmark_losses")
    table = benchmark.main(4, 16, rounds=1, names="ranknet,listmle")
    uneven = benchmark.main(20, 40, rounds=1, names="ranknet,hinge", uneven=True)
    for row in [*table.values(), *uneven.values()]:
        assert row["gradient"] < 1e-5


def test_benchmark_scaling(capsys):
    """Trees on a loss of ours beside LightGBM's."""
    results = load("benchmark_scaling").main(
        "trees", n_rows=400, sizes="10,20", n_trees=3, names="listnet,rrhf"
    )
    assert list(results) == [10, 20]
    assert all(
        list(table) == ["lambdarank of LightGBM", "listnet"]
        for table in results.values()
    )
    assert "has no gradient where all scores are equal" in capsys.readouterr().out


def test_benchmark_tree_losses(monkeypatch, capsys, tmp_path):
    """A paired interval for each loss; a second run goes on from the file."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    example, out = load("benchmark_tree_losses"), str(tmp_path / "rows.jsonl")
    results = example.main(None, "listnet,kl_distillation", 3, out)
    assert min(np.nanmean(values) for values in results.values()) > 0.7
    table = capsys.readouterr().out
    assert table.count("[") == len(results) == 5
    monkeypatch.setattr(example, "evaluate", None)
    example.main(None, "listnet,kl_distillation", 3, out)
    assert capsys.readouterr().out == table


def test_distillation(monkeypatch, capsys):
    """A student of the teacher beats a random order; on digits it beats one of labels."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    students = load("papers/special_cases").digit_students
    is_right = students(100, 16, 0.3, 0, ("CE", "PLD"))
    assert is_right["PLD"].mean() > is_right["CE"].mean() + 0.1
    example = load("distillation")
    few = lambda *settings: students(40, 8, *settings[2:], ("CE",))
    monkeypatch.setattr(example, "digit_students", few)
    assert set(example.digits(1)) == {"teacher", "CE"}
    assert capsys.readouterr().out.count("labels,") == 3
    means = example.main(n_queries=60, n_seeds=1)
    assert min(means["PLD"], means["KL"]) > means["random"] + 0.1


def test_preference(monkeypatch):
    """Every loss improves on the reference; λ-weights gain where no model is right."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    example = load("preference")
    utility = example.show_two_sided(1)
    assert utility["LiPO-λ"] > utility["DPO"] + 0.2
    means = example.main(n_queries=60, n_seeds=1)
    assert min(means["LiPO-λ"], means["DPO"]) > means["reference: cosine"] + 0.01


def test_train_every_loss():
    """At least .9 of the noise-free NDCG, by losses of each family."""
    names = ("ranknet", "ranklist", "listnet", "pld", "lipo_lambda", "lambdarank")
    result = load("train_every_loss").main(names=names)
    assert all(result[name] > 0.9 > result["random"] for name in names)


def test_fair_committee(capsys):
    """Without bias the ranked committee is the best; a random one is not."""
    result = load("fair_committee").main(n_seeds=2, n_voters=15, n_items=12, k=4)
    for rule in ("sntv", "borda", "cc"):
        assert result[rule, "as ranked", 0.0] == [1.0, 1.0]
        assert max(result[rule, "random", 0.0]) < 1.0
    assert capsys.readouterr().out.count("with a quota") == 15


def test_benchmark_committees():
    """Greedy is below exact, exact is below the bound."""
    rows = load("benchmark_committees").main(sizes=((12, 3),), n_seeds=2, peer=False)
    assert all(row["greedy"] <= row["exact"] <= row["bound"] for row in rows)


def test_stock_ranking(capsys, monkeypatch):
    """A strong planted signal is found, by trees what no linear score has; rules fail."""
    example = load("stock_ranking")
    few = {name: example.RANKERS[name] for name in ("LambdaMART", "TSP pairwise")}
    few["TSP pairwise"].set_params(max_epochs=4)
    monkeypatch.setattr(example, "RANKERS", few)
    market = example.make_stocks(60, 250, 6, signal=0.5, random_state=1)
    table = example.main(market, n_seeds=1)
    assert table["ridge"]["tau"][1] > 0.15
    assert table["LambdaMART"]["tau - ridge"][1] > 0.0
    for name in ("random", "momentum", "reversal"):
        assert table[name]["tau"][1] < 0.03
        assert table[name]["tau - ridge"][2] < -0.1
    assert capsys.readouterr().out.count("[") == 6 * len(table)


def test_stock_ranking_in_a_market_of_noise(monkeypatch):
    """Where nothing can be found, nothing is: every interval of tau holds 0."""
    example = load("stock_ranking")
    few = {name: example.RANKERS[name] for name in ("LambdaMART", "TSP successor")}
    few["TSP successor"].set_params(max_epochs=2)
    monkeypatch.setattr(example, "RANKERS", few)
    market = example.make_stocks(60, 250, 6, signal=0.0, random_state=1)
    table = example.main(market, n_seeds=1)
    assert all(row["tau"][1] < 0.0 < row["tau"][2] for row in table.values())


def few_of_mq2008(monkeypatch):
    """The benchmark with its fastest rankers."""
    example = load("benchmark_mq2008")
    few = {name: example.RANKERS[name] for name in ("ridge", "LambdaMART")}
    few["TSP pairwise"] = [example.RANKERS["TSP pairwise"][0].set_params(max_epochs=5)]
    monkeypatch.setattr(example, "RANKERS", few)
    monkeypatch.delitem(example.PUBLISHED, "TSP published, global")
    del example.PUBLISHED["TSP published, local"][1:]
    return example


def test_benchmark_mq2008_as_letor(monkeypatch, capsys):
    """Trees beat a random order by far; L@10 is 0 for lists shorter than 10."""
    means = few_of_mq2008(monkeypatch).main(n_seeds=1)
    assert means["LambdaMART"]["NDCG@10"] > means["random"]["NDCG@10"] + 0.1
    assert means["TSP pairwise"]["MAP"] > means["random"]["MAP"] + 0.05
    assert all(row["L@10"] < row["NDCG@10"] for row in means.values())
    assert "minus LambdaMART" in capsys.readouterr().out


def test_benchmark_mq2008_as_oracle(monkeypatch):
    """Row numbers say something of ranks of tied labels, less than nothing of labels."""
    means = few_of_mq2008(monkeypatch).main(protocol="oracle", n_seeds=1)
    rows, published = means["row number"], means["TSP published, local"]
    assert rows["ordinal@10"] > means["random"]["ordinal@10"] + 0.01
    assert rows["NDCG@10"] < means["random"]["NDCG@10"] - 0.02
    shuffled = means["TSP published, local, shuffled"]
    assert published["ordinal@10"] > shuffled["ordinal@10"] + 0.005


@pytest.mark.parametrize("protocol", ["walk-forward", "paper"])
def test_benchmark_stocks(protocol, capsys, monkeypatch):
    """A planted signal is found by both protocols; the best is 0 from itself."""
    monkeypatch.syspath_prepend(EXAMPLES)  # it takes the metrics of stock_ranking
    example = load("benchmark_stocks")
    few = {"ridge": example.RANKERS["ridge"]}
    few["TSP pairwise"] = example.RANKERS["TSP pairwise"][:1]
    few["TSP pairwise"][0].set_params(batch_size=8)
    monkeypatch.setattr(example, "RANKERS", few)
    market = example.make_stocks(24, 250, 2, signal=0.5, random_state=1)
    table = example.main(market, protocol, n_seeds=2)
    assert table["ridge"]["tau"][1] > 0.1
    assert table["TSP pairwise"]["tau"][1] > 0.1
    assert table["ridge"]["tau - ridge"] == (0.0, 0.0, 0.0)
    assert table["random"]["tau - ridge"][2] < -0.1
    assert capsys.readouterr().out.startswith(f"{protocol}, 2 models per ranker")


def test_rank_aggregation(capsys):
    """Kemeny's order is proven, and none has a smaller distance; a voter's is far off."""
    rows = load("rank_aggregation").main(n_items=9)["drawn votes"]
    distance = {row["rule"]: row["distance"] for row in rows}
    assert rows[0]["status"] == "OPTIMAL"
    assert distance["Kemeny"] == rows[0]["bound"] == min(distance.values())
    assert distance["one voter"] > 1.1 * distance["Kemeny"]
    assert all(row["tau"] > 0.6 for row in rows[:-1])
    assert capsys.readouterr().out.count("OPTIMAL") == 1


def test_rank_aggregation_of_real_votes(ltr_data):
    """Known distances of PrefLib's votes; NASCAR's likelihood and log-worths."""
    example = load("rank_aggregation")
    tables = example.main(ltr_data, n_items=5)
    for name, distance in (("sushi", 76948), ("skating", 226.5), ("web search", 33497)):
        assert tables[name][0]["distance"] == tables[name][0]["bound"] == distance
    value, worth = example.nascar(ltr_data)
    assert value == pytest.approx(-4191.0973, abs=1e-3)
    drivers = [57, 67, 50, 14, 39]  # Jones, Pruett, Martin, Marcis, Varde
    assert worth[drivers] == pytest.approx([4.15, 3.62, 2.08, 0.03, -0.15], abs=0.01)


def test_benchmark_orderings(capsys):
    """It runs: equal values, and what is asserted inside of it."""
    small = {"n_lists": 4, "n_instances": 1, "rounds": 1, "sizes": (8,)}
    result = load("benchmark_orderings").main(**small)
    assert all(ratio > 0 for ratio in result["batches"].values())
    assert "3 of 3 proven" in capsys.readouterr().out


def test_constrained_ranking():
    """Each rule gives group b more exposure than none; the conflict is in words."""
    result = load("constrained_ranking").main()
    free = result["no constraint"]["share"]
    assert result["FA*IR minimums"]["share"] > free + 0.05
    assert result["both"]["share"] > free + 0.05
    assert result["equal exposure"]["share"] == pytest.approx(0.45, abs=1e-6)
    assert result["2 per seller in 10"]["ndcg"] > 0.7
    assert "at most 2 items of one seller among the first 10" in result["conflict"]


def test_benchmark_assignment():
    """Matching, the dynamic program and the integer program agree; no peer is better."""
    result = load("benchmark_assignment").main(60, 10, 30, n_exposure=8, rounds=1)
    quotas, exposure = result["quotas"], result["exposure"]
    assert abs(quotas["lost_to_mip"]) < 1e-6
    assert abs(quotas["lost_to_counting"]) < 1e-9
    assert quotas["gain_over_greedy"] > -1e-9
    assert abs(exposure["lost"]) < 1e-6


def test_benchmark_dynamic(capsys):
    """It runs, and both sides find the same maxima."""
    rows = load("benchmark_dynamic").main((3,), n_lists=4, rounds=1, numpy_lists=4)
    assert [row["program"] for row in rows if "ratio" in row] == [
        "best path",
        "best ordering",
    ]
    assert capsys.readouterr().out.count("ms/list") == len(rows)


def test_benchmark_paths(capsys):
    """It runs, every list is proven, and no peer's order is above the bound."""
    small = {"sizes": (9,), "large": (), "n_instances": 1, "n_lists": 10}
    rows = load("benchmark_paths").main(**small)
    assert all(row["proven"] == 1 for row in rows[3:])
    assert capsys.readouterr().out.count("proven 1 of 1") == 7
    gain, control = load("benchmark_paths").jobs(7, n_lists=4, rounds=1, n_products=1)
    assert gain > 0
    assert control > 0


def test_benchmark_public(tmp_path, capsys):
    """A row for each file, with its distance to the published value."""
    matrix = "0 9 40\n 1 0 9\n 21 1 0\n"
    for kind, weights in (("ATSP", matrix), ("SOP", matrix.replace("21", "-1"))):
        (tmp_path / f"br17.{kind.lower()}").write_text(
            f"TYPE: {kind}\nDIMENSION: 3\nEDGE_WEIGHT_TYPE: EXPLICIT\n"
            "EDGE_WEIGHT_FORMAT: FULL_MATRIX\nEDGE_WEIGHT_SECTION\n"
            f"{'3' if kind == 'SOP' else ''}\n{weights}EOF\n"
        )
    (tmp_path / "IO").mkdir()
    (tmp_path / "IO" / "N-three").write_text("3\n 7 4 0\n 0 0 3\n 1 0 0\n")
    (tmp_path / "IO" / "optima.txt").write_text("# name n value\nN-three 3 7 True\n")
    rows = load("benchmark_public").main(str(tmp_path), 1.0, "atsp,sop,lolib")
    assert [row["objective"] for row in rows] == [39, 18, 7]
    assert rows[0]["gap to best %"] == rows[2]["gap to best %"] == 0
    assert np.isnan(rows[1]["gap to best %"])  # no value is published under this name
    assert all(row["status"] == "OPTIMAL" and row["overrun s"] == 0 for row in rows)
    assert "atsp: 1 of 1 proven; 1 of 1 with a published" in capsys.readouterr().out


def test_benchmark_portfolio(monkeypatch, capsys):
    """A cell per family and method; what is proven is behind no other order."""
    monkeypatch.syspath_prepend(EXAMPLES)
    cells = load("benchmark_portfolio").main(sizes=(7,), n_instances=1, seconds=0.5)
    assert len(cells) == 6 * 6
    assert all(cell["behind %"] < 1e-6 for cell in cells if cell["proven"])
    assert capsys.readouterr().out.count("cp_sat") == 6


def test_digit_columns(tmp_path):
    """Scores of pairs are ahead of scores of items, where neighbors matter."""
    example = load("digit_columns")
    names = ["RankNet, attention", "TSP"]
    result = example.main(1, 160, names, plot=tmp_path / "digits.png")
    assert result["lead"] > 0.02
    assert result["low"] > 0
    assert result["RankNet, attention"] > result["nearest_neighbors"] + 0.1
    assert abs(result["shortest_path"]) < 0.1  # it has no direction
    assert (tmp_path / "digits.png").stat().st_size > 10_000


def test_trip_stops(tmp_path):
    """Features of pairs are far ahead of scores of items; feeds are read."""
    example = load("trip_stops")
    names = ["RankNet", "TSP, pair features"]
    result = example.main(1, 600, names)
    assert result["lead over items"] > 0.04
    assert result["low of items"] > 0
    rng = np.random.default_rng(0)
    trips = example.walks(3, rng)
    visits = [
        f"t{k},{k}-{i},{i}" for k, trip in enumerate(trips) for i in range(len(trip))
    ]
    places = [
        f"{k}-{i},{y / 111.2 + 50},{x / 111.2 / np.cos(np.radians(y / 111.2 + 50))}"
        for k, trip in enumerate(trips)
        for i, (x, y) in enumerate(trip)
    ]
    tables = {"stop_times": ["trip_id,stop_id,stop_sequence", *visits]}
    tables["stops"] = ["stop_id,stop_lat,stop_lon", *places]
    for name, lines in tables.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(lines))
    for trip, expected in zip(example.trips_of(tmp_path), trips, strict=True):
        np.testing.assert_allclose(trip - trip[0], expected - expected[0], atol=1e-9)


def test_event_ordering(tmp_path, monkeypatch):
    """The table, and a picture of one decoded group."""
    example = load("event_ordering")
    few = ("random", "TSP successor, path")
    monkeypatch.setattr(
        example, "RANKERS", {name: example.RANKERS[name] for name in few}
    )
    monkeypatch.setitem(example.OPTIONS, "max_epochs", 5)
    means = example.main(n_seeds=1, n_events=200, plot=tmp_path / "events.png")
    assert means["random"] == 0
    assert means["ridge regression of the year"] > 0
    assert (tmp_path / "events.png").stat().st_size > 10_000


def test_benchmark_events(monkeypatch, capsys):
    """A row for each ranker, with its difference to the best baseline."""
    example = load("benchmark_events")
    monkeypatch.setattr(example, "BASELINES", {"random": example.BASELINES["random"]})
    small = example.TSP["TSP pairwise"].set_params(
        max_epochs=1, hidden_layer_sizes=(8,)
    )
    monkeypatch.setattr(example, "TSP", {"TSP pairwise": small})
    taus = example.main(n_seeds=1)
    assert taus["random"] == 0
    assert taus["kernel ridge on both"] > 0.25
    assert "picked" in capsys.readouterr().out


def test_benchmark_metrics():
    """It runs; where a peer is installed, the values are the peer's."""
    table = load("benchmark_metrics").main(((30, 6),), rounds=1)
    assert len(table) == 4
    assert all(row["seconds"] > 0 for row in table.values())


def test_benchmark_tsprank(capsys, monkeypatch):
    """Every row is there, with its share of proofs."""
    example = load("benchmark_tsprank")
    monkeypatch.setitem(example.N_LISTS, 10, 20)
    assert len(example.main(n_train=64, n_epochs=2, sizes=(10,))) == 4 + 3
    assert capsys.readouterr().out.count("%") >= 3


def test_story_sentences(tmp_path):
    """What follows what is worth more than scores of sentences; files are read."""
    example = load("story_sentences")
    names = ["RankNet", "TSP, successor"]
    result = example.main(1, 400, names)
    assert result["low"] > 0
    stories = example.drawn_stories(60, np.random.default_rng(0))
    np.savez(tmp_path / "stories.npz", X=stories.astype(np.float16))
    linear = ["linear", "linear"]
    example.PAIR_RANKERS |= {"linear": example.ITEM_RANKERS["linear"]}
    result = example.main(1, names=linear, data=str(tmp_path / "stories.npz"))
    assert result["lead"] == 0


def test_race_results(tmp_path):
    """Form says something, and a file of orders is read."""
    example = load("race_results")
    example.PAIR_RANKERS |= {"linear": example.ITEM_RANKERS["linear"]}
    result = example.main(1, 80, ["linear"])
    assert result["linear"] > result["last_place"] + 0.02 > 0.1
    rows = ["3,1,2", "1,3,2", "1,2,3", "3,2,1", "2,1,3", "1,3,2"]
    (tmp_path / "orders.csv").write_text("\n".join(rows))
    table = example.read_orders(str(tmp_path / "orders.csv"))
    assert table["competitor"].tolist()[:4] == [3, 1, 2, 1]
    assert table["place"].tolist()[:4] == [1, 2, 3, 1]
