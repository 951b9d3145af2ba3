"""Figures of a simulated cohort: what they are drawn from, in all the shapes a scenario can have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.engine.block import draw_block
from trialsim.report.figure_files import figure_files
from trialsim.report.figures.cohort import cohort_figures
from trialsim.report.figures.cohort_correlations import correlation_data
from trialsim.report.figures.cohort_dissociation import dissociation_data, draw_dissociation
from trialsim.report.figures.cohort_distributions import MOST_BINS, distribution_data
from trialsim.streams import Streams

N = 120


def drawn(document):
    resolved = resolve(document)
    variant = resolved.variants[0]
    return variant, draw_block(variant, resolved.hash, Streams(3, 0), N).trial(0, N)


@pytest.fixture(scope="module", params=[BOUNDED, CONTINUOUS], ids=["bounded", "continuous"])
def patients(request):
    return drawn(request.param)


def test_distributions_count_every_patient_who_is_seen(patients):
    variant, trial = patients
    data = distribution_data(variant, trial)
    for k, outcome in enumerate(variant.outcomes):
        own = data[data["outcome"] == outcome]
        assert own.loc[own["day"] == 0, "n"].sum() == N
        assert own.loc[own["day"] > 0, "n"].sum() == (~np.isnan(trial.observed[0, :, -1, k])).sum()
        assert own["low"].nunique() <= MOST_BINS
        for s, stratum in enumerate(variant.strata):
            for a, arm in enumerate(variant.arms):
                group = own[(own["stratum"] == stratum) & (own["arm"] == arm) & (own["day"] == 0)]
                inside = (trial.stratum[0] == s) & (trial.arm[0] == a)
                assert group["share"].sum() == pytest.approx(1.0)
                np.testing.assert_allclose(group["mean"], trial.baseline[0, inside, k].mean())
                for row in group.to_dict("records"):
                    scores = trial.baseline[0, inside, k]
                    within = (scores >= row["low"]) & (scores <= row["high"])
                    if variant.scales[k] is not None:  # no score lies on the end of a bin
                        assert row["n"] == within.sum()


def test_bins_of_a_bounded_scale_end_between_its_steps():
    variant, trial = drawn(BOUNDED)
    data = distribution_data(variant, trial)
    for k, outcome in enumerate(variant.outcomes):
        scale = variant.scales[k]
        own = data[data["outcome"] == outcome]
        places = (own["low"] - scale.minimum) / scale.step + 0.5
        np.testing.assert_allclose(places, np.rint(places), atol=1e-6)
        assert own["low"].min() == pytest.approx(scale.minimum - scale.step / 2)
        assert own["high"].max() > scale.maximum


def test_correlations_are_those_within_arms_and_strata(patients):
    variant, trial = patients
    data = correlation_data(variant, trial)
    n_outcomes = len(variant.outcomes)
    assert len(data) == (2 * n_outcomes) ** 2
    scores = np.concatenate([trial.baseline[0], trial.observed[0, :, -1]], axis=1)
    cell = trial.arm[0] * len(variant.strata) + trial.stratum[0]
    for i in range(2 * n_outcomes):
        for j in range(2 * n_outcomes):
            row = data.iloc[i * 2 * n_outcomes + j]
            both = ~np.isnan(scores[:, i]) & ~np.isnan(scores[:, j])
            pair = scores[both][:, [i, j]].copy()
            for c in np.unique(cell):
                pair[cell[both] == c] -= pair[cell[both] == c].mean(axis=0)
            assert row["correlation"] == pytest.approx(np.corrcoef(pair.T)[0, 1])
            assert row["n"] == both.sum()
            if i == j:
                assert row["asked"] == pytest.approx(1.0)


def test_every_figure_is_drawn_and_is_the_same_bytes_again(patients):
    variant, trial = patients
    figures = cohort_figures(variant, trial, title="A trial")
    assert list(figures) == ["trajectories", "distributions", "correlations"]
    files = figure_files(figures)
    assert sorted(files) == sorted(f"{name}.{kind}" for name in figures for kind in ("png", "svg", "csv"))
    assert files == figure_files(cohort_figures(variant, trial, title="A trial"))
    for data, draw in figures.values():
        assert isinstance(draw(data), Figure)


def test_dissociation_is_drawn_where_it_is_recorded():
    variant, trial = drawn(BOUNDED)
    scores = np.tile(np.array([8.0, 4.0, 0.0]), (1, N, 1))
    scores[0, trial.arm[0] == 0, 2] = np.nan
    scores[0, ::2, 0] = 0.0
    trial = replace(trial, records={"cadss": scores})
    figures = cohort_figures(variant, trial, title="A trial")
    assert list(figures)[-1] == "dissociation"
    data = dissociation_data(variant, trial)
    assert set(data.loc[data["arm"] == variant.arms[0], "infusion"]) == {1, 2}
    for row in data.to_dict("records"):
        inside = (trial.arm[0] == variant.arms.index(row["arm"])) & (
            trial.stratum[0] == variant.strata.index(row["stratum"])
        )
        own = scores[0, inside, row["infusion"] - 1]
        assert row["n"] == len(own)
        assert row["mean"] == pytest.approx(own.mean())
        assert row["median"] == np.median(own)
        assert row["share_of_zeros"] == pytest.approx((own == 0).mean())
    figure = draw_dissociation(data)
    assert len([axes for axes in figure.axes if axes.get_title(loc="left")]) == len(variant.strata)


def test_a_group_without_patients_is_left_out():
    variant, trial = drawn(BOUNDED)
    empty = replace(trial, arm=np.zeros_like(trial.arm))
    figures = cohort_figures(variant, empty, title="A trial")
    assert (figures["distributions"][0]["n_observed"] == 0).any()
    assert figure_files(figures)["distributions.png"].startswith(b"\x89PNG")
