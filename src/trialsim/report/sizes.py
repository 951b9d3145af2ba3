"""A sample size, or a detectable effect, in words."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from trialsim.planning.reached import Reached
from trialsim.report.clinic import effect_row, effect_words
from trialsim.report.families import procedure_name
from trialsim.report.measures import quantity
from trialsim.report.recruited import reached_words
from trialsim.report.words import path_words

WIDTH = 100


class SizedCell(NamedTuple):
    """An answer and the varied values that it is for.

    Attributes
    ----------
    settings : mapping
        Value of each varied path.
    words : str
        The same in words, without the paths.
    answer : mapping
        Of `RequiredSize`, as plain data.
    """

    settings: Mapping[str, Any]
    words: str
    answer: Mapping[str, Any]


def size_text(answer: Mapping[str, Any]) -> str:
    """Return an answer as lines of text.

    Parameters
    ----------
    answer : mapping
        Of `RequiredSize` or `DetectableEffect`, as plain data.
    """
    lines = [str(answer["title"])]
    if answer["reached"]:
        lines += _size_lines(answer) if answer["kind"] == "required_size" else _effect_lines(answer)
    lines += [answer["reason"]] if answer["reason"] else []
    lines += _recruitment_lines(answer)
    lines += _true_lines(answer)
    lines += list(answer.get("notes", ()))
    lines.append(f"{answer['trials']:,} simulated trials in {_plural(answer['blocks'], 'block')}.")
    return "\n".join(map(_filled, lines))


def _filled(line: str) -> str:
    return textwrap.fill(line, WIDTH, subsequent_indent="  ")


def sizes_text(title: str, cells: Sequence[SizedCell], *, labels: Mapping[str, str] | None = None) -> str:
    """Return the sizes of several cells as a table of text, with a line for each that is not as asked for.

    Parameters
    ----------
    title : str
    cells : sequence of SizedCell
        At least one.
    labels : mapping, optional
        Words for arms, strata, outcomes and estimands.
    """
    first = cells[0].answer
    heading = ", ".join(path_words(path, labels=labels) for path in cells[0].settings)
    rows = [(heading, "Patients", "95 % interval", "By formula"), *map(_cell_row, cells)]
    widths = [max(len(row[c]) for row in rows) for c in range(4)]
    within = f" within the procedure ({procedure_name(first['procedure'])})" if first["procedure"] else ""
    lines = [title, f"Patients randomised for {100 * first['power']:g} % power{within}."]
    for row in rows:
        lines.append("  ".join([row[0].ljust(widths[0]), *(row[c].rjust(widths[c]) for c in (1, 2, 3))]).rstrip())
    for cell in cells:
        if cell.answer["reason"]:
            lines.append(_filled(f"{cell.words}: {cell.answer['reason']}"))
        lines += [_filled(f"{cell.words}: {line}") for line in _recruitment_lines(cell.answer)]
    differing = [cell.words for cell in cells if (cell.answer["closed_form"] or {}).get("differs")]
    if differing:
        lines.append(
            _filled(f"* simulation and formula differ by more than their errors allow: {'; '.join(differing)}.")
        )
    sentences = [part for cell in cells for part in (cell.answer["closed_form"] or {}).get("leaves_out", ())]
    if sentences:
        lines.append(_filled(f"What the formula leaves out: {' '.join(dict.fromkeys(sentences))}"))
    trials = sum(cell.answer["trials"] for cell in cells)
    lines.append(f"{trials:,} simulated trials. Settings share their patients, so sizes go up and down together.")
    return "\n".join(lines)


def _cell_row(cell: SizedCell) -> tuple[str, str, str, str]:
    answer = cell.answer
    patients, interval, formula = "–", "", ""
    if answer["reached"]:
        patients = f"{answer['n_total']:,}"
        if answer["n_low"] is not None:
            interval = f"{answer['n_low']:,} to {answer['n_high']:,}"
    found = answer["closed_form"]
    if found is not None:
        formula = f"{found['n_total']:,}{' *' if found['differs'] else ''}"
    return cell.words, patients, interval, formula


def _goal_words(answer: Mapping[str, Any]) -> str:
    """Return what has the power: a hypothesis alone or within its procedure, or several in the same trial."""
    power, procedure = f"{100 * answer['power']:g} % power", answer["procedure"]
    how = f", within the procedure ({procedure_name(procedure)})" if procedure else ""
    if answer["goal"] == "all" or procedure == "co_primary":
        return f"{power} for {answer['hypothesis']} in the same trial{how}"
    if answer["goal"] == "each":
        return f"{power} for each hypothesis{how}, the one that needs most: {answer['hypothesis']}"
    alone = ", tested alone at its own level" if answer["goal"] == "alone" else ""
    return f"{power} for {answer['hypothesis']}{how}{alone}"


def _size_lines(answer: Mapping[str, Any]) -> list[str]:
    arms = ", ".join(f"{name} {n:,}" for name, n in answer["arms"].items())
    interval = ""
    if answer["n_low"] is not None:
        half_width = f"{100 * answer['half_width']:.2g} %"
        interval = f" (95 % interval {answer['n_low']:,} to {answer['n_high']:,}, ± {half_width} before rounding)"
    lines = [f"{answer['n_total']:,} patients randomised{interval}: {_goal_words(answer)}.", f"Arms: {arms}."]
    there = answer["at_n_total"]
    if there is not None:
        lines.append(
            f"Power with {answer['n_total']:,}: {_percent(there['power'])} (95 % interval {_percent(there['low'])} to "
            f"{_percent(there['high'])}). One more percentage point takes about "
            f"{_plural(max(round(answer['patients_per_percent']), 1), 'patient')}."
        )
    of = ", of those recruited by its end on average" if answer["recruitment"] is not None else ""
    missing = _percent(answer["share_missing"])
    lines.append(f"Completers to expect: {answer['completers']:,}{of} ({missing} missing).")
    lines += _formula_lines(answer)
    lines.append(_screening_words(answer))
    return lines


def _true_lines(answer: Mapping[str, Any]) -> list[str]:
    """Return the true effect in the words of the clinic; of several hypotheses found together that of each by name."""
    if answer["true_effects"]:
        return [
            f"The true effect of {effect['hypothesis']}: {_true_words(effect)}" for effect in answer["true_effects"]
        ]
    if answer["clinical"] is None:
        return []
    # Of several of which each is to have the power, it is that of the one that is named.
    of = f" of {answer['hypothesis']}" if answer["goal"] == "each" else ""
    return [f"The true effect{of}: {_lowered(effect_words(effect_row(answer['clinical'])))}"]


def _true_words(effect: Mapping[str, Any]) -> str:
    if effect["clinical"] is not None:
        return _lowered(effect_words(effect_row(effect["clinical"])))
    return f"{quantity(effect['value'], effect['measure'], error=effect['se'], signed=True)}."


def _recruitment_lines(answer: Mapping[str, Any]) -> list[str]:
    """Return what recruitment reaches where it ends early, and that more than it reaches is not to be had."""
    if answer["recruitment"] is None:
        return []
    reached = Reached(**answer["recruitment"])
    nobody_more = " No simulated trial has so many, and to ask for more adds nobody." if reached.share == 0.0 else ""
    counted = " The power counts those that fall short." if answer["reached"] else ""
    return [f"{reached_words(reached)}{nobody_more}{counted}"]


def _screening_words(answer: Mapping[str, Any]) -> str:
    shares = answer["screening"]
    eligible, consenting, passing = (shares[step] for step in ("eligible", "consenting", "passing"))
    passed = "" if passing["value"] == 1.0 else f", of whom {_percent(passing['value'])} pass screening and run-in"
    return (
        f"To screen: {answer['to_screen']:,}, where {_percent(eligible['value'])} are eligible ({eligible['source']}) "
        f"and {_percent(consenting['value'])} of them consent ({consenting['source']}){passed}."
    )


def _formula_lines(answer: Mapping[str, Any]) -> list[str]:
    """Return the size or the value by formula, whether the two differ, and why they may."""
    found = answer["closed_form"]
    if found is None:
        return []
    value = f"{found['n_total']:,}" if answer["kind"] == "required_size" else f"{found['value']:.4g}"
    told = f"By formula: {value} ({found['formula']})."
    if found["differs"]:
        told += " The two differ by more than their errors allow."
    if found["leaves_out"]:
        told += f" What the formula leaves out: {' '.join(found['leaves_out'])}"
    return [told]


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _effect_lines(answer: Mapping[str, Any]) -> list[str]:
    low, high = sorted((answer["low"], answer["high"]))
    return [
        f"{answer['path']} = {answer['value']:.4g} (95 % interval {low:.4g} to {high:.4g}, ± "
        f"{100 * answer['half_width']:.2g} %) with {answer['n_total']:,} patients randomised: {_goal_words(answer)}.",
        *_formula_lines(answer),
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
