"""Closed forms of power and size against R: stats, pwr, longpower, clusterPower, SPCDAnalyze, rpact, gsDesign.

Powers agree to rounding. Sizes that R finds by its uniroot are right to about 1e-4 (rpact: 1e-7 relative), and ours are
held to that. Every case of the files is either reproduced or left out for a reason that stands in LEFT_OUT.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri

from oracle.comparison import Reference, release
from trialsim.planning.formulas import (
    association,
    clustered,
    equivalence,
    factorial,
    follow_up,
    longitudinal,
    means,
    parallel_comparison,
    partial_nesting,
    proportions,
    slopes,
    survival,
)
from trialsim.planning.formulas.answer import Answer

FOLDER = Path(__file__).parent / "data"
FILES = {
    "power_and_size": FOLDER / "closed_form" / "power_and_size.json",
    "clusters": FOLDER / "closed_form" / "cluster_and_partial_nesting.json",
    "spcd": FOLDER / "closed_form" / "spcd.json",
    "smart": FOLDER / "closed_form" / "smart.json",
    "rpact": FOLDER / "power" / "rpact_samplesize.json",
    "gsdesign": FOLDER / "power" / "gsdesign_survival_rates.json",
}
CASES = {name: json.loads(path.read_text(encoding="utf-8"))["cases"] for name, path in FILES.items()}
EVENTS = FOLDER / "power" / "rpact_event_probabilities.json"

EXACT = {"relative": 1e-9}
"""For powers, and sizes that both sides have in closed form."""
ROOT = {"absolute": 1e-4}
"""For sizes from R's uniroot, and those of longpower."""
NONCENTRAL_F = {"relative": 2e-9}
"""R sums its noncentral beta to an error of 1e-9."""
RPACT = {"relative": 1e-6}
"""For sizes from rpact's own search."""


def reason(file: str, name: str) -> str | None:
    """Return why a case is not reproduced, or None if it is."""
    case = CASES[file][name]
    if file == "smart":
        return "Monte Carlo: each call of smartsizer draws 1,000 times"
    if file == "spcd" and name.startswith("binary"):
        return "an analysis of data, not a design; its pooled variance counts the placebo patients twice"
    if file == "rpact" and case["design"].get("kMax", 3) > 1:
        return "sequential design"
    if name == "gsSurv1":
        return "sequential design"
    if name.startswith("ciBinomial"):
        return "an analysis of data, read by test_score_intervals_against_gsdesign.py"
    return None


def reproduced(file: str) -> list[str]:
    return [name for name in CASES[file] if reason(file, name) is None]


def r_level(case: dict[str, Any]) -> dict[str, Any]:
    """Return the level of a case of stats or pwr; pwr counts both tails, stats only if it is strict."""
    given = case["input"]
    both = case["function_used"].startswith("pwr::") or given.get("strict", False)
    sides = 2 if given.get("alternative", "two.sided") == "two.sided" else 1
    return {"alpha": given.get("sig.level", 0.05), "sides": sides, "either_direction": both}


def t_test(case: dict[str, Any]) -> Answer:
    given = case["input"]
    one = given.get("type") == "paired"
    total = given.get("n") if one else 2 * given["n"] if "n" in given else None
    numbers = {
        "difference": given.get("d", given.get("delta")),
        "sd": given.get("sd", 1.0),
        "n_total": total,
        "power": given.get("power"),
    }
    return (means.one_sample_t if one else means.two_sample_t)(**numbers, **r_level(case))


def t2n_test(case: dict[str, Any]) -> Answer:
    given = case["input"]
    sizes = (given["n1"], given["n2"])
    return means.two_sample_t(difference=given["d"], n_total=sum(sizes), ratio=sizes, **r_level(case))


def prop_test(case: dict[str, Any]) -> Answer:
    given = case["input"]
    total = 2 * given["n"] if "n" in given else None
    return proportions.two_proportions(
        p_control=given["p1"], p_active=given["p2"], n_total=total, power=given.get("power"), **r_level(case)
    )


def arcsine(case: dict[str, Any]) -> Answer:
    given = case["input"]
    sizes = (given.get("n1", given.get("n")), given.get("n2", given.get("n")))
    # The files hold h alone: any two proportions with that h will do.
    p_active = math.sin(math.asin(math.sqrt(0.3)) + given["h"] / 2) ** 2
    return proportions.arcsine_proportions(
        p_control=0.3, p_active=p_active, n_total=sum(sizes), ratio=sizes, **r_level(case)
    )


def anova(case: dict[str, Any]) -> Answer:
    given = case["input"]
    groups = given["groups"]
    f = given.get("effect")
    if f is None:  # R's between.var has groups − 1 in its denominator, f has groups.
        f = math.sqrt(given["between.var"] * (groups - 1) / groups / given["within.var"])
    total = groups * given["n"] if "n" in given else None
    return factorial.one_way(f=f, groups=groups, n_total=total, power=given.get("power"))


def correlation(case: dict[str, Any]) -> Answer:
    return association.correlation_test(r=case["input"]["r"], power=case["input"]["power"], **r_level(case))


def chi_square(case: dict[str, Any]) -> Answer:
    given = case["input"]
    return association.chi_square_test(w=given["w"], df=given["df"], n_total=given["N"])


def mmrm(case: dict[str, Any]) -> Answer:
    """Arm a of longpower is our active arm, and lambda its size over that of arm b.

    longpower gives both arms the mean of their standard deviations, where ours may keep their own.
    """
    given = case["input"]
    phi_a = longitudinal.variance_inflation(given["Ra"], given["ra"])
    phi_b = longitudinal.variance_inflation(given["Rb"], given["rb"]) if "Rb" in given else phi_a
    return longitudinal.mmrm(
        difference=given["delta"],
        sd=0.5 * (given["sigmaa"] + given.get("sigmab", given["sigmaa"])),
        inflation=(phi_b, phi_a),
        n_total=given.get("N"),
        power=given.get("power"),
        ratio=(1, given["lambda"]),
        reference="z",
    )


def mmrm_ar1(case: dict[str, Any]) -> Answer:
    given = case["input"]
    matrix = longitudinal.ar1_correlation(given["rho"], given["times"])
    phi = longitudinal.variance_inflation(matrix, given["ra"])
    STATS.close("ar1", "variance inflation", case["result"]["phi1"], phi, **EXACT)
    return longitudinal.mmrm(
        difference=given["delta"],
        sd=given["sigmaa"],
        inflation=phi,
        power=given["power"],
        ratio=(1, given["lambda"]),
        reference="z",
    )


def diggle(case: dict[str, Any]) -> Answer:
    given, matrix = case["input"], np.array(case["result"]["R"])
    total = 2 * given["n"] if "n" in given else None
    return slopes.slope_difference(
        difference=given["delta"],
        times=given["t"],
        visit_covariance=given.get("sigma2", 1.0) * matrix,
        n_total=total,
        power=given.get("power"),
    )


def edland(case: dict[str, Any]) -> Answer:
    given = case["input"]
    matrix = slopes.random_slope_covariance(
        given["t"],
        residual_variance=given["sig2.e"],
        intercept_variance=given["sig2.int"],
        slope_variance=given["sig2.s"],
        intercept_slope_covariance=given["sig.b0b1"],
    )
    return slopes.slope_difference(
        difference=given["delta"],
        times=given["t"],
        visit_covariance=matrix,
        power=given["power"],
        ratio=(1, given["lambda"]),
    )


def liu_liang(case: dict[str, Any]) -> Answer:
    given = case["input"]
    return slopes.estimating_equation(
        effect=given["delta"],
        effect_designs=(given["u"]["u2"], given["u"]["u1"]),
        other_designs=(given["v"]["v2"], given["v"]["v1"]),
        visit_covariance=given["R"],
        power=given["power"],
    )


def tost(case: dict[str, Any]) -> Answer:
    given = case["input"]
    return equivalence.equivalence_means(
        margin=given["margin"],
        difference=given["true_difference"],
        sd=given["sd"],
        n_total=2 * given["n_per_group"],
        alpha=given["alpha"],
    )


def schoenfeld(case: dict[str, Any]) -> Answer:
    given = case["input"]
    return survival.logrank_events(
        hazard_ratio=given["hr"],
        power=given["power"],
        ratio=(1, given["ratio_active_to_control"]),
        alpha=given["alpha_two_sided"],
    )


STATS = Reference("Power and sample size", release(FILES["power_and_size"], "pwr", "longpower"))
FUNCTIONS: dict[str, tuple[Callable[[dict[str, Any]], Answer], dict[str, float]]] = {
    "pwr::pwr.t.test": (t_test, ROOT),
    "power.t.test": (t_test, ROOT),
    "pwr::pwr.t2n.test": (t2n_test, ROOT),
    "power.prop.test": (prop_test, ROOT),
    "pwr::pwr.2p.test": (arcsine, ROOT),
    "pwr::pwr.2p2n.test": (arcsine, ROOT),
    "power.anova.test": (anova, ROOT),
    "(function(groups, effect, ...) pwr::pwr.anova.test(k = groups, f = effect, ...))": (anova, ROOT),
    "pwr::pwr.r.test": (correlation, ROOT),
    "pwr::pwr.chisq.test": (chi_square, ROOT),
    "longpower::power.mmrm": (mmrm, ROOT),
    "longpower::power.mmrm.ar1": (mmrm_ar1, ROOT),
    "longpower::diggle.linear.power": (diggle, ROOT),
    "longpower::edland.linear.power": (edland, ROOT),
    "longpower::liu.liang.linear.power": (liu_liang, ROOT),
    "our integral: two one-sided pooled t-tests, power = P(both reject)": (tost, ROOT),
    "Schoenfeld: D = (z_{1-alpha/2} + z_power)^2 / (p(1-p) log(HR)^2)": (schoenfeld, EXACT),
}


@pytest.mark.parametrize("name", reproduced("power_and_size"))
def test_stats_pwr_and_longpower(name: str) -> None:
    case = CASES["power_and_size"][name]
    ours, tolerance = FUNCTIONS[case["function_used"]]
    answer, result = ours(case), case["result"]
    if answer.quantity == "power":
        allowed = NONCENTRAL_F if case["function_used"] == "power.anova.test" else EXACT
        STATS.close(name, "power", result["power"], answer.power, **allowed)
    elif "events" in result:
        STATS.close(name, "events", result["events"], answer.n_total, **tolerance)
    elif "n1" in result:
        STATS.close(name, "n", [result["n2"], result["n1"]], answer.n, **tolerance)
    elif isinstance(result["n"], list):  # longpower gives the larger arm first
        STATS.close(name, "n", sorted(result["n"]), sorted(answer.n), **tolerance)
    else:
        STATS.close(name, "n", result["n"], answer.n[0], **tolerance)


CLUSTER_POWER = Reference("Clusters and therapy groups", release(FILES["clusters"], "clusterPower"))


def cluster_randomised(given: dict[str, Any]) -> Answer:
    """nclusters and nsubjects of clusterPower: clusters in an arm, and participants in a cluster."""
    clusters = 2 * given["nclusters"] if "nclusters" in given else None
    common = {
        "icc": given["ICC"],
        "cluster_size": given["nsubjects"],
        "clusters": clusters,
        "power": given["power"],
    }
    if "p1" in given:
        return clustered.cluster_randomised_proportions(p_control=given["p1"], p_active=given["p2"], **common)
    return clustered.cluster_randomised_means(
        difference=given["d"], sd=math.sqrt(given["vart"]), size_variation=given.get("CV", 0.0), **common
    )


def therapy_groups(given: dict[str, Any]) -> Answer:
    total = given["varu"] + given["varei"]
    common = {
        "difference": given["d"],
        "sd": (math.sqrt(given["varr"]), math.sqrt(total)),
        "icc": given["varu"] / total,
        "group_size": given["nsubjects"],
    }
    n_active = given["nclusters"] * given["nsubjects"] if "nclusters" in given else None
    n_control = given.get("ncontrols")
    if n_active is not None and n_control is not None:
        return partial_nesting.partially_nested(**common, n_total=n_active + n_control, ratio=(n_control, n_active))
    return partial_nesting.partially_nested_arm(**common, n_control=n_control, n_active=n_active, power=given["power"])


@pytest.mark.parametrize("name", reproduced("clusters"))
def test_cluster_power(name: str) -> None:
    case = CASES["clusters"][name]
    answer = (therapy_groups if "irgtt" in case["function_used"] else cluster_randomised)(case["input"])
    solved, result = case["solved_for"], case["result"]
    if solved == "power":
        CLUSTER_POWER.close(name, "power", result, answer.power, **EXACT)
    elif solved == "ncontrols":
        CLUSTER_POWER.close(name, "controls", result, answer.n[0], **ROOT)
    else:
        ours = answer.details["groups"] if name.startswith("irgtt") else answer.n[0]
        CLUSTER_POWER.close(name, "clusters", result, ours, **ROOT)


SPCD = Reference("Sequential parallel comparison design", release(FILES["spcd"], "SPCDAnalyze"))
SPCD_OUTPUTS = {
    "SPCD_Response": ("response", "weighted"),
    "SPCD_Continuous": ("continuous", "weighted"),
    "uncorrected": ("continuous", "either phase"),
    "corrected": ("continuous", "either phase, Bonferroni"),
}
"""Their `Conventional_Response` takes one of its two variances from phase 2, and is not reproduced."""


def spcd(given: dict[str, Any], output: str, **size: float) -> Answer:
    endpoint, test = SPCD_OUTPUTS[output]
    return parallel_comparison.sequential_parallel(
        phase1=(given["phase1_placebo"], given["phase1_drug"]),
        phase2=(given["phase2_placebo"], given["phase2_drug"]),
        endpoint=endpoint,
        test=test,
        weight=given["w"],
        placebo_share=given["placeboProp"],
        leaving=given["drop"],
        alpha=given["alpha"],
        sides=1,
        **size,
    )


@pytest.mark.parametrize("name", reproduced("spcd"))
def test_spcd(name: str) -> None:
    case = CASES["spcd"][name]
    given, result = case["input"], dict(zip(case["names"], case["result"], strict=True))
    conventional = next(result[key] for key in result if key.startswith("Conventional_Contin"))
    # Two arms 1:1, normal scores with the effect of phase 1.
    two_arms = {"difference": normal_difference(given), "alpha": given["alpha"], "sides": 1}
    for output in SPCD_OUTPUTS:
        if name.startswith("power"):
            SPCD.close(name, output, result[output], spcd(given, output, n_total=given["n"]).power, **EXACT)
        else:
            SPCD.same(name, output, result[output], spcd(given, output, power=given["power"]).n_total_rounded)
    if name.startswith("power"):
        SPCD.close(name, "two arms", conventional, means.two_sample_z(n_total=given["n"], **two_arms).power, **EXACT)
    else:
        # Theirs is the smallest whole total, which one arm more than the other may have.
        SPCD.same(
            name, "two arms", conventional, math.ceil(means.two_sample_z(power=given["power"], **two_arms).n_total)
        )


def normal_difference(given: dict[str, Any]) -> float:
    return float(ndtri(given["phase1_drug"]) - ndtri(given["phase1_placebo"]))


RPACT_REFERENCE = Reference("Sample size of fixed designs", release(FILES["rpact"], "rpact"))


def rpact_means(case: dict[str, Any]) -> Answer:
    given, alpha, power = case["input"], case["design"]["alpha"], 1.0 - case["design"]["beta"]
    common = {"power": power, "alpha": alpha, "sides": 1}
    if given.get("meanRatio"):
        return means.mean_ratio_t(
            mean_ratio=given["alternative"], null=given["thetaH0"], variation=given["stDev"], **common
        )
    test = means.one_sample_t if given.get("groups") == 1 else means.two_sample_t
    return test(difference=given["alternative"], sd=given["stDev"], null=given.get("thetaH0", 0.0), **common)


def rpact_rates(case: dict[str, Any]) -> Answer:
    """Group 1 of rpact is our active arm; an allocation of 0 asks rpact for the best, which the result names."""
    given, design = case["input"], case["design"]
    return proportions.farrington_manning(
        p_control=given["pi2"],
        p_active=given["pi1"],
        null=given.get("thetaH0"),
        measure="ratio" if given.get("riskRatio") else "difference",
        ratio=(1.0, case["result"]["allocationRatioPlanned"]),
        power=1.0 - design["beta"],
        alpha=design["alpha"],
    )


def rpact_survival(name: str, case: dict[str, Any]) -> None:
    given, design, result = case["input"], case["design"], case["result"]
    test = {
        "hazard_ratio": given["hazardRatio"],
        "power": 1.0 - design["beta"],
        "method": given.get("typeOfComputation", "Schoenfeld").lower(),
        "alpha": design["alpha"],
        "sides": 1,
    }
    events = survival.logrank_events(**test).n_total
    RPACT_REFERENCE.close(name, "events", result["eventsFixed"], events, **EXACT)
    hazard: Any = given.get("lambda2", math.log(2.0) / given.get("median2", 1.0))
    if isinstance(hazard, list):
        hazard = follow_up.Hazard(tuple(given["piecewiseSurvivalTime"]), tuple(hazard))
    if "followUpTime" in given:
        size = survival.logrank(
            **test, control_hazard=hazard, accrual=given["accrualTime"][1], follow_up=given["followUpTime"]
        )
        RPACT_REFERENCE.close(name, "n", result["nFixed"], size.n_total, **RPACT)
        return
    rates = np.atleast_1d(given["accrualIntensity"]).tolist()
    accrual = follow_up.Accrual(tuple(given["accrualTime"][:-1]), tuple(rates), given["accrualTime"][-1])
    losses = [-math.log(1.0 - given.get(key, 0.0)) / given.get("dropoutTime", 12.0) for key in DROPOUT]
    time = follow_up.time_of_events(
        events, control_hazard=hazard, hazard_ratio=given["hazardRatio"], accrual=accrual, dropout_hazard=losses
    )
    RPACT_REFERENCE.close(name, "time of analysis", result["analysisTime"], time, **RPACT)
    RPACT_REFERENCE.close(name, "n", result["nFixed"], accrual.entered(accrual.end), **EXACT)


DROPOUT = ("dropoutRate2", "dropoutRate1")
"""Control, then active."""


@pytest.mark.parametrize("name", reproduced("rpact"))
def test_rpact(name: str) -> None:
    case = CASES["rpact"][name]
    given, result, alpha = case["input"], case["result"], case["design"]["alpha"]
    if case["fun"] == "getSampleSizeSurvival":
        rpact_survival(name, case)
    elif case["fun"] == "getSampleSizeMeans":
        RPACT_REFERENCE.close(name, "n", result["nFixed"], rpact_means(case).n_total, **RPACT)
    elif case["fun"] == "getSampleSizeRates":
        answer = rpact_rates(case)
        RPACT_REFERENCE.close(name, "n", [result["nFixed2"], result["nFixed1"]], answer.n, **RPACT)
    elif case["fun"] == "getPowerMeans":
        ours = [
            means.two_sample_t(
                difference=d, sd=given["stDev"], n_total=given["maxNumberOfSubjects"], alpha=alpha, sides=1
            ).power
            for d in given["alternative"]
        ]
        RPACT_REFERENCE.close(name, "power", result["overallReject"], ours, **EXACT)
    else:
        assert case["fun"] == "getPowerRates"
        ours = [
            proportions.farrington_manning(
                p_control=given["pi2"], p_active=p, n_total=given["maxNumberOfSubjects"], alpha=alpha
            ).power
            for p in given["pi1"]
        ]
        RPACT_REFERENCE.close(name, "power", result["overallReject"], ours, **EXACT)


def test_rpact_optimal_allocation() -> None:
    """The allocation that rpact calls best needs fewer participants than its neighbours."""
    case = CASES["rpact"]["rates_fixed_7"]
    given, best = case["input"], case["result"]["allocationRatioPlanned"]
    totals = [
        proportions.farrington_manning(p_control=given["pi2"], p_active=given["pi1"], ratio=(1, k), power=0.9).n_total
        for k in (best - 0.01, best, best + 0.01)
    ]
    assert totals[1] < min(totals[0], totals[2])


def test_rpact_event_probabilities() -> None:
    content = json.loads(EVENTS.read_text(encoding="utf-8"))
    given = content["input"]
    losses = [-math.log(1.0 - given[key]) / given["dropoutTime"] for key in DROPOUT]
    accrual = follow_up.uniform_accrual(given["accrualTime"][1], given["accrualIntensity"])
    ratio = (1, given["allocationRatioPlanned"])
    # rpact's are of all who will enter, ours of those who have.
    share = [accrual.entered(t) / accrual.entered(accrual.end) for t in given["time"]]
    reference = Reference("Events expected", release(FILES["rpact"], "rpact"))
    for hazard, loss, key in (
        (given["lambda2"], losses[0], "p2"),
        (given["lambda2"] * given["hazardRatio"], losses[1], "p1"),
    ):
        ours = [
            part * follow_up.event_probability(t, hazard, accrual=accrual, dropout_hazard=loss)
            for t, part in zip(given["time"], share, strict=True)
        ]
        reference.close("event probabilities", key, content[key], ours, **EXACT)
    ours = [
        follow_up.expected_events(
            t,
            control_hazard=given["lambda2"],
            hazard_ratio=given["hazardRatio"],
            accrual=accrual,
            dropout_hazard=losses,
            ratio=ratio,
        )
        / accrual.entered(accrual.end)
        for t in given["time"]
    ]
    reference.close("event probabilities", "overall", content["overall"], ours, **EXACT)


GSDESIGN = Reference("Survival and rates", release(FILES["gsdesign"], "gsDesign"))


@pytest.mark.parametrize("name", reproduced("gsdesign"))
def test_gsdesign(name: str) -> None:
    case = CASES["gsdesign"][name]
    given = case["input"]
    test = {
        "ratio": (1, given["ratio"]),
        "power": 1.0 - given.get("beta", 0.1),
        "alpha": given.get("alpha", 0.025),
        "sides": 1,
    }
    if name.startswith("nEvents"):
        events = survival.logrank_events(hazard_ratio=given["hr"], **test)
        GSDESIGN.close(name, "events", case["events"], events.n_total, **EXACT)
        del test["power"]
        power = survival.logrank_events(hazard_ratio=given["hr"], events=100.0, **test).power
        GSDESIGN.close(name, "power", case["power_at_100"], power, **EXACT)
    elif name.startswith("nSurv"):
        check_lachin_foulkes(name, case, test)
    elif name == "nBinomial_ni":
        n = proportions.farrington_manning(
            p_control=given["p2"], p_active=given["p1"], null=given["delta0"], **test
        ).n_total
        GSDESIGN.close(name, "n", case["n"], n, **EXACT)
    else:
        n = proportions.odds_ratio(p_control=given["p2"], p_active=given["p1"], **test).n_total
        GSDESIGN.close(name, "n", case["n"], n, **EXACT)


def check_lachin_foulkes(name: str, case: dict[str, Any], test: dict[str, Any]) -> None:
    given = case["input"]
    control = given.get("lambdaC", given.get("lambda1"))
    hazard_ratio = given["hr"] if "hr" in given else given["lambda2"] / control
    accrual, end = given.get("R", given.get("Tr")), given.get("T", given.get("Ts"))
    answer = survival.logrank(
        control_hazard=control,
        hazard_ratio=hazard_ratio,
        accrual=accrual,
        follow_up=end - accrual,
        dropout_hazard=given["eta"],
        method="lachin-foulkes",
        **test,
    )
    GSDESIGN.close(name, "n", case["n"], answer.n_total, **EXACT)
    GSDESIGN.close(name, "events", case["events"], answer.details["events"], **EXACT)
    if "eventsC" in case:
        by_arm = [answer.n[arm] * answer.details[key] for arm, key in enumerate(("p_event_control", "p_event_active"))]
        GSDESIGN.close(name, "events by arm", [case["eventsC"], case["eventsE"]], by_arm, **EXACT)


@pytest.mark.parametrize(
    ("file", "total", "kept"),
    [
        ("power_and_size", 49, 49),
        ("clusters", 22, 22),
        ("spcd", 26, 23),
        ("smart", 7, 0),
        ("rpact", 67, 14),
        ("gsdesign", 17, 14),
    ],
)
def test_every_case_is_reproduced_or_left_out_for_a_reason(file: str, total: int, kept: int) -> None:
    assert len(CASES[file]) == total
    assert len(reproduced(file)) == kept
    assert {name for name in CASES[file] if reason(file, name)} | set(reproduced(file)) == set(CASES[file])
