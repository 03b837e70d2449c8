"""The command `retroflex train`: without a subcommand it trains a captioner."""

from __future__ import annotations

import click

from retrieval.cli import Commands

DEFAULT = "captioner"


class Trainings(Commands):
    """Subcommands from entry points; options without a subcommand are the captioner's."""

    points = "retroflex.train"

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args if args and not args[0].startswith("-") else [DEFAULT, *args])


@click.group(cls=Trainings, context_settings={"ignore_unknown_options": True})
def train() -> None:
    """Train a captioner on a data set, which is what options without a COMMAND do, or something else by its name.

    `retroflex train captioner --help` shows the captioner's options.
    """
