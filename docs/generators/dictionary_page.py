"""docs/data_dictionary.md: every output file and column, held against what real commands write."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from generators import dictionary_figures, dictionary_operations, dictionary_runs, dictionary_tables
from generators.dictionary_runs import Columns, Written

INTRODUCTION = """\
# Data dictionary

What `trialsim run`, `compare`, `cohort`, `plot` and `replay` write, file by file. The schema version of a run's files
is **{version}**; it stands in `manifest.json` (`schema`) and in the metadata of the Parquet files
(`trialsim_schema`), and changes when a column changes its name, kind or meaning. Units: estimates, standard errors
and bias are in the unit of their `measure` (points for a difference of means, natural logarithms for ratios); times
are in days; shares are between 0 and 1. Estimates are *active − control*. Text is UTF-8 with unix line ends; a number
that does not exist is empty in CSV and null or NaN in Parquet.

## The run folder

"""

ALL_DRAWN: Mapping[str, str] = {**dictionary_figures.DRAWN, **dictionary_operations.DRAWN}
"""Figures of a run by name, and when each is drawn."""

ALL_FIGURES: Mapping[str, Mapping[str, str]] = {**dictionary_figures.FIGURES, **dictionary_operations.FIGURES}

FILES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "`report.html`": (
        ("report.html",),
        "The report: answer, figures, assumptions, failures. One file, no outside request.",
    ),
    "[`summary.parquet`, `.csv`](#summary)": (
        ("summary.csv", "summary.parquet"),
        "Operating characteristics: one row per cell and hypothesis.",
    ),
    "[`families.parquet`, `.csv`](#families)": (
        ("families.csv", "families.parquet"),
        "With `multiplicity`: hypotheses tested together, one row per cell.",
    ),
    "[`safety.parquet`, `.csv`](#safety)": (
        ("safety.csv", "safety.parquet"),
        "With `safety`: one row per cell, kind of event and arm.",
    ),
    "[`stopping.parquet`, `.csv`](#stopping)": (
        ("stopping.csv", "stopping.parquet"),
        "With `safety.stopping_rule`: one row per cell and hypothesis.",
    ),
    "[`blinding.parquet`, `.csv`](#blinding)": (
        ("blinding.csv", "blinding.parquet"),
        "With `unblinding`: one row per cell and arm that is asked.",
    ),
    "[`operations.parquet`](#operations)": (
        ("operations.parquet",),
        "With `operations`: how each trial was run, one row per cell and replicate.",
    ),
    **{
        f"[`operations_{name}.parquet`, `.csv`](#operations_{name})": (
            (f"operations_{name}.csv", f"operations_{name}.parquet"),
            f"With `operations`: one row per cell and {row}.",
        )
        for name, row in (("summary", "measure"), ("calendar", "series and month"), ("waits", "queue and days waited"))
    },
    "[`estimates.parquet`](#estimates)": (("estimates.parquet",), "One row per cell, hypothesis and replicate."),
    "[`failures.csv`](#failurescsv)": (
        ("failures.csv",),
        "Where there is one: every fit that failed or fell back, one row each.",
    ),
    "[`figures/NAME.png`, `.svg`, `.csv`](#figures-of-a-run)": (
        tuple(f"figures/{name}.{end}" for name in ALL_DRAWN for end in ("png", "svg", "csv")),
        "Each figure twice, with the data it shows.",
    ),
    "[`figures/twins.csv`](#figurestwinscsv)": (
        ("figures/twins.csv",),
        "Where there is one: the closed form beside the simulated power, one row per cell and hypothesis.",
    ),
    "[`figures/clinic.csv`](#figurescliniccsv)": (
        ("figures/clinic.csv",),
        "Where an estimand is a score or a response of two arms: its true value in the words of the clinic.",
    ),
    "`answer.json`": (
        ("answer.json",),
        "What the command shows: sentences and tables (`blocks`), what to beware of (`notes`), fits that failed or "
        "fell back. A finished run asked for again is shown from it.",
    ),
    "`results.json`": (
        ("results.json",),
        "Its tables for another program, as `--json` prints them: `summary` and, where there are such, `families`, "
        "`twins` and `operations`, with every digit; `null` where there is no number.",
    ),
    "[`manifest.json`](#manifestjson)": (
        ("manifest.json",),
        "What was run: everything that the results depend on.",
    ),
    "[`run.json`](#runjson)": (
        ("run.json",),
        "When, where and how long. Written last, and then says that the run is finished.",
    ),
    "[`parts/`](#parts)": (
        (
            "parts/estimates_variant0000_block000000_CHECKSUM.parquet",
            "parts/safety_variant0000_block000000_CHECKSUM.parquet",
            "parts/guesses_variant0000_block000000_CHECKSUM.npy",
            "parts/operations_variant0000_block000000_CHECKSUM.npz",
            "parts/variant0000_truths.json",
        ),
        "Whole blocks, from which an interrupted or longer run goes on.",
    ),
}
"""Files of a run folder and what they hold, by the words for them."""

SAME_BYTES = """\
All but `run.json` are the same bytes for the same scenario, seed and package versions on one kind of processor,
whatever the number of workers and however often the run was interrupted; only `run.json` holds times and hosts. The
empty file `run.lock` is held by the process that is at work. [Runs](concepts/runs.md) explains the folder.
"""

USABLE = """\
A *usable* fit converged or fell back; shares and means are over usable fits unless said otherwise. Formulas of the
Monte Carlo standard errors: [operating characteristics](concepts/operating_characteristics.md).
"""

PARTS = """\
One block of 250 replicates of one variant each, its number and that of the variant in the name, with the first 16
digits of the SHA-256 of the content. Nothing else needs to read them.

- `estimates_variant0000_block000000_CHECKSUM.parquet`: the columns of [estimates](#estimates) from `estimate` on. One
  row per sample size (rising), hypothesis (estimands in order, their analyses within) and each of the 250 replicates.
- `guesses_variant0000_block000000_CHECKSUM.npy`, with `unblinding`: how many of each arm guess what. A NumPy array of
  whole numbers with axes sample size (rising), replicate, arm, and guess (active, control).
- `operations_variant0000_block000000_CHECKSUM.npz`, with `operations`: arrays by name, `N/numbers/MEASURE`
  (replicates), `N/series/SERIES` (replicates, months) and `N/waits/QUEUE` (replicates, days), N the patients asked for.
- `variant0000_truths.json`: the true value of each hypothesis and its Monte Carlo standard error, in the order of the
  estimands and their analyses, found once for a run folder; with what they were computed, as JSON, and a checksum.
- `safety_variant0000_block000000_CHECKSUM.parquet`, with `safety`: one row per sample size and replicate. In the names
  of columns E is the number of the event, adverse events first, and A that of the arm, both from 0.
"""

COHORT = """\
`trialsim cohort` writes one row per patient and day, with `--potential-outcomes` one per patient, arm and day. Which
columns there are depends on the scenario; scores on a scale of whole points are whole numbers.
"""

COHORT_FIGURES = """\
`trialsim plot cohort` writes each as `.png`, `.svg` and `.csv`: `trajectories`, with the columns of a
[run's](#figurestrajectoriescsv), `distributions`, `correlations`, and `dissociation` where CADSS scores are drawn.
"""

TRIAL = """\
`trialsim trial RUN` writes `data.csv`, with the columns of a [cohort](#the-csv-of-a-cohort), `analysis.csv`, with those
of [estimates](#estimates), and `flow.csv`:
"""

COMPARISON = """\
`trialsim compare` writes a folder with a run folder for each design below `designs/` (without report and figures), and
these files. [Comparing designs](concepts/comparing_designs.md) says how the numbers come about.
"""

COMPARED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "`report.html`": (("report.html",), "Findings, tables and figures. One file, no outside request."),
    "[`designs.parquet`, `.csv`](#designs)": (("designs.csv", "designs.parquet"), "One row per design."),
    "[`differences.parquet`, `.csv`](#differences)": (
        ("differences.csv", "differences.parquet"),
        "One row per pair of designs.",
    ),
    "[`comparison.json`](#comparisonjson)": (("comparison.json",), "The whole answer. Written last."),
    "[`figures/NAME.png`, `.svg`, `.csv`](#figures-of-a-comparison)": (
        tuple(
            f"figures/{name}.{end}" for name in dictionary_figures.COMPARISON_FIGURES for end in ("png", "svg", "csv")
        ),
        "Each figure twice, with the data it shows.",
    ),
    "[`manifest.json`](#manifestjson-of-a-comparison)": (("manifest.json",), "What was compared."),
    "`truths.json`": (
        ("truths.json",),
        "With `unblinding`: effects without what patients and raters expect, found once.",
    ),
}
"""Files of a comparison besides its runs, by the words for them."""

REPLAY = """\
`trialsim replay NAME --out FOLDER` writes `replay_NAME.csv`, one row per quantity, and `replay_NAME_figure.png`, `.svg`
and `.csv`, one row per quantity, arm and bin. [Replay](concepts/replay.md) says what the quantities are worth.
"""


def page() -> str:
    """Return the page, checked against the files of small runs."""
    from trialsim.engine.store import SCHEMA_VERSION

    with tempfile.TemporaryDirectory() as folder:
        found = dictionary_runs.written(Path(folder))
    parts = [INTRODUCTION.format(version=SCHEMA_VERSION) + _table_of_files(found.run, FILES), SAME_BYTES]
    parts += [*_run(found.columns), *_trial(found.columns), *_comparison(found), *_cohort(found), *_replay(found)]
    return "\n".join(parts)


def _run(columns: Mapping[str, Columns]) -> Iterable[str]:
    """Yield the sections on a run folder."""
    tables, figures = dictionary_tables, dictionary_figures
    yield from ("## summary\n", USABLE, _table(columns["run/summary"], tables.SUMMARY))
    for name, words in (("families", tables.FAMILIES), ("safety", tables.SAFETY), ("stopping", tables.STOPPING)):
        yield from (f"## {name}\n", _table(columns[f"run/{name}"], words))
    yield from ("## blinding\n", _table(columns["run/blinding"], tables.BLINDING))
    yield from _operations(columns)
    yield from ("## estimates\n", _table(columns["run/estimates"], tables.ESTIMATES))
    yield from ("## parts\n", PARTS, _table(columns["run/parts/safety"], tables.SAFETY_PARTS))
    yield from ("## manifest.json\n", _table(columns["run/manifest"], tables.MANIFEST, "key"))
    yield from ("## run.json\n", _table(columns["run/run"], tables.RUN, "key"))
    yield _table(columns["run/session"], tables.SESSION, "key")
    yield from ("## failures.csv\n", _table(columns["run/failures"], tables.FAILURES))
    yield from ("## Figures of a run\n", _table_of_figures())
    for name in ALL_DRAWN:
        words = ALL_FIGURES[figures.SAME_COLUMNS.get(name, name)]
        table = _table(columns[f"run/figures/{name}"], words)
        if name not in figures.SAME_COLUMNS:
            yield from (f"### figures/{name}.csv\n", table)
    yield from ("### figures/twins.csv\n", _table(columns["run/figures/twins"], tables.TWINS))
    yield from ("### figures/clinic.csv\n", _table(columns["run/figures/clinic"], tables.CLINIC))


def _trial(columns: Mapping[str, Columns]) -> Iterable[str]:
    """Yield the section on one simulated trial."""
    yield from ("## One trial of a run\n", TRIAL, _table(columns["flow"], dictionary_tables.FLOW))


def _comparison(found: Written) -> Iterable[str]:
    """Yield the sections on a comparison of designs."""
    tables, columns = dictionary_tables, found.columns
    yield from ("## A comparison of designs\n", COMPARISON, _table_of_files(found.comparison, COMPARED))
    yield from ("### designs\n", _table(columns["comparison/designs"], tables.COMPARED))
    yield from ("### differences\n", _table(columns["comparison/differences"], tables.DIFFERENCES))
    yield from ("### comparison.json\n", _table(columns["comparison/comparison"], tables.COMPARISON, "key"))
    manifest = _table(columns["comparison/manifest"], tables.COMPARISON_MANIFEST, "key")
    yield from ("### manifest.json of a comparison\n", manifest, "### Figures of a comparison\n")
    for name, words in dictionary_figures.COMPARISON_FIGURES.items():
        yield from (f"#### figures/{name}.csv\n", _table(columns[f"comparison/figures/{name}"], words))


def _operations(columns: Mapping[str, Columns]) -> Iterable[str]:
    """Yield the sections on how trials were run."""
    told = dictionary_operations
    yield from ("## operations\n", _table(columns["run/operations"], told.TRIALS), told.WITH_GROUPS, told.WRITTEN)
    for name, words in (("summary", told.SUMMARY), ("calendar", told.CALENDAR), ("waits", told.WAITS)):
        yield from (f"## operations_{name}\n", _table(columns[f"run/operations_{name}"], words))


def _cohort(found: Written) -> Iterable[str]:
    """Yield the sections on simulated patients."""
    names = ("trajectories", *dictionary_figures.COHORT_FIGURES)
    _same(found.cohort, [f"{name}.{end}" for name in names for end in ("png", "svg", "csv")])
    _table(found.columns["figures/trajectories"], dictionary_figures.FIGURES["trajectories"])
    yield from ("## The CSV of a cohort\n", COHORT, _table(found.columns["cohort"], dictionary_tables.COHORT))
    yield from ("## Figures of a cohort\n", COHORT_FIGURES)
    for name, words in dictionary_figures.COHORT_FIGURES.items():
        yield from (f"### {name}.csv\n", _table(found.columns[f"figures/{name}"], words))


def _replay(found: Written) -> Iterable[str]:
    """Yield the sections on a replayed study."""
    name = "replay_danayan2023"
    _same(found.replay, [f"{name}.csv", *(f"{name}_figure.{end}" for end in ("png", "svg", "csv"))])
    yield from ("## A replayed study\n", REPLAY)
    yield from ("### replay_NAME.csv\n", _table(found.columns[f"replay/{name}"], dictionary_tables.REPLAY))
    drawn = _table(found.columns[f"replay/{name}_figure"], dictionary_figures.REPLAY_FIGURE)
    yield from ("### replay_NAME_figure.csv\n", drawn)


def _table_of_files(found: Iterable[str], described: Mapping[str, tuple[tuple[str, ...], str]]) -> str:
    _same(found, [file for files, _ in described.values() for file in files])
    lines = ["| file | holds |", "|---|---|", *(f"| {name} | {words} |" for name, (_, words) in described.items())]
    return "\n".join([*lines, ""])


def _table_of_figures() -> str:
    lines = ["| figure | when |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {words} |" for name, words in ALL_DRAWN.items()), ""])


def _table(found: Columns, words: Mapping[str, str], heading: str = "column") -> str:
    """Return columns as a table; one that is not described, or described and not there, is an error.

    A column that ends in `_mcse` and is not described is the Monte Carlo standard error of the one it is named after.
    """
    errors = {name.removesuffix("_mcse") for name in found if name.endswith("_mcse") and name not in words}
    shown = {name: kind for name, kind in found.items() if name.removesuffix("_mcse") not in errors or name in words}
    _same(shown, words)
    _same(errors, errors & set(shown))
    lines = [f"| {heading} | type | meaning |", "|---|---|---|"]
    for name, kind in shown.items():
        also = f"<br>`{name}_mcse`" if name in errors else ""
        lines.append(f"| `{name}`{also} | {kind} | {words[name]} |")
    if errors:
        lines += ["", "A column with `_mcse` is the Monte Carlo standard error of the one above it, in the same unit."]
    return "\n".join([*lines, ""])


def _same(found: Iterable[str], described: Iterable[str]) -> None:
    missing, extra = set(found) - set(described), set(described) - set(found)
    if missing or extra:
        raise ValueError(
            f"the data dictionary lacks {sorted(missing)} and describes {sorted(extra)}, which is not there"
        )
