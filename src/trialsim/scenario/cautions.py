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
    return _early_primary_visit(content, root)


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
