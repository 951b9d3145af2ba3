"""The runs of a comparison: one run folder for each design, and what is read back from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trialsim.engine.decided import read_decided
from trialsim.engine.execute import execute, finished
from trialsim.engine.manifest import DESIGNS, build_manifest, check_folder
from trialsim.engine.needs import needs, refuse_if_too_large
from trialsim.engine.plan import units
from trialsim.engine.reading import read_json
from trialsim.engine.replicates import read_replicates, read_summary
from trialsim.engine.store import write_json
from trialsim.engine.truth import Truth, true_values
from trialsim.errors import RunError
from trialsim.planning.comparison.contenders import Design, Prepared
from trialsim.planning.comparison.metrics import Simulated
from trialsim.planning.comparison.operational import operational_metrics
from trialsim.planning.comparison.questions import Question

TRUTHS = "truths.json"
Progress = Callable[[int, int], None]


def simulate(
    prepared: Prepared, folder: Path, replicates: int, workers: int, progress: Progress | None, *, force: bool = False
) -> bool:
    """Run every contender into its folder, or what is missing of it; return whether anything was computed.

    Parameters
    ----------
    prepared : Prepared
    folder : Path
        Of the comparison.
    replicates, workers : int
    progress : callable, optional
        Called with (blocks done, blocks in all) over all contenders.
    force : bool
        Run what is larger than somebody may have meant.

    Raises
    ------
    RefusedError
        If a folder holds something else, or a contender is too large.
    """
    for contender in prepared.contenders:  # before work starts
        place = folder / DESIGNS / contender.folder
        check_folder(place, build_manifest(contender.resolved, replicates))
        if not force and not finished(place, replicates):
            refuse_if_too_large(needs(contender.resolved.variants, replicates), place, workers)
    total = sum(len(units(contender.resolved, replicates)) for contender in prepared.contenders)
    before, computed = 0, False
    for contender in prepared.contenders:

        def shown(done: int, _: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        execution = execute(
            contender.resolved,
            folder / DESIGNS / contender.folder,
            replicates=replicates,
            workers=workers,
            progress=shown,
            force=force,
        )
        before += len(units(contender.resolved, replicates))
        computed |= not execution.done_before
    return computed


def simulated(designs: Sequence[Design], asked: Sequence[Question], folder: Path, replicates: int) -> list[Simulated]:
    """Return what measures are found from, of each design.

    Parameters
    ----------
    designs : sequence of Design
    asked : sequence of Question
        Of each.
    folder : Path
        Of the comparison, simulated.
    replicates : int
    """
    summaries: dict[str, list[dict[str, Any]]] = {}
    found = []
    for design, question in zip(designs, asked, strict=True):
        place = folder / DESIGNS / design.contender.folder
        rows = summaries.setdefault(design.contender.folder, read_summary(place))
        key = (design.cell.index, question.estimand.name, question.analysis.name)
        row = next(row for row in rows if (row["cell"], row["estimand"], row["method"]) == key)
        trials = read_replicates(
            place, design.cell.index, question.estimand, question.analysis, float(row["true_value"])
        )
        taken = operational_metrics(place, design.variant, design.cell.index)
        drug_alone = _drug_alone(design, question, row, folder)
        of_cell = [row for row in rows if row["cell"] == design.cell.index]
        decided = read_decided(place, design.variant, question.hypothesis, of_cell)
        found.append(Simulated(design, question, row, trials, taken, drug_alone, decided))
    return found


def _drug_alone(design: Design, question: Question, row: Mapping[str, Any], folder: Path) -> Truth | None:
    """Return the true value without what patients and raters expect, found once for a comparison's folder.

    None where nobody expects anything, or where the analysis fails on patients who are all seen.
    """
    variant, estimand = design.variant, question.estimand
    if variant.unblinding is None:
        return None
    if estimand.expectancy == "excluded":
        return Truth(float(row["true_value"]), float(row["true_value_se"]))
    path = folder / TRUTHS
    kept = read_json(path) or {}
    key = json.dumps([design.but_for_size, estimand.name, question.analysis.name])
    if key not in kept:
        alone = replace(estimand, analyses=(question.analysis,), expectancy="excluded", true_value=None)
        lone = replace(variant, estimands=(alone,), multiplicity=None)
        try:
            (truth,) = true_values(lone).values()
        except RunError:
            return None
        kept[key] = list(truth)
        write_json(path, kept)
    return Truth(*kept[key])
