"""One look for all figures, and files that come out the same, byte for byte, whenever they are drawn.

Colours are those of Okabe and Ito, which people with any common colour vision deficiency can tell apart; every
colour goes with a marker and a line style of its own, so that nothing is lost in a grey print. Figures are made
from `Figure` objects, never through pyplot, which keeps a global list of them.

References
----------
Okabe M, Ito K (2008). Color universal design: how to make figures and presentations that are friendly to
colorblind people. https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from trialsim.report.fonts import silent_about_boxes, use_fallbacks

INK = "#1b2230"
MUTED = "#5a6472"
FAINT = "#d9dde3"
ALERT = "#a13d00"

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "*", "p")
DASHES: tuple[tuple[int, tuple[float, ...]], ...] = (
    (0, ()),
    (0, (5, 2)),
    (0, (1.5, 1.5)),
    (0, (6, 2, 1.5, 2)),
    (0, (3, 1.5)),
    (0, (8, 2)),
    (0, (1, 1)),
)

_RAMP = LinearSegmentedColormap.from_list("ordered", ["#5b9fd0", "#2a78b5", "#10518a", "#0b2545"])
POWER_MAP = LinearSegmentedColormap.from_list("power", ["#fbfcfe", "#d6e6f2", "#8fbcdc", "#3a86bd", "#0b3c6f"])
"""Light to dark in one hue: lightness alone carries the value, so a grey print keeps the order."""

_SETTINGS: dict[str, object] = {
    # DejaVu Sans comes with matplotlib, so text has one width on all machines; the others are for SVG readers.
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 9.0,
    "axes.labelsize": 9.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "text.color": INK,
    # A dollar sign in a label is a dollar sign: labels are the user's text, not mathematics.
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
    "figure.dpi": 100.0,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "legend.frameon": False,
    # Ids in SVG are hashes of this salt and the content, instead of random; text stays text.
    "svg.hashsalt": "trialsim",
    "svg.fonttype": "none",
}


NOTE_LETTERS_PER_INCH = 15
"""How many letters of a note fit into an inch, with a little to spare."""

TITLE_LETTERS_PER_INCH = 8
"""The same for the title of a figure."""

FREE_LINES = 2
"""Lines of small words for which a figure has room from the first."""

LINE_INCHES = 0.15
"""Height of one more line."""


class Mark(NamedTuple):
    """How one series is drawn: colour, marker and dash pattern tell the same story three times."""

    colour: str
    marker: str
    dash: tuple[int, tuple[float, ...]]


@contextmanager
def styled() -> Iterator[None]:
    """Draw or save figures in this package's look; the caller's matplotlib settings come back afterwards."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)  # type: ignore[arg-type]
        yield


def categorical_marks(count: int) -> list[Mark]:
    """Return marks for `count` unordered series, such as arms."""
    return [
        Mark(OKABE_ITO[i % len(OKABE_ITO)], MARKERS[i % len(MARKERS)], DASHES[i % len(DASHES)]) for i in range(count)
    ]


def ordered_marks(count: int) -> list[Mark]:
    """Return marks for `count` ordered series, such as rising values of an assumption: light to dark."""
    colours = [OKABE_ITO[0]] if count == 1 else [_hex(_RAMP(i / (count - 1))) for i in range(count)]
    return [Mark(colour, MARKERS[i % len(MARKERS)], DASHES[0]) for i, colour in enumerate(colours)]


def by_rows(handles: Sequence[Any], most: int) -> tuple[list[Any], int]:
    """Return what a legend shows so that it reads in rows, for it fills its columns first; and how many it has.

    Parameters
    ----------
    handles : sequence
        In reading order.
    most : int
        Columns that there is room for; rows are of one length.
    """
    columns = math.ceil(len(handles) / math.ceil(len(handles) / most))
    return [handle for column in range(columns) for handle in handles[column::columns]], columns


def text_colour_on(rgba: Sequence[float]) -> str:
    """Return white or ink, whichever can be read better on the given background."""
    channels = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in rgba[:3]]
    luminance = 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]
    # Where the contrast of white (luminance 1) and that of ink (0.016) are equal.
    return "#ffffff" if luminance < 0.213 else INK


def percent_axis(axes: Axes, *, low: float = 0.0, high: float = 1.0) -> None:
    """Show shares on the vertical axis as whole percent; the axis title must say 'Power, %' or the like."""
    axes.set_ylim(low, high)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f}"))


def wrapped(text: str, letters: int) -> str:
    """Return the text with each of its lines broken to at most `letters`, between words where there are any."""
    return "\n".join("\n".join(textwrap.wrap(line, max(letters, 8))) for line in text.split("\n"))


def shortened(text: str, letters: int) -> str:
    """Return the text, cut to `letters` with an ellipsis where it is longer."""
    return text if len(text) <= letters else f"{text[: letters - 1].rstrip()}…"


def distinct(texts: Sequence[str], letters: int) -> list[str]:
    """Return labels cut to `letters`; where some would look alike, parts that all begin with are left out before."""
    if len({shortened(text, letters) for text in texts}) < len(set(texts)):
        parts = [text.split(", ") for text in texts]
        shared = 0
        while all(len(one) > shared + 1 and one[: shared + 1] == parts[0][: shared + 1] for one in parts):
            shared += 1
        texts = [", ".join(one[shared:]) for one in parts]
    return [shortened(text, letters) for text in texts]


def add_note(figure: Figure, text: str) -> None:
    """Write small words under a figure, after those already there, broken into lines that fit its width."""
    letters = int(figure.get_figwidth() * NOTE_LETTERS_PER_INCH)
    before = figure.get_supxlabel()
    joined = before.replace("\n", " ")
    words = wrapped(f"{joined} {text}".strip(), letters)
    figure.supxlabel(words, fontsize=7.5, color=MUTED, x=0.01, ha="left")
    make_room(figure, words, before)


def make_room(figure: Figure, words: str, before: str = "") -> None:
    """Let a figure grow by the lines of small words beyond the second, so that its panels keep their size."""
    lines, there = (max(text.count("\n") + 1, FREE_LINES) for text in (words, before))
    figure.set_figheight(figure.get_figheight() + LINE_INCHES * (lines - there))


def add_title(figure: Figure, title: str) -> None:
    """Write bold words above a figure, broken into lines that fit its width; nothing where there are none."""
    if title:
        words = wrapped(title, int(TITLE_LETTERS_PER_INCH * figure.get_figwidth()))
        figure.suptitle(words, fontsize=11.5, fontweight="bold", x=0.01, ha="left")


def spaced(values: Sequence[float], smallest: float) -> list[float]:
    """Return the first and the last of rising values, and those between that keep `smallest` from the ones kept."""
    kept = [values[0]]
    for value in values[1:-1]:
        if value - kept[-1] >= smallest and values[-1] - value >= smallest:
            kept.append(value)
    return [*kept, values[-1]] if len(values) > 1 else kept


def spread_labels(positions: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Return label heights near `positions`, at least `gap` apart, in the same order and within [low, high].

    Notes
    -----
    1. With the labels in rising order, height minus rank times gap must not fall;
    2. the least-squares answer to that pools neighbours that break it (pool adjacent violators);
    3. clipping the pooled values keeps the order and the gaps, and puts all labels inside, lowest bound first
       where there is not room for all.
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    pools: list[list[float]] = []
    for rank, i in enumerate(order):
        pools.append([positions[i] - rank * gap])
        while len(pools) > 1 and _mean(pools[-2]) > _mean(pools[-1]):
            upper = pools.pop()
            pools[-1] += upper
    pooled = [_mean(pool) for pool in pools for _ in pool]
    room = high - gap * (len(order) - 1)
    heights = [0.0] * len(positions)
    for rank, i in enumerate(order):
        heights[i] = max(low, min(pooled[rank], room)) + rank * gap
    return heights


def png_bytes(figure: Figure) -> bytes:
    """Return the figure as a PNG of 200 dots per inch, without version or date in it."""
    buffer = io.BytesIO()
    with styled(), silent_about_boxes():
        _settle(figure)
        FigureCanvasAgg(figure)
        figure.savefig(buffer, format="png", dpi=200, metadata={"Software": None})
    return buffer.getvalue()


def svg_text(figure: Figure) -> str:
    """Return the figure as an SVG document, without version or date in it."""
    buffer = io.StringIO()
    with styled(), silent_about_boxes():
        _settle(figure)
        FigureCanvasSVG(figure)
        no_metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(buffer, format="svg", metadata=no_metadata)
    return buffer.getvalue()


def save_figure(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Write the figure as PNG and SVG beside each other.

    Parameters
    ----------
    figure : Figure
    path : Path
        Without a suffix; `.png` and `.svg` are appended, also where the name holds a dot.

    Returns
    -------
    tuple of Path
        The PNG and the SVG.
    """
    png, svg = path.with_name(f"{path.name}.png"), path.with_name(f"{path.name}.svg")
    png.write_bytes(png_bytes(figure))
    svg.write_text(svg_text(figure), encoding="utf-8", newline="\n")
    return png, svg


def _settle(figure: Figure) -> None:
    """Lay the figure out once and for all, so that each format and each repetition gets the same places.

    The layout is solved again at every drawing otherwise, from where the last one left off and for the resolution
    of the format, and ends a hair elsewhere. Without any layout engine a figure is drawn once for a format, not twice.
    """
    if figure.get_layout_engine() is not None:
        use_fallbacks(figure)
        FigureCanvasAgg(figure)
        figure.draw_without_rendering()
        figure.set_layout_engine(None)


def _hex(rgba: tuple[float, float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in rgba[:3])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
