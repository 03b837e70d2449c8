"""The command `retroflex serve`."""

from __future__ import annotations

from pathlib import Path

import click

from retrieval.commands.options import bundle_option, library_option
from webui.serving.stopping import Stopping


@click.command()
@library_option
@bundle_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option(
    "--root",
    "roots",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folders below this one can be added from the page, as below home and on mounted disks; may be repeated.",
)
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64), help="Server processes.")
@click.option("--public-name", multiple=True, help="Host name under which people reach the server; may be repeated.")
@click.option("--behind-proxy", is_flag=True, help="The server is behind one reverse proxy; trust its headers.")
@click.option("--no-password", is_flag=True, help="No login: everyone who can reach the server sees every picture.")
@click.option("--log-json", is_flag=True, help="Log each request as a line of JSON on standard error.")
@click.option("--log-queries", is_flag=True, help="Like --log-json, with what was searched for.")
def serve(
    library: Path | None,
    bundle: Path | None,
    host: str,
    port: int,
    roots: tuple[Path, ...],
    processes: int,
    public_name: tuple[str, ...],
    behind_proxy: bool,
    no_password: bool,
    log_json: bool,
    log_queries: bool,
) -> None:
    """Serve the search page and the API.

    Other machines need a password or a token, see `retroflex password` and `retroflex token`.
    """
    with Stopping() as stopping:
        # Import here: from now on Ctrl-C ends the command cleanly, also during imports.
        from captioner.captioner import Captioner
        from data.settings import load_settings
        from webui.auth.security import Reach
        from webui.auth.server_folders import mounted_disks
        from webui.serving.processes import Service
        from webui.telemetry.logs import Log

        settings = load_settings(library=library, bundle=bundle)
        reach = Reach(host, behind_proxy, public_name, no_password)
        log = Log(log_json or log_queries, log_queries)

        def load() -> Captioner:
            return Captioner.load(settings.bundle).warm_up()

        Service(settings, load, port, processes, reach, log, (Path.home(), *roots), mounted_disks).run(stopping)
