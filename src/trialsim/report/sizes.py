"""A sample size, or a detectable effect, in words."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

WIDTH = 100


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
    lines += list(answer.get("notes", ()))
    lines.append(f"{answer['trials']:,} simulated trials in {_plural(answer['blocks'], 'block')}.")
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in lines)


def _goal_words(answer: Mapping[str, Any]) -> str:
    power = f"{100 * answer['power']:g} % power"
    if answer["goal"] == "all":
        return f"{power} for {answer['hypothesis']} in the same trial"
    needy = f", the one that needs most: {answer['hypothesis']}" if answer["goal"] == "each" else ""
    return f"{power} for {'each hypothesis' if needy else answer['hypothesis']}{needy}"


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
    lines.append(f"Completers to expect: {answer['completers']:,} ({_percent(answer['share_missing'])} missing).")
    eligible, consenting = answer["screening"]["eligible"], answer["screening"]["consenting"]
    lines.append(
        f"To screen: {answer['to_screen']:,}, where {_percent(eligible['value'])} are eligible ({eligible['source']}) "
        f"and {_percent(consenting['value'])} of them consent ({consenting['source']})."
    )
    return lines


def _effect_lines(answer: Mapping[str, Any]) -> list[str]:
    low, high = sorted((answer["low"], answer["high"]))
    return [
        f"{answer['path']} = {answer['value']:.4g} (95 % interval {low:.4g} to {high:.4g}, ± "
        f"{100 * answer['half_width']:.2g} %) with {answer['n_total']:,} patients randomised: {_goal_words(answer)}."
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
