"""Money in words, power beside what it takes, and figures that draw what they are given."""

import math

import pandas as pd
import pytest
from matplotlib.text import Text

import trialsim as ts
from trialsim.errors import InputError
from trialsim.report.figures.power_by_means import draw_power_by_means
from trialsim.report.figures.trial_flow import draw_trial_flow
from trialsim.report.figures.waiting import draw_waiting
from trialsim.report.operations import power_by_means, usd, usd_ticks
from trialsim.report.operations_tables import power_table
from trialsim.report.operations_words import run_words
from trialsim.report.style import png_bytes

SCENARIO = "scenarios/multisite_operations.yaml"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0"),
        (950.4, "950"),
        (1250.0, "1.25 k"),
        (40_600.0, "40.6 k"),
        (186_400.0, "186 k"),
        (2_571_000.0, "2.57 M"),
    ],
)
def test_money_is_short(value, words):
    assert usd(value) == words


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.0, 500_000.0, 1e6], ["0", "500 k", "1 M"]),
        ([1.47e6, 1.4725e6, 1.475e6, 1.4775e6, 1.48e6], ["1.47 M", "1.4725 M", "1.475 M", "1.4775 M", "1.48 M"]),
        ([999_500.0, 1e6, 1_000_500.0], ["999.5 k", "1 M", "1.0005 M"]),
        ([12.25, 12.5, 12.75], ["12.25", "12.5", "12.75"]),
        ([186_400.0], ["186 k"]),
    ],
)
def test_ticks_of_money_are_told_apart(values, words):
    assert usd_ticks(values) == words


def test_power_by_means_by_hand():
    power = pd.DataFrame(
        [{"cell": 3, "line": "a", "n": 50, "quantity": "Power", "power": 0.8, "power_mcse": 0.02, "power_low": 0.7,
          "power_high": 0.9}]
    )  # fmt: skip
    row = {"cell": 3, "low": 0.0, "high": 9.0, "q05": 20.0, "q95": 40.0}
    summary = pd.DataFrame(
        [
            {**row, "measure": "months_to_last_visit", "value": 30.0, "mcse": 1.0},
            {**row, "measure": "cost_total_usd", "value": 2e6, "mcse": 3e4},
            {**row, "measure": "randomised", "value": 47.0, "mcse": 0.5},
        ]
    )
    frame = power_by_means(power, summary)
    one = frame.iloc[0]
    assert (one["months"], one["usd"], one["randomised"]) == (30.0, 2e6, 47.0)
    assert one["usd_per_percent"] == 25_000.0
    # Relative errors of 1.5 % and 2.5 % together.
    assert one["usd_per_percent_mcse"] == pytest.approx(25_000.0 * math.hypot(0.015, 0.025))
    _, header, rows = power_table(frame)
    assert len(header) == len(rows[0])
    assert rows[0][-1] == "25 k ± 729"
    figure = draw_power_by_means(frame)
    assert [axes.get_xlabel() for axes in figure.axes] == ["Months until the last visit", "Cost, USD"]
    assert all(axes.get_ylim()[0] <= 0.0 for axes in figure.axes)
    assert _words(figure).replace("\u00a0", " ").count("80 %") == 2
    assert figure.get_suptitle() == "Power against what it takes"


@pytest.mark.parametrize("months", [[22.1, 30.1, 30.2], [10.0, 10.1, 30.0], [10.0, 20.0, 30.0]])
def test_numbers_of_patients_can_be_read_where_points_lie_close(months):
    """Where recruitment ends early, more patients asked for take no more months and give no more power."""
    power = [0.75, 0.87, 0.87] if months[2] - months[1] < 1.0 else [0.75, 0.75, 0.87]
    frame = pd.DataFrame({"line": "", "n": [100, 200, 300], "quantity": "Power", "power": power, "months": months})
    frame["usd"] = 5e4 * frame["months"]
    for name, half in (("months", 2.0), ("usd", 1e5)):
        frame[f"{name}_q05"], frame[f"{name}_q95"] = frame[name] - half, frame[name] + half
    frame["power_low"], frame["power_high"] = frame["power"] - 0.05, frame["power"] + 0.05
    figure = draw_power_by_means(frame)
    png_bytes(figure)
    for axes in figure.axes:
        labels = [text for text in axes.texts if "%" not in text.get_text()]
        assert [int(n) for text in labels for n in text.get_text().split(", ")] == [100, 200, 300]
        boxes = [text.get_window_extent() for text in labels]
        assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])


def test_power_beside_what_it_takes_is_that_of_the_whole_trial(request, tmp_path):
    """Of co-primary hypotheses a trial needs all: the power of the first alone is no success for the money."""
    changes = {
        "sample_size": [120],
        "multiplicity": {"method": "co_primary", "hypotheses": ["primary", "early"]},
    }
    path = request.config.rootpath / SCENARIO
    run = ts.run(path, out=tmp_path / "run", replicates=250, workers=1, settings=changes, progress=False)
    drawn = pd.read_csv(run.folder / "figures" / "power_by_means.csv").iloc[0]
    family = run.families.iloc[0]
    assert drawn["power"] == family["conjunctive_power"] < run.summary["power"].iloc[0]
    assert (drawn["power_low"], drawn["power_high"]) == tuple(
        family[["conjunctive_power_low", "conjunctive_power_high"]]
    )
    assert drawn["quantity"] == "Power for both co-primary hypotheses"
    figure = draw_power_by_means(pd.DataFrame([drawn]))
    assert figure.axes[0].get_ylabel() == "Power for both co-primary hypotheses, %"
    caption = power_table(pd.DataFrame([drawn]))[0]
    assert caption.startswith("Power for both co-primary hypotheses and what it takes")


def test_where_recruitment_ends_early_numbers_of_patients_are_those_asked_for(request, tmp_path):
    path = request.config.rootpath / "scenarios" / "quick_start.yaml"
    changes = {
        "sample_size": [20, 300],
        "operations": {"sites": {"number": 4}, "recruitment": {"until_month": 30, "target_months": 24}},
    }
    run = ts.run(path, out=tmp_path / "run", replicates=20, workers=1, settings=changes, progress=False)
    note = "The number of patients is the number asked for: in some cells recruitment ends before it is reached (in as"
    figure = run.plot_power()
    assert figure.axes[0].get_xlabel() == "Patients to be randomised"
    assert note in " ".join(figure.get_supxlabel().split())
    for name in ("power_curves", "accuracy"):
        drawn = (run.folder / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        assert "Patients to be randomised" in drawn
        assert drawn.count("is the number asked for") == 1
    page = run.report.read_text(encoding="utf-8")
    power = page[page.index('<section id="power"') :].partition("</section>")[0]
    assert note in power
    assert ">Patients to be randomised</th>" in power
    recruitment = page[page.index('<section id="operations"') :].partition("</section>")[0]
    assert "Patients randomised in all" in recruitment
    assert "<dt>Patients to be randomised</dt><dd>20, 300</dd>" in page


@pytest.fixture(scope="module")
def operated(request):
    path = request.config.rootpath / SCENARIO
    return ts.simulate_operations(path, replicates=10, workers=1, settings={"sample_size": [20]})


def test_every_figure_is_a_method_and_draws_its_data(operated):
    figures = {
        "recruitment": operated.plot_recruitment,
        "site_rampup": operated.plot_sites,
        "pipeline": operated.plot_pipeline,
        "trial_flow": operated.plot_flow,
        "capacity_use": operated.plot_capacity,
        "waiting": operated.plot_waiting,
        "trial_costs": operated.plot_costs,
    }
    assert list(operated.figures) == list(figures)
    for name, draw in figures.items():
        assert draw().axes, name
        assert not operated.figures.data[name].empty
    with pytest.raises(InputError, match="power comes from finished runs"):
        operated.plot_power()


def test_sizes_whose_waits_are_not_drawn_are_named(operated):
    one = operated.figures.data["waiting"]
    assert "Not drawn" not in _words(draw_waiting(one))
    three = pd.concat([one.assign(n=n) for n in (20, 40, 60)])
    assert "Not drawn, but in the data: 40 patients." in _words(draw_waiting(three))


def test_the_flow_adds_up(operated):
    flow = operated.figures.data["trial_flow"].set_index("step")["mean"]
    arms = ("midazolam", "ketamine_dbt")
    assert flow["randomised"] == sum(flow[f"randomised_{arm}"] for arm in arms)
    costs = operated.figures.data["trial_costs"].set_index("component")
    assert costs.loc["total", "mean"] == pytest.approx(costs["mean"].drop("total").sum())
    assert costs["share"].drop("total").sum() == pytest.approx(1.0)


def test_nobody_is_called_seen_who_may_have_left_for_their_scores(operated, request, tmp_path):
    frame = operated.figures.data["trial_flow"]
    held = frame[frame["step"].str.startswith("last_visit_held")]
    assert set(held["step_label"]) == {"With a place at the last visit"}
    assert "so those seen at the last visit may be fewer" in _words(draw_trial_flow(frame))
    assert "past the last visit" in set(operated.figures.data["pipeline"]["series_label"])
    path = request.config.rootpath / SCENARIO
    run = ts.run(path, replicates=10, workers=1, settings={"sample_size": [20]}, out=tmp_path / "run")
    row = run.summary[run.summary["estimand"] == "primary"].iloc[0]
    told = pd.read_csv(tmp_path / "run/figures/trial_flow.csv", keep_default_na=False)
    assert told["share_missing"].unique().tolist() == pytest.approx([row["share_missing"]])
    share = f"{100 * row['share_missing']:.1f} % of the randomised have no score on day {row['visit_days']:g}."
    assert share in _words(draw_trial_flow(told))


def _words(figure):
    return " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())


def test_a_trial_with_plenty_of_room_waits_for_nobody(request):
    settings = {
        "operations": {"sites": {"number": 3, "rate_per_month": 9}, "costs": {"screen": 5}},
        "sample_size": [20],
    }
    path = request.config.rootpath / "scenarios" / "quick_start.yaml"
    found = ts.simulate_operations(path, replicates=10, workers=1, settings=settings)
    told = dict(enumerate(line[0] for line in found.tables[0][2]))
    assert told[1] == "by the closed form"
    assert "differs" not in " ".join(found.tables[0][2][1])
    assert "Nobody waits: recruitment alone decides how long it takes." in found.text
    with pytest.raises(InputError, match="nothing has a limit"):
        found.plot_capacity()
    assert "Sessions of therapy" not in set(found.figures.data["trial_costs"]["component_label"])


@pytest.mark.parametrize(
    ("share", "told"), [(1.0, "Every trial reached its number"), (0.75, "in as many as 25.0 % of")]
)
def test_a_table_of_power_says_whether_its_numbers_were_reached(share, told):
    rows = [{"measure": "recruited", "value": 1.0}, {"measure": "recruited", "value": share}]
    assert told in run_words(pd.DataFrame(rows))


def test_quotas_that_turn_people_away_are_told_with_the_mix_they_make():
    settings = {
        "operations.recruitment.quotas": {"bpd": 100, "no_bpd": 10},
        "operations.recruitment.until_month": 60,
        "operations.therapy": None,
        "clusters": {},
        "sample_size": 30,
    }
    found = ts.simulate_operations(SCENARIO, settings=settings, replicates=20, workers=1)
    counts = found.summary.set_index("measure")["value"]
    assert counts["stratum_no_bpd_randomised"] <= 10.0 < counts["stratum_bpd_randomised"]
    share = 100.0 * counts["stratum_bpd_randomised"] / counts["randomised"]
    assert f"are TRD with BPD ({share:.1f} %; 50.0 % by the shares of the scenario)" in found.text
    assert "True values over all strata are those of the shares in the scenario" in run_words(found.summary)
    free = ts.simulate_operations(
        SCENARIO, settings=settings | {"operations.recruitment.quotas": {}}, replicates=20, workers=1
    )
    assert "Quotas" not in free.text
    assert "True values" not in run_words(free.summary)
