"""Estimands and analyses as the engine takes them, for tests of single analyses."""

from __future__ import annotations

from typing import Any

import numpy as np

from trialsim.analysis.contract import Estimates, Observed
from trialsim.analysis.registry import analyse
from trialsim.scenario.methods import METHODS
from trialsim.scenario.questions import _ABSENT, _USUAL
from trialsim.scenario.resolved import Analysis, Criterion, Endpoint, Estimand, Hypothesis

MET = Endpoint("binary", criterion=Criterion("at_most", 0.5, favourable=True), name="response")
"""A favourable response: a score of 0; tests write 1 where there is none."""

FIELDS = ("estimate", "se", "df", "p", "low", "high")


def analysis(method: str, **settings: Any) -> Analysis:
    """Return an analysis with a scenario's defaults."""
    about = METHODS[method]
    usual = {key: _USUAL.get(key, absent) if key in about.settings else absent for key, absent in _ABSENT.items()}
    given = {"covariates": about.covariates, "df": about.df, "alpha": 0.05, **settings}
    return Analysis(**{**usual, "method": method, "name": method, "measure": about.measure, **given})


def answer(
    trials: Observed,
    method: str,
    *,
    sizes: tuple[int, ...] | None = None,
    visit: int = -1,
    active: int = 1,
    control: int = 0,
    endpoint: Endpoint | None = None,
    hypothesis: Hypothesis | None = None,
    interaction: tuple[int, int] | None = None,
    **settings: Any,
) -> list[Estimates]:
    """Return what an analysis makes of some trials, at each size; the last visit by default."""
    chosen = analysis(method, **settings)
    n, n_visits = trials.scores.shape[1:3]
    kind = METHODS[method].endpoint
    estimand = Estimand(
        "primary",
        "",
        0,
        visit % n_visits,
        active,
        control,
        None,
        (chosen,),
        endpoint or (MET if kind == "binary" else Endpoint()),
        hypothesis or Hypothesis(),
        interaction,
    )
    return analyse(trials, estimand, chosen, sizes or (n,))


def same(one: Estimates, other: Estimates, rows: Any = slice(None), **tolerance: float) -> None:
    """Assert that two answers agree, NaN where NaN."""
    allowed = tolerance or {"rtol": 1e-10, "atol": 1e-12}
    for name in FIELDS:
        np.testing.assert_allclose(getattr(one, name)[rows], getattr(other, name)[rows], err_msg=name, **allowed)
    for name in ("status", "rung", "n_analysed"):
        np.testing.assert_array_equal(getattr(one, name)[rows], getattr(other, name)[rows], err_msg=name)


def first(trials: Observed, n: int) -> Observed:
    """Return the trials of the first n participants."""
    from dataclasses import replace

    return replace(
        trials,
        **{name: getattr(trials, name)[:, :n] for name in ("arm", "stratum", "baseline", "scores")},
    )


def one(trials: Observed, r: int) -> Observed:
    """Return one trial as a block of its own."""
    from dataclasses import replace

    return replace(
        trials,
        **{name: getattr(trials, name)[[r]] for name in ("arm", "stratum", "baseline", "scores")},
    )
