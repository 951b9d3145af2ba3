"""Every analysis of ranks, responses, imputed scores and grouped covariances on trials of hardly anybody."""

import numpy as np
import pytest

from asking import answer
from trials import observed
from trialsim.analysis.contract import FAILED, REASONS

ASKED = [
    *((name, {}) for name in ("mmrm", "clda", "wilcoxon", "van_elteren", "reference_based", "multiple_imputation")),
    *((name, {"covariance_by": by}) for name in ("mmrm", "clda") for by in ("arm", "stratum")),
    *((name, {}) for name in ("risk_difference", "fisher", "cmh", "logistic", "g_computation")),
    *(("risk_difference", {"interval": interval}) for interval in ("newcombe", "wald")),
    *(("logistic", {"penalty": penalty}) for penalty in ("always", "never")),
]


@pytest.mark.parametrize(("method", "settings"), ASKED, ids=lambda value: str(value))
@pytest.mark.parametrize("missing", ["nothing", "the last visit", "everything"])
@pytest.mark.filterwarnings("error")
def test_there_is_an_answer_or_a_reason(method, settings, missing):
    rng = np.random.default_rng(6)
    for n in (1, 2, 3, 4, 6, 10):
        scores = rng.integers(0, 2, size=(1, n, 3)).astype(float)
        if missing == "the last visit":
            scores[:, :, -1] = np.nan
        elif missing == "everything":
            scores[:] = np.nan
        stratum = np.arange(n)[None] // 2 % 2
        found = answer(observed(scores, stratum=stratum, n_strata=2), method, **settings)[0]
        words = found.rungs[found.rung[0]]
        if found.status[0] == FAILED:
            assert words in REASONS
            assert np.isnan([found.estimate[0], found.se[0], found.p[0], found.low[0], found.high[0]]).all()
        else:
            assert words not in REASONS
            assert missing == "nothing"
            assert np.isfinite(found.estimate[0])
            assert 0.0 <= found.p[0] <= 1.0
