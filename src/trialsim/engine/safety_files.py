"""What was watched for safety on disk: stored by block, summed up by cell.

parts/safety_variant0000_block000000_....parquet   one row per cell and replicate
safety.parquet, safety.csv                         one row per cell, kind of event and arm
stopping.parquet, stopping.csv                     one row per cell and hypothesis, where a rule may stop the trial
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.hypotheses import hypotheses
from trialsim.engine.plan import Cell
from trialsim.engine.reading import read_rows
from trialsim.engine.safety import SafetyBlock
from trialsim.engine.truth import Truths
from trialsim.kernels.montecarlo import Measure, mcse_mean, mean, proportion, wilson_interval
from trialsim.kernels.operating_characteristics import FAILED, counts_as_power
from trialsim.scenario.methods import power_sign
from trialsim.scenario.resolved import Variant
from trialsim.scenario.resolved_safety import Safety
from trialsim.streams import BLOCK_SIZE

if TYPE_CHECKING:
    import pyarrow as pa

Array = NDArray[np.float64]

DAYS_PER_YEAR = 365.25
NOTHING = Measure(math.nan, math.nan)


def safety_content(blocks: Sequence[SafetyBlock]) -> bytes:
    """Return what was watched in one unit as a Parquet file: sample sizes rising, replicates in order within.

    Parameters
    ----------
    blocks : sequence of SafetyBlock
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[NDArray[Any]]] = {}
    for block in blocks:
        columns.setdefault("n", []).append(np.full(len(block.stopped_at), block.n))
        columns.setdefault("stopped_at", []).append(block.stopped_at)
        for a in range(block.days.shape[1]):
            for name in ("randomised", "infusions", "days"):
                columns.setdefault(f"{name}_{a}", []).append(getattr(block, name)[:, a])
            for w in range(block.events.shape[1]):
                columns.setdefault(f"events_{w}_{a}", []).append(block.events[:, w, a])
                columns.setdefault(f"patients_{w}_{a}", []).append(block.patients[:, w, a])
                columns.setdefault(f"days_{w}_{a}", []).append(block.at_risk[:, w, a])
    table = pa.table({name: np.concatenate(parts) for name, parts in columns.items()})
    content = BytesIO()
    pq.write_table(table, content, row_group_size=BLOCK_SIZE, compression="zstd")
    return content.getvalue()


def read_safety(paths: Sequence[Path], variant: Variant, n: int, replicates: int) -> dict[str, Array]:
    """Return what was watched in one cell, one value per replicate in order.

    Parameters
    ----------
    paths : sequence of Path
        What was watched in the variant, block by block.
    variant : Variant
    n : int
        Sample size of the cell.
    replicates : int
        Surplus replicates of the last block are left out.
    """
    group = sorted(variant.sample_sizes).index(n)
    parts = []
    for path in paths:
        table = read_rows(path, [group], BLOCK_SIZE)
        parts.append({name: np.asarray(table[name], dtype=np.float64) for name in table.column_names})
    return {name: np.concatenate([part[name] for part in parts])[:replicates] for name in parts[0]}


def cell_rows(
    paths: Sequence[Path],
    replicates: int,
    estimates: pa.Table,
    variant: Variant,
    cell: Cell,
    varied: Sequence[str],
    truths: Truths,
) -> dict[str, list[dict[str, Any]]]:
    """Return a cell's rows of every safety file that the scenario calls for, by the name of the file.

    Parameters
    ----------
    paths : sequence of Path
        As of `read_safety`.
    replicates : int
    estimates, variant, cell, varied, truths
        As of `summarise_stopping`.
    """
    safety = variant.safety
    if safety is None:
        return {}
    seen = read_safety(paths, variant, cell.n, replicates)
    rows = {
        "safety": list(summarise_safety(seen, variant, safety, cell, varied)),
        "stopping": list(summarise_stopping(seen, estimates, variant, safety, cell, varied, truths)),
    }
    return {name: part for name, part in rows.items() if part}


def summarise_safety(
    seen: Mapping[str, Array], variant: Variant, safety: Safety, cell: Cell, varied: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield one row for each kind of event and arm of a cell.

    Parameters
    ----------
    seen : mapping of str to ndarray, shape (R,)
        Of `read_safety`.
    variant : Variant
    safety : Safety
        Of the variant.
    cell : Cell
    varied : sequence of str
        Paths that the scenario varies; a column each.

    Notes
    -----
    All patients of a trial count, whether a rule would have stopped it or not. `rate` is events per infusion given or
    per person-year, the ratio of the sums over replicates; its MCSE is that of a ratio of means. What happens at most
    once to a patient has person-years at risk, up to the event: the exposure-adjusted incidence rate (EAIR).
    """
    for w, watched in enumerate(safety.watched):
        for a, arm in enumerate(variant.arms):
            events, randomised = seen[f"events_{w}_{a}"], seen[f"randomised_{a}"]
            with np.errstate(invalid="ignore"):
                share = seen[f"patients_{w}_{a}"] / randomised  # NaN where an arm of a small trial is empty
            exposure = seen[f"infusions_{a}"] if watched.per_infusion else seen[f"days_{w}_{a}"] / DAYS_PER_YEAR
            yield {
                "cell": cell.index,
                "variant": variant.index,
                **{path: cell.settings.get(path) for path in varied},
                "n": cell.n,
                "event": watched.name,
                "kind": watched.kind,
                "arm": arm,
                "replicates": len(events),
                **_pair("mean_randomised", mean(randomised)),
                **_pair("mean_events", mean(events)),
                **_pair("share_of_patients", mean(share[~np.isnan(share)])),
                "exposure_unit": "infusions" if watched.per_infusion else "person-years",
                **_pair("mean_exposure", mean(exposure)),
                **_pair("rate", _ratio(events, exposure)),
            }


def summarise_stopping(
    seen: Mapping[str, Array],
    estimates: pa.Table,
    variant: Variant,
    safety: Safety,
    cell: Cell,
    varied: Sequence[str],
    truths: Truths,
) -> Iterator[dict[str, Any]]:
    """Yield one row for each hypothesis of a cell in which a rule may stop the trial.

    Parameters
    ----------
    seen, variant, safety, cell, varied
        As of `summarise_safety`.
    estimates : pyarrow.Table
        The cell's estimates: hypotheses in order, replicates in order within.
    truths : Truths

    Notes
    -----
    `power` is that of the summary, as if no trial were stopped; for `power_with_stops` a trial that is stopped has
    found nothing. Both are shares of the fits that gave an estimate.
    """
    rule = safety.stopping_rule
    if rule is None:
        return
    stopped = seen["stopped_at"] > 0
    for h, hypothesis in enumerate(hypotheses(variant)):
        estimand = variant.estimands[hypothesis.estimand]
        analysis = estimand.analyses[hypothesis.analysis]
        rows = estimates.slice(h * len(stopped), len(stopped))
        usable = np.asarray(rows["status"]) != FAILED
        sign = power_sign(estimand, analysis.measure, truths[hypothesis].value)
        counts = counts_as_power(np.asarray(rows["estimate"]), sign)
        found = usable & counts & (np.asarray(rows["p"]) <= analysis.alpha)
        count = int(usable.sum())
        yield {
            "cell": cell.index,
            "variant": variant.index,
            **{path: cell.settings.get(path) for path in varied},
            "n": cell.n,
            "event": safety.watched[rule.watched].name,
            "watched_arm": variant.arms[rule.active],
            "control_arm": variant.arms[rule.control],
            "looks": sum(look < cell.n for look in rule.looks),
            "alpha": rule.alpha,
            "replicates": len(stopped),
            **_stops(seen["stopped_at"], cell.n),
            "estimand": estimand.name,
            "method": analysis.name,
            **_pair("power", proportion(int(found.sum()), count)),
            **_pair("power_with_stops", proportion(int((found & ~stopped).sum()), count)),
        }


def _stops(stopped_at: Array, n: int) -> dict[str, float]:
    """Return how often trials are stopped, and after how many patients."""
    stopped = stopped_at > 0
    hits = int(stopped.sum())
    interval = wilson_interval(hits, len(stopped))
    return {
        **_pair("share_stopped", proportion(hits, len(stopped))),
        "share_stopped_low": interval.low,
        "share_stopped_high": interval.high,
        **_pair("mean_n_at_stop", mean(stopped_at[stopped]) if hits else NOTHING),
        **_pair("expected_n", mean(np.where(stopped, stopped_at, float(n)))),
    }


def _ratio(events: Array, exposure: Array) -> Measure:
    """Return the ratio of two means and its standard error (delta method)."""
    whole = exposure.mean()
    if whole == 0.0:
        return NOTHING
    rate = float(events.mean() / whole)
    return Measure(rate, mcse_mean(events - rate * exposure) / float(whole))


def _pair(name: str, measure: Measure) -> dict[str, float]:
    return {name: measure.value, f"{name}_mcse": measure.mcse}
