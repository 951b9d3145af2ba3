"""Load scenarios and run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialsim.api.finished import Run
from trialsim.errors import Fault, InputError, RefusedError
from trialsim.scenario import Option, Scenario, resolve
from trialsim.scenario import load as load_scenario
from trialsim.scenario.at_value import with_simulation

if TYPE_CHECKING:
    from trialsim.engine.backends import Backend
    from trialsim.engine.notes import Tell
    from trialsim.engine.shards import Shard
    from trialsim.planning.precision import Estimate
    from trialsim.scenario import Resolved

OUTPUTS = Path("outputs")


def load(path: str | Path, *, settings: Mapping[str, Any] | None = None) -> Scenario:
    """Return a checked scenario from a YAML file.

    Parameters
    ----------
    path : str or Path
    settings : mapping, optional
        Values to put at scenario paths, such as ``{"sample_size": [100, 200]}``.

    Raises
    ------
    InputError
        With every fault found and its place.
    """
    return load_scenario(path, settings=settings)


def run(
    scenario: Scenario | str | Path,
    *,
    out: str | Path | None = None,
    workers: int | None = None,
    settings: Mapping[str, Any] | None = None,
    replicates: int | None = None,
    seed: int | None = None,
    extend: int | None = None,
    verify: bool = False,
    wait: bool = True,
    scheduler: str | None = None,
    shard: str | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
    tell: Tell | None = None,
    confirm: Callable[[Estimate], bool] | None = None,
) -> Run:
    """Simulate a scenario and write results, figures and report into a run folder.

    Parameters
    ----------
    scenario : Scenario, str or Path
        Loaded, or a YAML file.
    out : str or Path, optional
        Run folder; outputs/<name of the file> by default. Of the same scenario, what is there is kept
        and only what is missing is computed.
    workers : int, optional
        Processes; as many as there are cores by default. Results do not depend on it.
    settings : mapping, optional
        As for `load`; only with a file.
    replicates, seed : int, optional
        Simulated trials per cell and seed of all draws, instead of the scenario's.
    extend : int, optional
        Grow the run that the folder holds to this many replicates in total; the scenario's number is left aside.
    verify : bool
        Read every file of a finished run and compare its checksum; otherwise the manifest is trusted for files that
        are there in full length.
    wait : bool
        Wait for another process that works in the folder; otherwise refuse.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers compute instead of this machine's: ``tcp://10.0.0.5:8786``.
    shard : str, optional
        Compute only this part of the run, such as ``3/20``, and stop; `merge` puts the parts together.
    force : bool
        Run what is larger than somebody may have meant.
    progress : callable, optional
        Called with (blocks done, blocks in all).
    tell : callable, optional
        Called with notes (`kind`, `text`), such as that a damaged part is computed again.
    confirm : callable, optional
        Where the scenario has `simulation.precision`: called after the first 500 replicates with what the rest will
        take (`precision`, `replicates`, `seconds`), and whether to go on is what it returns.

    Raises
    ------
    InputError
        If the scenario is not sound.
    RefusedError
        If the folder holds something else, or nothing that could be extended, the run is too large, or `confirm`
        said no.
    RunError
        If the disk is full, the folder cannot be written to, the memory does not suffice, or workers are lost for good.
    """
    from trialsim.engine.manifest import was_run
    from trialsim.engine.shards import parse_shard

    scenario = loaded(scenario, settings, replicates=replicates, seed=seed)
    part = None if shard is None else parse_shard(shard)
    folder = Path(out) if out is not None else OUTPUTS / f"{own_name(scenario.file)}{_ending(part)}"
    resolved = resolve(scenario, known=partial(was_run, folder))
    given: dict[str, Any] = {"force": force, "verify": verify, "wait": wait, "tell": tell}
    backend = _backend(workers, scheduler)
    if resolved.precision is None or extend is not None:
        wanted = resolved.replicates if extend is None else _extended(folder, extend)
        _say_longer(resolved, folder, wanted, tell)
        return carry_out(resolved, folder, wanted, backend=backend, shard=part, progress=progress, **given)
    if part is not None:
        raise InputError([Fault("shard", "a run to a precision grows by what it finds: give replicates instead of it")])
    return carry_out(resolved, folder, None, backend=backend, progress=progress, confirm=confirm, **given)


def loaded(
    scenario: Scenario | str | Path,
    settings: Mapping[str, Any] | None,
    *,
    replicates: int | None = None,
    seed: int | None = None,
) -> Scenario:
    """Return a scenario that may be loaded already, with other replicates or another seed where they are given.

    Raises
    ------
    InputError
        If the scenario is not sound, or a number is out of range.
    TypeError
        If settings are given for a scenario that is loaded already.
    """
    given = {name: value for name, value in (("replicates", replicates), ("seed", seed)) if value is not None}
    if not isinstance(scenario, Scenario):
        own = {f"simulation.{name}": Option(value, f"{name}={value}") for name, value in given.items()}
        return load(scenario, settings={**(settings or {}), **own})
    if settings:
        raise TypeError("settings go with a file; give them to load for a scenario that is loaded already")
    return with_simulation(scenario, given) if given else scenario


def carry_out(
    resolved: Resolved, folder: Path, replicates: int | None, *, tell: Tell | None = None, **options: Any
) -> Run:
    """Return a run that is computed into a folder, or what is missing of it there.

    Parameters
    ----------
    resolved : Resolved
    folder : Path
    replicates : int or None
        None: as many as the scenario's precision takes.
    tell : callable, optional
    **options
        As of `trialsim.engine.execute.execute`, or of `trialsim.api.precision.run_to_precision`.
    """
    from trialsim.engine.execute import execute
    from trialsim.engine.notes import silent

    options |= {"tell": tell or silent, "publish": partial(_publish, resolved, folder)}
    if replicates is None:
        from trialsim.api.precision import run_to_precision

        execution = run_to_precision(resolved, folder, **options)
    else:
        execution = execute(resolved, folder, replicates=replicates, **options)
    return Run(folder, execution.manifest, computed=not execution.done_before, whole=execution.merged)


def own_name(file: str) -> str:
    """Return what the outputs of a scenario file are called; a name of dots alone would lead out of their folder."""
    stem = Path(file).stem
    return stem if stem.strip(".") else "scenario"


def _ending(shard: Shard | None) -> str:
    return "" if shard is None else f"_shard_{shard.number}_of_{shard.of}"


def _backend(workers: int | None, scheduler: str | None) -> Backend:
    from trialsim.engine.backends import Dask, Local

    if scheduler is None:
        return Local(workers)
    if workers is not None:
        raise InputError([Fault("workers", "are those that the scheduler has; leave this out, or the scheduler")])
    return Dask(scheduler)


def _extended(folder: Path, replicates: int) -> int:
    """Return the number of replicates that a run is to grow to; refuse where there is none."""
    from trialsim.engine.manifest import read_manifest

    if read_manifest(folder) is None:
        raise RefusedError(
            f"{folder} holds no run that could be extended. Give its folder with --out, or start a run of "
            f"{replicates:,} with --replicates {replicates}."
        )
    return replicates


def _say_longer(resolved: Resolved, folder: Path, wanted: int, tell: Tell | None) -> None:
    """Say so where a folder is for more replicates than are asked for: none that was computed is taken back."""
    from trialsim.engine.manifest import build_manifest, check_folder

    there = check_folder(folder, build_manifest(resolved, wanted))
    if tell is not None and there is not None and there["replicates"] > wanted:
        from trialsim.engine.notes import Note

        text = (
            f"{folder} is planned for {there['replicates']:,} simulated trials per cell: all of them are computed and "
            f"shown, not {wanted:,}. For {wanted:,} name another folder with --out."
        )
        tell(Note("longer", text))


def _publish(resolved: Resolved, folder: Path, manifest: dict[str, Any]) -> list[Path]:
    from trialsim.api.answer import write_answer
    from trialsim.api.results import write_results
    from trialsim.engine.example import one_trial, trajectories
    from trialsim.engine.manifest import ANSWER, RESULTS
    from trialsim.report.clinic import write_clinic
    from trialsim.report.origins import SCORES, origin_words
    from trialsim.report.publish import publish
    from trialsim.report.twins import write_twins

    # The scenario's own values; they need not be among those it varies.
    own = resolve(resolved.scenario.at_base())
    variant = own.variants[0]
    n = sorted(variant.sample_sizes)[len(variant.sample_sizes) // 2]
    trial = one_trial(variant, own.hash, own.seed, replicate=0, n=n)
    note = f"One simulated trial (replicate 0) of {n} patients"
    if resolved.variants[0].settings:
        note += " at the scenario's own values"
    note = f"{note}.\n{origin_words(own.provenance, SCORES)}".strip()
    drawn = [*write_twins(folder, resolved), *write_clinic(folder, resolved.variants, resolved.hash)]
    drawn += publish(folder, manifest, trajectories(variant, trial), note)
    done = Run(folder, manifest, computed=True)
    write_answer(folder / ANSWER, done)
    write_results(folder / RESULTS, done)
    return [*drawn, folder / ANSWER, folder / RESULTS]
