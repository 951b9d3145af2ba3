"""Figures of runs in which recruitment may end before the number of patients asked for is reached."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.text import Text

from trialsim.report import style
from trialsim.report.recruited import as_asked


def say_asked(figure: Figure, note: str) -> None:
    """Let a figure say that its numbers of patients are those asked for, with a note; nothing where there is none."""
    if note:
        speak_of_asked(figure)
        style.add_note(figure, note)


def speak_of_asked(figure: Figure) -> None:
    """Let the words of a figure say `patients to be randomised` where they say `patients randomised`."""
    for text in figure.findobj(Text):
        if isinstance(text, Text) and as_asked(text.get_text()) != text.get_text():
            text.set_text(as_asked(text.get_text()))
