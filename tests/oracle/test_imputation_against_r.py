"""Reference-based imputation against rbmi on mmrm, and Rubin's rules.

R's base fits stop at mmrm's default tolerance, a few 1e-6 of −2 log-likelihood above the optimum, and every refit of
its jackknife does so anew. So the imputation and analysis are tested to rounding with R's own parameters; our fit is
tested to be at or below R's −2 log-likelihood; and the two together agree to a fraction of a standard error.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from oracle.comparison import Reference, release
from oracle.imputation_cases import (
    ANTIDEPRESSANT,
    CASES,
    FOLDER,
    model_of,
    read_antidepressant,
    read_case,
    target_of,
)
from trialsim.kernels.imputation import (
    Model,
    Target,
    conditional_mean,
    draw_normals,
    impute_conditional_means,
    multiple_imputation,
    pool_rubin,
)
from trialsim.kernels.imputation.conditional import conditional_means
from trialsim.kernels.imputation.endpoint import analysis_weights, target_values
from trialsim.kernels.imputation.groups import group_participants
from trialsim.kernels.imputation.likelihood import Problem, maximise
from trialsim.kernels.imputation.sequential import BaseFits

LABELS = [(name, label) for name in CASES for label in read_case(name)[1]]
FORMULAS, FITS, POOLED, DELTA, PUBLISHED = (
    Reference(f"Reference-based imputation, {what}", release(FOLDER / f"{CASES[0]}.json", "rbmi", "mmrm"))
    for what in (
        "with R's parameters",
        "our fits",
        "estimates and jackknife errors",
        "delta adjustment",
        "the antidepressant trial",
    )
)
RULES = Reference("Rubin's rules", release(FOLDER / "rubin.json", "rbmi"))
SHARE_OF_SE = 4e-4
"""What R's stopping rule leaves, in standard errors: below the square root of its excess −2 log-likelihood."""


def r_parameters(expected, model, n_visits):
    """Return R's coefficients (1, 1, V, 4) and covariances (1, 1, S, V, V)."""
    b = dict(zip(expected["beta_names"], expected["beta"], strict=True))
    beta = np.empty((1, 1, n_visits, 4))
    for v in range(n_visits):
        visit = f"visit{v + 1}"
        beta[0, 0, v] = (
            b["(Intercept)"] + b.get(visit, 0.0),
            b["baseline"] + b.get(f"{visit}:baseline", 0.0),
            b["armA1"] + b.get(f"armA1:{visit}", 0.0),
            b["bpd"],
        )
    both = [expected["covariance_control"], expected["covariance_active"]]
    return beta, np.array(both[: 2 if model.by_arm else 1])[None, None]


def imputed(case, scores, expected):
    """Return R's imputed scores and ours."""
    values = expected["conditional_mean_imputations"]
    rows = [case.ids.index(str(i)) for i in values["id"]]
    return values["y"], scores[0, rows, np.array(values["visit"]) - 1]


def words(name, label):
    model = model_of(label)
    return f"{name}: {model.strategy.replace('_', ' ')}{', a covariance per arm' if model.by_arm else ''}"


def check_pooled(reference, case, row, estimate, se):
    reference.close(case, "estimate", row["est"], estimate, absolute=SHARE_OF_SE, unit=("SE", row["se"]))
    reference.close(case, "SE", row["se"], se, relative=SHARE_OF_SE)


@pytest.mark.parametrize(("name", "label"), LABELS)
def test_imputed_scores_and_analysis_with_r_s_parameters(name, label):
    case, content = read_case(name)
    expected, model = content[label], model_of(label)
    beta, sigma = r_parameters(expected, model, case.y.shape[2])
    grouped = group_participants(case.y, case.x, case.arm, case.event, model)
    scores = conditional_means(beta, sigma, grouped, model)
    assert len(expected["conditional_mean_imputations"]["y"]) == np.isnan(case.y).sum()
    FORMULAS.close(words(name, label), "imputed scores", *imputed(case, scores, expected), absolute=1e-11)
    fits = BaseFits(beta, sigma, np.ones((1, 1), bool), np.ones((1, 1), bool))
    for what, row in expected["pooled"].items():
        target = target_of(what)
        weights = analysis_weights(grouped, target, jackknife=False)
        value = target_values(fits, grouped, model, target, weights, jackknife=False)
        FORMULAS.close(words(name, label), "estimate", row["est"], value[0, 0], absolute=1e-11)


@pytest.mark.parametrize(("name", "label"), LABELS)
def test_our_fit_is_at_or_below_r_s_deviance(name, label):
    case, content = read_case(name)
    model = model_of(label)
    grouped = group_participants(case.y, case.x, case.arm, case.event, model)
    problem = Problem(grouped, model.n_constant, model.by_arm, 2)
    products = problem.products(grouped)
    sigma, _, estimable, converged = maximise(problem, products)
    assert estimable.all()
    assert converged.all()
    theirs = problem.evaluate(r_parameters(content[label], model, case.y.shape[2])[1][:, 0], products)
    ours = problem.evaluate(sigma, products)
    deviances = -2.0 * theirs.loglik[0], -2.0 * ours.loglik[0]
    FITS.at_most(words(name, label), "−2 log-likelihood", *deviances, slack=1e-6)
    excess = 2.0 * (ours.loglik[0] - theirs.loglik[0])
    assert excess < 1e-5, "R's fit is near enough for the comparisons below"


@pytest.mark.parametrize(("name", "label"), LABELS)
def test_estimates_and_jackknife_errors(name, label):
    case, content = read_case(name)
    expected = content[label]["pooled"]
    result = conditional_mean(*case[1:], [target_of(what) for what in expected], model_of(label))
    assert result.estimable.all()
    for h, row in enumerate(expected.values()):
        check_pooled(POOLED, words(name, label), row, result.estimate[0, h], result.se[0, h])
        POOLED.close(words(name, label), "p", row["p"], result.p[0, h], relative=0.02, absolute=1e-6)


@pytest.mark.parametrize(("name", "label"), LABELS)
def test_imputed_scores_with_our_fit(name, label):
    case, content = read_case(name)
    scores, _ = impute_conditional_means(*case[1:], model_of(label))
    sd = np.sqrt(np.diag(np.array(content[label]["covariance_control"])).max())
    both = imputed(case, scores, content[label])
    FITS.close(words(name, label), "imputed scores", *both, absolute=1e-3, unit=("SD", sd))


@pytest.mark.parametrize("points", [2, 5])
@pytest.mark.parametrize(("name", "label"), [pair for pair in LABELS if pair[1] in ("MAR", "JR")])
def test_delta_adjustment(name, label, points):
    case, content = read_case(name)
    expected = content[label][f"pooled_delta_plus_{points}_on_missing_in_A1"]
    delta = points * (case.arm == 1)[..., None].astype(float)
    targets = [target_of(what) for what in expected]
    result = conditional_mean(*case[1:], targets, model_of(label), delta=delta)
    plain = conditional_mean(*case[1:], targets, model_of(label))
    for h, (what, row) in enumerate(expected.items()):
        at = f"{words(name, label)}, {points} points"
        check_pooled(DELTA, at, row, result.estimate[0, h], result.se[0, h])
        # What delta itself adds does not hang on the fit.
        added = row["est"] - content[label]["pooled"][what]["est"]
        DELTA.close(at, "added by delta", added, result.estimate[0, h] - plain.estimate[0, h], absolute=1e-10)


RUBIN = json.loads((FOLDER / "rubin.json").read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("name", RUBIN)
def test_rubin_s_rules(name):
    case = RUBIN[name]
    pooled = pool_rubin(np.array(case["est"]), np.array(case["se"]), case["df_complete"])
    RULES.close(name, "estimate", case["pooled_est"], pooled.estimate, relative=1e-12)
    RULES.close(name, "variance", case["pooled_var"], pooled.se**2, relative=1e-12)
    RULES.close(name, "df", case["pooled_df"], pooled.df, relative=1e-12)
    RULES.close(name, "p", case["p"], pooled.p, relative=1e-11)


needs_antidepressant = pytest.mark.skipif(
    not ANTIDEPRESSANT.exists(),
    reason="the antidepressant data of rbmi (Apache-2.0) are not part of this project and not beside it",
)
DRUG_JUMPS = Model("jump_to_reference", arm_columns=(2,))
PLACEBO_MINUS_DRUG = Target(3, (0.0, 0.0, -1.0))


@needs_antidepressant
@pytest.mark.parametrize(
    ("variance", "se", "tolerance"), [("frequentist", 0.858, 0.002), ("information_anchored", 1.123, 0.003)]
)
def test_antidepressant_jackknife(variance, se, tolerance):
    """Cases E2 and E3: one estimate, two meanings of its variance."""
    result = conditional_mean(*read_antidepressant()[1:], [PLACEBO_MINUS_DRUG], DRUG_JUMPS, variance=variance)
    label = f"antidepressant: jump to reference, {variance.replace('_', ' ')}"
    PUBLISHED.close(label, "estimate", 2.126, result.estimate[0, 0], absolute=0.002)
    PUBLISHED.close(label, "SE", se, result.se[0, 0], absolute=tolerance)


@needs_antidepressant
def test_antidepressant_multiple_imputation():
    """Case E4."""
    case = read_antidepressant()
    means = (1.0, 1.0, 0.0)
    targets = [PLACEBO_MINUS_DRUG, Target(3, (0.0, 0.0, 1.0), means), Target(3, (0.0,) * 3, means)]
    normals = draw_normals(np.random.default_rng(20230419), case.y.shape, 3, DRUG_JUMPS, 2, 500)
    pooled = multiple_imputation(*case[1:], targets, DRUG_JUMPS, normals).pooled
    label = "antidepressant: jump to reference, multiple imputation"
    PUBLISHED.close(label, "estimate", [2.156, -6.965, -4.809], pooled.estimate[0], absolute=0.10)
    PUBLISHED.close(label, "SE", 1.113, pooled.se[0, 0], absolute=0.10)
