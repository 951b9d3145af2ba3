"""Which letters a picture can show: the font of the figures, those that stand in for it, and names for the rest.

The font of the figures comes with matplotlib and has Latin, Greek and Cyrillic letters. For others, one of the fonts
below is taken where it is installed. What no font here can draw would come out as a box in a PNG, so its label gives
way to the name it has in the scenario. An SVG holds text, not its shape, and keeps every label.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

from trialsim.report.words import name_words

FONT = "DejaVu Sans"
FALLBACKS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans CJK TC", "Source Han Sans SC",
    "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback", "PingFang SC", "Hiragino Sans", "Heiti TC",
    "Apple SD Gothic Neo", "Microsoft YaHei", "SimHei", "Yu Gothic", "MS Gothic", "Malgun Gothic", "IPAexGothic",
    "IPAGothic", "NanumGothic", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Symbols2", "FreeSans",
    "Arial Unicode MS", "Unifont", "STIXGeneral",
)  # fmt: skip
"""Fonts that stand in, the first one that has a letter; the last comes with matplotlib."""


@cache
def families() -> tuple[str, ...]:
    """Return the font of the figures and those installed that stand in for it."""
    installed = {entry.name for entry in fontManager.ttflist}
    return (FONT, *(name for name in FALLBACKS if name in installed))


def can_draw(text: str) -> bool:
    """Return whether every letter of a text is in one of the fonts."""
    return all(_has(letter, families()) for letter in text if not letter.isspace())


def drawable(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels, with the name of what is labelled where no font here has its letters.

    Parameters
    ----------
    labels : mapping of str to str
        By name; a name may have a prefix with a dot.
    """
    return {name: label if can_draw(label) else name_words(name.rpartition(".")[2]) for name, label in labels.items()}


def drawable_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose columns `<what>_label` hold labels as `drawable` gives them for the names in `<what>`."""
    shown = frame.copy()
    for column in frame.columns[frame.columns.str.endswith("_label")]:
        names = frame[column.removesuffix("_label")].astype(str)
        pairs = zip(names, frame[column].astype(str), strict=True)
        shown[column] = [drawable({name: label})[name] for name, label in pairs]
    return shown


def names_note(labels: Mapping[str, str]) -> str:
    """Return the sentence that says which labels gave way to names, empty where none did."""
    names = [name.rpartition(".")[2] for name, label in labels.items() if not can_draw(label)]
    if not names:
        return ""
    return f"No font was found here for the labels of {', '.join(dict.fromkeys(names))}; their names are shown."


def use_fallbacks(figure: Figure) -> None:
    """Let the fonts that stand in draw the texts that need them; all others keep their one font."""
    for text in figure.findobj(Text):
        written = text.get_text()
        if not all(_has(letter, (FONT,)) for letter in written if not letter.isspace()):
            text.set_fontfamily(list(families()))


@contextmanager
def silent_about_boxes() -> Iterator[None]:
    """Keep matplotlib from warning of letters without a shape."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


@cache
def _has(letter: str, names: tuple[str, ...]) -> bool:
    return any(get_font(findfont(FontProperties(family=name))).get_char_index(ord(letter)) for name in names)
