"""Events in scenarios: their numbers and where these come from, and what is told of those that cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from trialsim.scenario.events import piecewise_hazards

ARMS = "  ketamine: {infusion: ketamine}\n"
PRIMARY = "contrast: [ketamine, midazolam]}"


def events(text: str) -> tuple[str, str]:
    """Return the change that adds events to the sound scenario."""
    return "sample_size: [80, 120]", f"events:\n  {text}\nsample_size: [80, 120]"


def asked(words: str) -> tuple[str, str]:
    """Return the change that adds words to the primary estimand."""
    return PRIMARY, PRIMARY.replace("}", f", {words}}}")


THERAPY = ("  ketamine: {infusion: ketamine}\n", "  ketamine: {infusion: ketamine, therapy: dbt}\n")
MODEL = ("effects:\n", "course: {infusion_model: {}}\ntherapies: {dbt: {}}\neffects:\n")


def provenance(scenario, path):
    return next(row for row in scenario.provenance if row.path == path)


# Numbers -----------------------------------------------------------------------------------------------------


def test_known_events_have_numbers_from_the_catalogue(resolved):
    known = "relapse: {}\n  stop_infusions: {}\n  leave_therapy: {}\n  rescue: {}\n  ect: {}"
    found = resolved(THERAPY, MODEL, events(known), asked("intercurrent_events: {relapse: hypothetical}"))
    variant = found.variants[0]
    by_name = {event.name: event for event in variant.events}
    relapse, stop, leave, rescue = (by_name[n] for n in ("relapse", "stop_infusions", "leave_therapy", "rescue"))
    np.testing.assert_array_equal(relapse.per_day, np.full((2, 2, 1), 0.012))
    assert (relapse.only_after, relapse.return_to_baseline, relapse.therapy_hazard_ratio) == ("response", 1.0, (0.6,))
    np.testing.assert_array_equal(relapse.infusion_hazard_ratio, [1.0, 0.5])
    np.testing.assert_allclose(stop.per_day[:, 0, 0], -np.log1p(-np.array([0.01, 0.05])) / 10.0)
    assert stop.until_day == 10.0  # the last infusion
    assert stop.stops_infusions
    np.testing.assert_allclose(leave.per_day[:, 0, 0], [0.0, -np.log(0.72) / 140.0])
    np.testing.assert_allclose(rescue.effect, -0.3 * variant.sd[:, -1])
    assert rescue.score_hazard_ratio_per_sd == 1.5
    assert provenance(found, "events.relapse.per_day").citation == "ekstrand2022"
    assert provenance(found, "events.relapse.hazard_ratio.dbt").tag == "assumed"
    assert provenance(found, "events.rescue.effect").tag == "assumed"


def test_infusions_are_stopped_in_an_arm_while_it_has_some_to_come(resolved):
    """A fifth infusion on day 13, four infusions up to day 10, and none at all."""
    arms = (
        "  ketamine: {infusion: ketamine}",
        "  ketamine: {infusion: ketamine, infusions: [0, 3, 7, 10, 13]}\n  usual: {infusion: none, therapy: dbt}",
    )
    ratio = ("ratio: [1, 1], block_sizes: [4, 6]", "ratio: [1, 1, 1]")
    model = (MODEL[0], MODEL[1].replace("{}}\nth", "{}, control_change: {qids_sr16: -3, madrs: -5}}\nth"))
    for given in ("{}", "{per_day: 0.01}"):
        found = resolved(model, arms, ratio, events(f"stop_infusions: {given}")).variants[0]
        (stop,) = found.events
        assert found.infusion_days == ((0, 3, 7, 10), (0, 3, 7, 10, 13), ())
        assert stop.until_day == 13.0
        piece = np.searchsorted(stop.hazard_until[:-1], [0.0, 9.9, 10.1, 12.9], side="right")
        happens = stop.per_day[:, 0, piece] > 0.0
        np.testing.assert_array_equal(happens[:2], [[True, True, False, False], [True] * 4])
        assert not happens[2].any()
    shares = "stop_infusions: {arms: [midazolam, ketamine], share_by: {midazolam: {14: 0.05}, ketamine: {14: 0.1}}}"
    (stop,) = resolved(model, arms, ratio, events(shares)).variants[0].events
    # A share asked for by day 14 is reached by the last infusion where that is before: then none is left to stop.
    edges = np.diff(stop.hazard_until, prepend=0.0)
    stopped = 1.0 - np.exp(-(stop.per_day[:2, 0] * edges).sum(axis=1))
    np.testing.assert_allclose(stopped, [0.05, 0.1], rtol=1e-12)
    later = np.asarray(stop.hazard_until) > 10.0
    assert (stop.per_day[0, 0, later] == 0.0).all()
    assert stop.until_day == 13.0


def test_what_stops_treatment_comes_first_and_nothing_before_what_it_waits_for(resolved):
    text = (
        "c: {per_day: .1, only_after: b}\n  b: {per_day: .1, only_after: a}\n  a: {per_day: .1}\n  stop_infusions: {}"
    )
    names = [event.name for event in resolved(MODEL, THERAPY, events(text)).variants[0].events]
    assert names == ["stop_infusions", "a", "b", "c"]


def test_hazards_by_stratum_by_arm_and_by_both(resolved):
    cases = {
        "0.1": [[0.1, 0.1], [0.1, 0.1]],
        "{bpd: 0.1, no_bpd: 0.2}": [[0.1, 0.2], [0.1, 0.2]],
        "{midazolam: 0.1, ketamine: 0.2}": [[0.1, 0.1], [0.2, 0.2]],
        "{midazolam: 0.1, ketamine: {bpd: 0.2, no_bpd: 0.3}}": [[0.1, 0.1], [0.2, 0.3]],
    }
    for text, expected in cases.items():
        event = resolved(events(f"own: {{per_day: {text}}}")).variants[0].events[0]
        np.testing.assert_array_equal(event.per_day[..., 0], expected)
    only = resolved(events("own: {per_day: {ketamine: 0.2}, arms: [ketamine]}")).variants[0].events[0]
    np.testing.assert_array_equal(only.per_day[..., 0], [[0.0, 0.0], [0.2, 0.2]])


def test_shares_by_day_become_hazards(resolved):
    event = resolved(events("own: {share_by: {7: 0.1, 14: 0.3}, from_day: 2}")).variants[0].events[0]
    assert event.hazard_until == (7.0, 14.0)
    np.testing.assert_allclose(event.per_day[0, 0], [-np.log(0.9) / 5, -np.log(0.7 / 0.9) / 7])
    by_arm = resolved(events("own: {share_by: {midazolam: {7: 0.1}, ketamine: {14: 0.3}}}")).variants[0].events[0]
    np.testing.assert_allclose(by_arm.per_day[0, 0], [-np.log(0.9) / 7] * 2)
    np.testing.assert_allclose(by_arm.per_day[1, 0], [-np.log(0.7) / 14] * 2)


def test_hazards_between_days_lead_to_the_shares():
    days, shares = (3.0, 10.0, 20.0), {3.0: 0.05, 20.0: 0.4}
    hazards = piecewise_hazards(shares, days, 1.0)
    gone = 1 - np.exp(-np.cumsum(np.array(hazards) * [2, 7, 10]))
    np.testing.assert_allclose(gone[[0, 2]], [0.05, 0.4])
    assert hazards[1] == pytest.approx(hazards[2])


def test_an_event_that_sees_the_current_score_is_labelled(resolved):
    found = resolved(events("rescue: {depends_on: current}"))
    assert "MNAR" in provenance(found, "events.rescue.depends_on").note
    found = resolved(events("rescue: {}\n  relapse: {depends_on: current}"))
    assert "MAR" in provenance(found, "events.rescue.depends_on").note
    assert "MNAR" in provenance(found, "events.relapse.depends_on").note


# Strategies --------------------------------------------------------------------------------------------------


def test_an_event_by_the_last_score_seen_is_at_random_with_gaps_too(resolved):
    gaps = ("effects:\n", "missing: {intermittent: {share: 0.1}}\neffects:\n")
    with_gaps = resolved(gaps, events("rescue: {}\n  ect: {depends_on: current}"))
    assert "MNAR" not in provenance(with_gaps, "events.rescue.depends_on").note
    assert "MNAR" in provenance(with_gaps, "events.ect.depends_on").note


def test_strategies_and_what_they_assume_are_in_the_provenance(resolved):
    found = resolved(
        events("rescue: {}\n  ect: {}"), asked("intercurrent_events: {rescue: principal_stratum}, analysis_set: mitt")
    )
    estimand = found.variants[0].estimands[0]
    assert dict(estimand.endpoint.events) == {"rescue": "principal_stratum", "ect": "treatment_policy"}
    assert estimand.endpoint.handled("principal_stratum") == ("rescue",)
    assert estimand.analysis_set == "mitt"
    row = provenance(found, "estimands.primary.intercurrent_events.rescue")
    assert "cross-world" in row.note
    assert row.source == "given"
    assert provenance(found, "estimands.primary.intercurrent_events.ect").source == "default"


@pytest.mark.parametrize(
    ("event", "strategy", "exact"),
    [
        ("own: {per_day: .1}", "treatment_policy", True),
        ("own: {per_day: .1, effect: {qids_sr16: 1.0}}", "treatment_policy", False),
        ("own: {per_day: .1, effect: {qids_sr16: 1.0}}", "hypothetical", True),
        ("own: {per_day: .1, return_to_baseline: 0.5}", "treatment_policy", False),
        ("own: {per_day: .1}", "composite", False),
        ("own: {per_day: .1}", "while_on_treatment", False),
        ("own: {per_day: .1}", "principal_stratum", False),
    ],
)
def test_a_true_value_is_exact_where_events_cannot_move_it(resolved, event, strategy, exact):
    found = resolved(events(event), asked(f"intercurrent_events: {{own: {strategy}}}"))
    assert (found.variants[0].estimands[0].true_value is not None) == exact


def test_a_time_to_an_event(resolved):
    found = resolved(
        events("rescue: {}"),
        asked("endpoint: {time_to: {event: rescue}}"),
        ("  primary: {method: mmrm}", "  primary: {}"),
    )
    endpoint = found.variants[0].estimands[0].endpoint
    assert (endpoint.kind, endpoint.name) == ("time", "time to rescue")
    assert endpoint.criterion.event == "rescue"
    assert not endpoint.criterion.favourable


def test_events_and_strategies_are_part_of_the_hash_and_labels_are_not(resolved):
    plain = resolved(events("own: {per_day: .1}")).hash
    assert plain == resolved(events("own: {per_day: .1, label: Something}")).hash
    assert plain != resolved(events("own: {per_day: .2}")).hash
    assert plain != resolved(events("own: {per_day: .1}"), asked("intercurrent_events: {own: hypothetical}")).hash


# Faults ------------------------------------------------------------------------------------------------------

FAULTS = {
    "no hazard": ("own: {}", None, "events.own: give per_day or share_by: only stop_infusions, rescue, ect"),
    "two hazards": ("own: {per_day: .1, share_by: {14: .1}}", None, "give either per_day or share_by"),
    "no such arm": ("own: {per_day: .1, arms: [ketamin]}", None, "no arm 'ketamin'; did you mean 'ketamine'?"),
    "no arm or stratum": ("own: {per_day: {bdp: .1}}", None, "no arm or stratum 'bdp'; did you mean 'bpd'?"),
    "an arm left out": ("own: {per_day: {ketamine: .1}}", None, "nothing is said for midazolam: name every arm"),
    "a falling share": ("own: {share_by: {7: .2, 14: .1}}", None, "the share cannot fall: 0.2 by day 7, 0.1 by day 14"),
    "a share too early": ("own: {share_by: {3: .2}, from_day: 3}", None, "a day after day 3 is needed"),
    "a share too late": (
        "own: {share_by: {28: .4}, until_day: 10}", None,
        "events.own.share_by.28: the share would not be reached: nothing happens after until_day, 10. Give the share "
        "by that day (10: 0.4), or leave until_day out",
    ),
    "an arm's share too late": (
        "own: {share_by: {midazolam: {14: .1}, ketamine: {7: .1, 14: .2}}, until_day: 7}", None,
        "events.own.share_by.ketamine.14: the share would not be reached",
    ),
    "a ratio by score near 0": ("own: {per_day: .1, score_hazard_ratio_per_sd: 1.0e-300}", None,
                                "events.own.score_hazard_ratio_per_sd: must be at least 0.001, not 1e-300"),
    "a ratio by infusions without end": ("own: {per_day: .1, infusion_hazard_ratio: 1.0e+10}", None,
                                         "events.own.infusion_hazard_ratio: must be at most 1000, not"),
    "no days between": ("own: {per_day: .1, from_day: 5, until_day: 5}", None, "must come after from_day, 5"),
    "an unknown event before": ("own: {per_day: .1, only_after: re}", None, "no event of that name is modelled: 're'"),
    "a circle": (
        "a: {per_day: .1, only_after: b}\n  b: {per_day: .1, only_after: a}",
        None,
        "events.a.only_after: events wait for each other in a circle: a, b, a",
    ),
    "a name that is taken": ("dropout: {per_day: .1}", None, "'dropout' has a meaning of its own"),
    "no such outcome": ("own: {per_day: .1, effect: {qids: 1}}", None, "there is no outcome 'qids'"),
    "a time without effect": ("own: {per_day: .1, lasts_days: 3}", None, "lasts_days: goes with effect"),
    "no model of infusions": ("stop_infusions: {}", None, "an infusion_model is needed for stopped infusions"),
    "points wider than the scale": ("own: {per_day: .1, effect: {qids_sr16: {bpd: -300, no_bpd: 1}}}", None,
                                    "events.own.effect.qids_sr16.bpd: -300 points cannot be: the scale, from 0 to 27"),
    "after the last visit": ("own: {per_day: .1, from_day: 14}", None,
                             "events.own.from_day: must be before the last visit, day 14"),
    "after the end": ("death: {}\n  own: {per_day: .1, only_after: death}", None,
                      "events.own.only_after: nothing happens after death"),
    "scores after the end": ("death: {effect: {qids_sr16: 3}}", None, "events.death.effect: there is no score after"),
    "gains after the end": ("death: {return_to_baseline: 1}", None, "events.death.return_to_baseline: there is no"),
    "no therapy": ("leave_therapy: {}", None, "there is no therapy to stop"),
    "no therapy to lower a hazard": ("own: {per_day: .1, hazard_ratio: {cbt: .5}}", None, "there is no therapy 'cbt'"),
    "current without a score": ("own: {per_day: .1, depends_on: current}", None, "no score drives the hazard"),
    "an unknown event": ("rescue: {}", "intercurrent_events: {resue: hypothetical}",
                         "intercurrent_events.resue: no event of that name is modelled; did you mean 'rescue'?"),
    "a strategy that is none": ("rescue: {}", "intercurrent_events: {rescue: hypothetic}",
                                "must be 'treatment_policy', 'hypothetical', 'composite'"),
    "scores of the dead": ("death: {}", None, "intercurrent_events.death: there is no score"),
    "hypothetical death": ("death: {}", "intercurrent_events: {death: hypothetical}",
                           "intercurrent_events.death: there is no score after it"),
    "a time to an unknown event": ("rescue: {}", "endpoint: {time_to: {event: resc}}",
                                   "endpoint.time_to.event: no event of that name is modelled; did you mean 'rescue'?"),
    "a strategy for the endpoint": ("rescue: {}", "endpoint: {time_to: {event: rescue}}, "
                                    "intercurrent_events: {rescue: hypothetical}", "is the endpoint itself"),
    "an event that is no time": ("rescue: {}", "endpoint: {event: rescue}", "an event is asked for as a time"),
    "a time while on treatment": ("rescue: {}", "endpoint: {time_to: response}, "
                                  "intercurrent_events: {rescue: while_on_treatment}",
                                  "a time to an event takes treatment_policy, hypothetical"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_told(faults, case):
    event, words, message = FAULTS[case]
    changes = [events(event)]
    if words is not None:
        changes.append(asked(words))
        if "endpoint" in words:
            changes.append(("  primary: {method: mmrm}", "  primary: {}"))
    told = faults(*changes)
    assert any(message in one for one in told), told


def test_an_arm_without_therapy_cannot_leave_it(faults):
    told = faults(THERAPY, MODEL, events("leave_therapy: {arms: [midazolam, ketamine]}"))
    assert [one for one in told if "events.leave_therapy.arms.0: arm midazolam has no therapy to stop" in one]
    assert not [one for one in told if "arms.1" in one]


def test_one_fault_for_one_slip(faults):
    assert len(faults(events("rescue: {}"), asked("intercurrent_events: {resue: hypothetical}"))) == 1
    assert len(faults(events("own: {per_day: {bdp: .1}}"))) == 1
