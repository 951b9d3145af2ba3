"""Control characters and formulas in a scenario's texts: refused, shown as escapes, or neutral."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trialsim as ts
from trialsim.engine.csv_cells import neutral, original
from trialsim.errors import CONTROL, Fault, InputError, visible
from trialsim.report.csv_files import csv_text
from trialsim.scenario.document import parse_document, parse_value

QUICK = Path(__file__).resolve().parents[2] / "scenarios" / "quick_start.yaml"
STEERING = ["\x00", "\x07", "\x1b", "\x7f", "\x9b", "\u2028", "\u2029", "‮", "⁦"]
FORMULAS = ["=cmd|' /C calc'!A0", "+ DBT", "-2+3", "@SUM(A1)", "\tx", "＝1", '=HYPERLINK("http://x","y")']


@given(st.text())
def test_what_is_shown_steers_no_terminal(text):
    shown = visible(text)
    assert CONTROL.search(shown) is None
    assert shown == text or CONTROL.search(text) is not None


@pytest.mark.parametrize("character", STEERING)
def test_control_characters_are_refused_in_values_and_keys(character):
    escape = f"\\u{ord(character):04x}"
    for text in (f'title: "a{escape}b"', f'"a{escape}b": 1'):
        [fault] = parse_document(text, "s.yaml").faults
        assert fault.message == f"holds the control character U+{ord(character):04X}; leave it out"
        assert CONTROL.search(str(fault)) is None


@pytest.mark.parametrize("title", ["\u200b", "\ufeff", " \u00a0", "\u200d\u200b"])
def test_a_title_of_which_nothing_is_seen_is_refused(title):
    with pytest.raises(InputError, match="title: has no letter, digit or sign that could be seen"):
        ts.load(QUICK, settings={"title": f'"{title}"'})
    assert ts.load(QUICK, settings={"title": f'"{title}Кетамин"'}).title == f"{title}Кетамин"


def test_tabs_line_ends_and_other_scripts_are_ordinary():
    text = 'title: "a\\tb\\nc"\ndescription: "Кетамин 氯胺酮 كيتامين"\n'
    assert not parse_document(text, "s.yaml").faults


def test_settings_are_looked_at_too():
    assert [fault.message for fault in parse_value('"\\e[2J"', "--set").faults] == [
        "holds the control character U+001B; leave it out"
    ]


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_neutral_in_csv(text):
    frame = pd.DataFrame({"label": [text, "plain"], "kind": pd.Categorical([text, "plain"]), "value": [-3.5, 2.0]})
    read = list(csv.DictReader(io.StringIO(csv_text(frame))))
    assert read[0] == {"label": f"'{text}", "kind": f"'{text}", "value": "-3.5"}
    assert read[1]["label"] == "plain"


@given(st.one_of(st.text(), st.sampled_from(FORMULAS), st.sampled_from(FORMULAS).map(lambda text: f"''{text}")))
def test_what_was_neutral_reads_back(text):
    assert original(neutral(text)) == text


@pytest.mark.parametrize("number", ["-3", "+1.5e-7", "-inf", "-.5", -3, -2.5, None, True])
def test_numbers_stay(number):
    assert neutral(number) == number


def test_errors_reach_the_terminal_without_control(command):
    told = command("validate", "\x1b[31mx.yaml", code=2).stderr
    assert told.startswith("\\x1b[31mx.yaml: there is no such file")
    assert CONTROL.search(told) is None


def test_faults_hold_what_was_given():
    fault = Fault("a", "'\x1b'", file="f")
    assert "\x1b" in str(InputError([fault]))  # Python users get the text as it is; the terminal does not
