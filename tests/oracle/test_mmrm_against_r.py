"""MMRM fits against R's mmrm: every contrast of every case, nine covariances, REML and ML.

Tolerances, relative: −2 log-likelihood at most 1e-6 above theirs, estimate 1e-5 standard errors, standard
error 1e-6, degrees of freedom 1e-5.
"""

from __future__ import annotations

import numpy as np
import pytest

from oracle.comparison import Reference, release
from oracle.mmrm_cases import FEV_DATA, FOLDER, Case, Expected, arm_weights, covariates, first_set, second_set
from trialsim.kernels.mmrm import fit_mmrm, pattern_statistics

MMRM = Reference("MMRM, Satterthwaite", release(FOLDER / "mm01.json", "mmrm"))
FIRST = sorted(path.stem for path in FOLDER.glob("m[01]*.json"))
SECOND = sorted(path.stem for path in FOLDER.glob("mm*.json"))


def check(case: Case, expected: list[Expected]) -> None:
    assert expected
    for row in expected:
        x, constant = covariates(case, row.terms)
        contrast = np.zeros((case.y.shape[2], x.shape[2]))
        contrast[row.visit] = arm_weights(case, row.terms, row.active, row.control)
        statistics = pattern_statistics(case.y, x)[0]
        fit = fit_mmrm(statistics, contrast, ladder=(row.covariance,), n_constant=constant, reml=row.reml)
        assert fit.rung[0] == 0, row.label
        MMRM.close(row.fit, "estimate", row.estimate, fit.estimate[0], absolute=1e-5, unit=("SE", row.se))
        MMRM.close(row.fit, "SE", row.se, fit.se[0], relative=1e-6)
        MMRM.close(row.fit, "df", row.df, fit.df[0], relative=1e-5)
        MMRM.at_most(row.fit, "−2 log-likelihood", row.neg2_loglik, fit.neg2_loglik[0], slack=1e-6)


@pytest.mark.parametrize("name", FIRST)
def test_one_model_many_covariances(name: str) -> None:
    check(*first_set(name))


@pytest.mark.parametrize("name", SECOND)
def test_several_models_all_visits(name: str) -> None:
    check(*second_set(name))


@pytest.mark.skipif(
    not FEV_DATA.exists(), reason="the FEV data set belongs to R's mmrm and is not part of this project"
)
def test_fev() -> None:
    check(*second_set("fev"))


def test_every_reference_case_is_read() -> None:
    assert len(FIRST) == 11
    assert len(SECOND) == 10
