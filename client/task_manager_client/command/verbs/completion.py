"""`tm completion`: scripts for shells, made of the parser itself."""

from __future__ import annotations

import argparse
from argparse import Namespace

from task_manager_client.command.arguments import parser

BASH = """\
_tm() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words
    case "${{COMP_WORDS[1]}} $before" in
{values}
    *) case "${{COMP_WORDS[1]}}" in
{verbs}
        *) words="{names}" ;;
        esac ;;
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then words="{names}"; fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _tm tm
"""


def completion_(arguments: Namespace) -> int:
    """Print what the shell is to evaluate."""
    verbs = _verbs()
    if arguments.shell == "fish":
        print(_fish(verbs))
    else:
        print(
            ("autoload -U +X bashcompinit && bashcompinit\n" if arguments.shell == "zsh" else "") + _bash(verbs), end=""
        )
    return 0


def _verbs() -> dict[str, argparse.ArgumentParser]:
    (action,) = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(action.choices)


def _bash(verbs: dict[str, argparse.ArgumentParser]) -> str:
    values, words = [], []
    for name, verb in verbs.items():
        for action in verb._actions:
            if action.choices and action.option_strings:
                patterns = "|".join(f'"{name} {option}"' for option in action.option_strings)
                values.append(f'    {patterns}) words="{" ".join(map(str, action.choices))}" ;;')
        words.append(f'        {name}) words="{" ".join(_words(verb))}" ;;')
    return BASH.format(values="\n".join(values), verbs="\n".join(words), names=" ".join(verbs))


def _words(verb: argparse.ArgumentParser) -> list[str]:
    options = [option for action in verb._actions for option in action.option_strings]
    positional = [
        str(choice) for action in verb._actions if not action.option_strings for choice in action.choices or ()
    ]
    return [*positional, *options]


def _fish(verbs: dict[str, argparse.ArgumentParser]) -> str:
    first = "complete -c tm -n __fish_use_subcommand -f"
    lines = [f"{first} -a {name} -d '{verb.description}'" for name, verb in verbs.items()]
    for name, verb in verbs.items():
        for action in verb._actions:
            for option in action.option_strings:
                if option.startswith("--"):
                    choices = f" -x -a '{' '.join(map(str, action.choices))}'" if action.choices else ""
                    lines.append(f"complete -c tm -n '__fish_seen_subcommand_from {name}' -l {option[2:]}{choices}")
    return "\n".join(lines)
