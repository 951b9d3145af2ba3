"""The figures of a report, one per module, and the set that a run allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "COMPARISON_WORDS",
    "FIGURE_WORDS",
    "NULL_FIGURE_WORDS",
    "OPERATIONS_FIGURE_WORDS",
    "DrawnFigure",
    "FigureWords",
    "standard_figures",
]


class FigureWords(NamedTuple):
    """Heading and caption of a figure; the caption is also what a screen reader says."""

    title: str
    caption: str


class DrawnFigure(NamedTuple):
    """A figure and the data frame that it draws."""

    figure: Figure
    data: pd.DataFrame


FIGURE_WORDS: Mapping[str, FigureWords] = {
    "power_curves": FigureWords(
        "Power by number of patients",
        "Share of simulated trials that find the benefit, or show what is to be shown against the margin, by patients "
        "randomised, with 95 % Monte Carlo bands. Dotted lines mark 80 % and 90 %. Where every claim is false (no true "
        "difference, or one that reaches the margin) the dashed line is the type I error, beside the level of the "
        "test.",
    ),
    "power_heatmap": FigureWords(
        "Where power is enough",
        "Power on the primary outcome in each cell, in percent, with its Monte Carlo standard error or, where all or "
        "no trials find it, the end of its 95 % interval (≥, ≤). The heavy line parts the cells that reach 80 % from "
        "those that do not. Hatched cells have nothing to find and show the type I error.",
    ),
    "power_by_outcome": FigureWords(
        "Power for every estimand",
        "The same curves for each estimand of the trial and each of its analyses, every one tested alone. Where the "
        "lines differ between panels, they need different numbers of patients.",
    ),
    "families": FigureWords(
        "Power of hypotheses tested together",
        "Share of simulated trials that find each true effect within the procedure, any of them and all of them, by "
        "patients randomised, with 95 % Monte Carlo bands. The dashed line is the family-wise error rate: trials that "
        "reject any hypothesis without anything to find, beside the level of the family.",
    ),
    "trajectories": FigureWords(
        "Course of the scores",
        "Mean observed score by day, arm and stratum, with 95 % confidence intervals and the number of patients "
        "observed under each panel.",
    ),
    "accuracy": FigureWords(
        "Is the estimate right?",
        "Bias of the estimate of the primary estimand, and the share of its confidence intervals that hold the true "
        "value, in each cell. About one bar in twenty misses its line by chance.",
    ),
    "estimand_matrix": FigureWords(
        "How far is each analysis from each question?",
        "Bias of each analysis of each estimand, against the estimand's own true value, in standard errors of the "
        "estimate (bias ÷ empirical SE), with 95 % Monte Carlo intervals. Full marks are off by more than 4.9 Monte "
        "Carlo standard errors.",
    ),
}

OPERATIONS_FIGURE_WORDS: Mapping[str, FigureWords] = {
    "recruitment": FigureWords(
        "Recruitment",
        "Patients randomised by month, for each number asked for: median over simulated trials, the middle half and "
        "90 % of them. The dotted line is the number asked for; the dashed one the month in which recruitment is hoped "
        "to be done, with the share of trials that are.",
    ),
    "site_rampup": FigureWords(
        "Sites that are open",
        "Sites that recruit, by month: mean over simulated trials, and 90 % of them.",
    ),
    "pipeline": FigureWords(
        "Who is in the trial when",
        "Patients randomised, under way and past the last visit, by month: medians over simulated trials, and 90 % of "
        "them. A look at a date finds the outcomes of those so far who have not left.",
    ),
    "trial_flow": FigureWords(
        "The flow of patients",
        "From those assessed for eligibility to the last visit: mean numbers over simulated trials, with the range of "
        "90 % of them. Leaving that follows from scores is not counted here.",
    ),
    "capacity_use": FigureWords(
        "Where it jams",
        "Share of chairs, staff, therapists and raters in use, by month: mean over simulated trials, and 90 % of them.",
    ),
    "waiting": FigureWords(
        "How long patients wait",
        "Share of patients who have had their first infusion, or have a therapy group, after so many days of waiting: "
        "mean over simulated trials, and 90 % of them.",
    ),
    "trial_costs": FigureWords(
        "What the money goes to",
        "Cost in USD by what it is for, and in all: mean over simulated trials, and 90 % of them.",
    ),
    "power_by_means": FigureWords(
        "Power against months and money",
        "Power of the primary hypothesis within its procedure, of co-primary hypotheses together, with its 95 % Monte "
        "Carlo (Wilson) interval, against the months to the last visit and against cost; bars across are 90 % of "
        "simulated trials.",
    ),
}
"""The words of figures on how trials are run."""


NULL_FIGURE_WORDS: Mapping[str, FigureWords] = {
    "power_curves": FigureWords(
        "Type I error by number of patients",
        "Share of simulated trials that make a false claim (a difference where there is none, or one that reaches the "
        "margin), by patients randomised, with 95 % Monte Carlo bands, beside the level of the test.",
    ),
    "power_heatmap": FigureWords(
        "Type I error in each cell",
        "Type I error of the primary analysis in each cell, in percent, with its Monte Carlo standard error. There is "
        "nothing to find anywhere.",
    ),
    "power_by_outcome": FigureWords(
        "Type I error for every estimand",
        "The same curves for each estimand of the trial.",
    ),
}
"""The words of figures that show type I errors only."""


COMPARISON_WORDS: Mapping[str, FigureWords] = {
    "design_forest": FigureWords(
        "Differences of power",
        "Power of each design less that of the reference, on the same virtual patients. Thick bars are 95 % intervals "
        "of the paired differences, thin ones are adjusted so that all hold together with 95 %.",
    ),
    "design_power": FigureWords(
        "Power of each design",
        "Share of simulated trials that find the effect, with 95 % Monte Carlo (Wilson) intervals of each design "
        "alone. The dotted line is the power wanted.",
    ),
    "design_pareto": FigureWords(
        "Power against what it takes",
        "Each design's power against the other measures of the front. Full circles are "
        "designs that no other beats on all the measures of the front; diamonds seem beaten, but within Monte Carlo "
        "error. Designs that take the same stand a little beside each other.",
    ),
}
"""The words of figures that hold designs against each other."""


def standard_figures(
    summary: pd.DataFrame,
    *,
    labels: Mapping[str, str] | None = None,
    trajectories: pd.DataFrame | None = None,
    trajectories_note: str = "",
    note: str = "",
    families: pd.DataFrame | None = None,
    matrix: bool = False,
    asked: str = "",
) -> dict[str, DrawnFigure]:
    """Return all figures that a run allows, by name, in the order of a report.

    Parameters
    ----------
    summary : DataFrame
        The summary of a run.
    labels : mapping, optional
        Words for estimands, arms, strata and outcomes, as `design.labels_of` gives them.
    trajectories : DataFrame, optional
        Mean scores by outcome, arm, stratum and day; see `trajectories.trajectory_data`.
    trajectories_note : str
        Said under the trajectories, such as which cell they are from.
    note : str
        Said under every figure.
    families : DataFrame, optional
        The summary of hypotheses tested together.
    matrix : bool
        Whether estimands and analyses are held against each other, as `matrix.is_matrix_asked` says.
    asked : str
        That numbers of patients are those asked for, as `recruited.asked_words` gives it: said under each figure that
        has them.

    Returns
    -------
    dict of str to DrawnFigure
        `power_curves` and `accuracy` always; `power_heatmap` where something is varied; `power_by_outcome` where
        there is more than one estimand or method; `families` and `trajectories` where given; `estimand_matrix` where
        asked for.
    """
    from trialsim.report import style
    from trialsim.report.figures.accuracy import accuracy_data, draw_accuracy
    from trialsim.report.figures.asked import say_asked, speak_of_asked
    from trialsim.report.figures.estimand_matrix import draw_estimand_matrix, estimand_matrix_data
    from trialsim.report.figures.families import draw_families, family_data
    from trialsim.report.figures.power_curves import draw_power_curves, power_curve_data
    from trialsim.report.figures.power_heatmap import draw_power_heatmap, power_heatmap_data
    from trialsim.report.figures.trajectories import draw_trajectories, trajectory_data
    from trialsim.report.summary import hypotheses, varied_paths
    from trialsim.report.table import power_table
    from trialsim.report.words import estimand_label, joined, path_words

    questions = hypotheses(summary)
    title = estimand_label(questions[0].estimand, labels)
    paths = varied_paths(summary)
    drawn: dict[str, DrawnFigure] = {}
    data = power_curve_data(summary, chosen=questions[:1], labels=labels, families=families)
    drawn["power_curves"] = DrawnFigure(draw_power_curves(data), data)
    if paths:
        data = power_heatmap_data(summary, labels=labels, families=families)
        members = power_table(summary, labels=labels, families=families).members
        drawn["power_heatmap"] = DrawnFigure(draw_power_heatmap(data, title=joined(list(members)) or title), data)
    if len(questions) > 1:
        data = power_curve_data(summary, labels=labels, families=families, alone=True)
        drawn["power_by_outcome"] = DrawnFigure(draw_power_curves(data), data)
    if families is not None:
        data = family_data(families, summary, labels=labels)
        drawn["families"] = DrawnFigure(draw_families(data), data)
    if trajectories is not None:
        data = trajectory_data(trajectories)
        drawn["trajectories"] = DrawnFigure(draw_trajectories(data, note=trajectories_note), data)
    for item in drawn.values() if note else ():
        style.add_note(item.figure, note)
    for name, item in drawn.items():
        if name != "trajectories":
            say_asked(item.figure, asked)
    # The next figures take the note as they are drawn, for it stands beside their keys.
    note = f"{note} {asked}".strip()
    data = accuracy_data(summary, labels=labels)
    heading = path_words(paths[0], labels=labels) if len(paths) == 1 else ""
    drawn["accuracy"] = DrawnFigure(draw_accuracy(data, title=title, row_heading=heading, note=note), data)
    if matrix:
        data = estimand_matrix_data(summary, labels=labels)
        drawn["estimand_matrix"] = DrawnFigure(draw_estimand_matrix(data, note=note), data)
    for name in ("accuracy", "estimand_matrix") if asked else ():
        if name in drawn:
            speak_of_asked(drawn[name].figure)
    return drawn
