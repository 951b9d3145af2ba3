"""Over which values the assumptions of a scenario may plausibly run: by hand, or as the evidence catalogue has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from trialsim import evidence
from trialsim.errors import Fault, InputError
from trialsim.evidence import Quantity
from trialsim.scenario.at_value import at_values
from trialsim.scenario.document import Mark
from trialsim.scenario.paths import find, split_path
from trialsim.scenario.ranges import given_ranges
from trialsim.scenario.resolved import Provenance, Resolved

BPD_GROUPS = ("bpd", "trd_bpd")

EFFECT_PARTS = ("effects", "therapies", "heterogeneity", "counts")
"""Parts of a scenario that say what treatment does."""

_SHORT_TERM_DAYS = 28.0
"""What the catalogue says of effects and of control arms holds two weeks after the first infusion: up to this day."""

_MAPPINGS = re.compile(r"course\.control_change\.\w+|dropout\.missing_by|unblinding\.guess|covariance\.visits\.anchors")
"""Paths whose value is one thing for all, or a mapping of all: never of some."""


@dataclass(frozen=True, slots=True, eq=False)
class Assumption:
    """A value of a scenario with the two ends of its plausible range.

    Parameters
    ----------
    path : str
        What it is called; mostly the path that is set.
    base, low, high : object
        Plain data as shown; base is None where the scenario has nothing there.
    low_settings, high_settings : mapping of str to object
        What is set to have it at an end; the same paths in both.
    source : {'given', 'evidence'}
        Where the range is from.
    quantity, tag, citation : str or None
        Of the catalogue.
    basis : str
        Where the range is from, in words.
    """

    path: str
    base: Any
    low: Any
    high: Any
    low_settings: Mapping[str, Any]
    high_settings: Mapping[str, Any]
    source: Literal["given", "evidence"]
    quantity: str | None = None
    tag: str | None = None
    citation: str | None = None
    basis: str = ""

    def settings(self, share: float) -> dict[str, Any]:
        """Return what is set at a share of the way from the low to the high end; whole numbers stay whole."""
        return {path: _between(low, self.high_settings[path], share) for path, low in self.low_settings.items()}

    def value(self, share: float) -> Any:
        """Return the value at a share of the way from the low to the high end."""
        return _between(self.low, self.high, share)

    @property
    def is_effect(self) -> bool:
        """Whether it says what treatment does."""
        return self.path.split(".")[0] in EFFECT_PARTS and not self.path.endswith(("attendance.mean", "stops_by_end"))


def _between(low: Any, high: Any, share: float) -> Any:
    if share in (0.0, 1.0):
        return low if share == 0.0 else high
    if isinstance(low, Mapping):
        return {key: _between(value, high[key], share) for key, value in low.items()}
    if isinstance(low, list | tuple):
        return [_between(a, b, share) for a, b in zip(low, high, strict=True)]
    if isinstance(low, str) or low is None or isinstance(low, bool):
        return low
    middle = low + share * (high - low)
    return round(middle) if isinstance(low, int) and isinstance(high, int) else float(f"{middle:.12g}")


# Ranges of the catalogue -----------------------------------------------------------------------------------------


def assumptions(
    resolved: Resolved, by_hand: Mapping[str, Sequence[Any]] | None = None, *, outcomes: Iterable[str] = ()
) -> list[Assumption]:
    """Return the assumptions of a scenario that have a range, those given by hand first.

    Parameters
    ----------
    resolved : Resolved
        Its base values.
    by_hand : mapping of str to (low, high), optional
        Beside those of the scenario's `sensitivity`; one path's range by hand stands instead of the catalogue's.
    outcomes : iterable of str
        Those that the question hangs on; what is known of others is left out. Empty is all.

    Raises
    ------
    InputError
        If a range by hand cannot be.
    """
    ranges = _Ranges(resolved)
    found = [
        ranges.assumption(path, low, high, mark=mark)
        for path, (low, high, mark) in given_ranges(resolved.scenario, by_hand or {}).items()
    ]
    own = {one.path for one in found}
    others = set(resolved.variants[0].outcomes) - set(outcomes or resolved.variants[0].outcomes)
    return found + [
        one
        for one in ranges.known()
        if one.path not in own and not others & set(one.path.split(".")) and one.low != one.high
    ]


class _Ranges:
    """Makes assumptions of a resolved scenario."""

    def __init__(self, resolved: Resolved) -> None:
        self.scenario, self.content = resolved.scenario, resolved.scenario.content
        self.variant = resolved.variants[0]
        self.rows = {row.path: row for row in resolved.provenance}
        strata = self.content.population.strata
        self.groups = {name: stratum.group or name for name, stratum in strata.items()}

    def assumption(
        self,
        path: str,
        low: Any,
        high: Any,
        *,
        quantity: Quantity | None = None,
        mark: Mark | None = None,
        base: Any = None,
    ) -> Assumption:
        """Return the assumption of a path; ends by hand, which have a place, are refused where they cannot be."""
        base = self.base(path) if base is None else base
        try:
            ends = self.settings(path, low), self.settings(path, high)
        except ValueError as error:
            raise InputError([(mark or Mark("")).fault(path, str(error))]) from error
        if mark is not None:
            self._require_sound(path, ends, mark)
        return _made(path, base, low, high, ends, quantity)

    def _require_sound(self, path: str, ends: Sequence[Mapping[str, Any]], mark: Mark) -> None:
        """Refuse ends that the scenario cannot hold, at the place of the range."""
        faults: list[Fault] = []
        for settings in ends:
            try:
                at_values(self.scenario, settings)
            except InputError as error:
                for fault in error.faults:
                    inner = "" if fault.path == path else f"{fault.path}: "
                    faults.append(mark.fault(path, f"{inner}{fault.message}"))
        if faults:
            raise InputError(list(dict.fromkeys(faults)))

    def base(self, path: str) -> Any:
        """Return the scenario's own value at a path, None where there is none."""
        node = find(self.scenario.base.root, split_path(path))
        if node is not None and node.value is not None:
            return node.plain()
        row = self.rows.get(path)
        return None if row is None else row.value

    # What is set ---------------------------------------------------------------------------------------------

    def settings(self, path: str, value: Any) -> dict[str, Any]:
        """Return what has to be set together for a path to have a value."""
        parts = path.split(".")
        parent, key = ".".join(parts[:-1]), parts[-1]
        if parts[:2] == ["population", "strata"] and parts[3:] == ["share"]:
            return self._shares(parts[2], value)
        if parts[0] == "outcomes" and self.content.outcomes is None:
            # What is measured follows from the questions until outcomes are written: then from these alone.
            return {"outcomes": dict.fromkeys(self.variant.outcomes), path: value}
        if parts[0] == "therapies" and parts[2:3] == ["effects"] and len(parts) == 4:
            return {f"therapies.{parts[1]}.effects": self._therapy_effects(parent, key, value)}
        node = find(self.scenario.base.root, parent.split("."))
        single = node is not None and isinstance(node.value, int | float | str)
        if single and key in self.groups and node is not None and not isinstance(node.value, str):
            return {parent: {**dict.fromkeys(self.groups, node.value), key: value}}
        if single or (_MAPPINGS.fullmatch(parent) and (node is None or node.value is None)):
            siblings = {name: row.value for name, row in self._below(parent).items()}
            return {parent: {**siblings, key: value}} if siblings else {path: value}
        return {path: value}

    def _below(self, parent: str) -> dict[str, Provenance]:
        """Return the rows under a path by what is left of theirs; a day may hold a dot."""
        below = f"{parent}."
        return {path.removeprefix(below): row for path, row in self.rows.items() if path.startswith(below)}

    def _shares(self, stratum: str, value: Any) -> dict[str, Any]:
        """Return the shares of all strata, those of the others in proportion."""
        names = list(self.groups)
        if stratum not in names or len(names) < 2:
            raise ValueError("a share can only move where there is another stratum, which has the rest")
        own = dict(zip(names, self.variant.strata_share.tolist(), strict=True))
        left = 1.0 - own[stratum]
        if left <= 0.0 or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
            raise ValueError(f"a share lies between 0 and 1; {value} does not")
        others = {name: float(f"{(1.0 - value) * own[name] / left:.15g}") for name in names if name != stratum}
        return {f"population.strata.{name}.share": {**others, stratum: value}[name] for name in names}

    def _therapy_effects(self, parent: str, outcome: str, value: Any) -> dict[str, Any]:
        effects = {name: {"standardised": row.value} for name, row in self._below(parent).items() if "." not in name}
        return {**effects, outcome: {"standardised": value}}

    # What is known -------------------------------------------------------------------------------------------

    def known(self) -> Iterator[Assumption]:
        """Yield what has a range in the catalogue."""
        yield from self._effects()
        yield from self._population()
        if len(self.variant.visits_days) > 1:
            yield from self._together("covariance.visits.anchors")
        for outcome in self.variant.outcomes:
            yield from self._control(outcome)
        yield from self._rows()
        yield from self._missing()
        yield from self._given()

    def _rows(self) -> Iterator[Assumption]:
        """Yield single values that are the catalogue's."""
        skipped = ("covariance.", "course.control_change.", "effects.", "dropout.missing_by.")
        for row in self.rows.values():
            quantity = _ranged(row.quantity)
            if quantity is None or row.path.startswith(skipped) or ".share_by." in row.path:
                continue
            if row.path.startswith("dropout.stratum_hazard_ratio.") and len(self.groups) == 1:
                continue  # a ratio to nobody
            if row.path.startswith("dissociation.") and self.variant.unblinding is None:
                continue  # it is drawn, but nothing hangs on it
            ends = _ends(row, quantity)
            if ends is not None:
                yield self.assumption(row.path, *ends, quantity=quantity)

    def _together(self, parent: str) -> Iterator[Assumption]:
        """Yield values of one mapping that move together, each from its low to its high end."""
        rows = self._below(parent)
        known = {key: quantity for key, row in rows.items() if (quantity := _ranged(row.quantity)) is not None}
        if known:
            low, high = ({key: getattr(quantity, end) for key, quantity in known.items()} for end in ("low", "high"))
            base = {key: rows[key].value for key in known}
            yield _made(parent, base, low, high, ({parent: low}, {parent: high}), next(iter(known.values())))

    def _control(self, outcome: str) -> Iterator[Assumption]:
        path = f"course.control_change.{outcome}"
        if any(row.source == "evidence" for row in self._below(path).values()):
            yield from self._together(path)

    def _effects(self) -> Iterator[Assumption]:
        """Yield what the drug does, given or not."""
        controls = [name for name in self.content.arms if name not in self.content.effects]
        for arm, effect in self.content.effects.items():
            infusion = self._infusion(effect.versus or (controls[0] if controls else ""))
            yield from self._specific_share(arm, infusion)
            if self._infusion(arm) == "ketamine" and self._is_short():
                for outcome, points in (effect.points or {}).items():
                    yield from self._points(f"effects.{arm}.points.{outcome}", outcome, points, infusion)
            for outcome, size in (effect.standardised or {}).items():
                quantity = _ranged(f"defaults.dbt.active_care.{outcome}.smd")
                if quantity is not None and self._infusion(arm) == "none" and isinstance(size, int | float):
                    path = f"effects.{arm}.standardised.{outcome}"
                    yield self.assumption(path, quantity.low, quantity.high, quantity=quantity)

    def _specific_share(self, arm: str, infusion: str) -> Iterator[Assumption]:
        """Yield the share of one arm with those of all later arms that have the same: they are of one drug."""
        path, quantity = f"effects.{arm}.specific_share", _ranged(f"defaults.specific_share.{infusion}")
        base = self.base(path)
        if quantity is None or not isinstance(base, int | float):
            return
        alike = [f"effects.{name}.specific_share" for name in self.content.effects]
        alike = [other for other in alike if self.base(other) == base]
        if alike[0] == path:
            ends = dict.fromkeys(alike, quantity.low), dict.fromkeys(alike, quantity.high)
            yield _made(path, base, quantity.low, quantity.high, ends, quantity)

    def _points(self, path: str, outcome: str, points: Any, infusion: str) -> Iterator[Assumption]:
        known = {name: _ranged(f"defaults.net.{infusion}.{self._group(name)}.{outcome}") for name in self.groups}
        ranged = {name: quantity for name, quantity in known.items() if quantity is not None}
        if isinstance(points, Mapping):
            for name in points:
                if name in ranged:
                    yield self.assumption(f"{path}.{name}", ranged[name].low, ranged[name].high, quantity=ranged[name])
            return
        if len(ranged) == len(self.groups):
            low = min(float(quantity.low or 0.0) for quantity in ranged.values())
            high = max(float(quantity.high or 0.0) for quantity in ranged.values())
            yield self.assumption(path, low, high, quantity=next(iter(ranged.values())))
        modifier = _ranged("defaults.bpd_interaction.none")
        with_bpd = [name for name, group in self.groups.items() if group in BPD_GROUPS]
        if outcome == "qids_sr16" and modifier is not None and with_bpd and len(with_bpd) < len(self.groups):
            low, high = (float(f"{points + float(end or 0.0):.12g}") for end in (modifier.low, modifier.high))
            yield self.assumption(f"{path}.{with_bpd[0]}", low, high, quantity=modifier, base=float(points))

    def _group(self, stratum: str) -> str:
        return self.groups[stratum].removeprefix("trd_")

    def _infusion(self, arm: str) -> str:
        given = self.content.arms.get(arm)
        return str(given.infusion) if given is not None and given.infusion is not None else "none"

    def _is_short(self) -> bool:
        return float(self.variant.visits_days[-1]) <= _SHORT_TERM_DAYS

    def _population(self) -> Iterator[Assumption]:
        quantity = _ranged("defaults.bpd_share")
        with_bpd = [name for name, group in self.groups.items() if group in BPD_GROUPS]
        if quantity is not None and len(self.groups) > 1 and with_bpd:
            base = float(self.variant.strata_share[list(self.groups).index(with_bpd[0])])
            path = f"population.strata.{with_bpd[0]}.share"
            yield self.assumption(path, quantity.low, quantity.high, quantity=quantity, base=base)

    def _missing(self) -> Iterator[Assumption]:
        """Yield the shares that leave, of all days together: days that the catalogue does not have go with the last."""
        given = None if self.content.dropout is None else self.content.dropout.missing_by
        base = {key: row.value for key, row in self._below("dropout.missing_by").items()} if given is None else given
        known = {day: _ranged(_missing_by(day)) for day in base}
        first = next((quantity for quantity in known.values() if quantity is not None), None)
        if self.content.dropout is None or first is None:
            return
        low, high = ({day: 0.0 for day in base} for _ in range(2))
        for end, ends in (("low", low), ("high", high)):
            factor, most = 1.0, 0.0
            for day, share in sorted(base.items(), key=lambda item: float(item[0])):
                quantity = known[day]
                value = share * factor if quantity is None else float(getattr(quantity, end))
                factor = value / share if share > 0.0 else factor
                most = ends[day] = max(most, float(f"{min(value, 0.95):.12g}"))
        settings = {"dropout.missing_by": low}, {"dropout.missing_by": high}
        if len(base) == 1:
            day = next(iter(base))
            yield _made(f"dropout.missing_by.{day}", base[day], low[day], high[day], settings, first)
        else:
            yield _made("dropout.missing_by", dict(base), low, high, settings, first)

    def _given(self) -> Iterator[Assumption]:
        """Yield values that were given, where the catalogue knows the range of such a value."""
        names: dict[str, str] = {}
        if self.content.dropout is not None:
            if self.content.dropout.never_starts > 0.0:
                names["dropout.never_starts"] = "defaults.dropout.never_starts"
            if self.content.dropout.score_hazard_ratio_per_sd is not None:
                names["dropout.score_hazard_ratio_per_sd"] = "defaults.dropout.score_hazard_ratio_per_sd"
        for name, cluster in self.content.clusters.items():
            names[f"clusters.{name}.icc"] = "defaults.site_icc" if cluster.arms is None else "defaults.dbt.group_icc"
            if cluster.size is not None and cluster.arms is not None:
                names[f"clusters.{name}.size"] = "defaults.dbt.group_size"
        for name, therapy in self.content.therapies.items():
            if therapy.attendance is not None:
                names[f"therapies.{name}.attendance.mean"] = "defaults.dbt.attendance"
        for path, name in names.items():
            quantity = _ranged(name)
            if quantity is not None and isinstance(self.base(path), int | float):
                whole = isinstance(self.base(path), int) and path.endswith(".size")
                ends = [int(end or 0) if whole else end for end in (quantity.low, quantity.high)]
                yield self.assumption(path, *ends, quantity=quantity)


def _ranged(name: str | None) -> Quantity | None:
    """Return a quantity of the catalogue that has a range worth sweeping, or None."""
    if name is None or not evidence.has(name):
        return None
    quantity = evidence.get(name)
    return quantity if quantity.spread_kind == "range" else None


def _missing_by(day: str) -> str:
    known = f"defaults.dropout.missing_by_day_{float(day):g}"
    return "defaults.dbt.missing_assessment" if float(day) == 140.0 else known


def _ends(row: Provenance, quantity: Quantity) -> tuple[float, float] | None:
    """Return the ends of a value taken from a quantity, None where it is made from it in another way."""
    if (
        quantity.low is None
        or quantity.high is None
        or quantity.value is None
        or not isinstance(row.value, int | float)
    ):
        return None
    if row.value == quantity.value:
        return quantity.low, quantity.high
    if row.path.startswith("unblinding.guess.") and abs(row.value - (1.0 - quantity.value)) < 1e-9:
        return round(1.0 - quantity.high, 12), round(1.0 - quantity.low, 12)  # the share that guesses active
    return None


def _made(
    path: str,
    base: Any,
    low: Any,
    high: Any,
    ends: tuple[Mapping[str, Any], Mapping[str, Any]],
    quantity: Quantity | None,
) -> Assumption:
    if quantity is None:
        return Assumption(path, base, low, high, *ends, source="given", basis="given by hand")
    known = (quantity.name, quantity.tag, quantity.citation, quantity.basis)
    return Assumption(path, base, low, high, *ends, "evidence", *known)
