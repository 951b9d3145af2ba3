"""A published study repeated in silico: what it found, beside what the same study finds in simulated patients.

Each replicate is one study. Its patients are followed in every arm with the same draws: as they were treated, and as if
they had been given something else, so that what the drug adds can be told from what would have come without it.

A quantity of a replay is marked by what agreement with the published figure is worth:

- ``calibration``: the model was set to it, so that agreement shows only that the program does as it is told;
- ``check``: nothing was fitted to it;
- ``assumed``: it hangs on numbers that no study gives, or there is no published figure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from typing import NamedTuple

import numpy as np

from trialsim.engine.block import patient_source
from trialsim.engine.replay_quantities import Found, Target, look
from trialsim.errors import Fault, InputError
from trialsim.scenario import Resolved, Scenario, Variant, load, resolve
from trialsim.scenario.words import did_you_mean
from trialsim.streams import BLOCK_SIZE, Streams


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """A study repeated in silico.

    Parameters
    ----------
    name : str
    resolved : Resolved
        The scenario behind it.
    arms : tuple of int
        Arm of each world: first the one that the study had.
    found : tuple of Found
        In the order of a table.
    """

    name: str
    resolved: Resolved
    arms: tuple[int, ...]
    found: tuple[Found, ...]

    @property
    def variant(self) -> Variant:
        """The simulated truth and design."""
        return self.resolved.variants[0]


class _Study(NamedTuple):
    """What a replay is made of: the arm the study had, the arm beside it, and what is looked at."""

    given: str
    instead: str
    targets: tuple[Target, ...]


_IN_WORDS = "danayan2023.difference"
"""No difference between the groups, and large improvements in both: published without numbers."""

_STUDIES = {
    "danayan2023": _Study(
        "ketamine",
        "midazolam",
        (
            Target("qids_change_bpd", "change", "calibration", "qids_sr16", "bpd", "danayan2023.bpd.qids_sr16.change"),
            Target("bsl_change_bpd", "change", "calibration", "bsl23", "bpd", "danayan2023.bpd.bsl23.change"),
            Target("qids_difference", "difference", "calibration", "qids_sr16", "bpd", _IN_WORDS),
            Target("qids_effect_size_bpd", "standardised_change", "check", "qids_sr16", "bpd", _IN_WORDS),
            Target("qids_effect_size_no_bpd", "standardised_change", "check", "qids_sr16", "no_bpd", _IN_WORDS),
            Target("response", "response", "check", "qids_sr16", published="mcintyre2020.qids_sr16.response"),
            Target("remission", "remission", "check", "qids_sr16", published="mcintyre2020.qids_sr16.remission"),
            *(Target(f"cadss_infusion_{i}", "dissociation", "assumed", infusion=i) for i in range(1, 5)),
            Target("qids_before_bpd", "score_before", "assumed", "qids_sr16", "bpd", grade="severe"),
            Target("qids_after_bpd", "score_after", "assumed", "qids_sr16", "bpd", grade="moderate"),
        ),
    )
}
"""Studies that can be replayed, by the name of their scenario."""


def replay_names() -> tuple[str, ...]:
    """Return the names of the studies that can be replayed."""
    return tuple(_STUDIES)


def replay_scenario(name: str, *, replicates: int | None = None, seed: int | None = None) -> Scenario:
    """Return the scenario of a study that can be replayed.

    Parameters
    ----------
    name : str
    replicates : int, optional
        At least 2.
    seed : int, optional

    Raises
    ------
    InputError
        If no study has this name, with the nearest one that there is, or a number is out of range.
    """
    if name not in _STUDIES:
        raise InputError([Fault("", f"no study called {name!r} can be replayed{did_you_mean(name, _STUDIES)}")])
    if replicates is not None and replicates < 2:
        raise InputError([Fault("replicates", f"must be 2 or more, to have a range; got {replicates}")])
    settings = {"simulation.replicates": replicates, "simulation.seed": seed}
    with as_file(files("trialsim.scenario").joinpath("replays", f"{name}.yaml")) as path:
        return load(path, settings={key: value for key, value in settings.items() if value is not None})


def replay(name: str, *, replicates: int | None = None, seed: int | None = None) -> Replay:
    """Repeat a published study in silico.

    Parameters
    ----------
    name : str
        One of `replay_names`.
    replicates : int, optional
        Simulated studies, at least 2; the scenario's by default.
    seed : int, optional
        The scenario's by default.

    Raises
    ------
    InputError
        If no study has this name, or a number is out of range.
    """
    resolved = resolve(replay_scenario(name, replicates=replicates, seed=seed))
    variant, study = resolved.variants[0], _STUDIES[name]
    arms = tuple(variant.arms.index(arm) for arm in (study.given, study.instead))
    blocks = [_block(resolved, arms, study.targets, block) for block in range(-(-resolved.replicates // BLOCK_SIZE))]
    kept = slice(resolved.replicates)
    found = []
    for parts in zip(*blocks, strict=True):
        flags = [part.agrees for part in parts if part.agrees is not None]
        found.append(
            replace(
                parts[0],
                values=np.concatenate([part.values for part in parts], axis=1)[:, kept],
                agrees=np.concatenate(flags)[kept] if flags else None,
            )
        )
    return Replay(name, resolved, arms, tuple(found))


def _block(resolved: Resolved, arms: tuple[int, ...], targets: tuple[Target, ...], block: int) -> list[Found]:
    """Return what the replicates of one block show: every patient in every arm, with the same draws."""
    variant = resolved.variants[0]
    source = patient_source(variant, resolved.hash)
    streams = Streams(resolved.seed, block)
    stratum = source.enrol(streams, max(variant.sample_sizes))
    worlds = [source.follow(streams, stratum, np.full_like(stratum, arm)) for arm in arms]
    return [look(target, variant, worlds) for target in targets]
