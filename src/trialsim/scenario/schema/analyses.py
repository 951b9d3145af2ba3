"""How it is answered: analyses, and how several hypotheses are tested together."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, Tag

from trialsim.scenario.schema.values import (
    BY_KIND,
    Name,
    Number,
    Row,
    Section,
    Share,
)

CovarianceName = Literal[
    "unstructured",
    "compound_symmetry",
    "ar1",
    "toeplitz",
    "ante_dependence",
    "heterogeneous_compound_symmetry",
    "heterogeneous_ar1",
    "heterogeneous_toeplitz",
    "heterogeneous_ante_dependence",
]
DfMethod = Literal["satterthwaite", "kenward-roger", "kenward-roger-mmrm", "residual", "between-within"]


StrategyName = Literal[
    "missing_at_random", "jump_to_reference", "copy_reference", "copy_increments", "last_mean_carried_forward"
]


Method = Literal[
    "mmrm",
    "clda",
    "ancova",
    "t_test",
    "welch",
    "wilcoxon",
    "van_elteren",
    "reference_based",
    "multiple_imputation",
    "nested",
    "risk_difference",
    "fisher",
    "cmh",
    "logistic",
    "g_computation",
    "log_rank",
    "cox",
    "kaplan_meier",
    "rmst",
    "negative_binomial",
]


class Analysis(Section):
    """One way to estimate an estimand."""

    name: Name | None = Field(None, description="What it is called in the results; default: the method.")
    method: Method | None = Field(
        None,
        description="Of scores: mmrm (default), clda (the baseline as a response), ancova, t_test, welch, wilcoxon, "
        "van_elteren, reference_based and multiple_imputation (ANCOVA after imputing those who left), nested (groups "
        "of patients). Of responses: risk_difference (default; Miettinen-Nurminen), fisher, cmh, logistic, "
        "g_computation. Of times: cox (default), log_rank, kaplan_meier, rmst. Of counts: negative_binomial.",
    )
    covariance: CovarianceName | None = Field(
        None, description="Covariance over visits of an MMRM or cLDA; default: unstructured."
    )
    covariance_by: Literal["arm", "stratum"] | None = Field(
        None, description="One covariance matrix for each arm or stratum of an MMRM; default: one for all."
    )
    df: DfMethod | None = Field(
        None, description="Degrees of freedom; default: satterthwaite for an MMRM, kenward-roger for a cLDA or nested."
    )
    covariates: Row[Literal["baseline", "stratum"]] | None = Field(
        None, description="Default: baseline and stratum where the method adjusts."
    )
    variance: Literal["constant", "hc2", "hc3"] | None = Field(
        None, description="Standard errors of an ANCOVA: one residual variance (default), or robust to unequal ones."
    )
    strategy: StrategyName | None = Field(
        None, description="What an imputation assumes of those who left; default: jump_to_reference."
    )
    delta: Number | None = Field(
        None, description="Points added to every score of the active arms that is imputed after leaving."
    )
    imputations: Annotated[int, Field(strict=True, ge=2, le=1000)] | None = Field(
        None, description="Number of multiple imputations; default: 25."
    )
    jackknife: Literal["full", "one_step"] | None = Field(
        None, description="Refits of a reference_based analysis without each participant: full (default) or one step."
    )
    group: Name | None = Field(None, description="Which of `clusters` a nested analysis has a random effect for.")
    residual_variance: Literal["common", "by_arm"] | None = Field(
        None, description="Residual variance of a nested analysis; default: by_arm where only some arms have groups."
    )
    penalty: Literal["never", "where_separated", "always"] | None = Field(
        None, description="Firth's penalty in a logistic model; default: where the responses are separated."
    )
    interval: Literal["miettinen_nurminen", "newcombe", "wald"] | None = Field(
        None, description="Test and interval of a risk difference; default: miettinen_nurminen."
    )
    stratified: Annotated[bool, Field(strict=True)] | None = Field(
        None, description="Whether a log-rank test or Cox model is stratified; default: yes where there are strata."
    )
    alpha: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(0.05, description="Two-sided level.")
    fallback: (
        Annotated[
            Annotated[Literal["default", "none"], Tag("as:text")]
            | Annotated[Annotated[Row[CovarianceName], Field(min_length=1)], Tag("as:list")],
            BY_KIND,
        ]
        | None
    ) = Field(
        None,
        description="Covariance structures tried in turn when an MMRM does not converge; default: "
        "heterogeneous_toeplitz, heterogeneous_ar1, compound_symmetry.",
    )


class Multiplicity(Section):
    """How the chance of a false finding is held over several hypotheses."""

    method: Literal[
        "bonferroni",
        "holm",
        "hochberg",
        "hommel",
        "fixed_sequence",
        "fallback",
        "dunnett",
        "graph",
        "co_primary",
    ] = Field(description="Procedure.")
    hypotheses: Row[Annotated[str, StringConstraints(strict=True, max_length=90)]] | None = Field(
        None,
        min_length=2,
        max_length=50,
        description="In order: an estimand (its first analysis), or estimand.analysis; default: every estimand.",
    )
    alpha: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(0.05, description="Two-sided level of the family.")
    weights: Row[Share] | None = Field(
        None, description="Share of alpha of each hypothesis at the start (bonferroni, holm, fallback, graph)."
    )
    transitions: Row[Row[Share]] | None = Field(
        None, description="graph: share of a rejected hypothesis's alpha (row) that goes to each other one (column)."
    )


OneOrMoreAnalyses = Annotated[
    Annotated[Analysis, Tag("as:mapping")] | Annotated[Annotated[Row[Analysis], Field(min_length=1)], Tag("as:list")],
    BY_KIND,
]
