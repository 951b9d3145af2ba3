"""What a comparison of designs found, one finding a sentence, from its plain data."""

from __future__ import annotations

from collections.abc import Sequence

from trialsim.planning.comparison.metrics import BUDGETS, BY_NAME, POWERS
from trialsim.report.claims import CO_PRIMARY
from trialsim.report.comparison import (
    Row,
    Told,
    against,
    design_words,
    interval,
    metric_phrase,
    points,
    value_words,
)
from trialsim.report.harms import TURNED, sentence
from trialsim.report.questions import sides_of
from trialsim.report.table import all_words
from trialsim.report.words import NO_BREAK_SPACE, fixed, joined, number, percent


def findings(told: Told) -> list[str]:
    """Return what was found, one finding a sentence.

    Parameters
    ----------
    told : mapping
        Of `Comparison.to_dict`.
    """
    others = [row for row in told["designs"] if row["name"] != told["reference"]]
    found = [*_harms(told), *_budget(told), *(_against_words(told, row) for row in others)]
    feasible = [row for row in told["designs"] if row["feasible"]]
    if feasible:
        found += [_target(told, feasible), *_best(told, feasible), *_front(told, feasible)]
    return [*found, *_unblinding(told), *_gain(told)]


def _harms(told: Told) -> list[str]:
    """Return for each true effect that is a harm what it is, and in which designs."""
    words, found = design_words(told), dict[str, list[str]]()
    for row in told["designs"]:
        if row["harm"] is not None:
            found.setdefault(_harm_words(row), []).append(words[row["name"]])
    turned = TURNED if all(row["harm"] is not None for row in told["designs"]) else ""
    return [f"{joined(names)}: {harm}{turned}" for harm, names in found.items()]


def _harm_words(row: Row) -> str:
    harm = row["harm"]
    active, control = sides_of({"arm_labels": row["arms"]}, harm)
    value, error = float(harm["true_value"]), float(harm["true_value_se"] or 0.0)
    return sentence(active, control, str(harm["label"]), str(harm["measure"]), value, error)


def _nothing_to_find(rows: Sequence[Row]) -> bool:
    """Return whether every true effect is a harm, so that no power is one to choose by."""
    return all(row["harm"] is not None for row in rows)


def _budget(told: Told) -> list[str]:
    words, over = design_words(told), [row for row in told["designs"] if not row["feasible"]]
    if not told["budget"]:
        return []
    limits = joined([f"at most {number(value)} {BUDGETS[name][1]}" for name, value in told["budget"].items()])
    if not over:
        return [f"All designs keep to the budget of {limits}."]
    each = "; ".join(f"{words[row['name']]}: {row['over_budget']}" for row in over)
    if len(over) == len(told["designs"]):
        return [f"No design keeps to the budget of {limits}, so none is ranked: {each}."]
    return [f"Not within the budget of {limits}: {each}."]


def _against_words(told: Told, row: Row) -> str:
    words = design_words(told)
    name, other = words[row["name"]], words[told["reference"]]
    reference = _row(told, told["reference"])
    found = against(told, str(row["name"]))
    if found["power_difference"] is None:
        failed = joined([words[one["name"]] for one in (row, reference) if one["metrics"]["power"]["value"] is None])
        return f"{name} and {other} cannot be compared: no fit gave an estimate in {failed}."
    if found["same_trials"]:
        return f"{name} is the same trial as {other}: the difference is exactly 0."
    mine, theirs = (f"{fixed(100 * one['metrics']['power']['value'], 1)}{NO_BREAK_SPACE}%" for one in (row, reference))
    level = "" if found["level_adjusted"] < 0.9500001 else ", adjusted for the number of comparisons"
    errors = (
        f"paired MCSE {fixed(100 * found['power_difference_mcse'], 1)}; interval {interval(found, '_adjusted')}{level}"
    )
    if found["power_difference_low_adjusted"] <= 0.0 <= found["power_difference_high_adjusted"]:
        difference = f"difference {points(found['power_difference'])} percentage points, {errors}"
        power = metric_phrase(told, "power")
        verdict = f"{name} and {other} cannot be told apart in {power} ({mine} against {theirs}; {difference})"
    else:
        size = fixed(abs(100 * found["power_difference"]), 1)
        how = "more" if found["power_difference"] > 0 else "less"
        verb = _verb(row, reference)
        verdict = f"{name} {verb} {size} percentage points {how} often than {other} ({mine} against {theirs}; {errors})"
    return f"{verdict}, {_price(row, reference)}."


def _verb(row: Row, reference: Row) -> str:
    """Return what a trial does that succeeds."""
    if row["null"] or reference["null"]:
        return "rejects"
    procedures = {row["procedure"], reference["procedure"]}
    if procedures == {CO_PRIMARY}:
        return f"finds {all_words(len(row['decided_by']))} co-primary hypotheses"
    return "finds the effect within its procedure" if all(procedures) else "finds the effect"


def _price(row: Row, reference: Row) -> str:
    """Return what a design takes more or less of than the reference."""
    n, control = (
        row["metrics"][name]["value"] - reference["metrics"][name]["value"] for name in ("n", "control_patients")
    )
    parts = [f"with {_more(n, 'patient')}" if round(n, 1) else "with the same number of patients"]
    if round(control, 1):
        parts.append(f"{_more(control, '')} of them on control" if round(n, 1) else f"{_more(control, '')} on control")
    for name, noun, decimals in (("months", "month", 1), ("cost_usd", "US dollar", 0)):
        pair = [one["metrics"][name]["value"] for one in (row, reference)]
        if None not in pair and round(pair[0] - pair[1], decimals):
            parts.append(_more(pair[0] - pair[1], noun, decimals=decimals))
    days = row["metrics"]["schedule_days"]["value"] - reference["metrics"]["schedule_days"]["value"]
    if days:
        parts.append(f"a schedule {_more(days, 'day').replace('more', 'longer').replace('fewer', 'shorter')}")
    infusions = row["metrics"]["infusions"]["value"] - reference["metrics"]["infusions"]["value"]
    if round(infusions, 1):
        parts.append(f"{_more(infusions, 'infusion')} in all")
    return joined(parts)


def _more(amount: float, noun: str, *, decimals: int = 0) -> str:
    size = abs(amount)
    if decimals == 0 and size != round(size) and size < 100:
        decimals = 1
    text = f"{size:,.{decimals}f}"
    nouns = f" {noun}{'' if text == '1' else 's'}" if noun else ""
    return f"{text}{nouns} {'more' if amount > 0 else 'fewer'}"


def _target(told: Told, feasible: Sequence[Row]) -> str:
    words, target = design_words(told), float(told["target"])
    wanted = f"{percent(target)} {metric_phrase(told, 'power')}"
    powers = [row for row in feasible if row["metrics"]["power"]["value"] is not None]
    if not powers:
        return "No design has a power: no fit gave an estimate."
    if _nothing_to_find(powers):
        return f"No design reaches {wanted}: in none is there a benefit to find."
    reached = [row for row in powers if row["metrics"]["power"]["value"] >= target]
    if not reached:
        best = max(powers, key=lambda row: float(row["metrics"]["power"]["value"]))
        return f"No design reaches {wanted}: the highest is {_with_power(words[best['name']], best)}."
    n = min(row["metrics"]["n"]["value"] for row in reached)
    least = [row for row in reached if row["metrics"]["n"]["value"] == n]
    each = joined([_with_power(words[row["name"]], row) for row in least])
    near = [words[row["name"]] for row in least if row["power_low"] < target]
    doubt = f" The interval of {joined(near)} reaches below: more simulated trials would tell." if near else ""
    return f"{wanted} with the fewest patients: {each}.{doubt}"


def _with_power(name: str, row: Row) -> str:
    power = row["metrics"]["power"]
    interval = f"{fixed(100 * row['power_low'], 1)} to {fixed(100 * row['power_high'], 1)}"
    return (
        f"{name} ({row['metrics']['n']['value']:,.0f} patients, power "
        f"{fixed(100 * power['value'], 1)}{NO_BREAK_SPACE}%, 95{NO_BREAK_SPACE}% interval {interval})"
    )


def _best(told: Told, feasible: Sequence[Row]) -> list[str]:
    words, metric = design_words(told), str(told["metric"])
    ranked = [row for row in feasible if row["rank"] is not None]
    if not ranked:
        return [f"No design can be ranked by {metric_phrase(told, metric)}: none has it."]
    if metric in POWERS and _nothing_to_find(ranked):
        return [f"No design is best by {metric_phrase(told, metric)}: in none is there a benefit to find."]
    first = [row for row in ranked if row["rank"]["place"] == 1]
    others = [row for row in ranked if row["rank"]["place"] > 1 and row["rank"]["best"] == 1]
    lead = joined([words[row["name"]] for row in first])
    value = value_words(metric, first[0]["metrics"][metric]).replace(" (", ", ").rstrip(")")
    unit = f"{NO_BREAK_SPACE}%" if BY_NAME[metric].unit == "share" else ""
    sentence = f"Best by {metric_phrase(told, metric)}: {lead} ({value}{unit})"
    if others:
        sentence += f"; {joined([words[row['name']] for row in others])} may be as good, by Monte Carlo error"
    expected = [f"{words[row['name']]} {_expected(row)}" for row in first if _is_expected(row)]
    if metric in POWERS and expected:
        sentence += (
            f". Of its mean estimate this is what patients and raters expect, not the drug: {'; '.join(expected)}"
        )
    return [f"{sentence}."]


def _is_expected(row: Row) -> bool:
    """Return whether part of the mean estimate of a design is what patients and raters expect."""
    return bool(row["metrics"]["unblinding_bias"]["value"])


def _expected(row: Row) -> str:
    """Return that part, of the mean estimate."""
    unit = f" {row['unit']}" if row["unit"] != "log" else ""
    amount = value_words("unblinding_bias", row["metrics"]["unblinding_bias"])
    return f"{amount} of {fixed(row['mean_estimate'], 2)}{unit}"


def _front(told: Told, feasible: Sequence[Row]) -> list[str]:
    by_power = any(name in POWERS for name in told["front_metrics"])
    if not told["front_metrics"] or len(feasible) < 2 or (by_power and _nothing_to_find(feasible)):
        return []
    words = design_words(told)
    by = joined([metric_phrase(told, name) for name in told["front_metrics"]])
    feasible = [row for row in feasible if row["metrics"]["power"]["value"] is not None]
    standing = [words[row["name"]] for row in feasible if row["on_front"]]
    if len(standing) == len(feasible):
        sentence = f"On {by} together no design is beaten by another"
    else:
        sentence = f"On {by} together {joined(standing)} {'is' if len(standing) == 1 else 'are'} not beaten"
    parts = [sentence]
    for row in feasible:
        sure, seems = ([words[name] for name in row[key]] for key in ("beaten_by", "apparently_beaten_by"))
        if sure:
            parts.append(f"{words[row['name']]} is beaten by {joined(sure)}")
        elif seems:
            parts.append(f"{words[row['name']]} seems beaten by {joined(seems)}, but within Monte Carlo error")
    return [f"{'; '.join(parts)}."]


def _unblinding(told: Told) -> list[str]:
    words, parts = design_words(told), []
    for row in told["designs"]:
        if row["metrics"]["unblinding_bias"]["value"] is not None:
            parts.append(f"{words[row['name']]} {_expected(row)}")
    if not parts:
        return []
    return [f"Of the mean estimate this is what patients and raters expect, not the drug: {'; '.join(parts)}."]


def _gain(told: Told) -> list[str]:
    rows = [row for row in told["differences"] if row["mcse_ratio"] and not row["same_trials"]]
    if not rows:
        return []
    words = design_words(told)
    ratios, saved = ([float(row[key]) for row in rows] for key in ("mcse_ratio", "replicates_saved_factor"))
    sentence = (
        f"Paired on the same virtual patients, differences of power have {_span(ratios, 2)} times the error of "
        f"independent runs, which would need {_span(saved, 1)} times as many trials"
    )
    for row in [row for row in rows if row["normal_mcse_ratio"]][:1]:
        pair = f"{words[row['design']]} and {words[row['other']]}"
        sentence += (
            f". {pair}, which differ in the number of patients alone: {fixed(row['mcse_ratio'], 2)}, where normal test "
            f"statistics allow {fixed(row['normal_mcse_ratio'], 2)}"
        )
    return [f"{sentence}."]


def _span(values: Sequence[float], decimals: int) -> str:
    low, high = fixed(min(values), decimals), fixed(max(values), decimals)
    return low if low == high else f"{low} to {high}"


def _row(told: Told, name: str) -> Row:
    found: Row = next(row for row in told["designs"] if row["name"] == name)
    return found
