"""Evidence in words: rows for a table and everything about one name, as plain data for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, sqrt

from trialsim.evidence import pooling, priors, store
from trialsim.evidence.types import Band, Instrument, Quantity

TABLE_COLUMNS = ("name", "value", "spread", "n", "tag", "source")
"""Headings of the rows that `table_row` returns."""

IN_WORDS = "in words"
POOLED = "Controlled trials pooled to an effect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What there is to say about one name.

    Parameters
    ----------
    title : str
        The name itself, or the label of the study, group or instrument.
    facts : tuple of (str, str)
        Headings and texts, in reading order; never empty texts.
    quantities : tuple of Quantity
        What is below the name; empty for a single quantity.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    quantities: tuple[Quantity, ...] = ()


def overview() -> tuple[tuple[str, str, int], ...]:
    """Return (prefix, label, number of entries) of every group of defaults, study, instrument and group of priors."""
    groups = [(section.key, section.label) for section in store.sections()]
    groups += [(study.key, study.label) for study in store.studies()]
    groups += [(f"instruments.{scale.name}", scale.title) for scale in store.instruments()]
    counted = [(prefix, label, len(store.find(prefix))) for prefix, label in groups]
    counted += [(group.key, group.label, len(priors.priors_of(group.key))) for group in priors.prior_groups()]
    return (*counted, (pooling.POOLS, POOLED, len(pooling.study_set_names())))


def table_row(quantity: Quantity) -> tuple[str, ...]:
    """Return one quantity as texts, in the order of `TABLE_COLUMNS`; the source is a citation key."""
    size = "" if quantity.n is None else f"{quantity.n}"
    return (quantity.name, value_text(quantity), spread_text(quantity), size, quantity.tag, quantity.citation)


def value_text(quantity: Quantity) -> str:
    """Return the value with its unit; where there is none, that the source has words or a range only."""
    if quantity.value is None:
        return IN_WORDS if quantity.low is None else f"{_span(quantity)} {quantity.unit}"
    return f"{quantity.value:g} {quantity.unit}"


def spread_text(quantity: Quantity) -> str:
    """Return the SD, standard error, interval or range in words; empty where none is known."""
    names = {"sd": "SD", "se": "SE", "plus_minus": "±", "ci95": "95% CI", "iqr": "IQR", "range": "range"}
    kind = names.get(quantity.spread_kind or "", "")
    if quantity.spread is not None:
        between = f" ({_span(quantity)})" if quantity.low is not None else ""
        return f"{kind} {quantity.spread:g}{between}"
    return f"{kind} {_span(quantity)}" if quantity.low is not None else ""


def describe(name: str) -> Description:
    """Return everything about one quantity, prior, pooled effect, study, instrument, citation, or prefix.

    Parameters
    ----------
    name : str
        Name of a quantity, prior or set of studies, key of a study or citation, name of an instrument, or the dotted
        beginning of names.

    Raises
    ------
    UnknownEvidenceError
        Nothing has this name; the message has the nearest ones.
    """
    return _about_quantity(store.get(name)) if store.has(name) else describe_group(name)


def describe_group(name: str) -> Description:
    """Return everything about one study, instrument, citation or prefix, even one that is a quantity too.

    See `describe`; only groups of a single number, such as ``defaults.site_icc``, differ.
    """
    if priors.has_prior(name):
        return _about_prior(priors.prior(name))
    if name in pooling.study_set_names():
        return _about_set(pooling.study_set(name))
    if name.partition(".")[0] in (priors.PRIORS, pooling.POOLS) and (listed := _listed(name)):
        return listed
    if name in store.study_keys():
        return _about_study(name)
    scale = name.removeprefix("instruments.")
    if scale in store.instrument_names():
        return _about_instrument(store.instrument(scale))
    if name and (below := store.find(name)):
        return _about_prefix(name, below)
    if name in store.citation_keys():
        return Description(title=name, facts=_source(name), quantities=_citing(name))
    raise store.UnknownEvidenceError("evidence", name, _everything())


def _about_quantity(quantity: Quantity) -> Description:
    """Return all fields of one quantity."""
    facts = [
        ("value", value_text(quantity)),
        ("spread", spread_text(quantity)),
        ("n", "" if quantity.n is None else str(quantity.n)),
        ("time", quantity.time),
        ("tag", quantity.tag),
        ("basis", quantity.basis),
        ("derived from", ", ".join(quantity.derived_from)),
        *_source(quantity.citation),
    ]
    group = quantity.name.partition(".")[0]
    if group in store.study_keys():
        study = store.study(group)
        facts += [("study", study.label), ("design", study.design), ("population", study.population)]
    return Description(title=quantity.name, facts=_filled(facts))


def _about_study(key: str) -> Description:
    """Return a study's design, population and warnings, with its quantities."""
    study = store.study(key)
    facts = [
        ("design", study.design),
        ("population", study.population),
        ("n", "" if study.n is None else str(study.n)),
        ("registry", ", ".join(study.registry)),
        *(("note", note) for note in study.notes),
        *_source(study.citation),
    ]
    return Description(title=study.label, facts=_filled(facts), quantities=store.find(key))


def _about_instrument(scale: Instrument) -> Description:
    """Return a rating scale's grid, grades and cut-offs, with its quantities."""
    facts = [
        ("range", f"{scale.minimum:g} to {scale.maximum:g} {scale.unit} in steps of {scale.step:.4g}"),
        ("items", "" if scale.items is None else str(scale.items)),
        ("rated by", scale.rated_by),
        ("direction", "lower is better" if scale.lower_is_better else "higher is better"),
        ("grades", _grades(scale.bands)),
        *((f"grades ({other.key})", _grades(other.bands)) for other in scale.alternative_bands),
        ("about the grades", scale.bands_note),
        ("response", "" if scale.response is None else f"{scale.response:.0%} better than baseline"),
        ("remission", "" if scale.remission is None else _cut_off(scale, scale.remission)),
        ("important difference", "" if scale.mcid is None else f"{scale.mcid:g} ({scale.mcid_quantity})"),
        ("tag", scale.tag),
        ("basis", scale.basis),
        *_source(scale.citation),
    ]
    below = store.find(f"{store.INSTRUMENTS}.{scale.name}")
    return Description(title=f"{scale.label}: {scale.title}", facts=_filled(facts), quantities=below)


def _about_prefix(name: str, below: tuple[Quantity, ...]) -> Description:
    """Return what is below a prefix, with the label of the group of defaults where it is one."""
    if name not in store.section_keys():
        return Description(title=name, facts=(), quantities=below)
    section = store.section(name)
    notes = tuple(("note", note) for note in section.notes)
    return Description(title=section.label, facts=notes, quantities=below)


def _about_prior(prior: priors.Prior) -> Description:
    """Return a prior's shape, moments and origin, with the quantities behind it."""
    facts = [
        ("distribution", prior.formula),
        ("mean", number_text(prior.mean)),
        ("SD", number_text(prior.sd)),
        ("central 95 %", central_text(prior)),
        ("unit", prior.unit),
        ("tag", prior.tag),
        ("origin", prior.origin),
        ("made from", ", ".join(prior.derived_from)),
        *(fact for key in prior.citations for fact in _source(key)),
    ]
    below = tuple(store.get(name) for name in prior.derived_from if store.has(name))
    return Description(title=prior.name, facts=_filled(facts), quantities=below)


def _about_set(studies: pooling.StudySet) -> Description:
    """Return what a set of trials pools to, with the trials' effects."""
    pooled = pooling.pool(studies)
    facts = [
        *((effect.name, f"{effect.estimate:g} (SE {effect.se:.3g})") for effect in studies.effects),
        *pooled_facts(pooled),
        *(("note", note) for note in studies.notes),
        *(fact for key in pooled.citations for fact in _source(key)),
    ]
    below = tuple(store.get(name) for name in pooled.effects)
    return Description(title=studies.label, facts=_filled(facts), quantities=below)


def pooled_facts(pooled: pooling.PooledEffect) -> list[tuple[str, str]]:
    """Return the numbers of a pooled effect as headings and texts; empty texts where there is none."""
    error = f"{pooled.mean:.3g} (SE {pooled.se:.3g}) {pooled.unit}"
    tau = "" if isnan(pooled.tau2) else f"{sqrt(pooled.tau2):.3g}"
    return [
        ("trials", str(pooled.k)),
        ("mean effect", error),
        ("95 % interval", _range(pooled.low, pooled.high)),
        ("tau", tau),
        ("95 % of tau", "" if not tau else _range(sqrt(pooled.tau2_low), sqrt(pooled.tau2_high))),
        ("I²", "" if isnan(pooled.i2) else f"{pooled.i2:.0%}"),
        ("95 % prediction interval", _range(pooled.predictive_low, pooled.predictive_high)),
    ]


def central_text(prior: priors.Prior) -> str:
    """Return the central 95 % of a prior as text."""
    return _range(prior.quantile(0.025), prior.quantile(0.975))


def number_text(value: float) -> str:
    """Return a computed number with three digits, empty where it is NaN."""
    return "" if isnan(value) else f"{value:.3g}"


def _listed(name: str) -> Description | None:
    """Return the priors or sets of studies below a prefix, one a fact, or None where there are none."""
    below = f"{name}."
    facts = [
        (key, f"{prior.formula}, {prior.unit}, {prior.tag}")
        for key in priors.prior_names()
        if key.startswith(below)
        for prior in (priors.prior(key),)
    ]
    facts += [(key, pooling.study_set(key).label) for key in pooling.study_set_names() if key.startswith(below)]
    group = next((group for group in priors.prior_groups() if group.key == name), None)
    notes = [("note", note) for note in group.notes] if group else []
    return Description(title=group.label if group else name, facts=(*notes, *facts)) if facts else None


def _source(key: str) -> tuple[tuple[str, str], ...]:
    """Return a publication's text and link as facts."""
    citation = store.citation(key)
    return _filled([("source", citation.text), ("link", citation.link)])


def _citing(key: str) -> tuple[Quantity, ...]:
    """Return the quantities that cite a publication."""
    return tuple(quantity for quantity in store.find() if quantity.citation == key)


def _everything() -> tuple[str, ...]:
    """Return all that `describe` understands: quantities, studies, instruments and groups of defaults."""
    groups = (prefix for prefix, _, _ in overview())
    return (*groups, *store.instrument_names(), *store.names(), *priors.prior_names(), *pooling.study_set_names())


def _filled(facts: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the facts whose text is not empty."""
    return tuple((heading, text) for heading, text in facts if text)


def _range(low: float, high: float) -> str:
    """Return a computed interval as text, empty where there is none."""
    return "" if isnan(low) or isnan(high) else f"{low:.3g} to {high:.3g}"


def _span(quantity: Quantity) -> str:
    """Return the interval or range as text."""
    return f"{quantity.low:g} to {quantity.high:g}"


def _grades(bands: tuple[Band, ...]) -> str:
    """Return severity grades as text."""
    return ", ".join(f"{band.label} {band.low:g}-{band.high:g}" for band in bands)


def _cut_off(scale: Instrument, score: float) -> str:
    """Return a cut-off with its direction."""
    return f"{score:g} or {'less' if scale.lower_is_better else 'more'}"
