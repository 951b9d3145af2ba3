"""What patients felt, believed and attended stands in the table of a simulated trial."""

import numpy as np

from trials import BOUNDED, write
from trialsim import scenario
from trialsim.api.cohorts import cohort

FELT = {"unblinding": {}, "dropout.missing_by": {14: 0.4}}
CADSS = [f"cadss_infusion_{i}" for i in (1, 2, 3, 4)]


def test_dissociation_and_guesses_are_columns_that_stay_the_same_over_the_days(tmp_path):
    table = cohort(scenario.load(write(tmp_path, BOUNDED, FELT)), n=200)
    assert (table.groupby("patient")[[*CADSS, "says_active"]].nunique(dropna=False) == 1).all().all()
    one = table[table["day"] == 0].set_index("patient")
    assert one[CADSS].min().min() == 0
    means = one.groupby("arm")[CADSS].mean()
    assert (means.loc["ketamine"] > means.loc["midazolam"]).all()
    assert set(one["says_active"].dropna().unique()) == {0, 1}
    plain = cohort(scenario.load(write(tmp_path, BOUNDED)), n=200)
    assert not {*CADSS, "says_active"} & set(plain.columns)
    np.testing.assert_array_equal(plain["arm"], table["arm"])


def test_an_infusion_after_the_last_visit_seen_was_not_given_and_has_no_score(tmp_path):
    table = cohort(scenario.load(write(tmp_path, BOUNDED, FELT)), n=200)
    last = table[table["present"]].groupby("patient")["day"].max()
    one = table[table["day"] == 0].set_index("patient")
    stayed = last == table["day"].max()
    assert one.loc[stayed, CADSS].notna().all().all()
    for day, name in zip((0, 3, 7, 10), CADSS, strict=True):
        given = one.loc[~stayed & (last > 0), name].notna()
        np.testing.assert_array_equal(given, last[given.index] >= day)


def test_patients_have_a_cadss_under_every_arm(tmp_path):
    table = cohort(scenario.load(write(tmp_path, BOUNDED, FELT)), n=200, potential_outcomes=True)
    first = table[table["day"] == 0].pivot(index="patient", columns="arm", values=CADSS[0]).dropna()
    assert (first["ketamine"] >= first["midazolam"]).mean() > 0.95  # one normal draw for both
