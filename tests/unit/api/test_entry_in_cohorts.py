"""What is known of entry stands in the table of a simulated trial."""

import numpy as np

from trials import BOUNDED, write
from trialsim import scenario
from trialsim.api.cohorts import cohort

NAMES = ["age", "female", "bipolar", "failed_treatments", "screening", "screened", "excluded_in_run_in"]
ENTRY = {
    "population.characteristics": {},
    "population.eligibility": {"outcome": "qids_sr16", "at_least": 16},
    "population.run_in": {"response": 0.3},
}


def test_characteristics_and_screening_are_columns_that_stay_the_same_over_the_days(tmp_path):
    table = cohort(scenario.load(write(tmp_path, BOUNDED, ENTRY)), n=30)
    assert [name for name in table.columns if name in NAMES] == NAMES
    assert (table.groupby("patient")[NAMES].nunique() == 1).all().all()
    assert table["screening"].min() >= 16
    assert set(table["female"].unique()) == {0, 1}
    assert table["age"].between(18, 75).all()
    assert (table["screened"] > table["excluded_in_run_in"]).all()
    plain = cohort(scenario.load(write(tmp_path, BOUNDED)), n=30)
    assert not set(NAMES) & set(plain.columns)
    np.testing.assert_array_equal(plain["arm"], table["arm"])
