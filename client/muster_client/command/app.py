"""The command `muster`: its subcommands, and how it ends."""

import os
import sys
from importlib.metadata import version

import click
from click.shell_completion import get_completion_class

from muster_client.command import accounts, hooks, questions, uploads
from muster_client.command.exits import DONE, EPILOG, USAGE, explained, status_of_error
from muster_client.errors import MusterError

_COMPLETION = "_MUSTER_COMPLETE"


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("muster-client"), prog_name="muster")
def muster() -> None:
    """Send files of employment records to Muster, follow them, and ask about what is loaded.

    Log in first: muster login URL --email EMAIL. Where nobody types, set MUSTER_URL and
    MUSTER_ACCESS_KEY instead.
    """


@muster.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Write what completes this command in a shell.

    \b
    bash, in ~/.bashrc:                       eval "$(muster completion bash)"
    zsh, in ~/.zshrc:                         eval "$(muster completion zsh)"
    fish, in ~/.config/fish/config.fish:      muster completion fish | source
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(kind(muster, {}, "muster", _COMPLETION).source())
    return DONE


for _subject in (uploads, questions, accounts, hooks):
    for _command in _subject.COMMANDS:
        muster.add_command(_command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command, and exit with its status: see `exits.py`."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command; returns its status."""
    try:
        status = muster.main(arguments, "muster", standalone_mode=False)
    except (click.ClickException, click.Abort, KeyboardInterrupt, MusterError) as error:
        _say(error)
        return status_of_error(error)
    except BrokenPipeError:
        # Who reads the results has enough; Python writes what is left as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return USAGE if status is None else int(status)


def _say(error: BaseException) -> None:
    if isinstance(error, click.ClickException):
        error.show()
    elif isinstance(error, MusterError):
        first, *rest = explained(error)
        click.echo("\n".join([f"muster: {first}", *rest]), err=True)
