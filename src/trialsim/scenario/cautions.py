"""What can be run and is seldom meant: told as a warning, at its place."""

from __future__ import annotations

from trialsim.errors import Fault
from trialsim.scenario.document import Node
from trialsim.scenario.paths import fault_at
from trialsim.scenario.schema import Content
from trialsim.scenario.timetable import days_of_infusions
from trialsim.scenario.words import number


def cautions(content: Content, root: Node) -> list[Fault]:
    """Return what a user may not have meant, each at its file, line and column.

    Parameters
    ----------
    content : Content
        Checked.
    root : Node
        The document it comes from.
    """
    return [*_early_primary_visit(content, root), *_infusions_without_a_model(content, root)]


def _early_primary_visit(content: Content, root: Node) -> list[Fault]:
    primary = content.estimands["primary"]
    common = content.schedule.infusions
    last = max((day for arm in content.arms.values() for day in days_of_infusions(common, arm)), default=0.0)
    if primary.visit > last:  # a visit on the day of an infusion comes before it
        return []
    message = (
        f"warning: the primary visit, day {number(primary.visit)}, comes before the last infusion, day {number(last)}: "
        "what the later infusions add is not part of the answer"
    )
    return [fault_at(root, ("estimands", "primary", "visit"), message)]


def _infusions_without_a_model(content: Content, root: Node) -> list[Fault]:
    """Tell of an arm's own infusions whose effect is that of the common ones, as shares of the last visit's."""
    course = content.course
    if course is not None and (course.infusion_model is not None or course.means is not None):
        return []
    message = (
        "warning: without course.infusion_model the effect of this arm takes the same course as with the infusions of "
        "schedule: how many there are changes no score. Give course.infusion_model ({} takes its numbers from the "
        "catalogue)"
    )
    common = sorted(content.schedule.infusions)
    return [
        fault_at(root, ("arms", name, "infusions"), message)
        for name, arm in content.arms.items()
        if arm is not None
        and arm.infusions is not None
        and name in (content.effects or {})
        and sorted(arm.infusions) != common
    ]
