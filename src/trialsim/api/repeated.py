"""From a long data frame and a formula to the arrays of a model for repeated measures."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula, ModelSpec
from formulaic.errors import FormulaicError
from numpy.typing import NDArray
from scipy.linalg import qr

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
        Response and terms; `visit` is categorical in it whatever its type, other texts and categories are
        factors with treatment coding.
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
    names = sorted(str(name) for name in parsed.required_variables)
    _check_columns([*names, subject, visit], data)
    kept = list(dict.fromkeys([subject, visit, *names]))
    rows, visits = _prepared_rows(data[kept], formula, subject, visit)
    matrices = parsed.get_model_matrix(rows, na_action="raise", output="pandas")
    response, columns = matrices.lhs, matrices.rhs
    if response.shape[1] != 1:
        raise refuse("formula", "the response must be one numeric column, as in 'y ~ baseline*visit + arm*visit'")
    _check_rank(columns)
    subjects = pd.Index(rows[subject].unique())
    person = subjects.get_indexer(rows[subject])
    time = rows[visit].cat.codes.to_numpy()
    y = np.full((1, len(subjects), len(visits)), np.nan)
    y[0, person, time] = response.iloc[:, 0].to_numpy(dtype=float)
    grid = _grid(rows, person, time, visit, len(subjects))
    whole = np.asarray(columns.model_spec.get_model_matrix(grid, na_action="raise", output="numpy"), dtype=float)
    whole = whole.reshape(len(subjects), len(visits), -1)
    x, design = _distinct(whole)
    between = np.all(whole == whole[:, :1], axis=(0, 1))
    return Repeated(y, x[None], design, columns.model_spec, rows, between, visits, subjects, subject, visit)


def _parse(formula: str) -> Formula:
    try:
        parsed = Formula(formula)
    except (FormulaicError, SyntaxError, ValueError) as error:
        raise refuse("formula", f"{formula!r} cannot be read: {error}") from None
    if not hasattr(parsed, "lhs"):
        raise refuse("formula", f"{formula!r} has no response; write it as 'y ~ baseline*visit + arm*visit'")
    return parsed


def _check_columns(names: Sequence[str], data: pd.DataFrame) -> None:
    missing = [name for name in dict.fromkeys(names) if name not in data.columns]
    if missing:
        known = ", ".join(str(name) for name in data.columns)
        raise InputError([Fault("data", f"has no column {name!r}; its columns are {known}") for name in missing])


def _prepared_rows(data: pd.DataFrame, formula: str, subject: str, visit: str) -> tuple[pd.DataFrame, list[Hashable]]:
    """Return the complete rows with factors as categories of the levels that occur, and the visit labels."""
    for name in data.columns:
        if pd.api.types.is_numeric_dtype(data[name]) and np.isinf(data[name].to_numpy(dtype=float)).any():
            raise refuse("data", f"column {name!r} holds infinities; give real scores, or leave the cells empty")
    rows = data.dropna().reset_index(drop=True)
    if rows.empty:
        raise refuse("data", f"no row has a value in all of {', '.join(map(str, data.columns))}")
    if not isinstance(rows[visit].dtype, pd.CategoricalDtype):
        rows[visit] = pd.Categorical(rows[visit], categories=sorted(data[visit].dropna().unique()))
    labels = set(data[visit].dropna().unique())
    unseen = [label for label in rows[visit].cat.categories if label in labels - set(rows[visit].unique())]
    if unseen:
        words = ", ".join(str(label) for label in unseen)
        raise refuse("data", f"nobody was seen at visit {words}; leave it out of the data")
    for name in rows.columns.difference([subject]):
        if not pd.api.types.is_numeric_dtype(rows[name]) or isinstance(rows[name].dtype, pd.CategoricalDtype):
            rows[name] = rows[name].astype("category").cat.remove_unused_categories()
    twice = rows[rows.duplicated([subject, visit])]
    if len(twice):
        first = twice.iloc[0]
        raise refuse("data", f"subject {first[subject]} has more than one row at visit {first[visit]}; keep one")
    return rows, list(rows[visit].cat.categories)


def _check_rank(columns: pd.DataFrame) -> None:
    values = columns.to_numpy(dtype=float)
    if len(values) <= values.shape[1]:
        raise refuse(
            "data", f"{len(values)} observed rows cannot carry {values.shape[1]} coefficients; use a smaller model"
        )
    norms = np.linalg.norm(values, axis=0)
    _, r, order = qr(values / np.where(norms > 0, norms, 1.0), mode="economic", pivoting=True)
    rank = int((np.abs(np.diag(r)) > 1e-10).sum())
    if rank < values.shape[1]:
        guilty = ", ".join(str(columns.columns[i]) for i in sorted(order[rank:]))
        raise refuse(
            "formula",
            f"these columns are constant or follow from the others among the observed rows: {guilty}; "
            "leave the term out, or the visit or arm with nobody left",
        )


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
