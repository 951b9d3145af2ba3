"""From a long data frame and a formula to the arrays of a model for repeated measures."""

from __future__ import annotations

import ast
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula, ModelSpec
from formulaic.errors import FormulaicError
from numpy.typing import NDArray

from trialsim.errors import Fault, InputError
from trialsim.kernels.mmrm.design import Design

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Repeated:
    """A data set ready to be fitted.

    Parameters
    ----------
    y : ndarray, shape (1, N, V)
        NaN where not observed.
    x : ndarray, shape (1, N, q)
        Distinct covariates of the participants.
    design : Design
        How the model's b columns are made of them at each visit.
    spec : ModelSpec
        Encodes new rows like those of the fit.
    rows : DataFrame
        The rows used, factors as categories.
    between : ndarray of bool, shape (b,)
        Columns that do not change within a participant.
    covariates : tuple of str
        Columns that the right-hand side of the formula uses.
    visits : list
        Visit labels in order.
    subjects : Index
        Participants in the order of the arrays.
    subject_column, visit_column : str
    """

    y: Array
    x: Array
    design: Design
    spec: ModelSpec
    rows: pd.DataFrame
    between: NDArray[np.bool_]
    covariates: tuple[str, ...]
    visits: list[Hashable]
    subjects: pd.Index
    subject_column: str
    visit_column: str

    @property
    def terms(self) -> list[str]:
        """Names of the coefficients."""
        return [str(name) for name in self.spec.column_names]


def refuse(what: str, message: str) -> InputError:
    """Return the error for one thing that is wrong with a call."""
    return InputError([Fault(what, message)])


def read_repeated(formula: str, data: pd.DataFrame, *, subject: str, visit: str) -> Repeated:
    """Return the arrays of a model for repeated measures.

    Parameters
    ----------
    formula : str
        Response and terms; `visit` is categorical in it whatever its type. Texts, categories, true/false columns and
        what stands in `C(...)` are factors with treatment coding.
    data : DataFrame
        One row per participant and visit; rows with a missing value in the formula's variables are left out.
    subject, visit : str
        Column names.

    Raises
    ------
    InputError
        If a column is missing, the formula cannot be read, a participant has a visit twice, or the data
        cannot support the model; each says what to do.
    """
    parsed = _parse(formula)
    if subject == visit:
        raise refuse("subject", f"{subject!r} is given as visit too; name the column of participants")
    responses, covariates = (_variables(side, data) for side in (parsed.lhs, parsed.rhs))
    names = list(dict.fromkeys([*responses, *covariates]))
    _check_functions(names, formula, data)
    _check_columns([*names, subject, visit], data)
    kept = list(dict.fromkeys([subject, visit, *names]))
    rows, visits = _prepared_rows(data[kept], _forced_factors(parsed.rhs), subject, visit)
    _check_levels(rows, [name for name in covariates if name not in (subject, visit)])
    response, columns = _matrices(parsed, rows)
    _check_rank(columns, response, rows, visit)
    subjects = pd.Index(rows[subject].unique())
    person = subjects.get_indexer(rows[subject])
    time = rows[visit].cat.codes.to_numpy()
    y = np.full((1, len(subjects), len(visits)), np.nan)
    y[0, person, time] = response
    grid = _grid(rows, person, time, visit, len(subjects))
    whole = np.asarray(columns.model_spec.get_model_matrix(grid, na_action="raise", output="numpy"), dtype=float)
    whole = whole.reshape(len(subjects), len(visits), -1)
    x, design = _distinct(whole)
    between = np.all(whole == whole[:, :1], axis=(0, 1))
    spec = columns.model_spec
    return Repeated(y, x[None], design, spec, rows, between, covariates, visits, subjects, subject, visit)


def _parse(formula: str) -> Formula:
    example = "'y ~ baseline*visit + arm*visit'"
    if isinstance(formula, str) and re.search(r"(?<![\w.])\.(?![\w.])", formula):
        raise refuse("formula", f"{formula!r} holds '.' for all columns; name them, as in {example}")
    try:
        parsed = Formula(formula)
    except (FormulaicError, SyntaxError, ValueError) as error:
        raise refuse("formula", f"{formula!r} cannot be read: {_plain(error)}") from None
    if not hasattr(parsed, "lhs"):
        raise refuse("formula", f"{formula!r} has no response; write it as {example}")
    if isinstance(parsed.lhs, tuple) or isinstance(parsed.rhs, tuple):
        raise refuse("formula", f"{formula!r} holds '|'; participants and visits are named by subject= and visit=")
    return parsed


def _plain(error: Exception) -> str:
    """Return the words of an error of formulaic on one line, without colours."""
    words = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).replace("⧛", "«").replace("⧚", "»")
    return " ".join(words.split())


def _expressions(side: Any) -> list[ast.expr]:
    """Return the factors of one side of the formula that are Python expressions, such as ``log(baseline)``."""
    found = []
    for expression in {factor.expr for term in side for factor in term.factors if factor.eval_method.value == "python"}:
        quoted = re.sub(r"`([^`]+)`", lambda match: f"Q({match[1]!r})", expression)
        try:
            found.append(ast.parse(quoted, mode="eval").body)
        except SyntaxError as error:
            raise refuse("formula", f"{expression!r} cannot be read: {error.msg}") from None
    return found


def _calls(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name and bool(node.args)


def _column(node: ast.AST) -> str | None:
    """Return the column that a name or a Q('name') stands for."""
    if isinstance(node, ast.Name):
        return node.id
    quoted = node.args[0] if isinstance(node, ast.Call) and _calls(node, "Q") else None
    return str(quoted.value) if isinstance(quoted, ast.Constant) else None


def _variables(side: Any, data: pd.DataFrame) -> tuple[str, ...]:
    """Return the columns that one side of the formula needs, there or not."""
    # formulaic leaves out the arguments of transforms that remember their data, such as center(baseline).
    inner = {_column(node) for expression in _expressions(side) for node in ast.walk(expression)}
    names = {str(name) for name in side.required_variables}
    return tuple(sorted(names | {name for name in inner if name is not None and name in data.columns}))


def _forced_factors(side: Any) -> set[str | None]:
    """Return the columns that stand in C(...)."""
    nodes = [node for expression in _expressions(side) for node in ast.walk(expression)]
    return {_column(node.args[0]) for node in nodes if isinstance(node, ast.Call) and _calls(node, "C")}


def _check_functions(names: Sequence[str], formula: str, data: pd.DataFrame) -> None:
    for name in names:
        if name not in data.columns and re.search(rf"\b{re.escape(name)}\s*\(", formula):
            raise refuse(
                "formula",
                f"{name!r} is not a function that formulas know (C, log, exp, poly, bs, center, scale are); "
                "a covariance goes into covariance=",
            )


def _check_columns(names: Sequence[str], data: pd.DataFrame) -> None:
    missing = [name for name in dict.fromkeys(names) if name not in data.columns]
    if missing:
        known = ", ".join(str(name) for name in data.columns)
        raise InputError([Fault("data", f"has no column {name!r}; its columns are {known}") for name in missing])
    twice = [name for name in dict.fromkeys(names) if (data.columns == name).sum() > 1]
    if twice:
        raise InputError([Fault("data", f"has more than one column {name!r}; keep one") for name in twice])


def _is_number(column: pd.Series) -> bool:
    dtype = column.dtype
    return bool(pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype))


def _prepared_rows(
    data: pd.DataFrame, factors: set[str | None], subject: str, visit: str
) -> tuple[pd.DataFrame, list[Hashable]]:
    """Return the complete rows with factors as categories of the levels that occur, and the visit labels."""
    for name in data.columns:
        if _is_number(data[name]) and np.isinf(data[name].to_numpy(dtype=float, na_value=np.nan)).any():
            raise refuse("data", f"column {name!r} holds infinities; give real scores, or leave the cells empty")
    rows = data.dropna().reset_index(drop=True)
    if rows.empty:
        raise refuse("data", f"no row has a value in all of {', '.join(map(str, data.columns))}")
    labels = data[visit].dropna().unique()
    if not isinstance(rows[visit].dtype, pd.CategoricalDtype):
        rows[visit] = pd.Categorical(rows[visit], categories=_in_order(labels, visit))
    unseen = [label for label in rows[visit].cat.categories if label in set(labels) - set(rows[visit].unique())]
    if unseen:
        words = ", ".join(str(label) for label in unseen)
        raise refuse("data", f"nobody was seen at visit {words}; leave it out of the data")
    for name in rows.columns.difference([subject]):
        if not _is_number(rows[name]) or name in factors:
            rows[name] = rows[name].astype("category").cat.remove_unused_categories()
    twice = rows[rows.duplicated([subject, visit])]
    if len(twice):
        first = twice.iloc[0]
        raise refuse("data", f"subject {first[subject]} has more than one row at visit {first[visit]}; keep one")
    if rows[subject].nunique() == 1:
        one = rows[subject].iloc[0]
        raise refuse("data", f"subject {one} is the only one with a score; a model of variation between needs more")
    return rows, list(rows[visit].cat.categories)


def _in_order(labels: Any, visit: str) -> list[Hashable]:
    try:
        return sorted(labels)
    except TypeError:
        words = ", ".join(repr(label) for label in labels)
        raise refuse(
            "data",
            f"the labels of {visit!r} are of several types and have no order: {words}; "
            "make them all numbers or all text, or a pandas category",
        ) from None


def _check_levels(rows: pd.DataFrame, covariates: Sequence[str]) -> None:
    """Refuse factors of one level, which formulaic would leave out without a word."""
    for name in covariates:
        if isinstance(rows[name].dtype, pd.CategoricalDtype) and len(rows[name].cat.categories) == 1:
            only = rows[name].cat.categories[0]
            raise refuse(
                "formula", f"{name!r} is {only!r} in all rows that have a score; leave it out, or look at the data"
            )


def _matrices(parsed: Formula, rows: pd.DataFrame) -> tuple[Array, pd.DataFrame]:
    """Return the response and the model's columns, one row for each row of the data."""
    try:
        with np.errstate(all="ignore"):
            matrices = parsed.get_model_matrix(rows, na_action="raise", output="pandas")
    except (FormulaicError, ValueError, TypeError) as error:
        raise refuse("formula", f"cannot be worked out on these data: {_plain(error)}") from None
    response, columns = matrices.lhs, matrices.rhs
    if response.shape[1] != 1 or not _is_number(response.iloc[:, 0]):
        raise refuse(
            "formula",
            "the response must be one numeric column, as in 'y ~ baseline*visit + arm*visit'; "
            "pandas.to_numeric makes numbers of text",
        )
    for frame in (response, columns):
        bad = [str(name) for name in frame.columns if not np.isfinite(frame[name].to_numpy(dtype=float)).all()]
        if bad:
            raise refuse("formula", f"these are not finite in some rows: {', '.join(bad)}; transform otherwise")
    return response.iloc[:, 0].to_numpy(dtype=float), columns


def _check_rank(columns: pd.DataFrame, response: Array, rows: pd.DataFrame, visit: str) -> None:
    """Refuse columns that follow from those before them, and scores that the columns explain exactly."""
    values = columns.to_numpy(dtype=float)
    if len(values) <= values.shape[1]:
        raise refuse(
            "data", f"{len(values)} observed rows cannot carry {values.shape[1]} coefficients; use a smaller model"
        )
    basis = np.zeros((len(values), 0))
    guilty = []
    for name, column in zip(columns.columns, values.T, strict=True):
        rest = _outside(basis, column)
        if np.linalg.norm(rest) > 1e-10 * np.linalg.norm(column):
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
        else:
            guilty.append(str(name))
    if guilty:
        cells = _empty_cells(rows, visit, guilty)
        raise refuse(
            "formula",
            f"these columns are constant or follow from those before them: {', '.join(guilty)}; "
            + (f"{cells}; leave that visit out of the data, or the term" if cells else "leave the term out"),
        )
    if np.linalg.norm(_outside(basis, response)) <= 1e-10 * np.linalg.norm(response):
        raise refuse("data", "the scores are all equal, or the formula explains them exactly; no variation is left")


def _outside(basis: Array, column: Array) -> Array:
    """Return what of a column is orthogonal to a basis; twice, for rounding."""
    once = column - basis @ (basis.T @ column)
    return np.asarray(once - basis @ (basis.T @ once))


def _empty_cells(rows: pd.DataFrame, visit: str, guilty: Sequence[str]) -> str:
    """Return in words which levels of the factors in some columns nobody had at a visit."""
    found = []
    for name in rows.columns.drop(visit):
        if isinstance(rows[name].dtype, pd.CategoricalDtype) and any(
            {str(name), visit} <= set(re.findall(r"\w+", column)) for column in guilty
        ):
            there = set(zip(rows[name], rows[visit], strict=True))
            cells = product(rows[name].cat.categories, rows[visit].cat.categories)
            found += [f"nobody of {name} {a} has a score at visit {v}" for a, v in cells if (a, v) not in there]
    return ", ".join(found)


def _grid(rows: pd.DataFrame, person: NDArray[Any], time: NDArray[Any], visit: str, n_subjects: int) -> pd.DataFrame:
    """Return a row for every participant and visit: the observed ones, others with the participant's first values."""
    n_visits = len(rows[visit].cat.categories)
    first = np.zeros(n_subjects, dtype=np.intp)
    first[person[::-1]] = np.arange(len(rows))[::-1]
    source = np.repeat(first[:, None], n_visits, axis=1)
    source[person, time] = np.arange(len(rows))
    grid = rows.iloc[source.reshape(-1)].reset_index(drop=True)
    codes = np.tile(np.arange(n_visits), n_subjects)
    grid[visit] = pd.Categorical.from_codes(codes, dtype=rows[visit].dtype)
    return grid


def _distinct(whole: Array) -> tuple[Array, Design]:
    """Return the distinct columns of X (N, V, b) over all visits, up to scale, and how to make X of them."""
    _, n_visits, b = whole.shape
    columns: list[Array] = []
    places: dict[bytes, int] = {}
    made: list[tuple[int, int, int, float]] = []
    for v in range(n_visits):
        for c in range(b):
            column = whole[:, v, c]
            scale = float(column[np.argmax(np.abs(column))])
            if scale == 0.0:
                continue
            key = np.round(column / scale, 12).tobytes()
            if key not in places:
                places[key] = len(columns)
                columns.append(column)
                made.append((v, c, places[key], 1.0))
            else:
                reference = columns[places[key]]
                made.append((v, c, places[key], scale / float(reference[np.argmax(np.abs(reference))])))
    k = np.zeros((n_visits, len(columns), b))
    for v, c, place, factor in made:
        k[v, place, c] = factor
    return np.stack(columns, axis=1), Design(k)
