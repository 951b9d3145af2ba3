"""Dissociation at each infusion: its numbers with their sources."""

from __future__ import annotations

from trialsim import evidence
from trialsim.kernels.copula import CorrelationError
from trialsim.kernels.dissociation import DissociationError
from trialsim.scenario import schema
from trialsim.scenario.case import Case
from trialsim.scenario.dissociation_margins import fitted
from trialsim.scenario.dynamics import infusion_days
from trialsim.scenario.ledger import known_quantity
from trialsim.scenario.resolved_masking import Dissociation

BPD = "bpd"
"""Evidence group whose dissociation `bpd_multiplier` raises."""


def dissociation(case: Case) -> Dissociation | None:
    """Return the CADSS of every kind of infusion; None where nobody asks for it, or none is possible.

    Parameters
    ----------
    case : Case
    """
    if case.content.dissociation is None and case.content.unblinding is None:
        return None
    given = case.content.dissociation or schema.Dissociation()
    days = infusion_days(case)
    infused = [case.arm(a).infusion if own else None for a, own in enumerate(days)]
    kinds = tuple(dict.fromkeys(kind for kind in infused if kind is not None and kind != "none"))
    most = max(len(own) for own in days)
    if not kinds:
        return None  # told by the checks
    found = Dissociation(
        kinds=kinds,
        kind=tuple(-1 if name is None or name == "none" else kinds.index(name) for name in infused),
        infusions=most,
        mean=tuple(_course(case, given, kind, "mean", most) for kind in kinds),
        sd=tuple(_course(case, given, kind, "sd", most) for kind in kinds),
        zeros=tuple(_zeros(case, given, kind) for kind in kinds),
        correlation=_number(
            case, ("correlation",), given.correlation, "defaults.dissociation.correlation_between_infusions"
        ),
        multiplier=_multiplier(case, given),
        maximum=float(evidence.instrument("cadss").maximum),
    )
    return found if _possible(case, found) else None


def _course(case: Case, given: schema.Dissociation, kind: str, what: str, most: int) -> tuple[float, ...]:
    """Return means or SDs of one kind at each infusion, as far as they are known."""
    path = ("dissociation", "infusions", kind, what)
    own = _of_kind(given, kind)
    row = None if own is None else getattr(own, what)
    if row is not None:
        case.ledger.note(path, list(row))
        return tuple(row)
    values: list[float] = []
    while len(values) < most:
        quantity = known_quantity(f"defaults.cadss.{kind}.infusion_{len(values) + 1}")
        if quantity is None:
            break
        case.ledger.evidence((*path, len(values)), quantity, quantity.value if what == "mean" else quantity.spread)
        values.append(float((quantity.value if what == "mean" else quantity.spread) or 0.0))
    return tuple(values)


def _of_kind(given: schema.Dissociation, kind: str) -> schema.InfusionDissociation | None:
    return next((own for name, own in given.infusions.items() if name == kind), None)


def _zeros(case: Case, given: schema.Dissociation, kind: str) -> float:
    own = _of_kind(given, kind)
    value = None if own is None else own.zeros
    return _number(case, ("infusions", kind, "zeros"), value, f"defaults.dissociation.{kind}.share_of_zeros")


def _multiplier(case: Case, given: schema.Dissociation) -> tuple[float, ...]:
    if BPD not in case.groups:
        return (1.0,) * len(case.strata)
    own = _number(case, ("bpd_multiplier",), given.bpd_multiplier, "defaults.cadss.bpd_multiplier")
    return tuple(own if group == BPD else 1.0 for group in case.groups)


def _number(case: Case, path: tuple[str, ...], value: float | None, source: str) -> float:
    if value is not None:
        case.ledger.note(("dissociation", *path), value)
        return value
    quantity = evidence.get(source)
    case.ledger.evidence(("dissociation", *path), quantity)
    return float(quantity.value or 0.0)


def _possible(case: Case, found: Dissociation) -> bool:
    """Report what no score has; return whether all of it is possible."""
    near = ("unblinding",) if case.content.dissociation is None else ("dissociation",)
    try:
        fitted(found)
    except DissociationError as error:
        kind, stratum, infusion = error.index
        place = f"infusion {infusion + 1} in {case.strata[stratum]}"
        message = f"{str(error).partition(' (index')[0]} ({place})"
        case.ledger.fault(("dissociation", "infusions", found.kinds[kind]), message, near=near)
    except CorrelationError as error:
        first, second = (i + 1 for i in error.pair)
        low, high = error.attainable
        message = (
            f"infusions {first} and {second} of {found.kinds[error.index[0]]} allow correlations from {low:.4f} to "
            f"{high:.4f}, not {error.target:g}"
        )
        case.ledger.fault(("dissociation", "correlation"), message, near=near)
    except ValueError as error:
        case.ledger.fault(("dissociation", "correlation"), str(error), near=near)
    else:
        return True
    return False
