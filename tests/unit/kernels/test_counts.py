"""Rate regressions: bad replicates are marked with their reason, and their company goes on."""

import numpy as np

from trialsim.kernels.counts import POISSON_LIMIT, REASONS, fit_counts

CONTRAST = np.array([0.0, 1.0])


def block(n_replicates=8, n=40):
    rng = np.random.default_rng(5)
    arm = np.tile(np.arange(n) % 2, (n_replicates, 1))
    x = np.stack([np.ones(arm.shape), arm], axis=2).astype(float)
    exposure = rng.uniform(0.5, 1.5, arm.shape)
    y = rng.poisson(2.0 * exposure * rng.gamma(1.0, 1.0, arm.shape)).astype(float)
    return y, x, exposure


def test_bad_replicates_are_marked_and_the_others_go_on():
    y, x, exposure = block()
    good = fit_counts(y, x, CONTRAST, exposure=exposure)
    assert good.estimable.all()
    y[0, 1], y[1, 1], y[2, 1] = 1.5, -1.0, np.nan
    exposure[3, 1] = 0.0
    y[4] = 0.0
    x[5, :, 1] = 1.0
    y[6, x[6, :, 1] == 1.0] = 0.0
    result = fit_counts(y, x, CONTRAST, exposure=exposure)
    expected = [2, 2, 2, 2, 3, 4, 5, 0]
    assert [REASONS[code] for code in result.status] == [REASONS[code] for code in expected]
    for field in (result.estimate, result.se, result.p, result.dispersion, result.loglik):
        assert np.isnan(field[:7]).all()
    np.testing.assert_allclose(result.estimate[7], good.estimate[7], rtol=1e-10)
    assert fit_counts(y, x, CONTRAST, exposure=exposure, poisson=True).status[6] == 5


def test_less_variation_than_poisson_is_poisson():
    y, x, _ = block(n_replicates=1)
    y[:] = 2.0
    y[0, :4] = [1.0, 3.0, 1.0, 3.0]
    fit = fit_counts(y, x, CONTRAST)
    poisson = fit_counts(y, x, CONTRAST, poisson=True)
    assert fit.status[0] == POISSON_LIMIT
    assert poisson.status[0] == 0
    assert fit.dispersion[0] == 0.0
    np.testing.assert_array_equal(fit.se, poisson.se)


def test_poisson_rates_in_closed_form():
    y, x, exposure = block(n_replicates=3)
    fit = fit_counts(y, x, CONTRAST, exposure=exposure, poisson=True)
    active = x[:, :, 1] == 1.0
    events = [(y * mask).sum(axis=1) for mask in (active, ~active)]
    person_time = [(exposure * mask).sum(axis=1) for mask in (active, ~active)]
    expected = np.log(events[0] / person_time[0]) - np.log(events[1] / person_time[1])
    np.testing.assert_allclose(fit.estimate, expected, rtol=1e-10)
    np.testing.assert_allclose(fit.se, np.sqrt(1.0 / events[0] + 1.0 / events[1]), rtol=1e-10)


def test_very_large_counts_are_refused_and_large_ones_are_not():
    y, x, _ = block(n_replicates=2)
    y[0] *= 300.0
    y[1, 0] = 1e9
    fit = fit_counts(y, x, CONTRAST)
    assert fit.status.tolist() == [0, 2]
    assert 1.0 < fit.dispersion[0] < 10.0
    assert np.isnan(fit.dispersion[1])
