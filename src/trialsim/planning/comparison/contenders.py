"""What is compared: the designs of one scenario, or several scenarios, with one seed and one number of replicates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from trialsim.engine.plan import Cell, cells
from trialsim.errors import Fault, InputError
from trialsim.scenario.export import content_hash
from trialsim.scenario.loading import Scenario, describe_setting
from trialsim.scenario.resolved import Resolved, Variant
from trialsim.scenario.resolving import resolve

MOST_DESIGNS = 100


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """One run of a comparison; it holds one design, or with all cells several.

    Parameters
    ----------
    name, label : str
    folder : str
        Name of its run folder: letters, digits, `_` and `-`.
    file : str
        Scenario file.
    resolved : Resolved
        With the seed of the comparison.
    changes : mapping of str to object
        What a design of a scenario changes, by path.
    """

    name: str
    label: str
    folder: str
    file: str
    resolved: Resolved
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Design:
    """One cell of a contender: what is compared.

    Parameters
    ----------
    name, label : str
    contender : Contender
    cell : Cell
    """

    name: str
    label: str
    contender: Contender
    cell: Cell

    @property
    def variant(self) -> Variant:
        """Truth and design of the cell."""
        return self.contender.resolved.variants[self.cell.variant]

    @cached_property
    def trials(self) -> str:
        """Hash of what its trials depend on; designs that share it are the same trials."""
        alone = replace(self.variant, index=0, settings={}, sample_sizes=(self.cell.n,))
        return content_hash((alone,), self.contender.resolved.seed)

    @cached_property
    def but_for_size(self) -> str:
        """Hash of all of that but the number of patients."""
        return content_hash(
            (replace(self.variant, index=0, settings={}, sample_sizes=()),), self.contender.resolved.seed
        )


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What a comparison consists of, before anything is simulated.

    Parameters
    ----------
    title : str
    contenders : tuple of Contender
    designs : tuple of Design
        At least two.
    replicates, seed : int
    notes : tuple of str
        What was left aside or made alike.
    """

    title: str
    contenders: tuple[Contender, ...]
    designs: tuple[Design, ...]
    replicates: int
    seed: int
    notes: tuple[str, ...]


def prepare(scenarios: Mapping[str, Scenario], *, cells: bool = False) -> Prepared:
    """Return what is to be compared.

    Parameters
    ----------
    scenarios : mapping of str to Scenario
        By name. One with designs stands for these; of several each is a design at its own values.
    cells : bool
        Whether every sample size and every combination of varied values is a design of its own; otherwise base values
        and the first sample size.

    Raises
    ------
    InputError
        If there are not two designs, or too many, or a number of one cannot be found.
    """
    first = next(iter(scenarios.values()))
    seed, replicates = first.content.simulation.seed, first.content.simulation.replicates
    notes = [*_made_alike(scenarios, seed, replicates), *_left_aside(scenarios, cells)]
    runs = _of_designs(first, cells) if len(scenarios) == 1 and first.designs else _of_files(scenarios, cells)
    contenders = tuple(replace(run, resolved=_alike(run.resolved, seed, replicates, cells)) for run in runs)
    designs = tuple(design for contender in contenders for design in _designs(contender, cells))
    _check_number(designs, scenarios, cells)
    title = first.title if len(scenarios) == 1 else f"Comparison of {len(contenders)} scenarios"
    return Prepared(title, contenders, designs, replicates, seed, tuple(notes))


def _of_designs(scenario: Scenario, cells: bool) -> list[Contender]:
    from trialsim.scenario.designs import resolve_designs

    found: list[Contender] = []
    for design, resolved in resolve_designs(scenario, cells=cells):
        folder = _folder_name(design.name, {contender.folder for contender in found})
        changes = {path: node.plain() for path, node in design.changes.items()}
        named = replace(resolved, title=f"{scenario.title}: {design.label}")
        found.append(Contender(design.name, design.label, folder, scenario.file, named, changes))
    return found


def _of_files(scenarios: Mapping[str, Scenario], cells: bool) -> list[Contender]:
    found: list[Contender] = []
    faults: list[Fault] = []
    for name, scenario in scenarios.items():
        try:
            resolved = resolve(scenario if cells else scenario.at_base())
        except InputError as error:
            faults += error.faults
            continue
        folder = _folder_name(name, {contender.folder for contender in found})
        found.append(Contender(name, name, folder, scenario.file, resolved))
    if faults:
        raise InputError(faults)
    return found


def _folder_name(name: str, taken: set[str]) -> str:
    """Return a name that every file system takes and no other run has, letters big and small alike."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:40].strip("_-") or "design"
    number, found = 1, plain
    while found.lower() in {other.lower() for other in taken}:
        number += 1
        found = f"{plain}_{number}"
    return found


def _alike(resolved: Resolved, seed: int, replicates: int, cells: bool) -> Resolved:
    """Return a scenario with the seed of the comparison, and at one size unless all cells are asked for."""
    variants = resolved.variants
    if not cells:
        variants = tuple(replace(variant, sample_sizes=variant.sample_sizes[:1]) for variant in variants)
    own = content_hash(variants, seed)
    return replace(resolved, variants=variants, hash=own, seed=seed, replicates=replicates)


def _designs(contender: Contender, all_cells: bool) -> list[Design]:
    listed = cells(contender.resolved.variants)
    if len(listed) == 1:
        return [Design(contender.name, contender.label, contender, listed[0])]
    found = []
    for cell in listed:
        settings = {path: describe_setting(value) for path, value in cell.settings.items()}
        name = ", ".join([*(f"{path}={value}" for path, value in settings.items()), f"n={cell.n}"])
        # The last keys tell which is which, and leave room.
        words = ", ".join([*(f"{path.rpartition('.')[2]} {value}" for path, value in settings.items()), f"N {cell.n}"])
        found.append(Design(f"{contender.name} {name}", f"{contender.label}, {words}", contender, cell))
    return found


def _check_number(designs: Sequence[Design], scenarios: Mapping[str, Scenario], cells: bool) -> None:
    file = next(iter(scenarios.values())).file
    if len(designs) > MOST_DESIGNS:
        message = (
            f"{len(designs):,} designs; at most {MOST_DESIGNS} are compared, so vary fewer values or list fewer sizes"
        )
        raise InputError([Fault("--cells", message)])
    if len(designs) > 1:
        return
    own = next(iter(scenarios.values())).designs
    have = f"designs has one entry, {own[0].name}" if own else "a comparison needs two designs"
    ways = "add another to designs" if own else "name another scenario file, or list designs in this one"
    more = "" if cells else ", or give --cells to compare all its sample sizes and varied values"
    raise InputError([Fault("designs", f"{have}: {ways}{more}", file=file)])


def _made_alike(scenarios: Mapping[str, Scenario], seed: int, replicates: int) -> list[str]:
    first = next(iter(scenarios))
    notes = []
    for key, words, value in (("seed", "Seeds", seed), ("replicates", "Numbers of replicates", replicates)):
        others = {name for name, one in scenarios.items() if getattr(one.content.simulation, key) != value}
        if others:
            notes.append(f"{words} differ between the files: that of {first} ({value}) is used for all.")
    return notes


def _left_aside(scenarios: Mapping[str, Scenario], cells: bool) -> list[str]:
    notes = []
    for name, scenario in scenarios.items():
        if len(scenarios) > 1 and scenario.designs:
            listed = ", ".join(design.name for design in scenario.designs)
            notes.append(f"{name}: designs is left aside ({listed}); with several files each stands for itself.")
        if cells:
            continue
        if scenario.varied:
            notes.append(f"{name}: vary is left aside ({', '.join(scenario.varied)}); --cells compares all its cells.")
        sizes = scenario.content.sample_size
        own = [design.scenario.content.sample_size for design in scenario.designs] if len(scenarios) == 1 else []
        if any(isinstance(size, tuple) and len(size) > 1 for size in (own or [sizes])):
            notes.append(f"{name}: of several sample sizes the first is taken; --cells compares all.")
    return notes
