"""Safety as it is written, resolved from the catalogue, and refused."""

import numpy as np
import pytest

from trialsim import evidence
from trialsim.errors import ScenarioWarning

END = "simulation:"
DBT = (
    ("  ketamine: {infusion: ketamine}", "  ketamine: {infusion: ketamine, therapy: dbt}"),
    ("dropout: {model: mar", "therapies: {dbt: {}}\ndropout: {model: mar"),
)


def also(text):
    return (END, f"{text}\n{END}")


def row(found, path):
    return next(row for row in found.provenance if row.path == path)


def test_nothing_is_watched_unless_it_is_asked_for(resolved):
    variant = resolved().variants[0]
    assert variant.safety is None
    assert variant.counts == ()


def test_the_catalogue_knows_shares_by_kind_of_infusion(resolved):
    found = resolved(also("safety: {}"))
    safety = found.variants[0].safety
    assert [event.name for event in safety.adverse_events] == ["dissociation", "dizziness", "nausea", "headache"]
    for event in safety.adverse_events:
        for arm, share in zip(("midazolam", "ketamine"), event.per_infusion, strict=True):
            assert share == evidence.get(f"defaults.safety.per_infusion.{event.name}.{arm}").value
        assert not event.per_day.any()
    assert safety.stopping_rule is None
    assert row(found, "safety.adverse_events.dissociation.per_infusion.ketamine").citation == "su2023"
    assert row(found, "safety.adverse_events.nausea.per_infusion.midazolam").tag == "assumed"


def test_shares_by_arm_come_before_those_by_kind(resolved):
    text = (
        "safety: {adverse_events: {fall: {per_infusion: {ketamine: 0.3, midazolam: 0.1}}, rash: {per_infusion: 0.02}}}"
    )
    arms = ("  midazolam: {infusion: midazolam}", "  low: {infusion: midazolam}")
    effects = ("contrast: [ketamine, midazolam]", "contrast: [ketamine, low]")
    fall, rash = resolved(also(text), arms, effects).variants[0].safety.adverse_events
    np.testing.assert_array_equal(fall.per_infusion, [0.1, 0.3])
    np.testing.assert_array_equal(rash.per_infusion, [0.02, 0.02])
    text = text.replace("midazolam: 0.1", "midazolam: 0.1, low: 0.2")
    fall = resolved(also(text), arms, effects).variants[0].safety.adverse_events[0]
    np.testing.assert_array_equal(fall.per_infusion, [0.2, 0.3])


def test_events_by_day(resolved):
    text = "safety: {adverse_events: {fall: {per_day: {ketamine: 0.01}}}}"
    (fall,) = resolved(also(text)).variants[0].safety.adverse_events
    np.testing.assert_array_equal(fall.per_day, [0.0, 0.01])
    assert not fall.per_infusion.any()


def test_arms_without_infusions_have_no_events_with_them(resolved):
    arm = ("  midazolam: {infusion: midazolam}", "  midazolam: {infusion: midazolam, infusions: []}")
    safety = resolved(also("safety: {adverse_events: {nausea: }}"), arm).variants[0].safety
    assert safety.adverse_events[0].per_infusion[0] == 0.0
    assert safety.adverse_events[0].per_infusion[1] > 0.0


def test_suicide_attempts_are_a_count_with_rates_of_the_catalogue(resolved):
    found = resolved(also("safety: {suicide_attempts: {dispersion: 2}}"), *DBT)
    (attempts,) = found.variants[0].counts
    rates = [evidence.get(f"defaults.safety.suicide_attempt.{g}_control").value for g in ("bpd", "no_bpd")]
    ratio = evidence.get("defaults.dbt.suicide_attempt_hazard_ratio").value
    np.testing.assert_allclose(attempts.rate_per_day * 365.25, [rates, np.multiply(ratio, rates)], rtol=1e-12)
    assert attempts.dispersion == 2.0
    assert (
        row(found, "safety.suicide_attempts.rate_ratio.ketamine").quantity
        == "defaults.dbt.suicide_attempt_hazard_ratio"
    )
    assert row(found, "safety.suicide_attempts.rate_per_year.no_bpd").tag == "assumed"
    text = "safety: {suicide_attempts: {rate_per_year: {bpd: 0.3, no_bpd: 0.1}, rate_ratio: {ketamine: 2}}}"
    (attempts,) = resolved(also(text)).variants[0].counts
    np.testing.assert_allclose(attempts.rate_per_day * 365.25, [[0.3, 0.1], [0.6, 0.2]], rtol=1e-12)


def test_a_stopping_rule_watches_one_of_all_events(resolved):
    text = (
        "counts: {self_harm: {rate_per_year: 3}}\nevents: {hospitalisation: {}}\n"
        "safety: {adverse_events: {nausea: }, stopping_rule: {event: %s, %s}}"
    )
    safety = resolved(also(text % ("self_harm", "look_every: 30"))).variants[0].safety
    assert [one.name for one in safety.watched] == ["nausea", "self_harm", "hospitalisation"]
    assert [one.per_infusion for one in safety.watched] == [True, False, False]
    rule = safety.stopping_rule
    assert (rule.watched, rule.active, rule.control) == (1, 1, 0)
    assert rule.looks == (30, 60, 90)  # 120 is the last patient of the largest trial
    assert rule.alpha == 0.025
    other = also(text % ("hospitalisation", "looks: [10, 50, 200], alpha: 0.1, contrast: [midazolam, ketamine]"))
    with pytest.warns(ScenarioWarning, match="after 200 patients never happens"):
        rule = resolved(other).variants[0].safety.stopping_rule
    assert (rule.watched, rule.active, rule.control, rule.looks, rule.alpha) == (2, 0, 1, (10, 50), 0.1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([also("safety: {adverse_events: {rash: }}")],
         "23:27: safety.adverse_events.rash: give per_infusion or per_day (the catalogue has shares of dissociation, "),
        ([also("safety: {adverse_events: {nausea: {per_infusion: 0.1, per_day: 0.1}}}")],
         "23:27: safety.adverse_events.nausea: give either per_infusion or per_day"),
        ([also("safety: {adverse_events: {nausea: {per_infusion: 1.2}}}")],
         "23:50: safety.adverse_events.nausea.per_infusion: must be at most 1, not 1.2"),
        ([also("safety: {adverse_events: {nausea: {per_infusion: {ketmine: 0.1, midazolam: 0.1}}}}")],
         "23:51: safety.adverse_events.nausea.per_infusion.ketmine: there is no arm or kind of infusion 'ketmine'; "
         "did you mean 'ketamine'?"),
        ([also("safety: {adverse_events: {nausea: {per_infusion: {ketamine: 0.1}}}}")],
         "safety.adverse_events.nausea.per_infusion: nothing is said for the arm midazolam (midazolam): name "
         "every arm"),
        ([also("safety: {adverse_events: {nausea: {per_day: {kets: 0.1}}}}")],
         "safety.adverse_events.nausea.per_day.kets: there is no arm 'kets'"),
        ([also("safety: {adverse_events: {madrs: {per_day: 0.1}}}")],
         "safety.adverse_events.madrs: 'madrs' is named under outcomes too"),
        ([also("safety: {adverse_events: {present: {per_day: 0.1}}}")],
         "safety.adverse_events.present: 'present' stands for something else in the data"),
        ([also("safety: {adverse_events: {nausea: }}"), ("midazolam: {infusion: midazolam}", "midazolam: {}")],
         "is missing: nothing is known of nausea with the infusions of midazolam (kind not given)"),
        ([also("safety: {suicide_attempts: {}}\ncounts: {suicide_attempts: {rate_per_year: 1}}")],
         "safety.suicide_attempts: 'suicide_attempts' is described under counts too; leave one of the two out"),
        ([also("safety: {suicide_attempts: {rate_per_year: {bpd: 0.1}}}")],
         "nothing is said for the stratum no_bpd: name every stratum"),
        ([also("safety: {suicide_attempts: {rate_ratio: {dbt: 0.1}}}")],
         "safety.suicide_attempts.rate_ratio.dbt: there is no arm 'dbt'"),
        ([also("safety: {stopping_rule: {event: suicide_attempts, look_every: 20}}")],
         "23:33: safety.stopping_rule.event: there is no event 'suicide_attempts'"),
        ([also("safety: {stopping_rule: {event: nausea}}")],
         "23:10: safety.stopping_rule: give either look_every or looks"),
        ([also("safety: {stopping_rule: {event: nausea, look_every: 20, looks: [3]}}")],
         "23:10: safety.stopping_rule: give either look_every or looks"),
        ([also("safety: {stopping_rule: {event: nausea, looks: [30, 20]}}")],
         "safety.stopping_rule.looks.1: numbers must rise: 20 comes after 30"),
        ([also("safety: {stopping_rule: {event: nausea, look_every: 120}}")],
         "safety.stopping_rule.look_every: the first look, after 120 patients, must come before the last of 120"),
        ([also("safety: {stopping_rule: {event: nausea, look_every: 20, contrast: [ketamine, saline]}}")],
         "safety.stopping_rule.contrast.1: there is no arm 'saline'"),
        ([also("safety: {stopping_rule: {event: nausea, look_every: 20, contrast: [ketamine, ketamine]}}")],
         "safety.stopping_rule.contrast: two arms are needed, not ketamine twice"),
    ],
)  # fmt: skip
def test_what_cannot_be(faults, changes, message):
    assert any(message in fault for fault in faults(*changes)), faults(*changes)


def test_groups_without_a_known_rate_need_one(faults):
    text = "safety: {suicide_attempts: {}}"
    told = faults(also(text), ("    no_bpd: {share", "    other: {group: dysthymia, share"))
    assert any(
        "nothing is known of suicide attempts in 'dysthymia'; give a rate per person-year" in one for one in told
    )
