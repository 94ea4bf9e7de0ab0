"""``segtrack completion bash|zsh|fish``: the script that lets a shell complete what is typed.

    eval "$(segtrack completion bash)"                                in ~/.bashrc
    eval "$(segtrack completion zsh)"                                 in ~/.zshrc, after compinit
    segtrack completion fish > ~/.config/fish/completions/segtrack.fish

The script asks segtrack itself: for words, and through Hydra for settings, their groups and options
(`segtrack completion query -- WORD ...` prints what may stand in place of the last one).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from segtrack.base.errors import SettingsError
from segtrack.command.app import CONF
from segtrack.command.composed import CONFIG
from segtrack.command.subcommands import RUNS, SUBCOMMANDS, words_there

CHOICES = ("bash", "zsh", "fish")
_TAKES_SETTINGS = ("compare", "convert", "doctor", "journal", "labellerr", "view", "report")
_QUERY = "query"

_SCRIPTS = {
    # Bash takes = and : for ends of words; what it has of the word already is not repeated.
    "bash": """\
_segtrack() {
    local line="${COMP_LINE:0:COMP_POINT}" word have
    local -a typed found
    read -ra typed <<< "$line"
    [[ "$line" == *[[:space:]] ]] && typed+=("")
    word="${typed[${#typed[@]}-1]}"
    have="${word%"${word##*[=:]}"}"
    mapfile -t found < <(segtrack completion query -- "${typed[@]:1}" 2> /dev/null)
    COMPREPLY=("${found[@]#"$have"}")
    if [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" != *[=./] ]]; then
        COMPREPLY[0]+=" "
    fi
}
complete -o nospace -o default -F _segtrack segtrack
""",
    "zsh": """\
#compdef segtrack
_segtrack() {
    local -a found
    found=("${(@f)$(segtrack completion query -- "${(@)words[2,CURRENT]}" 2> /dev/null)}")
    if [[ -n "${found[1]}" ]]; then
        compadd -S '' -- "${found[@]}"
    else
        _files
    fi
}
compdef _segtrack segtrack
""",
    "fish": """\
complete -c segtrack -e
complete -c segtrack -a '(segtrack completion query -- \
(commandline -opc)[2..-1] (commandline -ct) 2> /dev/null)'
""",
}


def main(words: Sequence[str]) -> int:
    """Print the script of a shell.

    Raises:
        SettingsError: it is none of those.
    """
    first = words[0] if words else ""
    if first == _QUERY:
        typed = list(words[1:])
        print("\n".join(candidates(typed[1:] if typed[:1] == ["--"] else typed)))
        return 0
    if first in ("-h", "--help"):
        print(__doc__.strip())
        return 0
    if first not in _SCRIPTS or len(words) > 1:
        given = " ".join(words) or "nothing given"
        raise SettingsError(f"completion: {given}: must be one of {', '.join(CHOICES)}")
    print(_SCRIPTS[first], end="")
    return 0


def candidates(typed: Sequence[str]) -> list[str]:
    """What may stand in place of the last of the words behind ``segtrack``, which may be empty."""
    *before, last = typed or [""]
    found: list[str] = []
    if not before:
        found += [word for word in words_there() if word.startswith(last)]
        if last and len(found) == 1:
            return found  # what is meant; a setting of that name is behind the word run
    elif before[0] in SUBCOMMANDS:
        word = before[0]
        if len(before) == 1:
            choices = getattr(import_module(SUBCOMMANDS[word]), "CHOICES", ())
            found += [choice for choice in choices if choice.startswith(last)]
        if word not in _TAKES_SETTINGS or found:
            return found
    settings = before[1:] if before and before[0] in {*RUNS, *SUBCOMMANDS} else before
    return [*found, *_settings([w for w in settings if "=" in w], last)]


def _settings(before: Sequence[str], last: str) -> list[str]:
    """Settings, groups and their options that ``last`` may become, as Hydra's own completion."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.core_plugins.bash_completion import BashCompletion
    from hydra._internal.utils import create_config_search_path
    from hydra.errors import HydraException

    from segtrack.settings import register

    if last.startswith("-") or " " in last:
        return []
    register()
    loader = ConfigLoaderImpl(config_search_path=create_config_search_path(str(CONF)))
    try:
        found = BashCompletion(loader)._query(CONFIG, " ".join([*before, last]) or " ")
    except (HydraException, ValueError):  # what is typed is no setting
        return []
    own = ("hydra", "hydra/")  # Hydra's settings come where they are asked for
    shown = (one for one in found if last.startswith("hydra") or not one.startswith(own))
    return [one for one in shown if not one.endswith("=base")]  # what options have in common
