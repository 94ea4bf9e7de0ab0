"""A document as one HTML file that opens anywhere: pictures inside, nothing loaded, no script."""

from __future__ import annotations

import base64
import functools
from typing import TYPE_CHECKING

from segtrack.report.document import Document, Figure, Heading, lines, one_line, shown_cell
from segtrack.report.prose import prose_html

if TYPE_CHECKING:
    from jinja2 import Template

_MEDIA = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


def document_html(document: Document) -> str:
    """The file's text.

    Raises:
        OSError: a picture cannot be read.
    """
    headings = [b for b in document.blocks if isinstance(b, Heading) and b.level == 1]
    return _template().render(document=document, headings=headings)


def picture_data(figure: Figure) -> str:
    """The picture itself as an address."""
    kind = _MEDIA[figure.path.suffix.lower()]
    return f"data:{kind};base64,{base64.b64encode(figure.path.read_bytes()).decode('ascii')}"


@functools.cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("segtrack.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["line"] = one_line
    made.filters["lines"] = lambda text: "\n".join(lines(text))
    made.filters["cell"] = shown_cell
    made.filters["picture"] = picture_data
    made.filters["prose"] = prose_html
    return made.get_template("report.html")
