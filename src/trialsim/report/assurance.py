"""Assurance in words: a table by number of patients, what it means for the largest trial, what a pilot would teach."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trialsim.report.assurance_tables import setting_of
from trialsim.report.measures import factor_of, quantity, shown
from trialsim.report.words import NO_BREAK_SPACE, fixed

WIDTH = 100
Row = Mapping[str, Any]

COLUMNS: Mapping[str, str] = {
    "assurance": "Assurance",
    "closed_form": "Closed form",
    "power_above": "Power ≥ {threshold}",
    "success_and_benefit": "Success and benefit",
    "success_and_relevant": "Success and benefit ≥ {relevant}",
}
"""Headings of the table, by name of the measure."""


def assurance_text(answer: Row) -> str:
    """Return an answer as lines of text.

    Parameters
    ----------
    answer : mapping
        Of `Assurance`, as plain data.
    """
    lines = [str(answer["title"]), *_prior_lines(answer)]
    for cell in answer["cells"]:
        lines += ["", *_cell_lines(answer, cell)]
    lines += ["", *answer.get("notes", ())]
    cells = answer["cells"]
    draws = sum(cell["draws"] for cell in cells)
    lines.append(
        f"{answer['trials']:,} simulated trials: {draws:,} draws from the priors, {answer['replicates']} replicates of "
        "each at every number of patients; pilots and the scenario's own values are counted too. ± is the Monte Carlo "
        "standard error over both."
    )
    return "\n".join(line if line.startswith("  ") or not line else _wrapped(line) for line in lines)


def _wrapped(line: str) -> str:
    return textwrap.fill(line, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _prior_lines(answer: Row) -> Iterator[str]:
    yield "Priors:"
    for path, words in answer["priors"].items():
        yield f"  {path}: {words}"


def _cell_lines(answer: Row, cell: Row) -> Iterator[str]:
    if cell["settings"]:
        yield f"With {setting_of(cell)}"
    yield from _table(answer, cell)
    if cell["left_out"]:
        share = cell["left_out"] / (cell["draws"] + cell["left_out"])
        yield f"{cell['left_out']} draws ({_percent(share)}) were left out: no scenario can have them."
    if not cell["effect_exact"]:
        yield "The model does not give true effects exactly: that of a draw is the mean estimate of its largest trials."
    last = cell["sizes"][-1]
    yield ""
    yield f"With {last['n_total']:,} patients, {answer['hypothesis_label']}:"
    for sentence in (*_view_lines(answer, cell, last), *_pilot_lines(answer, cell)):
        yield from _bullet(sentence)


def _bullet(sentence: str) -> list[str]:
    return textwrap.wrap(
        sentence, WIDTH, initial_indent="  - ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )


def _table(answer: Row, cell: Row) -> Iterator[str]:
    """Yield a line for each number of patients, below headings of as many lines as they need."""
    left_out = "success_and_benefit" if answer["relevant"] is not None else ""
    names = [n for n in COLUMNS if n != left_out and any(n in size["measures"] for size in cell["sizes"])]
    headings = ["N", *(_heading(name, answer) for name in names), "Power at own values"]
    body = [
        [f"{size['n_total']:,}", *(_told(size["measures"].get(name)) for name in names), _own(size)]
        for size in cell["sizes"]
    ]
    columns = zip(headings, *body, strict=True)
    widths = [max(*map(len, cells), *map(len, heading.split())) for heading, *cells in columns]
    wrapped = [textwrap.wrap(heading, width) for heading, width in zip(headings, widths, strict=True)]
    deepest = max(map(len, wrapped))
    above = ([""] * (deepest - len(lines)) + lines for lines in wrapped)
    for row in (*zip(*above, strict=True), *body):
        yield "  " + "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True))


def _heading(name: str, answer: Row) -> str:
    relevant = answer["relevant"]
    return COLUMNS[name].format(
        threshold=_percent(answer["threshold"], 0),
        relevant="" if relevant is None else f"{factor_of(answer['measure']) * relevant:g}",
    )


def _own(size: Row) -> str:
    if size["own_power"] is None:
        return "–"
    return _told({"value": size["own_power"], "mcse": size["own_mcse"]})


def _told(told: Row | None) -> str:
    """Return a chance with its error; a dash stands for what cannot be told."""
    if told is None:
        return "–"
    error = "–" if told["mcse"] is None else fixed(100 * told["mcse"], 2 if told["mcse"] < 0.001 else 1)
    return f"{fixed(100 * told['value'], 1)} ± {error}{NO_BREAK_SPACE}%"


def _chance(told: Row) -> str:
    """Return a chance with its error for a sentence; that no error can be told where too few draws have the case."""
    if told["mcse"] is None:
        return f"{_percent(told['value'])} (of so few draws that no error can be told)"
    return _told(told)


def _percent(share: float, decimals: int = 1) -> str:
    return f"{fixed(100 * share, decimals)}{NO_BREAK_SPACE}%"


def _view_lines(answer: Row, cell: Row, size: Row) -> Iterator[str]:
    """Yield what the priors say of the largest trial, a sentence each."""
    told, prior, measure = size["measures"], cell["measures"], answer["measure"]
    if not told:
        yield "No trial could be analysed."
        return
    low, middle, high = (_percent(told[f"power_q{q}"]["value"]) for q in ("5", "50", "95"))
    yield f"Power is {middle} or more in half of the draws, and between {low} and {high} in 90 of 100."
    if answer["estimated"]:
        yield f"A trial that finds all of them succeeds; benefit, truth and estimate are of {answer['estimated']}."
    benefit, claimable = prior.get("benefit"), prior["claimable"]
    chance = "" if benefit is None else f"There is a benefit with a chance of {_told(benefit)}. "
    limit = f"the chance that what is claimed is true, {_told(claimable)}"
    if benefit is not None and benefit["value"] == claimable["value"]:
        limit = "this"
    yield f"{chance}With ever more patients the assurance tends to {limit}."
    if "power_if_benefit" in told:
        more = _if_relevant(answer, told)
        yield f"If there is a benefit, the trial succeeds with {_chance(told['power_if_benefit'])}{more}."
    if told["assurance"]["value"] == 0.0:
        yield "No simulated trial succeeded, so nothing can be said of trials that do."
    if "benefit_if_success" in told:
        relevant = ""
        if "relevant_if_success" in told:
            relevant = f", and at least {_amount(answer)} with {_chance(told['relevant_if_success'])}"
        yield f"If it succeeds, the benefit is real with {_chance(told['benefit_if_success'])}{relevant}."
    if "estimate_if_success" in told:
        whose = f"The estimate of {answer['estimated']}" if answer["estimated"] else "Its estimate"
        yield (
            f"{whose} will lie between {shown(told['estimate_q2.5']['value'], measure, signed=True)} and "
            f"{quantity(told['estimate_q97.5']['value'], measure, signed=True)} with 95 %. Trials that succeed show "
            f"{quantity(told['estimate_if_success']['value'], measure, signed=True)} on average, where the truth is "
            f"{quantity(told['effect_if_success']['value'], measure, signed=True)}."
        )
    if size["failed"]:
        yield f"{size['failed']:,} of its simulated trials could not be analysed and are left out."


def _amount(answer: Row) -> str:
    return quantity(answer["relevant"], answer["measure"])


def _if_relevant(answer: Row, told: Row) -> str:
    if "power_if_relevant" not in told:
        return ""
    return f"; if it is at least {_amount(answer)}, with {_chance(told['power_if_relevant'])}"


def _pilot_lines(answer: Row, cell: Row) -> Iterator[str]:
    """Yield what pilots would teach, a sentence each."""
    pilots: Sequence[Row] = cell["pilots"]
    for pilot in pilots:
        chance = {"value": pilot["chance_changed"], "mcse": pilot["chance_changed_mcse"]}
        if pilot["expected"] is None:
            yield f"A pilot of {pilot['n_pilot']:,} patients gives no estimate."
            continue
        now = "be run" if pilot["run_before"] else "not be run"
        value = {"value": pilot["value"], "mcse": pilot["value_mcse"]}
        yield (
            f"After a pilot of {pilot['n_pilot']:,} the assurance of {_percent(pilot['before'])} becomes "
            f"{_percent(pilot['quantiles']['q5'])} to {_percent(pilot['quantiles']['q95'])} (90 of 100 pilots; mean "
            f"{_told({'value': pilot['expected'], 'mcse': pilot['expected_mcse']})}). If it is run from "
            f"{_percent(answer['go'], 0)} on, the trial would now {now}, and the pilot changes that with "
            f"{_told(chance)}. The pilot is worth {_told(value)} of a successful trial; knowing everything that has a "
            f"prior would be worth {_percent(pilot['value_of_certainty'])}."
        )
        if pilot["effective_draws"] < FEW_DRAWS:
            yield (
                f"What is believed after a pilot of {pilot['n_pilot']:,} rests on {pilot['effective_draws']:.0f} draws "
                "only; ask for more."
            )
        if pilot["failed"] > 0.0:
            yield f"{_percent(pilot['failed'])} of these pilots could not be analysed and are left out."


FEW_DRAWS = 30.0
"""Effective number of draws after a pilot below which its answer is rough."""
