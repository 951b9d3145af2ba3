"""Schema 1 of a scenario: which keys there are and what kind of value each takes.

Only the shape is told here. What the values mean together (shares that add to 1, an outcome that is measured) is
checked in `trialsim.scenario.checking`, so that all faults can be shown at once. A field that is left out is None, and
its default is found, with its source, in `trialsim.scenario.resolving`.
"""

from __future__ import annotations

from trialsim.scenario.schema.analyses import (
    Analysis,
    Method,
    Multiplicity,
    OneOrMoreAnalyses,
    StrategyName,
)
from trialsim.scenario.schema.choices import (
    Allocation,
    Arm,
    SampleSize,
    Schedule,
    Simulation,
)
from trialsim.scenario.schema.content import Content
from trialsim.scenario.schema.entry import Characteristics, Eligibility, RunIn
from trialsim.scenario.schema.events import Event, IntercurrentEvents
from trialsim.scenario.schema.masking import Dissociation, GuessAtVisit, InfusionDissociation, RaterBelief, Unblinding
from trialsim.scenario.schema.operations import Operations
from trialsim.scenario.schema.priors import MixturePart, Prior, PriorCorrelation, Shape
from trialsim.scenario.schema.questions import (
    Criterion,
    Estimand,
    TimeTo,
)
from trialsim.scenario.schema.safety import AdverseEvent, Safety, StoppingRule, SuicideAttempts
from trialsim.scenario.schema.truth import (
    Cluster,
    Count,
    Course,
    Covariance,
    Dropout,
    Effect,
    Grid,
    InfusionModel,
    Moments,
    Outcome,
    OutcomePair,
    Population,
    Stratum,
    Therapy,
    TherapyEffect,
    VisitCorrelation,
)
from trialsim.scenario.schema.values import Section, kind_of
from trialsim.scenario.schema.variation import Attendance, Heterogeneity, Intermittent, Missing, Raters

__all__ = [
    "AdverseEvent",
    "Allocation",
    "Analysis",
    "Arm",
    "Attendance",
    "Characteristics",
    "Cluster",
    "Content",
    "Count",
    "Course",
    "Covariance",
    "Criterion",
    "Dissociation",
    "Dropout",
    "Effect",
    "Eligibility",
    "Estimand",
    "Event",
    "Grid",
    "GuessAtVisit",
    "Heterogeneity",
    "InfusionDissociation",
    "InfusionModel",
    "IntercurrentEvents",
    "Intermittent",
    "Method",
    "Missing",
    "MixturePart",
    "Moments",
    "Multiplicity",
    "OneOrMoreAnalyses",
    "Operations",
    "Outcome",
    "OutcomePair",
    "Population",
    "Prior",
    "PriorCorrelation",
    "RaterBelief",
    "Raters",
    "RunIn",
    "Safety",
    "SampleSize",
    "Schedule",
    "Section",
    "Shape",
    "Simulation",
    "StoppingRule",
    "StrategyName",
    "Stratum",
    "SuicideAttempts",
    "Therapy",
    "TherapyEffect",
    "TimeTo",
    "Unblinding",
    "VisitCorrelation",
    "kind_of",
]
