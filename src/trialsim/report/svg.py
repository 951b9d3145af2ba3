"""Making an SVG fit to stand inside an HTML page, next to others: own ids, words for screen readers, no outside."""

from __future__ import annotations

import re
from html import escape

_TAG = re.compile(r"<[^<>]+>")
_ID = re.compile(r'(\sid=")([^"]*)(")')
_REFERENCE = re.compile(r'((?:xlink:)?href="#|url\(#)([^")]*)')
_FORBIDDEN = re.compile(
    r"<\s*(script|foreignObject|iframe|a)\b|\son[a-z]+\s*=|href\s*=\s*[\"'](?!#|data:image/png;base64,)"
    r"|@import|url\((?!#)",
    re.IGNORECASE,
)


def inline_svg(svg: str, *, name: str, title: str, description: str) -> str:
    """Return the `svg` element of a document, ready to be put into a page.

    Parameters
    ----------
    svg : str
        An SVG document as written by `style.svg_text`.
    name : str
        Prefix of all ids, unique on the page; letters, digits, `_` and `-`.
    title, description : str
        What a screen reader says; any text.

    Returns
    -------
    str
        One element, as wide as its place and no wider than it was drawn. Ids begin with `name`, so that two
        figures on a page do not take each other's clip paths and markers.

    Raises
    ------
    ValueError
        If the document holds a script, an event handler or a reference to anything outside itself.
    """
    if not re.fullmatch(r"[A-Za-z][\w-]*", name):
        raise ValueError(f"name must be letters, digits, _ and -; got {name!r}")
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    # Within a page this rule would reach every element of it; on the root it is inherited just the same.
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    tags = "".join(_TAG.findall(body))
    forbidden = _FORBIDDEN.search(re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", tags))
    if forbidden:
        raise ValueError(f"figure {name}: an SVG in a report must not hold {forbidden.group().strip()!r}")
    body = _TAG.sub(lambda tag: _own_ids(tag.group(), name), body)
    return _with_root(body, name, title, description).strip() + "\n"


def _own_ids(tag: str, name: str) -> str:
    """Return a tag with its ids, and its references to ids, in the name space of one figure."""
    tag = _ID.sub(rf"\g<1>{name}-\g<2>\g<3>", tag)
    return _REFERENCE.sub(rf"\g<1>{name}-\g<2>", tag)


def _with_root(body: str, name: str, title: str, description: str) -> str:
    """Return the element with a root that scales and that names its title and description."""
    end = body.index(">") + 1
    root = body[:end]
    view = re.search(r'viewBox="([^"]*)"', root)
    if view is None:
        raise ValueError(f"figure {name}: the SVG has no viewBox")
    width = float(view.group(1).split()[2])
    new_root = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{view.group(1)}" role="img" aria-labelledby="{name}-title {name}-description" '
        f'style="width:100%;max-width:{width * 4 / 3:.0f}px;height:auto;'
        f'stroke-linejoin:round;stroke-linecap:butt">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-description">{escape(description)}</desc>'
    )
    return new_root + body[end:]
