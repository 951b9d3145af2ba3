"""Figures inside a page: their own ids, words for screen readers, nothing active."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from trialsim.report import style
from trialsim.report.figures import standard_figures
from trialsim.report.svg import inline_svg

PLAIN = '<svg viewBox="0 0 10 10"><g id="a"><use xlink:href="#a"/><path clip-path="url(#a)"/></g></svg>'


def test_ids_of_two_figures_never_meet_and_all_references_resolve(summary: pd.DataFrame) -> None:
    seen: set[str] = set()
    for name, drawn in standard_figures(summary).items():
        page = inline_svg(style.svg_text(drawn.figure), name=name, title="t", description="d")
        ids = re.findall(r'\sid="([^"]*)"', page)
        assert len(ids) == len(set(ids))
        assert not seen & set(ids)
        seen |= set(ids)
        references = re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', page)
        assert references
        assert {one or two for one, two in references} <= set(ids)


def test_title_and_description_are_escaped_and_named() -> None:
    page = inline_svg(PLAIN, name="f", title="<b>", description="a & b")
    assert '<title id="f-title">&lt;b&gt;</title>' in page
    assert '<desc id="f-description">a &amp; b</desc>' in page
    assert 'aria-labelledby="f-title f-description"' in page


def test_words_in_a_figure_that_look_like_markup_are_left_alone() -> None:
    page = inline_svg(
        PLAIN.replace("</g>", '<text>id="a" url(#a) onclick=</text></g>'), name="f", title="t", description="d"
    )
    assert '<text>id="a" url(#a) onclick=</text>' in page


def test_prolog_metadata_and_style_are_left_out(summary: pd.DataFrame) -> None:
    svg = style.svg_text(standard_figures(summary)["power_curves"].figure)
    page = inline_svg(svg, name="f", title="t", description="d")
    assert page.startswith("<svg")
    for gone in ("<?xml", "<!DOCTYPE", "<style", "<metadata"):
        assert gone not in page


@pytest.mark.parametrize(
    "bad",
    [
        "<script>1</script>",
        '<g onload="x()"/>',
        '<use xlink:href="https://example.org/x.svg#a"/>',
        "<a href='javascript:1'/>",
        '<path style="fill: url(https://example.org/)"/>',
        "<foreignObject/>",
        '<image href="data:text/html;base64,AAAA"/>',
    ],
)
def test_active_content_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="must not hold"):
        inline_svg(PLAIN.replace("</g>", f"{bad}</g>"), name="f", title="t", description="d")


@pytest.mark.parametrize("name", ["", "1a", 'x" onload="', "a b"])
def test_names_that_are_no_ids_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name must be"):
        inline_svg(PLAIN, name=name, title="t", description="d")


def test_an_svg_without_a_view_box_is_refused() -> None:
    with pytest.raises(ValueError, match="viewBox"):
        inline_svg("<svg></svg>", name="f", title="t", description="d")
