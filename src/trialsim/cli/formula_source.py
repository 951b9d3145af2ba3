"""What a formula takes and says of itself, read from its source: importing it would load what computes."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from trialsim.api.formula import MODULES

_EFFECTS = (
    "difference", "mean_ratio", "hazard_ratio", "p_active", "superiority", "prior_mean", "f", "w", "r",
)  # fmt: skip
"""Arguments that are the effect of a formula, the first that it has."""

_USUAL = {"power": "Between 0 and 1.", "alpha": "Level of the whole test.", "sd": "Standard deviation."}
"""Words for arguments that a formula takes for known."""

_SECTION = re.compile(r"^(Parameters|Returns|Raises|Notes|References)\n-+\n", re.MULTILINE)
_ELSEWHERE = re.compile(r"[Aa]s in `(?:\w+\.)?(\w+)`")


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a formula.

    Parameters
    ----------
    name : str
    kind : {'flag', 'text', 'whole', 'number', 'numbers'}
        `numbers` may be one number, a row or a table of them.
    required : bool
        Whether the function has no default for it.
    default : object
        None where there is none, or where the argument is left out to be solved for.
    help : str
    is_effect : bool
        Whether `--effect` stands for it.
    optional : bool
        Whether the function may be told to solve for it.
    """

    name: str
    kind: str
    required: bool
    default: object
    help: str
    is_effect: bool
    optional: bool

    @property
    def option(self) -> str:
        """The option of the command line."""
        return f"--{self.name.replace('_', '-')}"


@dataclass(frozen=True, slots=True)
class FormulaSource:
    """A formula as its source tells of it.

    Parameters
    ----------
    name, summary, notes : str
    arguments : tuple of Argument
    solves : bool
        Whether one argument may be left out and is solved for; otherwise the formula gives a number.
    sources : tuple of str
        Publications.
    """

    name: str
    summary: str
    notes: str
    arguments: tuple[Argument, ...]
    solves: bool
    sources: tuple[str, ...]

    @property
    def leaves_out(self) -> bool:
        """Whether the user chooses which one is solved for: elsewhere it is always the same one."""
        return self.solves and any(one.name == "power" and not one.required for one in self.arguments)


def summary_of(name: str) -> str:
    """Return the first line of a formula's description, without "Return"."""
    first = (ast.get_docstring(_function(name)) or "").split("\n", 1)[0].removeprefix("Return ").rstrip(".")
    return first[:1].upper() + first[1:]


@cache
def formula_source(name: str) -> FormulaSource:
    """Return what the source says of a formula.

    Parameters
    ----------
    name : str
        A key of `trialsim.api.formula.MODULES`.
    """
    function = _function(name)
    text = ast.get_docstring(function) or ""
    solves = function.returns is not None and ast.unparse(function.returns) == "Answer"
    given = [(one.arg, one.annotation) for one in (*function.args.args, *function.args.kwonlyargs)]
    effect = next((one for one in _EFFECTS if one in dict(given)), "") if solves and "effect" not in dict(given) else ""
    defaults = [*([None] * (len(function.args.args) - len(function.args.defaults))), *function.args.defaults]
    told = _told(name)
    arguments = [
        Argument(
            one,
            _kind(ast.unparse(annotation) if annotation else ""),
            default is None,
            None if default is None else ast.literal_eval(default),
            told.get(one, "") or _USUAL.get(one, ""),
            one == effect,
            annotation is not None and "None" in ast.unparse(annotation),
        )
        for (one, annotation), default in zip(given, [*defaults, *function.args.kw_defaults], strict=True)
    ]
    notes = " ".join(_sections(text).get("Notes", "").split())
    return FormulaSource(name, summary_of(name), notes, tuple(arguments), solves, _publications(name, text))


@cache
def _module(name: str) -> ast.Module:
    place = files("trialsim").joinpath("planning", "formulas", f"{name}.py")
    return ast.parse(place.read_text(encoding="utf-8"))


def _function(name: str) -> ast.FunctionDef:
    """Return the syntax tree of a formula."""
    (found,) = (node for node in _module(MODULES[name]).body if isinstance(node, ast.FunctionDef) and node.name == name)
    return found


def _kind(annotation: str) -> str:
    if "Sequence" in annotation or "ArrayLike" in annotation:
        return "numbers"
    words = {part.strip() for part in annotation.split("|")}
    if "bool" in words:
        return "flag"
    if "str" in words or annotation.startswith("Literal"):
        return "text"
    return "whole" if "int" in words else "number"


def _sections(text: str) -> dict[str, str]:
    """Return the sections of a numpydoc text by their headings."""
    parts = _SECTION.split(text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _told(name: str) -> dict[str, str]:
    """Return what the docstring says of each argument; what stands in another formula's is taken from there."""
    found: dict[str, str] = {}
    heads = re.split(r"\n(?=\S)", _sections(ast.get_docstring(_function(name)) or "").get("Parameters", "").strip("\n"))
    for head in heads:
        line, _, body = head.partition("\n")
        names, _, kind = (part.strip() for part in line.partition(" : "))
        words = " ".join(body.split())
        elsewhere = _ELSEWHERE.match(kind) or _ELSEWHERE.match(words)
        for one in (part.strip() for part in names.split(",")):
            if elsewhere is None:
                found[one] = _sentence(kind, words)
                continue
            there = _told(elsewhere[1]).get(one, "")
            # A remark may follow that names the argument it is about.
            own = "" if _ELSEWHERE.match(words) or (words and f"`{one}`" not in words) else words
            found[one] = f"{there} {own}".strip()
    return found


def _sentence(kind: str, words: str) -> str:
    """Return the words for an argument; of its type, only what may be written there."""
    choices = re.search(r"\{[^}]*\}", kind)
    if choices:
        listed = choices[0].strip("{}").replace('"', "").replace("'", "")
        return f"{words} One of {listed}.".strip()
    if "pair of float" in kind or "array-like" in kind or " of float" in kind:
        return f"{words} ({kind.removesuffix(', optional')})".strip()
    return words


def _publications(name: str, text: str) -> tuple[str, ...]:
    """Return the references of the module that a formula names, or the first where it names none."""
    listed = _sections(ast.get_docstring(_module(MODULES[name])) or "").get("References", "").strip()
    if not listed:
        return ()
    # A new reference starts where a line starts with a name and initials, after the end of the one before.
    entries = [" ".join(part.split()) for part in re.split(r"(?<=[.\d])\n(?=[A-Za-z' ]+ [A-Z]+[,. (])", listed)]
    named = [entry for entry in entries if (who := re.match(r"(.+?) [A-Z]+[,. (]", entry)) and who[1] in text]
    return tuple(named or entries[:1])
