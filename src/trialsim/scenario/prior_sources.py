"""Where the priors of a scenario come from, a line each."""

from __future__ import annotations

import math

from trialsim.scenario import schema
from trialsim.scenario.priors import Belief, beliefs
from trialsim.scenario.resolved import Provenance
from trialsim.scenario.words import listed, number


def prior_sources(content: schema.Content) -> list[Provenance]:
    """Return the source of every prior and of every correlation between priors."""
    rows = [_row(belief) for belief in beliefs(content.priors)]
    for one in content.prior_correlations:
        path = f"prior_correlations.{' and '.join(one.pair)}"
        rows.append(Provenance(path, one.rank, "given", None, None, "rank correlation of what is drawn"))
    return rows


def _row(belief: Belief) -> Provenance:
    prior = belief.prior
    known = bool(prior.citations)
    notes = [belief.source, prior.name, prior.origin if known else "", prior_words(belief)]
    if len(prior.citations) > 1:
        notes.append(f"Published in {listed(prior.citations)}")
    return Provenance(
        f"priors.{belief.path}",
        prior.formula,
        "evidence" if known else "given",
        prior.tag if known else None,
        prior.citations[0] if len(prior.citations) == 1 else None,
        ". ".join(note.rstrip(".") for note in notes if note),
    )


def prior_words(belief: Belief) -> str:
    """Return mean, spread and reach of a prior, in words."""
    prior = belief.prior
    low, high = prior.quantile(0.025), prior.quantile(0.975)
    words = f"Mean {number(prior.mean)}, SD {number(prior.sd)}, central 95 % {number(low)} to {number(high)}"
    if math.isnan(prior.mean) or not math.isfinite(prior.sd):
        words = f"Median {number(prior.quantile(0.5))}, central 95 % {number(low)} to {number(high)}"
    if belief.relative_to is not None:
        words += f"; added to {belief.relative_to}"
    if belief.cut > 0.0:
        words += f"; {100.0 * belief.cut:.3g} % of the distribution were cut off"
    return words
