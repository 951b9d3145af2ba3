"""Every way in which `trialsim.mmrm` and its results refuse, and that the words stand in the documentation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trialsim as ts
from trialsim.errors import InputError, RunError, TrialsimError

PAGE = Path(__file__).parents[3] / "docs" / "analysing_real_data.md"
MODEL = "y ~ baseline*visit + arm*visit + bpd"
Change = Callable[[pd.DataFrame], pd.DataFrame]


def trial(n: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(n), 3)
    visit = np.tile([1, 2, 3], n)
    baseline = np.repeat(rng.normal(20.0, 3.0, n), 3)
    own = np.repeat(rng.normal(0.0, 2.0, n), 3)
    y = 0.5 * baseline + own + rng.normal(0.0, 1.0, 3 * n)
    arm = np.where(person % 2 == 1, "active", "control")
    return pd.DataFrame(
        {"id": person, "arm": arm, "bpd": person // 2 % 2, "baseline": baseline, "visit": visit, "y": y}
    )


def fit(data: Any, formula: Any = MODEL, **options: Any) -> ts.MmrmResult:
    return ts.mmrm(formula, data, **({"subject": "id", "visit": "visit"} | options))


def refused(said: str, call: Callable[[], object], error: type[TrialsimError] = InputError) -> None:
    """The call is refused in these words (… stands for anything), without colours, and the page knows them."""
    with pytest.raises(error) as caught:
        call()
    found = str(caught.value)
    position = 0
    for part in said.split(" … "):
        assert part in found[position:], found
        position = found.index(part, position) + len(part)
    assert "\x1b" not in found
    page = " ".join(PAGE.read_text(encoding="utf-8").replace("`", "").replace("\\|", "|").split())
    for part in said.split(" … "):
        assert part.replace("`", "") in page, f"not on the page: {part}"


@pytest.fixture(scope="module")
def fitted() -> ts.MmrmResult:
    return fit(trial())


def without(rows: Callable[[pd.DataFrame], Any]) -> Change:
    """Return the change that empties the score of some rows."""
    return lambda data: data.assign(y=data["y"].mask(rows(data)))


@pytest.mark.parametrize(
    ("said", "change"),
    [
        ("data: has no column … its columns are", lambda d: d.drop(columns="arm")),
        ("data: has more than one column … keep one", lambda d: pd.concat([d, d[["y"]]], axis=1)),
        ("has more than one row at visit … keep one", lambda d: pd.concat([d, d.iloc[[4]]])),
        ("nobody was seen at visit … leave it out of the data", without(lambda d: d["visit"] == 2)),
        ("no row has a value in all of", without(lambda d: d["id"] >= 0)),
        ("no row has a value in all of", lambda d: d.iloc[:0]),
        ("holds infinities", lambda d: d.assign(y=d["y"].where(d.index != 5, np.inf))),
        ("holds infinities", lambda d: d.assign(baseline=d["baseline"].where(d["id"] != 5, -np.inf))),
        ("is the only one with a score", lambda d: d[d["id"] == 3]),
        ("observed rows cannot carry … coefficients", lambda d: d[d["id"] < 2]),
        ("the scores are all equal", lambda d: d.assign(y=5.0)),
        ("is … in all rows that have a score", lambda d: d.assign(arm="control")),
        ("is … in all rows that have a score", without(lambda d: d["arm"] == "active")),
        (
            "are of several types and have no order … or a pandas category",
            lambda d: d.assign(visit=d["visit"].astype(object).where(d["visit"] != 2, "two")),
        ),
        ("constant or follow from those before them: baseline", lambda d: d.assign(baseline=20.0)),
        ("constant or follow from those before them: bpd", lambda d: d.assign(bpd=1)),
        ("the response must be one numeric column", lambda d: d.assign(y=d["y"].astype(str))),
        ("the response must be one numeric column", lambda d: d.assign(y=d["y"] > 10)),
        ("must be a pandas data frame", lambda d: d.to_dict("records")),
    ],
)
def test_data_that_cannot_be_right(said: str, change: Change) -> None:
    # Where a message names a column in the end, the page says it without the column.
    head, _, column = said.rpartition(": ")
    if column in ("baseline", "bpd"):
        with pytest.raises(InputError, match=f"before them: {column}"):
            fit(change(trial()))
        said = head
    refused(said, lambda: fit(change(trial())))


@pytest.mark.parametrize("gone", ["active", "control"])
def test_an_arm_with_nobody_left_at_the_last_visit(gone: str) -> None:
    data = without(lambda d: (d["arm"] == gone) & (d["visit"] == 3))(trial())
    refused("has a score at visit … leave that visit out of the data, or the term", lambda: fit(data))
    with pytest.raises(InputError, match=f"nobody of arm {gone} has a score at visit 3"):
        fit(data)


def test_collinear_covariates_name_the_later_one() -> None:
    data = trial().assign(twice=lambda d: 2.0 * d["baseline"] + 1.0)
    with pytest.raises(InputError, match="before them: twice; leave the term out"):
        fit(data, "y ~ baseline + visit + twice + arm")


@pytest.mark.parametrize(
    ("said", "formula"),
    [
        ("cannot be read", "y ~ (arm"),
        ("cannot be read", "y ~ arm +"),
        ("cannot be read", None),
        ("has no response", "~ arm*visit"),
        ("has no response", "y"),
        ("holds '.' for all columns; name them", "y ~ ."),
        ("holds '|'", "y ~ arm | visit"),
        ("is not a function that formulas know", "y ~ arm + us(visit)"),
        ("the response must be one numeric column", "y + bpd ~ arm"),
        ("the response must be one numeric column", "arm ~ visit"),
        ("cannot be worked out on these data", "y ~ lag(baseline)*visit"),
        ("are not finite in some rows", "y ~ log(bpd)*visit"),
        ("data: has no column", "y ~ `no such`*visit"),
    ],
)
def test_formulas_that_cannot_be_right(said: str, formula: Any) -> None:
    refused(said, lambda: fit(trial(), formula))


@pytest.mark.parametrize(
    ("said", "options"),
    [
        ("data: has no column", {"subject": "patient"}),
        ("data: has no column", {"visit": "week"}),
        ("is given as visit too", {"subject": "visit"}),
        ("covariance: must be one of", {"covariance": "toeplitz_heterogeneous"}),
        ("df: must be one of", {"df": "kenward_roger"}),
        ("method: must be one of", {"method": "REML"}),
        ("by: the data have no column", {"by": "group"}),
        ("changes within a participant", {"by": "visit"}),
    ],
)
def test_options_that_cannot_be_right(said: str, options: dict[str, Any]) -> None:
    refused(said, lambda: fit(trial(), **options))


def test_a_participant_without_a_group() -> None:
    data = trial().assign(group=lambda d: d["arm"].where(d["id"] > 2))
    refused("is empty for some subjects", lambda: fit(data, by="group"))


@pytest.mark.parametrize(
    ("said", "data", "options"),
    [
        ("covariance did not converge … try a simpler one", trial(5), {}),
        ("did not converge … or leave out by=", trial(), {"by": "id"}),
        (
            "all scores are equal at visit",
            trial().assign(y=lambda d: d["y"].where(d["visit"] != 2, 7.0)),
            {"formula": "y ~ visit"},
        ),
        (
            "nobody was seen at both of visits",
            trial()[lambda d: (d["id"] % 2 == 0) ^ (d["visit"] == 2) | (d["visit"] == 1)],
            {"formula": "y ~ visit"},
        ),
    ],
)
def test_fits_that_do_not_converge(said: str, data: pd.DataFrame, options: dict[str, Any]) -> None:
    refused(said, lambda: fit(data, **options), RunError)


@pytest.mark.parametrize(
    ("covariance", "said"),
    [
        ("unstructured", "try a simpler one: heterogeneous_toeplitz or heterogeneous_ar1 or compound_symmetry"),
        ("heterogeneous_toeplitz", "try a simpler one: heterogeneous_ar1 or compound_symmetry"),
        ("compound_symmetry", "look at the scores, or use a formula with fewer terms"),
    ],
)
def test_what_to_try_is_simpler_than_what_failed(covariance: str, said: str) -> None:
    # Participants differ, but each goes exactly the same way: nothing is left within them.
    data = trial().assign(y=lambda d: d["id"] % 7 + d["visit"] ** 2.0)
    with pytest.raises(RunError) as caught:
        fit(data, "y ~ visit", covariance=covariance)
    assert str(caught.value).endswith(said)


@pytest.mark.parametrize(
    ("said", "call"),
    [
        ("contrast: needs one factor with a pair of different levels", lambda f: f.contrast(visit=3)),
        ("contrast: needs one factor with a pair of different levels", lambda f: f.contrast(arm=("active", "active"))),
        ("contrast: needs one factor with a pair of different levels", lambda f: f.contrast(arm=("a", "b", "c"))),
        (
            "contrast: needs one factor with a pair of different levels",
            lambda f: f.contrast(arm=("active", "control"), visit=(3, 1)),
        ),
        ("is not a factor of the model; the factors are", lambda f: f.contrast(group=("active", "control"))),
        ("is not a factor of the model; the factors are", lambda f: f.contrast(arm=("active", "control"), week=3)),
        ("has no level … its levels are", lambda f: f.contrast(arm=("active", "placebo"))),
        ("has no level … its levels are", lambda f: f.contrast(arm=("active", "control"), visit="3")),
        ("is a number in the model", lambda f: f.contrast(bpd=(1, 0))),
        ("is a number in the model", lambda f: f.contrast(arm=("active", "control"), bpd=1)),
        ("no numeric covariate", lambda f: f.contrast(arm=("active", "control"), at={"arm": 1})),
        ("no numeric covariate", lambda f: f.contrast(arm=("active", "control"), at={"y": 1})),
        ("must be held at a finite number", lambda f: f.lsmeans("arm", at={"bpd": "yes"})),
        ("must be held at a finite number", lambda f: f.lsmeans("arm", at={"bpd": np.nan})),
        ("is not a factor of the model; the factors are", lambda f: f.lsmeans("group")),
        ("is a number in the model", lambda f: f.lsmeans("bpd")),
        ("has no level … its levels are", lambda f: f.lsmeans("arm", visit=8)),
        ("cannot be held at one level", lambda f: f.lsmeans("arm", arm="active")),
        ("f_test: no term … the terms are", lambda f: f.f_test("sex")),
        ("f_test: needs a term with a coefficient", lambda f: f.f_test()),
    ],
)
def test_questions_that_the_fit_cannot_answer(
    fitted: ts.MmrmResult, said: str, call: Callable[[ts.MmrmResult], object]
) -> None:
    refused(said, lambda: call(fitted))


def test_the_restricted_likelihood_of_a_maximum_likelihood_fit() -> None:
    with pytest.raises(AttributeError, match="fitted by maximum likelihood; see neg2_loglik"):
        _ = fit(trial(), method="ml").neg2_reml_loglik


def test_a_term_named_twice_counts_once(fitted: ts.MmrmResult) -> None:
    pd.testing.assert_series_equal(
        fitted.f_test("arm", "arm:visit", "visit:arm", "arm"), fitted.f_test("arm", "arm:visit")
    )


def test_factors_by_c_by_category_and_by_truth_are_the_same() -> None:
    data = trial()
    one = fit(data, "y ~ baseline*visit + arm*visit + C(bpd)*visit")
    for changed in (data.assign(bpd=data["bpd"].astype("category")), data.assign(bpd=data["bpd"] == 1)):
        other = fit(changed, "y ~ baseline*visit + arm*visit + bpd*visit")
        for result in (one, other):
            assert list(result.lsmeans("bpd").index) == [0, 1]
        np.testing.assert_allclose(other.lsmeans("arm", visit=3), one.lsmeans("arm", visit=3), rtol=1e-9)


def test_transforms_and_names_with_spaces() -> None:
    data = trial().rename(columns={"baseline": "score before"})
    plain = fit(data, "y ~ `score before`*visit + arm*visit")
    for formula in ("y ~ center(`score before`)*visit + arm*visit", "y ~ scale(`score before`)*visit + arm*visit"):
        one = fit(data, formula)
        for column in ("estimate", "se", "df"):
            ours, theirs = (result.contrast(arm=("active", "control"), visit=3)[column] for result in (one, plain))
            assert ours == pytest.approx(theirs, rel=1e-7)
    curved = fit(data, "y ~ poly(`score before`, 2) + arm*visit")
    assert curved.f_test("poly(`score before`, 2)")["num_df"] == 2
