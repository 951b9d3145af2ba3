"""The bench that checks work at: the parts that can be read, the names in them, and the faults found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trialsim import evidence
from trialsim.errors import Fault
from trialsim.scenario import schema
from trialsim.scenario.document import Node
from trialsim.scenario.paths import fault_at
from trialsim.scenario.schema.operations import Operations
from trialsim.scenario.words import count, did_you_mean, listed, plural


class Bench:
    """Parts of a scenario (None where one cannot be read), and the faults that checks report.

    Parameters
    ----------
    root : Node
    parts : mapping of str to object
    """

    def __init__(self, root: Node, parts: Mapping[str, Any]) -> None:
        self.root = root
        self.faults: list[Fault] = []
        self.population: schema.Population | None = parts.get("population")
        self.schedule: schema.Schedule | None = parts.get("schedule")
        self.arms: dict[str, schema.Arm | None] | None = parts.get("arms")
        self.allocation: schema.Allocation | None = parts.get("allocation")
        self.course: schema.Course | None = parts.get("course")
        self.effects: dict[str, schema.Effect] | None = parts.get("effects")
        self.covariance: schema.Covariance | None = parts.get("covariance")
        self.dropout: schema.Dropout | None = parts.get("dropout")
        self.estimands: dict[str, schema.Estimand] | None = parts.get("estimands")
        self.analysis: dict[str, Any] | None = parts.get("analysis")
        self.clusters: dict[str, schema.Cluster] | None = parts.get("clusters")
        self.counts: dict[str, schema.Count] | None = parts.get("counts")
        self.events: dict[str, schema.Event | None] | None = parts.get("events")
        self.therapies: dict[str, schema.Therapy] | None = parts.get("therapies")
        self.missing: schema.Missing | None = parts.get("missing")
        self.heterogeneity: schema.Heterogeneity | None = parts.get("heterogeneity")
        self.lability: dict[str, float] | None = parts.get("lability")
        self.raters: schema.Raters | None = parts.get("raters")
        self.dissociation: schema.Dissociation | None = parts.get("dissociation")
        self.unblinding: schema.Unblinding | None = parts.get("unblinding")
        self.safety: schema.Safety | None = parts.get("safety")
        self.operations: Operations | None = parts.get("operations")
        self.multiplicity: schema.Multiplicity | None = parts.get("multiplicity")
        self.sample_size: Any = parts.get("sample_size")
        self.priors: dict[str, schema.Prior | str] | None = parts.get("priors")
        self.prior_correlations: tuple[schema.PriorCorrelation, ...] | None = parts.get("prior_correlations")
        self.unknown_outcomes = self._unknown_outcomes(parts)
        self.outcomes = self._measured(parts)
        self.outcome_settings = outcome_settings(parts.get("outcomes"))

    def _unknown_outcomes(self, parts: Mapping[str, Any]) -> frozenset[str]:
        """Return what estimands alone name, where no outcomes are listed, and the catalogue does not know."""
        if parts.get("outcomes", ()) is not None:
            return frozenset()
        known = {entry.name for entry in evidence.instruments()} | set(self.named("counts"))
        return frozenset(estimand.outcome for estimand in (self.estimands or {}).values()) - known

    def _measured(self, parts: Mapping[str, Any]) -> tuple[str, ...] | None:
        if "outcomes" not in parts:
            return None
        # Without a list the estimands say what is measured, so none of them may be missing for a fault of its own.
        if parts["outcomes"] is None and set(self.estimands or ()) != set(self.named("estimands")):
            return None
        if self.unknown_outcomes:
            return None
        return measured(parts["outcomes"], self.estimands or {}, self.named("counts"))

    def named(self, part: str) -> tuple[str, ...]:
        """Return the names in a part of the document, those of faulty entries too."""
        node = self.root.child(part)
        return tuple(node.value) if node is not None and isinstance(node.value, dict) else ()

    @property
    def strata(self) -> tuple[str, ...] | None:
        """Names of the strata."""
        return tuple(self.population.strata) if self.population else None

    @property
    def visits(self) -> tuple[float, ...] | None:
        """Days of the visits."""
        return self.schedule.visits if self.schedule else None

    def kind_of(self, estimand: schema.Estimand) -> str:
        """Return the kind of an estimand's endpoint: score, binary, time or count."""
        if estimand.outcome in self.named("counts"):
            return "count"
        if estimand.endpoint is None or estimand.endpoint == "score":
            return "score"
        return "time" if isinstance(estimand.endpoint, schema.TimeTo) else "binary"

    def analyses_of(self, estimand: str) -> tuple[str, ...] | None:
        """Return the names of an estimand's analyses; None where they cannot be read."""
        from trialsim.scenario.questions import analysis_names

        asked = (self.estimands or {}).get(estimand)
        if asked is None or self.analysis is None:
            return None
        entry = self.analysis.get(estimand, schema.Analysis())
        return tuple(analysis_names(entry if isinstance(entry, tuple) else (entry,), self.kind_of(asked)))

    def report(self, path: Sequence[str | int], message: str, *, key: bool = False) -> None:
        """Add a fault at the value (or the key) of a path."""
        self.faults.append(fault_at(self.root, path, message, key=key))

    def known(
        self, path: Sequence[str | int], name: str, known: Iterable[str] | None, what: str, *, key: bool = False
    ) -> bool:
        """Report a name that is not among the known ones; return whether it is known."""
        names = tuple(known) if known is not None else (name,)
        if name not in names:
            self.report(path, f"there is no {what} '{name}'{did_you_mean(name, names)}", key=key)
        return name in names

    def keys(
        self,
        path: Sequence[str | int],
        given: Iterable[str],
        known: Iterable[str] | None,
        what: str,
        *,
        complete: str = "",
    ) -> None:
        """Report keys that are not known, and with `complete` (the advice to give) those that are missing."""
        if known is None:
            return
        names, keys = tuple(known), tuple(given)
        for key in keys:
            self.known((*path, key), key, names, what, key=True)
        missing = [name for name in names if name not in keys]
        if complete and missing and all(key in names for key in keys):
            self.report(
                path, f"nothing is said for the {plural(what, len(missing))} {listed(missing)}: {complete}", key=True
            )

    def by_stratum(self, path: Sequence[str | int], value: Any) -> None:
        """Report strata that are unknown or missing, where a value is given by stratum."""
        if isinstance(value, Mapping):
            self.keys(path, value, self.strata, "stratum", complete="name every stratum, or give one value for all")

    def rising(self, path: Sequence[str | int], days: Sequence[float]) -> None:
        """Report days that do not rise."""
        for position in range(1, len(days)):
            if days[position] <= days[position - 1]:
                message = f"days must rise: {days[position]:g} comes after {days[position - 1]:g}"
                self.report((*path, position), message)

    def days(self, path: Sequence[str | int], keys: Iterable[str]) -> None:
        """Report a day that two keys name, such as 14 and 14.0."""
        seen: set[float] = set()
        for key in keys:
            if float(key) in seen:
                self.report((*path, key), f"day {float(key):g} is given twice", key=True)
            seen.add(float(key))

    def length(self, path: Sequence[str | int], given: int, wanted: int, noun: str, of: str) -> None:
        """Report a list whose length does not fit."""
        if given != wanted:
            self.report(path, f"{count(given, noun)} for {of}")


def known_instrument(name: str) -> evidence.Instrument | None:
    """Return an instrument of the catalogue; None where it has none of that name."""
    try:
        return evidence.instrument(name)
    except evidence.UnknownEvidenceError:
        return None


def outcome_settings(part: Any) -> dict[str, schema.Outcome]:
    """Return the settings of every outcome that is listed; empty ones for a list of names."""
    if part is None:
        return {}
    if isinstance(part, Mapping):
        return {name: value or schema.Outcome() for name, value in part.items()}
    return {name: schema.Outcome() for name in part}


def measured(part: Any, estimands: Mapping[str, schema.Estimand], counts: Iterable[str]) -> tuple[str, ...]:
    """Return the outcomes that are measured: those listed, else those of the estimands but for counts, each once."""
    counted = set(counts)
    names = (
        (estimand.outcome for estimand in estimands.values() if estimand.outcome not in counted)
        if part is None
        else part
    )
    return tuple(dict.fromkeys(names))
