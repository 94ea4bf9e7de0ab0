"""``segtrack doctor``: what this machine has, and what to do about what is missing.

    segtrack doctor                       looks at this machine, in a second or two
    segtrack doctor --online              and whether hosts of published weights answer
    segtrack doctor mlflow=server --json  with the settings of a run, for programs

The exit code is 1 where something does not work as it is (marked !), else 0.
"""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Sequence

from segtrack.base.errors import SettingsError
from segtrack.base.saying import say
from segtrack.base.secrets import told_apart
from segtrack.base.words import counted
from segtrack.command import machine
from segtrack.command.app import CONF
from segtrack.command.checking import check
from segtrack.command.composition import compose_settings
from segtrack.command.machine import NOTE, OK, PROBLEM, Finding
from segtrack.command.subcommands import Parser

_MARKS = {OK: " ", NOTE: "-", PROBLEM: "!"}
_WIDTH = 100


def main(words: Sequence[str]) -> int:
    """Print the findings; 1 where there is a problem.

    Raises:
        SettingsError: an option or a setting cannot be used.
    """
    parser = Parser("doctor", "[options] [settings, such as mlflow=server]", __doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--online", action="store_true", help="look whether published weights can be fetched"
    )
    overrides = [word for word in words if "=" in word and not word.startswith("-")]
    options = parser.parse_args([word for word in words if word not in overrides])
    if problems := check(CONF, overrides, sweep=False):
        raise SettingsError("; ".join(map(str, problems)))
    settings = compose_settings(CONF, overrides)
    found = []
    for one in machine.findings(settings, CONF.parent, options.online):
        found.append(one)
        if not options.json:
            say(_lines(one))
    if options.json:
        say(json.dumps(told_apart([dataclasses.asdict(one) for one in found]), indent=1))
    count = sum(one.state == PROBLEM for one in found)
    if not options.json:
        text = "no problems" if count == 0 else counted(count, "problems")
        say(f"\n{text}; {counted(sum(one.state == NOTE for one in found), 'notes')}")
    return 1 if count else 0


def _lines(one: Finding) -> str:
    head = f"{_MARKS[one.state]} {one.what:<15}"
    indent = " " * len(head)
    wrap = textwrap.TextWrapper(
        _WIDTH, initial_indent=head, subsequent_indent=indent,
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip
    lines = wrap.wrap(one.found) or [head]
    if one.do:
        wrap.initial_indent, wrap.subsequent_indent = f"{indent}-> ", f"{indent}   "
        lines += wrap.wrap(one.do)
    return "\n".join(lines)
