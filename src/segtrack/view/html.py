"""Templates of the pages, and what they show of errors."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> str:
    """A page; whatever comes from users and their files is escaped."""
    return _environment().get_template(template).render(values)


def error_page(title: str, text: str, root: str = "") -> str:
    """What went wrong; ``root`` is the address of the first page, where there is a way to it."""
    return render("error.html", title=title, text=text, root=root)


@cache
def _environment() -> Environment:
    loader = PackageLoader("segtrack.view")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    made.trim_blocks = made.lstrip_blocks = True
    return made
