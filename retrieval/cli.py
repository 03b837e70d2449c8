"""The `retroflex` command: finds subcommands by name and prints errors as one line."""

from __future__ import annotations

import os
import sys
from importlib.metadata import distribution
from typing import TYPE_CHECKING, ClassVar

import click

from data.errors import RetroflexError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

GROUP = "retroflex.commands"
EXIT_ERROR = 1
EXIT_INTERRUPTED = 130


class Commands(click.Group):
    """Subcommands from entry points, imported only when called, so a search does not wait for TensorFlow."""

    points: ClassVar[str] = GROUP

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(point.name for point in distribution("retroflex").entry_points.select(group=self.points))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        points = distribution("retroflex").entry_points.select(group=self.points, name=cmd_name)
        return next(iter(points)).load() if points else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from difflib import get_close_matches  # not needed where the name is right

        names = self.list_commands(ctx)
        near = [] if args[0] in names or ctx.resilient_parsing else get_close_matches(args[0], names, n=1)
        if near:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin like this, without loading them, or else options."""
        from click.shell_completion import CompletionItem

        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        return [CompletionItem(name) for name in names] + click.Command.shell_complete(self, ctx, incomplete)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="retroflex")
def cli() -> None:
    """Find pictures by words or by another picture, in your own collection, on your own machine."""


def main() -> None:
    """Run the command line; the console script `retroflex`."""
    # Before TensorFlow is imported anywhere: hide its start-up messages.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # Before NumPy is imported: its products are small here, and threads cost more than they save.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        cli.main(standalone_mode=False)
    except RetroflexError as error:
        _fail(str(error), EXIT_ERROR)
    except ModuleNotFoundError as error:
        _fail(f"this needs the package {error.name}; install it with pip install {error.name}", EXIT_ERROR)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("stopped; finished work is kept, run the same command to continue", EXIT_INTERRUPTED)
    except SystemExit:
        if _closed_streams():  # click makes this exit of a BrokenPipeError
            _end_quietly()
        raise
    except BrokenPipeError:
        _end_quietly()
    except OSError as error:
        _fail(f"{error.filename or 'the operating system'}: {error.strerror or error}", EXIT_ERROR)


def _end_quietly() -> None:
    """Exit because the reader of the output has closed it, as `head` does; what is still buffered is dropped."""
    closed = _closed_streams()
    if not closed:
        _fail("a process that this command needs has ended; run it again", EXIT_ERROR)
    for stream in closed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    sys.exit(0)


def _closed_streams() -> list[int]:
    """Return which of standard output and standard error, 1 and 2, are pipes that nobody reads."""
    from select import POLLERR, POLLOUT, poll

    polled = poll()
    for stream in (1, 2):
        polled.register(stream, POLLOUT)
    return [stream for stream, event in polled.poll(0) if event & POLLERR]


def _fail(message: str, code: int) -> None:
    click.echo(f"retroflex: {' '.join(message.split())}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
