"""Sensitivity in words: what an answer hangs on, one finding a line."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from trialsim.planning.sensitivity.tornado import NOT_REACHED
from trialsim.planning.sensitivity.trials import NO_ESTIMATE
from trialsim.report.claims import CO_PRIMARY, is_margin
from trialsim.report.table import ALL_OR_NONE, power_of, share_words
from trialsim.report.words import fixed, number, path_words, value_words

Answer = Mapping[str, Any]
Labels = Mapping[str, str]

WIDTH = 110
METRICS: Mapping[str, str] = {
    "power": "Power",
    "n": "Patients needed",
    "bias": "Bias",
    "type_i_error": "Type I error",
}
_VALUE_LETTERS = 16
"""How much of a value stands in a table; all of it is in the CSV."""

NOISE_WORDS = "3 Monte Carlo standard errors"
NULL_MARK = "†"
"""Behind a number among powers that is a type I error."""


def sensitivity_text(answer: Answer, labels: Labels | None = None) -> str:
    """Return an answer as lines of text.

    Parameters
    ----------
    answer : mapping
        Of a tornado, a heat map, an attribution, a tipping point or a worst type I error, as plain data.
    labels : mapping, optional
        Words for arms, strata and outcomes.
    """
    lines = [*_LINES[answer["kind"]](answer, labels or {}), *answer.get("notes", ())]
    return "\n".join(_filled(line) for line in lines)


def _filled(line: str) -> str:
    if line.startswith("|"):
        return line[1:]  # a row of a table keeps its shape
    return textwrap.fill(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def measure_words(metric: str, value: float | None, *, signed: bool = False) -> str:
    """Return a measure as it is shown: shares in percent, patients whole, bias in points."""
    if value is None:
        return "–"
    if metric == "n":
        text = f"{value:+.0f}" if signed else f"{value:.0f}"
    elif metric == "bias":
        text = f"{value:+.3f}"
    else:
        text = f"{100 * value:+.1f}" if signed else f"{100 * value:.1f} %"
    return text.replace("-", "−")


def measure_of(answer: Answer) -> str:
    """Return the measure of an answer and what it is of: an estimand, alone or within the procedure, or several."""
    if answer["metric"] == "power":
        return power_asked(answer)
    return f"{METRICS[answer['metric']]} of {answer['estimand']}"


def power_asked(answer: Answer) -> str:
    """Return what the power of an answer is of."""
    procedure, estimand = str(answer["procedure"]), str(answer["estimand"])
    if not procedure:
        return f"{METRICS['power']} of {estimand}"
    words = power_of([(procedure, int(answer["members"]))])
    return words if procedure == CO_PRIMARY else f"{words} of {estimand}"


def at_words(path: str, value: Any, labels: Labels | None = None) -> str:
    """Return the value of an assumption; what is the same for all strata is told once."""
    if isinstance(value, Mapping) and value and len(set(map(str, value.values()))) == 1 and "." not in "".join(value):
        value = next(iter(value.values()))
    return value_words(path, value, labels=labels)


def null_mark(metric: str, *, null: bool) -> str:
    """Return the mark behind a power where there is nothing to find."""
    return NULL_MARK if null and metric == "power" else ""


def null_mark_words(test: str, procedure: str = "") -> str:
    """Return the sentence that says what that mark means."""
    if procedure == CO_PRIMARY:
        return (
            f"{NULL_MARK} Not all co-primary hypotheses have something to find there, so the number is the type I "
            "error (all found)."
        )
    counted = "every claim is false" if is_margin(test) else "rejections either way"
    return f"{NULL_MARK} Nothing is to be found there, so the number is the type I error ({counted})."


# Tornado ---------------------------------------------------------------------------------------------------------


def _tornado(answer: Answer, labels: Labels) -> Iterator[str]:
    metric = str(answer["metric"])
    yield str(answer["title"])
    asked = f"{measure_of(answer)} with {answer['n'] or 0:,} patients randomised"
    if metric == "n":
        asked = f"Patients needed for {100 * answer['target']:g} % power of {answer['estimand']}"
    own = NO_ESTIMATE if metric != "n" else "cannot be reached"
    if answer["base"] is not None:
        mark = null_mark(metric, null=answer["base_null"])
        own = f"{measure_words(metric, answer['base'])}{mark} (± {_error(metric, answer['base_mcse'])})"
    trials = f"{answer['replicates']:,} simulated trials of each setting; all settings share their patients"
    if metric == "n":
        trials = "A search for each setting; errors of changes are those of independent searches, a little too wide"
    yield f"{asked}: {own} with the scenario's own values. {trials}."
    yield ""
    yield from _tornado_table(answer, labels)
    yield ""
    nulls = [answer["base_null"], *(bar[end]["null"] for bar in answer["bars"] for end in ("low", "high"))]
    if any(null_mark(metric, null=null) for null in nulls):
        yield null_mark_words(answer["test"], answer["procedure"])
    yield from _tornado_findings(answer, labels)


def _error(metric: str, mcse: float | None) -> str:
    if mcse is None:
        return "–"
    return {"n": f"{mcse:.0f}", "bias": f"{mcse:.3f}"}.get(metric, f"{100 * mcse:.1f}")


def _tornado_table(answer: Answer, labels: Labels) -> Iterator[str]:
    metric = str(answer["metric"])
    rows = [("assumption", "own", "low", "high", f"{_lower(metric)} at low", "at high")]
    for bar in answer["bars"]:
        ends = [_end_cell(metric, bar[end]) for end in ("low", "high")]
        values = (bar["base"], bar["low"]["value"], bar["high"]["value"])
        rows.append((bar["path"], *(_cell(bar["path"], value, labels) for value in values), *ends))
    yield from table_lines(rows)


def no_measure(problem: str) -> str:
    """Return in two or three words why an end of a range has no measure."""
    if problem == NO_ESTIMATE:
        return "no estimate"
    return "not reached" if NOT_REACHED in problem else "cannot be had"


def _end_words(metric: str, end: Answer) -> str:
    if end["measure"] is None:
        return no_measure(end["problem"])
    return f"{measure_words(metric, end['measure'])}{null_mark(metric, null=end['null'])}"


def _cell(path: str, value: Any, labels: Labels) -> str:
    """Return a value that fits a table."""
    return textwrap.shorten(at_words(path, value, labels), _VALUE_LETTERS, placeholder=" …")


def _lower(metric: str) -> str:
    """Return a measure's name as it stands within a sentence."""
    return METRICS[metric][0].lower() + METRICS[metric][1:]


def _end_cell(metric: str, end: Answer) -> str:
    if end["change"] is None:
        return _end_words(metric, end)
    change = f"{measure_words(metric, end['change'], signed=True)} ± {_error(metric, end['change_mcse'])}"
    return f"{_end_words(metric, end)} ({change}){'' if end['beyond_noise'] else ' ~'}"


def table_lines(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield rows as lines with aligned columns; the first row is the heading."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        yield "|" + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _tornado_findings(answer: Answer, labels: Labels) -> Iterator[str]:
    metric, bars = str(answer["metric"]), answer["bars"]
    moving = [bar for bar in bars if bar["low"]["beyond_noise"] or bar["high"]["beyond_noise"]]
    if moving:
        first = moving[0]
        ends = [
            f"{_end_words(metric, first[end])} at {at_words(first['path'], first[end]['value'], labels)}"
            for end in ("low", "high")
        ]
        words = path_words(first["path"], labels=labels)
        yield f"Most hangs on {first['path']} ({words}): from {ends[0]} to {ends[1]}."
    still = [bar["path"] for bar in bars if bar not in moving and _has_change(bar)]
    if still:
        yield f"No change larger than noise (~, within {NOISE_WORDS} of the paired difference): {', '.join(still)}."
    yield from _problem_words(bars, labels)
    outside = [bar["path"] for bar in bars if _is_outside(bar)]
    if outside:
        yield f"The scenario's own value lies outside the range of: {', '.join(outside)}."
    assumed = [bar["path"] for bar in bars if bar["tag"] == "assumed"]
    if assumed:
        yield f"Ranges that are assumed, not published: {', '.join(assumed)}."
    hand = [bar["path"] for bar in bars if bar["source"] == "given"]
    if hand:
        yield f"Ranges given by hand: {', '.join(hand)}."


def _has_change(bar: Answer) -> bool:
    """Return whether either end of an assumption is held against the scenario's own values."""
    return any(bar[end]["change"] is not None for end in ("low", "high"))


def _problem_words(bars: Sequence[Answer], labels: Labels) -> Iterator[str]:
    """Yield why ends have no measure; those at which no trial could be analysed in one sentence."""
    problems = [(bar, bar[end]) for bar in bars for end in ("low", "high") if bar[end]["problem"]]
    told = [(f"{bar['path']} = {at_words(bar['path'], end['value'], labels)}", end["problem"]) for bar, end in problems]
    failed = [words for words, problem in told if problem == NO_ESTIMATE]
    if failed:
        where = ", ".join(failed) if len(failed) <= 4 else f"{len(failed)} of the {2 * len(bars)} ends"
        yield f"{NO_ESTIMATE[0].upper()}{NO_ESTIMATE[1:]} at {where}."
    yield from (f"{words}: {problem}" for words, problem in told if problem != NO_ESTIMATE)


def _is_outside(bar: Answer) -> bool:
    """Return whether an assumption's own value is a number that its range does not hold."""
    values = (bar["low"]["value"], bar["base"], bar["high"]["value"])
    if not all(isinstance(value, int | float) for value in values):
        return False
    low, own, high = values
    return not min(low, high) <= own <= max(low, high)


# Heat map --------------------------------------------------------------------------------------------------------


def _heat(answer: Answer, labels: Labels) -> Iterator[str]:
    metric = str(answer["metric"])
    yield str(answer["title"])
    yield (
        f"{measure_of(answer)} with {answer['n']:,} patients randomised, in %. Down: "
        f"{answer['rows']}; across: {answer['columns']}. {answer['replicates']:,} simulated trials of each cell."
    )
    cells = answer["cells"]
    columns = list(dict.fromkeys(at_words(answer["columns"], cell["column"], labels) for cell in cells))
    rows: dict[str, list[str]] = {}
    for cell in cells:
        text = "–"
        if cell["share"] is not None:
            text = share_words(*(cell[name] for name in ("share", "mcse", "low", "high")))
            text += null_mark(metric, null=cell["null"])
        rows.setdefault(at_words(answer["rows"], cell["row"], labels), []).append(text)
    yield from table_lines([("", *columns), *((row, *texts) for row, texts in rows.items())])
    if any(cell["share"] is not None and null_mark(metric, null=cell["null"]) for cell in cells):
        yield null_mark_words(answer["test"], answer["procedure"])
    if any(cell["share"] in (0.0, 1.0) for cell in cells):
        yield ALL_OR_NONE
    problems = [cell for cell in cells if cell["problem"]]
    if problems:
        for reason, count in Counter(cell["problem"] for cell in problems).items():
            yield f"{count} of {len(cells)} cells (–) {'have' if count > 1 else 'has'} no value: {reason}"
    known = [cell for cell in cells if cell["share"] is not None and not cell["null"]]
    if known and metric == "power":
        reached = sum(cell["share"] >= answer["target"] for cell in known)
        yield f"The power is {100 * answer['target']:g} % or more in {reached} of {len(known)} cells."


# Attribution -----------------------------------------------------------------------------------------------------


def _attribution(answer: Answer, labels: Labels) -> Iterator[str]:
    yield f"{answer['first']} → {answer['second']}"
    yield (
        f"{power_asked(answer)}: {measure_words('power', answer['power_first'])} (± "
        f"{_error('power', answer['mcse_first'])}) with {answer['n_first']:,} patients, "
        f"{measure_words('power', answer['power_second'])} (± {_error('power', answer['mcse_second'])}) with "
        f"{answer['n_second']:,}: a difference of {measure_words('power', answer['difference'], signed=True)} ± "
        f"{_error('power', answer['difference_mcse'])} percentage points."
    )
    how = f"all {answer['orders']:,} orders" if answer["exact"] else f"{answer['orders']} sampled orders"
    yield (
        f"What each assumption contributes, on average over {how} in which they can be changed (Shapley values; "
        f"{answer['settings']} mixed scenarios, {answer['replicates']:,} simulated trials of each, the same patients "
        "in all). The contributions add up to the difference."
    )
    yield ""
    rows: list[tuple[str, ...]] = [("assumption", "contribution", "changed first", "changed last")]
    for one in answer["contributions"]:
        name = textwrap.shorten(one["name"], 60, placeholder=" …")
        own = f"{measure_words('power', one['contribution'], signed=True)} ± {_error('power', one['mcse'])}"
        ends = [measure_words("power", one[key], signed=True) for key in ("alone", "last")]
        rows.append((name, own + ("" if one["beyond_noise"] else " ~"), *ends))
    rows.append(("sum", measure_words("power", answer["difference"], signed=True), "", ""))
    yield from table_lines(rows)
    yield ""
    yield from _attribution_findings(answer)


def _attribution_findings(answer: Answer) -> Iterator[str]:
    for one in answer["contributions"]:
        told = []
        for path in one["paths"]:
            before, after = (_plain(one[key][path]) for key in ("before", "after"))
            told.append(f"{path} from {before} to {after}" if len(one["paths"]) > 1 else f"from {before} to {after}")
        verb = "adds" if one["contribution"] >= 0 else "costs"
        points = f"{100 * abs(one['contribution']):.1f}"
        noise = "" if one["beyond_noise"] else f" (not larger than noise, {NOISE_WORDS})"
        yield f"{one['name']}, {'; '.join(told)}: {verb} {points} percentage points{noise}."


def _plain(value: Any) -> str:
    if value is None:
        return "nothing written"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_plain(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_plain(item) for item in value) + "]"
    return number(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


# Tipping point ---------------------------------------------------------------------------------------------------


def _tipping(answer: Answer, labels: Labels) -> Iterator[str]:
    active, control = (labels.get(arm, arm) for arm in answer["arms"])
    worse = "higher" if answer["direction"] > 0 else "lower"
    yield str(answer["title"])
    yield (
        f"{answer['estimand']}, {answer['n']:,} patients randomised, {answer['replicates']:,} simulated trials. By the "
        f"visit {100 * answer['left_active']:.1f} % of {active} and {100 * answer['left_control']:.1f} % of {control} "
        f"have left. Delta: points by which the unseen scores of those who left {active} are worse ({worse}) than if "
        "they were missing at random."
    )
    target = f"{100 * answer['target']:g} %"
    if answer["tipping"] is not None:
        ends = (_or(answer["tipping_low"], "below 0"), _or(answer["tipping_high"], f"beyond {number(answer['limit'])}"))
        yield (
            f"{_with_delta(answer)} falls to {target} at {_points(answer['tipping'])} (95 % interval "
            f"{ends[0]} to {ends[1]})."
        )
    else:
        yield f"No delta at which the power falls to {target}: {answer['reason'][0].lower()}{answer['reason'][1:]}"
    yield from _flip(answer, active)
    yield ""
    rows = [("delta", "true effect on everybody", "bias if analysed as missing at random", "power with delta added")]
    rows += [
        (
            number(round(row["delta"], 3)),
            fixed(row["true_effect"], 2, signed=True),
            "–" if row["bias"] is None else f"{fixed(row['bias'], 2, signed=True)} ± {row['bias_mcse']:.2f}",
            "–" if row["power"] is None else f"{100 * row['power']:.1f} % ± {100 * row['mcse']:.1f}",
        )
        for row in answer["rows"]
    ]
    yield from table_lines(rows)


def _with_delta(answer: Answer) -> str:
    """Return what the power is of that falls with delta."""
    if not answer["procedure"]:
        return "Power of an analysis that adds delta"
    return f"{power_asked(answer)}, where delta is added in the analysis of {answer['estimand']},"


def _flip(answer: Answer, active: str) -> Iterator[str]:
    if answer["flip"] is None:
        yield "The true effect is no benefit without any delta, so there is none to lose."
        return
    unseen = "has nothing to go by."
    if answer["power_at_random"] is not None:
        at_random = f"{100 * answer['power_at_random']:.1f} % (± {100 * answer['power_at_random_mcse']:.1f})"
        unseen = (
            f"would not see it: its power is {at_random} whatever delta is, and from there on that is the chance of a "
            "claim without a benefit."
        )
    high = _or(answer["flip_high"], "infinite")
    within = answer["flip"] <= answer["limit"]
    beyond = "" if within else ", beyond the whole range looked at: no such delta is plausible"
    yield (
        f"The true effect on everybody is gone at {_points(answer['flip'])} (95 % interval "
        f"{_or(answer['flip_low'], '0')} to {high}, from the share who left){beyond}. An analysis that takes them as "
        f"missing at random {unseen}"
    )
    yield (
        "Scores are not held within their scale when delta is added: more than a few points say that this is not "
        "plausible, not what would happen."
    )
    both = "If those who left the other arm were worse by the same delta,"
    if answer["flip_both"] is None:
        yield f"{both} no delta would undo the effect: {active} does not lose more patients."
    else:
        yield f"{both} it would take {_points(answer['flip_both'])}."


def _points(value: float) -> str:
    return f"{number(float(f'{value:.3g}'))} points"


def _or(value: float | None, words: str) -> str:
    return words if value is None else number(float(f"{value:.3g}"))


# Worst type I error ----------------------------------------------------------------------------------------------


def _worst(answer: Answer, labels: Labels) -> Iterator[str]:
    worst, base = answer["worst"], answer["base"]
    level = f"{100 * answer['alpha']:g} %"
    yield str(answer["title"])
    yield (
        f"Type I error of {answer['estimand']} at a nominal level of {level}: every effect is 0, and "
        f"{len(answer['nuisances'])} nuisances are searched over their ranges ({len(answer['tried'])} settings)."
    )
    yield f"Worst setting found, on fresh draws: {_confirmed(worst)}."
    yield f"With the scenario's own values, on the same draws: {_confirmed(base)}."
    if answer["difference"] is not None:
        change = f"{fixed(100 * answer['difference'], 2, signed=True)} ± {100 * answer['difference_mcse']:.2f}"
        clear = "larger than noise" if answer["differs"] else f"not larger than noise ({NOISE_WORDS})"
        yield f"The difference is {change} percentage points, paired: {clear}."
    if answer["is_above"]:
        yield f"Warning: in the worst setting the test is too bold. Its 95 % interval lies above the nominal {level}."
    else:
        yield f"Nowhere in these ranges was a type I error found that is above {level} by more than its error."
    yield (
        f"In the search that setting had shown {100 * answer['search_share']:.1f} %; what is picked as one of the "
        "largest of many is too large by selection, which is why it was simulated again."
    )
    yield ""
    rows = [("nuisance", "searched from", "to", "worst setting")]
    for path, (low, high) in answer["nuisances"].items():
        shown = [_cell(path, value, labels) for value in (low, high)]
        shown.append(at_words(path, worst["values"][path], labels))
        rows.append((path, *shown))
    yield from table_lines(rows)
    if answer["impossible"]:
        yield f"{answer['impossible']} settings cannot be had together and were left out."


def _confirmed(one: Answer) -> str:
    if one["share"] is None:
        return f"{NO_ESTIMATE} with {one['n']:,} patients ({one['replicates']:,} were simulated)"
    failed = f", {one['failed']:,} of them without an estimate" if one["failed"] else ""
    return (
        f"{100 * one['share']:.2f} % (± {100 * one['mcse']:.2f}; 95 % interval {100 * one['low']:.2f} to "
        f"{100 * one['high']:.2f}) with {one['n']:,} patients, {one['replicates']:,} simulated trials{failed}"
    )


_LINES: Mapping[str, Callable[[Answer, Labels], Iterator[str]]] = {
    "tornado": _tornado,
    "heat_map": _heat,
    "attribution": _attribution,
    "design_tipping_point": _tipping,
    "worst_type_i_error": _worst,
}
