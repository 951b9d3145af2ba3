"""docs/python.md: the Python interface, from the docstrings of its public names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

INTRODUCTION = """\
# Python

The command line and Python use the same words and give the same results.

```python
import trialsim as ts

scenario = ts.load("scenarios/quick_start.yaml", settings={"simulation.replicates": 100})
result = ts.run(scenario, out="outputs/quick_start_python")
print(result.summary[["n", "power", "power_mcse", "bias", "coverage"]])
result.plot_power().savefig("power.png")

# One simulated trial, analysed by hand: the first row of the run's estimates for 160 patients.
patients = ts.cohort(scenario, n=160, replicate=0)
baseline = patients[patients["day"] == 0].set_index("patient")["qids_sr16"]
later = patients[patients["day"] > 0].assign(baseline=lambda rows: rows["patient"].map(baseline))
model = "qids_sr16 ~ baseline*day + arm*day + stratum*day"
fit = ts.mmrm(model, later, subject="patient", visit="day", df="satterthwaite")
print(fit.contrast(arm=("ketamine", "midazolam"), day=14))
```

`import trialsim` itself imports next to nothing; what a name needs is loaded when the name is used. Results are
pandas data frames, figures are matplotlib figures. Errors are those of [Errors](#errors) below, all of them
`TrialsimError`.
"""

FORMULAS = """\
[Closed forms](concepts/closed_forms.md) says which one answers which question, `trialsim formula NAME --help` and
`help(ts.formula.NAME)` what its arguments mean. All but those that return a plain number return an
[Answer](#answer), and raise `InputError` where a number is out of range or cannot be reached.
"""

ERRORS = ("TrialsimError", "InputError", "RunError", "RefusedError", "Fault")


def page() -> str:
    """Return the page."""
    from trialsim import api, errors

    parts = [INTRODUCTION]
    for name in sorted(api.__all__, key=lambda name: (inspect.isclass(getattr(api, name)), name)):
        thing = getattr(api, name)
        if inspect.ismodule(thing):
            parts.append(_formulas(name, thing))
        else:
            parts.append(_class(name, thing, "##") if inspect.isclass(thing) else _function(name, thing, "##"))
    parts.append("## Errors\n")
    parts += [_class(name, getattr(errors, name), "###") for name in ERRORS]
    return "\n".join(parts).rstrip() + "\n"


def _function(name: str, function: Any, level: str) -> str:
    signature = _signature(function)
    return f"{level} {name.rsplit('.', 1)[-1]}\n\n```python\n{name}{signature}\n```\n\n{_docstring(function)}\n"


def _formulas(name: str, module: Any) -> str:
    """Return the formulas of a module by subject, each with the first line of its docstring and its arguments."""
    from trialsim.planning.formulas import Answer

    parts = [f"## {name}\n\n{_docstring(module)}\n", FORMULAS]
    for subject, members in module.SUBJECTS.items():
        parts.append(f"**{subject}**\n\n| formula | what it does | arguments |\n|---|---|---|")
        for member in (one for _, names in members for one in names):
            function = getattr(module, member)
            arguments = ", ".join(f"`{argument}`" for argument in inspect.signature(function).parameters)
            first = (inspect.getdoc(function) or "").split("\n", 1)[0]
            parts.append(f"| `{member}` | {first.replace('``', '`')} | {arguments} |")
        parts.append("")
    return "\n".join([*parts, _class("Answer", Answer, "###")])


class _Unquoted(str):
    """An annotation that is shown as it was written."""

    def __repr__(self) -> str:
        return str(self)


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=_Unquoted(parameter.annotation))
        if isinstance(parameter.annotation, str)
        else parameter
        for parameter in signature.parameters.values()
    ]
    returned = signature.return_annotation
    shown = _Unquoted(returned) if isinstance(returned, str) else returned
    return str(signature.replace(parameters=parameters, return_annotation=shown))


def _class(name: str, cls: type, level: str) -> str:
    parts = [f"{level} {name}\n\n{_docstring(cls)}\n"]
    for member, value in vars(cls).items():
        if member.startswith("_"):
            continue
        if inspect.isfunction(value):
            parts.append(_function(f"{name}.{member}", value, level + "#"))
        elif isinstance(value, property) or hasattr(value, "func"):
            parts.append(f"{level}# {member}\n\n{_docstring(value)}\n")
        elif member == "exit_code":
            parts.append(f"Exit code of the command line: {value}.\n")
    return "\n".join(parts)


def _docstring(thing: Any) -> str:
    """Return a NumPy docstring as Markdown."""
    return "\n".join(_markdown(inspect.getdoc(thing) or "")).strip().replace("``", "`")


def _markdown(text: str) -> Iterator[str]:
    lines = text.splitlines()
    section = ""
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if following and set(following) == {"-"}:
            section = line
            yield f"**{line}**\n"
        elif line and set(line) == {"-"}:
            continue
        elif section in ("Parameters", "Attributes", "Returns", "Raises", "Yields"):
            yield from _item(line, following)
        else:
            yield line


def _item(line: str, following: str) -> Iterator[str]:
    """Return one line of a list of parameters; indented lines belong to the one above."""
    if not line:
        yield ""
        return
    if line.startswith(" "):
        yield f"  {line.strip()}"
        return
    name, colon, kind = line.partition(" : ")
    tail = ":" if following.startswith(" ") else ""
    yield f"- `{name}`{f' ({re.sub(chr(96), chr(96) * 2, kind)})' if colon else ''}{tail}"
