"""Templates of the pages, and what they show of errors."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from segtrack.base.labellerr_api import NOT_ASSIGNED

_WORDS = {
    NOT_ASSIGNED: "to do",
    "r_assigned": "assigned for review",
    "cr_assigned": "assigned for client review",
}


def render(template: str, **values: Any) -> str:
    """A page; whatever comes from users is escaped."""
    return _environment().get_template(template).render(values)


def error_page(title: str, text: str, root: str = "") -> str:
    """What went wrong; ``root`` is the address of the first page, where there is a way to it."""
    return render("error.html", title=title, text=text, root=root)


def status_words(status: str) -> str:
    """A status of the platform as people read it."""
    return _WORDS.get(status, status.replace("_", " "))


@cache
def _environment() -> Environment:
    loader = PackageLoader("labellerr_loopback.pages")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    made.trim_blocks = made.lstrip_blocks = True
    made.filters["words"] = status_words
    return made
