"""Which question is held against which: the estimand that designs share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trialsim.engine.hypotheses import Hypothesis
from trialsim.errors import Fault, InputError
from trialsim.planning.comparison.contenders import Design
from trialsim.planning.question_parts import question_parts
from trialsim.scenario.resolved import Analysis, Estimand, Variant
from trialsim.scenario.words import listed


class Question(NamedTuple):
    """An estimand of one design with its first analysis.

    Attributes
    ----------
    hypothesis : Hypothesis
    estimand : Estimand
    analysis : Analysis
    words : dict of str to str
        What it asks, by part: outcome, endpoint, day, contrast, measure and so on.
    """

    hypothesis: Hypothesis
    estimand: Estimand
    analysis: Analysis
    words: Mapping[str, str]


def questions(designs: Sequence[Design], asked: str | None) -> list[Question]:
    """Return the question to compare, as each design asks it.

    Parameters
    ----------
    designs : sequence of Design
    asked : str or None
        Name of an estimand that all designs have, whatever each asks by it. By default the first that is about the
        same endpoint of the same outcome in all.

    Raises
    ------
    InputError
        If not all designs have it, or they share none.
    """
    names = [estimand.name for estimand in designs[0].variant.estimands]
    common = [name for name in names if all(_has(design, name) for design in designs)]
    if asked is not None:
        if asked not in common:
            missing = [design.name for design in designs if not _has(design, asked)]
            message = f"there is no estimand {asked!r} in {listed(missing)}; all designs have {listed(common)}"
            raise InputError([Fault("--estimand", message)])
        return [_question(design.variant, asked) for design in designs]
    for name in common:
        found = [_question(design.variant, name) for design in designs]
        if len({(question.words["outcome"], question.words["endpoint"]) for question in found}) == 1:
            return found
    each = "; ".join(f"{design.name} has {_all_words(design.variant)}" for design in designs)
    ways = "Give a question on the same endpoint of one outcome the same name in all"
    if common:
        ways += f", or compare the power of different questions with --estimand {common[0]}"
    raise InputError([Fault("estimands", f"the designs share no estimand: {each}. {ways}")])


def _has(design: Design, name: str) -> bool:
    return any(estimand.name == name for estimand in design.variant.estimands)


def not_the_same(designs: Sequence[Design], found: Sequence[Question]) -> list[str]:
    """Return a sentence for each part of the question that is not the same in all designs."""
    notes = []
    for part in dict.fromkeys(part for question in found for part in question.words):
        told: dict[str, list[str]] = {}
        for design, question in zip(designs, found, strict=True):
            if part in question.words:
                told.setdefault(question.words[part], []).append(design.name)
        if len(told) > 1:
            each = "; ".join(f"{words} in {listed(names)}" for words, names in told.items())
            notes.append(f"Estimand {found[0].estimand.name} has not the same {part} in all designs: {each}.")
    return notes


def randomised_apart(designs: Sequence[Design]) -> list[str]:
    """Return the sentence that says that lists of randomisation differ, so that the pairs tell less."""
    told: dict[str, list[str]] = {}
    for design in designs:
        plan = design.variant.allocation
        sizes = ", ".join(str(size) for size in plan.block_sizes)
        how = f"blocks of {sizes}" if plan.method == "permuted_blocks" else "complete randomisation"
        told.setdefault(f"{how}{' by stratum' if plan.stratified else ''}", []).append(design.name)
    if len(told) < 2:
        return []
    each = "; ".join(f"{how} in {listed(names)}" for how, names in told.items())
    return [
        f"Designs randomise in different ways ({each}), so that the same patient is often in another arm and the pairs "
        "gain little. With the same allocation.block_sizes (and stratify_by) they gain more."
    ]


def _question(variant: Variant, name: str) -> Question:
    e = next(e for e, estimand in enumerate(variant.estimands) if estimand.name == name)
    estimand = variant.estimands[e]
    analysis = estimand.analyses[0]
    return Question(Hypothesis(e, 0), estimand, analysis, _parts(variant, estimand))


def _parts(variant: Variant, estimand: Estimand) -> dict[str, str]:
    return {**question_parts(variant, estimand), "alpha": f"{estimand.analyses[0].alpha:g}"}


def _all_words(variant: Variant) -> str:
    words = []
    for estimand in variant.estimands:
        parts = _parts(variant, estimand)
        asked = ", ".join(parts[part] for part in ("outcome", "endpoint", "day", "contrast"))
        words.append(f"{estimand.name} ({asked})")
    return listed(words)
