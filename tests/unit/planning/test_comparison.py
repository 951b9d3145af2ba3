"""Comparisons of designs: who is compared, common patients, identical designs, ranks, the front and what is refused."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import yaml

from trials import BOUNDED, CONTINUOUS, changed, resolve
from trialsim import scenario
from trialsim.engine.block import draw_block
from trialsim.errors import InputError
from trialsim.kernels.paired import Influences
from trialsim.planning.comparison import Request, compare, prepare, simulating
from trialsim.planning.comparison import comparison as module
from trialsim.planning.comparison.metrics import BY_NAME, Value
from trialsim.planning.comparison.standing import Advantages, over_budget, ranks
from trialsim.streams import Streams

EFFECT = {"course.means.score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 15.0, 12.4]}, "analysis": {}}
DESIGNS = {
    "base": None,
    "again": {},
    "larger": {"sample_size": 96},
    "ratio": {"allocation.ratio": [1, 3]},
    "ancova": {"analysis": {"primary": {"method": "ancova"}}},
}


def load(folder, document, changes=None, name="s"):
    """Write a scenario and load it."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(changed(document, changes or {}), sort_keys=False), encoding="utf-8")
    return scenario.load(path)


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    """A comparison of five designs, two of them the same, with one fifth more patients in another."""
    folder = tmp_path_factory.mktemp("compare")
    prepared = prepare({"s": load(folder, CONTINUOUS, {**EFFECT, "designs": DESIGNS})})
    found, computed = compare(prepared, folder / "out", Request(), replicates=500)
    assert computed
    return prepared, found, folder / "out"


def row(found, design, other="base"):
    """Return the difference of two designs."""
    return next(r for r in found.differences if (r["design"], r["other"]) == (design, other))


def test_identical_designs_differ_by_exactly_0(five):
    found = row(five[1], "again")
    assert found["same_trials"]
    names = ("power_difference", "power_difference_mcse", "power_difference_low", "power_difference_high_adjusted",
             "bias_difference", "bias_difference_mcse", "estimate_difference")  # fmt: skip
    assert [found[name] for name in names] == [0.0] * 7


def test_the_difference_is_that_of_the_powers_and_its_error_that_of_mcnemar(five):
    import pyarrow.parquet as pq

    prepared, found, folder = five
    by_name = {}
    for design in prepared.designs:
        table = pq.read_table(folder / "designs" / design.contender.folder / "estimates.parquet")
        p, estimate = (np.asarray(table[name]) for name in ("p", "estimate"))
        by_name[design.name] = (p <= 0.05) & (estimate < 0)
    for one in found.differences:
        first, second = by_name[one["design"]], by_name[one["other"]]
        b, c = int((first & ~second).sum()), int((second & ~first).sum())
        assert one["power_difference"] == pytest.approx((b - c) / 500)
        assert one["power_difference_mcse"] == pytest.approx(math.sqrt(b + c - (b - c) ** 2 / 500) / 500)
        alone = [x.mean() * (1 - x.mean()) / 500 for x in (first, second)]
        assert one["independent_mcse"] == pytest.approx(math.sqrt(sum(alone)))


def test_a_fifth_more_patients_on_common_patients_is_told_well_apart(five):
    found = row(five[1], "larger")
    assert found["mcse_ratio"] <= 0.70
    assert 0.5 < found["normal_mcse_ratio"] < 0.65
    assert found["replicates_saved_factor"] == pytest.approx(1 / found["mcse_ratio"] ** 2)
    # Only designs that differ in the number of patients alone have the bound.
    assert math.isnan(row(five[1], "ancova")["normal_mcse_ratio"])


def test_intervals_hold_together(five):
    found = five[1].differences
    assert {r["level_adjusted"] for r in found if r["against_reference"]} == {1 - 0.05 / 4}
    assert {r["level_adjusted"] for r in found if not r["against_reference"]} == {1 - 0.05 / 10}
    assert all(r["power_difference_low_adjusted"] <= r["power_difference_low"] for r in found)
    assert len(found) == 10


def test_measures_of_a_design(five):
    metrics = {d["name"]: d["metrics"] for d in five[1].designs}
    assert metrics["ratio"]["control_patients"]["value"] == 20.0
    assert metrics["larger"]["visits"]["value"] == 96 * 4
    assert metrics["base"]["schedule_days"]["value"] == 14.0
    assert metrics["base"]["infusions"]["value"] == 0.0
    assert metrics["base"]["coverage"]["value"] > 0.9
    for absent in ("months", "cost_usd", "unblinding_bias", "adjusted_power"):
        assert math.isnan(metrics["base"][absent]["value"])
        assert metrics["base"][absent]["reason"]


def test_what_power_is_without_an_effect_is_told(tmp_path):
    means = {"course.means.score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 15.0]}, "analysis": {}}
    prepared = prepare(
        {"s": load(tmp_path, CONTINUOUS, {**means, "designs": {"base": None, "more": {"sample_size": 96}}})}
    )
    found, _ = compare(prepared, tmp_path / "out", Request(), replicates=250)
    (told,) = (note for note in found.notes if note.startswith("There is nothing to find in base (type I error "))
    assert told.endswith("power there counts the false claims of benefit alone.")
    error = pd.read_parquet(tmp_path / "out/designs/base/summary.parquet")["type_i_error"][0]
    assert f"{100 * error:.1f} % ±" in told


def test_asked_again_nothing_is_computed(five):
    prepared, found, folder = five
    again, computed = compare(prepared, folder, Request(), replicates=500, workers=2)
    assert not computed
    assert again.to_dict() == found.to_dict()
    other, computed = compare(prepared, folder, Request(reference="larger", metric="n"), replicates=500)
    assert not computed
    assert row(other, "base", "larger")["power_difference"] == -row(found, "larger")["power_difference"]
    assert next(d for d in other.designs if d["name"] == "larger")["rank"] == {"place": 5, "best": 5, "worst": 5}


def test_front_and_ranks(five):
    rows = {d["name"]: d for d in five[1].designs}
    assert rows["larger"]["on_front"]
    assert rows["larger"]["rank"]["place"] == 1
    # Randomised one to three, fewer are on control; otherwise it would be beaten.
    assert rows["ratio"]["on_front"]
    asked, _ = compare(five[0], five[2], Request(front=("power", "n")), replicates=500)
    beaten = next(d for d in asked.designs if d["name"] == "ratio")
    assert "base" in beaten["apparently_beaten_by"]


def test_a_budget_that_no_design_keeps_to_is_an_answer(five):
    found, _ = compare(five[0], five[2], Request(budget={"max_patients": 50}), replicates=500)
    assert not any(d["feasible"] for d in found.designs)
    assert {d["rank"] for d in found.designs if d["rank"] is None} == {None}
    assert "80 patients, more than 50" in found.designs[0]["over_budget"]
    found, _ = compare(five[0], five[2], Request(budget={"max_patients": 80}), replicates=500)
    assert [d["name"] for d in found.designs if not d["feasible"]] == ["larger"]


def test_operations_join_where_they_are_known(five, monkeypatch):
    luck = np.random.default_rng(3).normal(size=500)

    def known(folder, variant, cell):
        assert (folder / "estimates.parquet").exists()
        n = variant.sample_sizes[0]
        return {"months": n / 10 + luck, "cost_usd": np.full(500, 1000.0 * n)} if n > 80 else None

    monkeypatch.setattr(module, "has_operations", lambda variant: True)
    monkeypatch.setattr(simulating, "operational_metrics", known)
    found, _ = compare(five[0], five[2], Request(budget={"max_cost": 90_000}), replicates=500)
    rows = {d["name"]: d for d in found.designs}
    months = rows["larger"]["metrics"]["months"]
    assert months["value"] == pytest.approx(9.6 + luck.mean())
    assert months["mcse"] == pytest.approx(luck.std(ddof=1) / math.sqrt(500))
    assert "96,000 US dollars, more than 90,000" in rows["larger"]["over_budget"]
    assert "not known" in rows["base"]["over_budget"]
    assert any("left out of the Pareto front" in note for note in found.notes)

    def by_luck(folder, variant, cell):
        return {"months": variant.sample_sizes[0] + luck}

    # With the same luck in all designs months are told apart without error.
    monkeypatch.setattr(simulating, "operational_metrics", by_luck)
    found, _ = compare(five[0], five[2], Request(metric="months"), replicates=500)
    assert [d["rank"]["worst"] for d in found.designs] == [4, 4, 5, 4, 4]
    assert "months" in found.front_metrics


def test_months_cost_and_patients_are_those_of_the_trials_as_they_were_run(tmp_path):
    running = {"sites": {"number": 3, "rate_per_month": 4}, "recruitment": {"until_month": 30}}
    designs = {
        "three": {},
        "six": {"operations.sites.number": 6},
        "ends": {"operations.recruitment.until_month": 3},
    }
    document = {**EFFECT, "operations": running, "sample_size": 60, "designs": designs}
    found, _ = compare(prepare({"s": load(tmp_path, CONTINUOUS, document)}), tmp_path / "o", Request(), replicates=250)
    rows = {d["name"]: d for d in found.designs}
    assert {"months", "cost_usd"} <= set(found.front_metrics)
    for design, one in rows.items():
        trials = pd.read_parquet(tmp_path / "o" / "designs" / design / "operations.parquet")
        columns = {"months": "months_to_last_visit", "cost_usd": "cost_total_usd", "n": "randomised"}
        for measure, column in columns.items():
            told = one["metrics"][measure]
            assert told["value"] == pytest.approx(trials[column].mean(), rel=1e-9), (design, measure)
            assert told["mcse"] == pytest.approx(trials[column].std() / math.sqrt(250), abs=1e-9), (design, measure)
        assert one["metrics"]["control_patients"]["value"] == pytest.approx(trials["randomised"].mean() / 2)
    assert rows["three"]["metrics"]["n"] == {**rows["six"]["metrics"]["n"], "value": 60.0, "mcse": 0.0}
    assert rows["ends"]["metrics"]["n"]["value"] < 45
    assert rows["six"]["metrics"]["months"]["value"] < rows["three"]["metrics"]["months"]["value"]
    # Nobody waits in either, so the scores are the same.
    assert row(found, "six", "three")["power_difference"] == 0.0


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(metric="powr"), "--metric: there is no measure 'powr'; did you mean 'power'?"),
        (Request(front=("n", "cost")), "--front: there is no measure 'cost'"),
        (Request(reference="bas"), "--reference: there is no design 'bas'; did you mean 'base'?"),
        (Request(estimand="other"), "--estimand: there is no estimand 'other' in base"),
        (Request(target=1.5), "--target: must lie between 0 and 1, not 1.5"),
        (Request(budget={"max_patients": 0}), "--max-patients: must be above 0, not 0"),
        (Request(budget={"max_patients": math.nan}), "--max-patients: must be above 0, not nan"),
        (Request(budget={"max_cost": 5.0}), "--max-cost: no design has cost"),
        (Request(metric="months"), "--metric: no design has duration"),
    ],
)
def test_what_cannot_be_asked(five, tmp_path, request_, message):
    with pytest.raises(InputError) as caught:
        compare(five[0], tmp_path / "out", request_, replicates=500)
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_designs_without_a_common_question(tmp_path):
    first = load(tmp_path, BOUNDED, name="first")
    second = load(tmp_path, BOUNDED, {"estimands.primary.outcome": "madrs"}, name="second")
    prepared = prepare({"first": first, "second": second})
    with pytest.raises(InputError, match=r"share no estimand: first has primary .qids_sr16.*second has .*madrs"):
        compare(prepared, tmp_path / "out", Request(), replicates=250)
    # Asked for by name, the powers of different questions may be compared, and it is said.
    found, _ = compare(prepared, tmp_path / "out", Request(estimand="primary"), replicates=250)
    assert any("has not the same outcome in all designs: qids_sr16 in first; madrs in second" in n for n in found.notes)


def test_designs_whose_questions_differ_in_the_endpoint_alone_are_told_which(tmp_path):
    first = load(tmp_path, BOUNDED, name="first")
    second = load(tmp_path, BOUNDED, {"estimands.primary.endpoint": "response"}, name="second")
    with pytest.raises(InputError) as caught:
        compare(prepare({"first": first, "second": second}), tmp_path / "out", Request(), replicates=250)
    told = str(caught.value)
    assert "first has primary (qids_sr16, score, day" in told
    assert "second has primary (qids_sr16, response, day" in told
    assert "the same endpoint of one outcome the same name" in told


def test_files_are_made_alike(tmp_path):
    first = load(tmp_path, BOUNDED, name="first")
    other = load(tmp_path, BOUNDED, {"simulation": {"seed": 5, "replicates": 99}, "designs": {"x": None}}, name="other")
    prepared = prepare({"first": first, "other": other})
    assert (prepared.seed, prepared.replicates) == (11, 250)
    assert {design.cell.n for design in prepared.designs} == {40}
    assert len({design.trials for design in prepared.designs}) == 1
    told = " ".join(prepared.notes)
    for words in ("Seeds differ", "Numbers of replicates differ", "designs is left aside (x)", "the first is taken"):
        assert words in told


def test_all_cells(tmp_path):
    document = changed(BOUNDED, {"vary": {"effects.ketamine.specific_share": [0, 0.34]}})
    prepared = prepare({"s": load(tmp_path, document)}, cells=True)
    assert [design.cell.n for design in prepared.designs] == [40, 60, 40, 60]
    assert prepared.designs[1].name == "s effects.ketamine.specific_share=0, n=60"
    assert len(prepared.contenders) == 1
    with pytest.raises(InputError, match="a comparison needs two designs"):
        prepare({"s": load(tmp_path, document)})
    with pytest.raises(InputError, match="designs has one entry, a"):
        prepare({"s": load(tmp_path, {**document, "designs": {"a": {"sample_size": 60}}})})


def test_folders_are_told_apart_on_every_file_system(tmp_path):
    document = {**BOUNDED, "designs": {"a": {"sample_size": 60}, "A": {}}}
    assert [c.folder for c in prepare({"s": load(tmp_path, document)}).contenders] == ["a", "A_2"]
    one = load(tmp_path, BOUNDED)
    assert [c.folder for c in prepare({"é x/1": one, "--": one}).contenders] == ["x_1", "design"]


def test_a_design_in_which_nothing_can_be_fitted_is_on_no_front(tmp_path):
    designs = {"sound": {"sample_size": 60}, "tiny": {"sample_size": 4}}
    prepared = prepare({"s": load(tmp_path, BOUNDED, {"designs": designs})})
    found, _ = compare(prepared, tmp_path / "out", Request(), replicates=250)
    sound, tiny = found.designs
    assert (sound["on_front"], sound["rank"]["place"]) == (True, 1)
    assert (tiny["on_front"], tiny["rank"], tiny["failed"]) == (False, None, 250)
    assert found.front_metrics == ("power", "n", "control_patients")
    assert any("Fits failed (250 in tiny, of 250)" in note for note in found.notes)
    assert math.isnan(found.differences[0]["power_difference"])


# Common patients ----------------------------------------------------------------------------------------------------


def cohort(changes):
    """Return the first block of a scenario with changes at its first size."""
    resolved = resolve(BOUNDED, {"dropout": None, "allocation.block_sizes": [6], **changes})
    variant = resolved.variants[0]
    return draw_block(variant, resolved.hash, Streams(resolved.seed, 0), variant.sample_sizes[0])


def test_draws_coincide_in_designs_that_differ():
    base = cohort({"sample_size": 60})
    more = cohort({"sample_size": 72})
    np.testing.assert_array_equal(more.arm[:, :60], base.arm)
    np.testing.assert_array_equal(more.observed[:, :60], base.observed)
    ancova = cohort({"sample_size": 60, "analysis": {"primary": {"method": "ancova"}}})
    np.testing.assert_array_equal(ancova.observed, base.observed)
    # Another comparator, ratio, visit or outcome leaves who enters, and their baselines; and where the arm has the same
    # mean, the scores.
    ratio = cohort({"sample_size": 60, "allocation.ratio": [1, 2]})
    saline = cohort({"sample_size": 60, "arms.midazolam.infusion": "saline"})
    later = cohort({"sample_size": 60, "schedule.visits": [3, 7, 10, 14]})
    for other in (ratio, saline, later):
        np.testing.assert_array_equal(other.stratum, base.stratum)
        np.testing.assert_array_equal(other.baseline, base.baseline)
    same = ratio.arm == base.arm
    assert same.mean() > 0.8  # five of six places of a block
    np.testing.assert_array_equal(ratio.observed[same], base.observed[same])
    np.testing.assert_array_equal(saline.arm, base.arm)
    np.testing.assert_array_equal(saline.observed[base.arm == 1], base.observed[base.arm == 1])
    # A visit more gives scores of their own draws, near those without it: the last visit's draw is the same.
    last = (later.observed[..., -1, 0], base.observed[..., -1, 0])
    assert np.corrcoef(*(scores.ravel() for scores in last))[0, 1] > 0.9


# Ranks and budgets --------------------------------------------------------------------------------------------------


def test_ranks_allow_for_error():
    found = np.array([[0.0, 1.0, 3.0], [-1.0, 0.0, 2.0], [-3.0, -2.0, 0.0]])
    low = found - np.where(np.eye(3, dtype=bool), 0.0, 1.5)
    placed = ranks(Advantages(found, low), [0, 1, 2])
    assert [dataclasses.astuple(placed[i]) for i in range(3)] == [(1, 1, 2), (2, 1, 2), (3, 3, 3)]
    assert list(ranks(Advantages(found, low), [1])) == [1]


def test_budgets_in_words():
    values = {"n": Value(120.0), "months": Value(math.nan, 0.0, "no operations")}
    assert over_budget(values, {"max_patients": 120}) == ""
    assert over_budget(values, {"max_patients": 119}) == "120 patients, more than 119"
    assert over_budget(values, {"max_months": 3}) == "duration, months not known: no operations"


def test_a_bias_is_better_nearer_to_0_on_either_side(five):
    from trialsim.planning.comparison.standing import advantages

    metric = dataclasses.replace(
        BY_NAME["bias"], by_replicate=lambda of: Influences(0.0, np.array([0.3, -0.3, 0.1, -0.1]) * of)
    )

    class Design:
        """Tells designs apart by a number."""

        def __init__(self, trials):
            self.trials = trials

    class Of(float):
        """A measured design."""

        @property
        def design(self):
            return Design(float(self))

    found = advantages(metric, [Of(1.0), Of(-1.0)], [{"bias": Value(-0.2, 0.0)}, {"bias": Value(0.5, 0.0)}])
    assert found.found[0, 1] == pytest.approx(0.3)
    # Seen from 0 both move by the same amount in every replicate: the difference of distances has no error.
    assert found.low[0, 1] == pytest.approx(0.3)
