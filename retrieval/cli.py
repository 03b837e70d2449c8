"""The `retroflex` command: finds subcommands by name and prints errors as one line."""

from __future__ import annotations

import os
import sys
from importlib.metadata import distribution

import click

from data.errors import RetroflexError

GROUP = "retroflex.commands"
EXIT_ERROR = 1
EXIT_INTERRUPTED = 130


class Commands(click.Group):
    """Subcommands from entry points, imported only when called, so a search does not wait for TensorFlow."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(point.name for point in distribution("retroflex").entry_points.select(group=GROUP))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        points = distribution("retroflex").entry_points.select(group=GROUP, name=cmd_name)
        return next(iter(points)).load() if points else None


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
    except BrokenPipeError:
        # The reader of the pipe has closed it, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_ERROR)
    except OSError as error:
        _fail(f"{error.filename or 'the operating system'}: {error.strerror or error}", EXIT_ERROR)


def _fail(message: str, code: int) -> None:
    click.echo(f"retroflex: {' '.join(message.split())}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
