"""Verbs about this machine: doctor and completion."""

from __future__ import annotations

from typing import Any

import click

from edgemcu.cli.verb import examples, verb


def _show_diagnosis(diagnosis: Any) -> None:
    from edgemcu.cli import show

    show.diagnosis(diagnosis)


@click.command(epilog=examples("edgemcu doctor", "edgemcu doctor --json"))
@verb(_show_diagnosis)
def doctor(console: Any) -> Any:
    """Say what is installed and what is missing.

    With what each thing is for and how to get it.
    """
    from edgemcu.steps.doctor import diagnose

    return diagnose()


@click.command(
    epilog=examples(
        'eval "$(edgemcu completion bash)"        # in ~/.bashrc',
        "edgemcu completion fish > ~/.config/fish/completions/edgemcu.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell."""
    from click.shell_completion import get_completion_class

    from edgemcu.cli.main import main

    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(main, {}, "edgemcu", "_EDGEMCU_COMPLETE").source())
