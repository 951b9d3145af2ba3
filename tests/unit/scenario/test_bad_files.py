"""Files that are not a scenario at all are refused quickly, at the place that is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trialsim import scenario
from trialsim.errors import InputError


def told(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        scenario.load(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


def put(tmp_path: Path, content: bytes | str) -> Path:
    path = tmp_path / "s.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_missing_file_names_the_nearest_one(tmp_path):
    put(tmp_path, "schema: 1")
    assert told(tmp_path / "t.yaml").endswith(f"there is no such file; did you mean {tmp_path / 's.yaml'}?")


def test_folder_is_refused(tmp_path):
    assert "is a folder" in told(tmp_path)


@pytest.mark.parametrize("content", ["", "\n\n", "# only a comment\n", "---\n", "~\n", "\ufeff"])
def test_empty_file(tmp_path, content):
    assert "the file is empty" in told(put(tmp_path, content))


@pytest.mark.parametrize("content", ["- a\n- b\n", "just words\n", "42\n"])
def test_file_that_is_not_a_mapping(tmp_path, content):
    assert "s.yaml:1:1: a scenario is a mapping" in told(put(tmp_path, content))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "title: [a, b\npopulation: }\n",
            "2:8: not YAML: a [ that opens here is not closed, or a comma",
        ),
        (
            "title: {a: b\npopulation: 1\n",
            "2:8: not YAML: a { that opens here is not closed, or a comma",
        ),
        (
            'title: "a\nb: 1\nc: 2\n',
            "2:8: not YAML: a quotation mark that opens here is not closed (read on",
        ),
        (
            "title: a: b\n",
            "2:9: a colon and a space inside a value: put it in quotes",
        ),
    ],
)
def test_not_yaml_is_placed_where_it_begins(tmp_path, text, words):
    assert f"s.yaml:{words}" in told(put(tmp_path, f"schema: 1\n{text}"))


def test_a_missing_space_or_colon_is_told_at_its_line(tmp_path):
    glued = told(put(tmp_path, "schema: 1\ntitle:A drug\npopulation: {}\n"))
    assert glued.endswith("s.yaml:2:1: a space is missing after the colon: write title: A drug")
    bare = told(put(tmp_path, "schema: 1\ntitle A drug\npopulation: {}\n"))
    assert bare.endswith("s.yaml:2:1: a colon is missing: a key and its value read key: value, not 'title A drug'")


def test_tab_is_placed(tmp_path):
    for text, place in (("population:\n\tstrata: 1\n", "2:1"), ("é: 1\nb:\n  c:\n  \td: 1\n", "4:3")):
        assert f"s.yaml:{place}: a tab, which YAML does not take here: indent with spaces" in told(put(tmp_path, text))
    assert "s.yaml:2:4: not YAML: " in told(put(tmp_path, "population:\nx: @\n"))


def test_decimal_comma_is_told_as_one(tmp_path):
    text = "effects: {ketamine: {specific_share: 0,34, points: {qids_sr16: -3,5}}, other: {7: 0,14: 0.1}}\n"
    lines = told(put(tmp_path, text)).splitlines()
    assert any(
        line.endswith(":1:38: effects.ketamine.specific_share: decimals take a point, not a comma: 0.34")
        for line in lines
    )
    assert any(line.endswith("points.qids_sr16: decimals take a point, not a comma: -3.5") for line in lines)
    assert not any(".34:" in line or ".5:" in line or ".14: dec" in line for line in lines)


def test_decimal_comma_in_a_text_is_told(tmp_path):
    words = "dropout.never_starts: a number is needed, not the text '0,34'; decimals take a point: 0.34"
    assert words in told(put(tmp_path, "dropout:\n  never_starts: 0,34\n"))


def test_control_character_is_placed(tmp_path):
    message = told(put(tmp_path, b"schema: 1\ntitle: a\x00b\n"))
    assert message.endswith("s.yaml:2:9: not YAML: the character U+0000 cannot be part of a text file")


def test_not_utf8_is_placed(tmp_path):
    assert "s.yaml:2:11: not UTF-8 text (byte 0xe9)" in told(
        put(tmp_path, "schema: 1\ntitle: Caf\xe9".encode("latin-1"))
    )


def test_utf8_byte_order_mark_is_taken(tmp_path):
    assert "empty" not in told(put(tmp_path, "\ufeffschema: 1\n"))


def test_huge_file_is_not_read(tmp_path):
    assert "too large" in told(put(tmp_path, b"schema: 1\n" + b"#" * 3_000_000))


def calls(act):
    """Return how many functions were called: the same number on any machine."""
    found = 0

    def count(frame, event, argument):
        nonlocal found
        found += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return found


def test_work_on_a_long_flat_file_grows_no_faster_than_its_length(tmp_path):
    def refuse(keys):
        assert "unknown key" in told(put(tmp_path, "".join(f"key{i}: {i}\n" for i in range(keys))))

    refuse(10)  # what is loaded once
    short, long = calls(lambda: refuse(500)), calls(lambda: refuse(2_000))
    assert long < 4.5 * short


def test_alias_bomb_is_stopped_early(tmp_path):
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    messages = []
    # Written out these would be 10^12 values; they are counted and not made.
    assert calls(lambda: messages.append(told(put(tmp_path, "\n".join(lines))))) < 10_000
    assert "once the aliases are written out" in messages[0]
    assert ":5:" in messages[0]


def test_alias_that_holds_itself(tmp_path):
    assert "1:12: arms.0: the alias '*a' stands inside what it names" in told(put(tmp_path, "arms: &a [ *a ]\n"))


def test_alias_without_anchor(tmp_path):
    assert "has no anchor" in told(put(tmp_path, "arms: *nobody\n"))


def test_ordinary_anchor_is_allowed(tmp_path):
    text = (Path(__file__).parents[3] / "scenarios/quick_start.yaml").read_text(encoding="utf-8")
    text = text.replace("{share: 0.5, label: TRD with BPD}", "{share: &half 0.5}")
    text = text.replace("{share: 0.5, label: TRD without BPD}", "{share: *half}")
    assert scenario.load(put(tmp_path, text)).content.population.strata["no_bpd"].share == 0.5


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}")])
def test_deep_nesting(tmp_path, opening, closing):
    message = told(put(tmp_path, "arms: " + opening * 20_000 + closing * 20_000))
    assert "nested more than 30 levels deep" in message


def test_tags_cannot_run_code(tmp_path):
    marker = tmp_path / "ran"
    text = f"schema: 1\ntitle: !!python/object/apply:os.system ['touch {marker}']\n"
    assert "2:8: title: the tag !!python/object/apply:os.system is not allowed" in told(put(tmp_path, text))
    assert not marker.exists()


def test_second_document_is_refused(tmp_path):
    assert "s.yaml:2:1: a second document begins here" in told(put(tmp_path, "schema: 1\n---\nschema: 1\n"))


def test_duplicate_key_names_both_lines(tmp_path):
    assert "3:1: title: given twice: first in line 2" in told(put(tmp_path, "schema: 1\ntitle: a\ntitle: b\n"))


def test_merge_key_is_refused(tmp_path):
    assert "merge keys are not part of YAML 1.2" in told(put(tmp_path, "a: &a {x: 1}\nb: {<<: *a}\n"))


def test_key_that_is_a_list(tmp_path):
    assert "a key must be a plain word or number" in told(put(tmp_path, "[a, b]: 1\n"))


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "1e999", "9" * 400, "1" * 30])
def test_number_that_is_not_finite_or_too_large(tmp_path, value):
    message = told(put(tmp_path, f"schema: 1\nsample_size: {value}\n"))
    assert message.count("2:14: sample_size") == 1
