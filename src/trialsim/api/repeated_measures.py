"""The mixed model for repeated measures on a data frame."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, product
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import fdtrc, stdtr, stdtrit

from trialsim.api.repeated import Repeated, read_repeated, refuse
from trialsim.errors import RunError
from trialsim.kernels.mmrm.fit import starting_covariance
from trialsim.kernels.mmrm.inference import (
    BETWEEN_WITHIN,
    DF_METHODS,
    RESIDUAL,
    SATTERTHWAITE,
    Inference,
    fit_at,
    parameters_of,
)
from trialsim.kernels.mmrm.likelihood import Likelihood
from trialsim.kernels.mmrm.reml import RemlFit, maximise
from trialsim.kernels.mmrm.statistics import PatternStatistics, pattern_statistics
from trialsim.kernels.mmrm.structures import STRUCTURES, structure

Array = NDArray[np.float64]

SHORT_NAMES = {
    "us": "unstructured",
    "cs": "compound_symmetry",
    "csh": "heterogeneous_compound_symmetry",
    "ar1": "ar1",
    "ar1h": "heterogeneous_ar1",
    "toep": "toeplitz",
    "toeph": "heterogeneous_toeplitz",
    "ad": "ante_dependence",
    "adh": "heterogeneous_ante_dependence",
}
"""Names of the covariance structures in R's mmrm."""

SIMPLER = ("heterogeneous_toeplitz", "heterogeneous_ar1", "compound_symmetry")
"""What to try where a covariance does not converge."""

LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class MmrmResult:
    """A fitted mixed model for repeated measures.

    Parameters
    ----------
    formula, covariance_structure, df_method, method : str
    converged : bool
        Always true: a fit that does not converge is an error.
    neg2_loglik : float
        −2 × (restricted) log-likelihood with all constants.
    n_subjects, n_observations : int
    """

    formula: str
    covariance_structure: str
    df_method: str
    method: str
    converged: bool
    neg2_loglik: float
    n_subjects: int
    n_observations: int
    _data: Repeated
    _fit: RemlFit
    _likelihood: Likelihood
    _statistics: PatternStatistics
    _groups: tuple[Hashable, ...]
    _grids: dict[tuple[Any, ...], tuple[dict[str, NDArray[np.object_]], Array]] = field(
        default_factory=dict, repr=False
    )

    @property
    def neg2_reml_loglik(self) -> float:
        """−2 × restricted log-likelihood.

        Raises
        ------
        AttributeError
            If the model was fitted by maximum likelihood; `neg2_loglik` holds its value.
        """
        if self.method != "reml":
            raise AttributeError("the model was fitted by maximum likelihood; see neg2_loglik")
        return self.neg2_loglik

    @property
    def aic(self) -> float:
        """−2 log-likelihood + 2 × covariance parameters."""
        return self.neg2_loglik + 2.0 * self._likelihood.n_parameters

    @property
    def bic(self) -> float:
        """−2 log-likelihood + log(participants) × covariance parameters."""
        return float(self.neg2_loglik + np.log(self.n_subjects) * self._likelihood.n_parameters)

    @cached_property
    def coefficients(self) -> pd.DataFrame:
        """Estimate, se, df, t, p, ci_low and ci_high of every coefficient, by term."""
        terms = self._data.terms
        return pd.DataFrame([self._estimate(row) for row in np.eye(len(terms))], index=pd.Index(terms, name="term"))

    @cached_property
    def covariance(self) -> pd.DataFrame | dict[Hashable, pd.DataFrame]:
        """Covariance over visits, squared points; one by group where each has its own."""
        labels = pd.Index(self._data.visits, name=self._data.visit_column)
        frames = [pd.DataFrame(sigma, index=labels, columns=labels) for sigma in self._fit.covariance[0]]
        return frames[0] if not self._groups else dict(zip(self._groups, frames, strict=True))

    @cached_property
    def coefficient_covariance(self) -> pd.DataFrame:
        """Covariance of the coefficients, adjusted where the method adjusts it."""
        terms = self._data.terms
        return pd.DataFrame(self._inference.coefficient_covariance[0], index=terms, columns=terms)

    @cached_property
    def _inference(self) -> Inference:
        method = SATTERTHWAITE if self.df_method in (RESIDUAL, BETWEEN_WITHIN) else self.df_method
        return Inference(self._likelihood, self._fit, self._statistics, method)

    def contrast(self, *, at: Mapping[str, float] | None = None, **factors: Any) -> pd.Series:
        """Return the difference between two levels of one factor, the other factors given or averaged over.

        Parameters
        ----------
        at : mapping, optional
            Values of numeric covariates; their means over the rows of the fit otherwise.
        **factors
            One factor with a pair of levels, (a, b) for a − b; any others with one level as it stands in the data,
            as in ``contrast(arm=("ketamine", "midazolam"), visit=4)``.

        Returns
        -------
        Series
            estimate, se, df, t, p, ci_low, ci_high.
        """
        pairs = {name: value for name, value in factors.items() if isinstance(value, tuple | list)}
        pair = next(iter(pairs.values()), ())
        if len(pairs) != 1 or len(pair) != 2 or pair[0] == pair[1]:
            raise refuse(
                "contrast", "needs one factor with a pair of different levels, as in arm=('ketamine', 'midazolam')"
            )
        (name, (first, second)), fixed = next(iter(pairs.items())), {k: v for k, v in factors.items() if k not in pairs}
        ours, theirs = self._mean_rows(name, [first, second], fixed, at)
        return pd.Series(self._estimate(ours - theirs), name=f"{first} - {second}")

    def lsmeans(self, factor: str, *, at: Mapping[str, float] | None = None, **fixed: Any) -> pd.DataFrame:
        """Return least-squares means of the levels of a factor.

        Parameters
        ----------
        factor : str
        at : mapping, optional
            Values of numeric covariates; their means over the rows of the fit otherwise.
        **fixed
            Levels at which other factors are held, such as ``visit=4``; the rest are averaged over with equal weights.
        """
        levels = self._levels(factor)
        if factor in fixed:
            raise refuse("lsmeans", f"{factor!r} cannot be held at one level while its levels are compared")
        rows = self._mean_rows(factor, levels, fixed, at)
        return pd.DataFrame([self._estimate(row) for row in rows], index=pd.Index(levels, name=factor))

    def f_test(self, *terms: str) -> pd.Series:
        """Return the joint test that all coefficients of some terms are zero.

        Parameters
        ----------
        *terms : str
            Terms of the formula, such as ``"arm"`` and ``"arm:visit"``, the factors in any order.

        Returns
        -------
        Series
            num_df, den_df, f, p.
        """
        names = ", ".join(map(str, self._data.spec.terms))
        known = {frozenset(str(term).split(":")): term for term in self._data.spec.terms}
        columns: dict[int, None] = {}
        for asked in terms:
            term = known.get(frozenset(asked.split(":")))
            if term is None:
                raise refuse("f_test", f"no term {asked!r}; the terms are {names}")
            columns |= dict.fromkeys(self._data.spec.term_indices[term])
        if not columns:
            raise refuse("f_test", f"needs a term with a coefficient; the terms are {names}")
        weights = np.eye(len(self._data.terms))[list(columns)]
        test = self._inference.f_test(weights)
        statistic = float(test.statistic[0])
        den = float(test.df[0]) if self.df_method not in (RESIDUAL, BETWEEN_WITHIN) else self._counted(weights)
        p = float(fdtrc(test.n_contrasts, den, statistic))
        return pd.Series({"num_df": float(test.n_contrasts), "den_df": den, "f": statistic, "p": p})

    def _estimate(self, weights: Array) -> dict[str, float]:
        one = self._inference.contrast(weights)
        estimate, se = float(one.estimate[0]), float(np.sqrt(one.variance[0]))
        df = float(one.df[0]) if self.df_method not in (RESIDUAL, BETWEEN_WITHIN) else self._counted(weights[None])
        t = estimate / se
        half = float(stdtrit(df, 0.5 + LEVEL / 2.0)) * se
        p = float(2.0 * stdtr(df, -abs(t)))
        return {
            "estimate": estimate,
            "se": se,
            "df": df,
            "t": t,
            "p": p,
            "ci_low": estimate - half,
            "ci_high": estimate + half,
        }

    def _counted(self, weights: Array) -> float:
        """Return degrees of freedom that need no more than counting: the smallest of the coefficients involved."""
        between = self._data.between
        if self.df_method == RESIDUAL:
            return float(self.n_observations - len(between))
        involved = np.any(weights != 0, axis=0)
        intercept = np.array([name == "Intercept" for name in self._data.terms])
        within = float(self.n_observations - self.n_subjects - (~between).sum())
        return float(self.n_subjects - between.sum()) if np.any(involved & between & ~intercept) else within

    @cached_property
    def _factors(self) -> dict[Hashable, list[Hashable]]:
        """Levels of each factor of the model."""
        rows, names = self._data.rows, {self._data.visit_column, *self._data.covariates}
        known = [name for name in rows.columns if name in names and isinstance(rows[name].dtype, pd.CategoricalDtype)]
        return {name: list(rows[name].cat.categories) for name in known}

    @cached_property
    def _means(self) -> dict[str, float]:
        """Mean of each numeric covariate over the rows of the fit."""
        numeric = [name for name in self._data.covariates if name not in self._factors]
        return {name: float(self._data.rows[name].mean()) for name in numeric}

    def _levels(self, factor: str) -> list[Hashable]:
        if factor not in self._factors:
            if factor in self._data.covariates:
                words = "is a number in the model; make it text or a category to have a factor, or give a value by at="
                raise refuse(factor, words)
            names = ", ".join(map(str, self._factors))
            raise refuse("factor", f"{factor!r} is not a factor of the model; the factors are {names}")
        return self._factors[factor]

    def _held(self, at: Mapping[str, float] | None) -> dict[str, float]:
        """Return values for the numeric covariates: those given, and means over the rows of the fit."""
        values = dict(self._means)
        for name, value in (at or {}).items():
            if name not in values:
                words = f"the numeric covariates are {', '.join(values)}" if values else "there are none"
                raise refuse("at", f"no numeric covariate {name!r} in the model; {words}")
            if not isinstance(value, Real) or not np.isfinite(float(value)):
                raise refuse("at", f"{name!r} must be held at a finite number; got {value!r}")
            values[name] = float(value)
        return values

    def _mean_rows(
        self, factor: str, levels: Sequence[Any], fixed: Mapping[str, Any], at: Mapping[str, float] | None
    ) -> Array:
        """Return a model row for each level of a factor; others are fixed or averaged over with equal weights."""
        for name, level in [*fixed.items(), *((factor, level) for level in levels)]:
            if level not in self._levels(name):
                words = ", ".join(map(repr, self._levels(name)))
                raise refuse(name, f"has no level {level!r}; its levels are {words}")
        visit = self._data.visit_column
        cells, matrix = self._reference_grid(self._held(at) | {n: level for n, level in fixed.items() if n != visit})
        kept = np.ones(len(matrix), dtype=bool) if visit not in fixed else cells[visit] == fixed[visit]
        return np.stack([matrix[kept & (cells[factor] == level)].mean(axis=0) for level in levels])

    def _reference_grid(self, held: Mapping[str, Any]) -> tuple[dict[str, NDArray[np.object_]], Array]:
        """Return every combination of the levels that are not held, column by column, and its model rows.

        The formula takes most of the time of a mean, and means are asked for visit by visit: grids are kept.
        """
        key = tuple(held.items())
        if key not in self._grids:
            names = list(dict.fromkeys([self._data.visit_column, *self._data.covariates]))
            choices = [[held[name]] if name in held else self._levels(name) for name in names]
            cells = pd.DataFrame(list(product(*choices)), columns=names)
            grid = cells.copy()
            for name in self._factors:
                grid[name] = pd.Categorical(grid[name], dtype=self._data.rows[name].dtype)
            matrix = self._data.spec.get_model_matrix(grid, na_action="raise", output="numpy")
            columns = {name: cells[name].to_numpy(dtype=object) for name in names}
            self._grids[key] = columns, np.asarray(matrix, dtype=float).reshape(len(cells), len(self._data.terms))
        return self._grids[key]


def mmrm(
    formula: str,
    data: pd.DataFrame,
    *,
    subject: str,
    visit: str,
    covariance: str = "unstructured",
    df: str = "kenward-roger",
    method: str = "reml",
    by: str | None = None,
) -> MmrmResult:
    """Fit a mixed model for repeated measures.

    Parameters
    ----------
    formula : str
        As in ``"y ~ baseline*visit + arm*visit + bpd"``; treatment coding, the first level is the reference.
        `visit` is categorical in it whatever its type: levels in numeric or given category order, text sorted.
    data : DataFrame
        One row per participant and visit. Rows with a missing value in the formula's variables are left out.
    subject, visit : str
        Column names.
    covariance : str
        unstructured, compound_symmetry, ar1, toeplitz, ante_dependence, the last four also with
        `heterogeneous_` before them; or mmrm's us, cs, csh, ar1, ar1h, toep, toeph, ad, adh.
    df : str
        satterthwaite; kenward-roger (first derivatives of the covariance only: mmrm's Kenward-Roger-Linear, and
        SAS's KR where the covariance is unstructured); kenward-roger-mmrm (with second derivatives in mmrm's
        parameters); residual; between-within.
    method : {'reml', 'ml'}
    by : str, optional
        Column of the groups, such as the arm, that have a covariance each.

    Raises
    ------
    InputError
        If the call or the data cannot be right; says what to do.
    RunError
        If the fit does not converge.
    """
    name = SHORT_NAMES.get(covariance, covariance)
    for what, value, allowed in (
        ("covariance", name, (*STRUCTURES, *SHORT_NAMES)),
        ("df", df, DF_METHODS),
        ("method", method, ("reml", "ml")),
    ):
        if value not in allowed:
            raise refuse(what, f"must be one of {', '.join(allowed)}; got {value!r}")
    if not isinstance(data, pd.DataFrame):
        raise refuse("data", f"must be a pandas data frame with one row per participant and visit; got {type(data)}")
    if by is not None and by not in data.columns:
        raise refuse("by", f"the data have no column {by!r}")
    repeated = read_repeated(formula, data, subject=subject, visit=visit)
    statistics, group, groups = _statistics(repeated, data, by)
    n_visits = len(repeated.visits)
    plain = Likelihood(
        statistics.observed, structure(name, n_visits), repeated.design, reml=method == "reml", group=group
    )
    pooled = pattern_statistics(repeated.y, repeated.x)[0]
    start = np.repeat(starting_covariance(pooled)[:, None], max(len(groups), 1), axis=1)
    fitted = maximise(plain, statistics, start)
    if not fitted.converged[0]:
        raise _not_converged(name, repeated, by)
    likelihood = Likelihood(
        statistics.observed, parameters_of(name, n_visits, df), repeated.design, reml=method == "reml", group=group
    )
    return MmrmResult(
        formula=formula,
        covariance_structure=name,
        df_method=df,
        method=method,
        converged=bool(fitted.converged[0]),
        neg2_loglik=float(fitted.neg2_loglik[0]),
        n_subjects=repeated.y.shape[1],
        n_observations=int(np.isfinite(repeated.y).sum()),
        _data=repeated,
        _fit=fit_at(likelihood, statistics, fitted.covariance),
        _likelihood=likelihood,
        _statistics=statistics,
        _groups=groups,
    )


def _statistics(
    repeated: Repeated, data: pd.DataFrame, by: str | None
) -> tuple[PatternStatistics, NDArray[np.intp] | None, tuple[Hashable, ...]]:
    """Return the statistics, patterns kept apart by group where there are groups."""
    if by is None:
        return pattern_statistics(repeated.y, repeated.x)[0], None, ()
    of_subject = data.groupby(repeated.subject_column, observed=True)[by].agg(["first", "nunique"])
    if (of_subject["nunique"] > 1).any():
        raise refuse("by", f"{by!r} changes within a participant; groups are of participants")
    labels = of_subject["first"].reindex(repeated.subjects)
    if labels.isna().any():
        words = ", ".join(str(label) for label in labels.index[labels.isna()][:5])
        raise refuse("by", f"{by!r} is empty for some subjects ({words}); give each a group, or leave them out")
    groups = tuple(labels.astype("category").cat.remove_unused_categories().cat.categories)
    parts = [pattern_statistics(repeated.y, repeated.x, included=(labels == g).to_numpy()[None])[0] for g in groups]
    joined = PatternStatistics(
        np.concatenate([part.observed for part in parts]),
        *(np.concatenate(pieces, axis=1) for pieces in zip(*(part[1:] for part in parts), strict=True)),
    )
    group = np.concatenate([np.full(len(part.observed), g, dtype=np.intp) for g, part in enumerate(parts)])
    return joined, group, groups


def _not_converged(name: str, repeated: Repeated, by: str | None) -> RunError:
    """Return the error that tells what may be in the way and what to try."""
    n_visits, seen = len(repeated.visits), np.isfinite(repeated.y[0])
    parameters = structure(name, n_visits).n_parameters
    simpler = [other for other in SIMPLER if structure(other, n_visits).n_parameters < parameters]
    ways = ["look at the scores, or use a formula with fewer terms"]
    if simpler:
        ways = [f"try a simpler one: {' or '.join(simpler)}"]
    if by is not None:
        ways.append(f"leave out by={by!r}")
    flat = [label for v, label in enumerate(repeated.visits) if np.ptp(repeated.y[0, seen[:, v], v]) == 0]
    apart = [
        f"{first} and {second}"
        for (v, first), (w, second) in combinations(enumerate(repeated.visits), 2)
        if not (seen[:, v] & seen[:, w]).any()
    ]
    reasons = [f"{len(repeated.subjects)} participants and {n_visits} visits"]
    reasons += [f"all scores are equal at visit {', '.join(map(str, flat))}"] if flat else []
    reasons += [f"nobody was seen at both of visits {', '.join(apart)}"] if apart else []
    return RunError(f"the {name} covariance did not converge ({'; '.join(reasons)}); {', or '.join(ways)}")
