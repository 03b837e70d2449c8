"""`retroflex crawl`: pictures of Flickr or Wikimedia Commons into a folder, and from there into the library."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from data.catalogue.fields import fields_at
from data.errors import RetroflexError
from data.paths import absolute, display
from data.progress import progress_bar
from data.settings import Settings, load_settings
from retrieval.commands.options import bundle_option, json_option, library_option, print_json, remark, with_options

if TYPE_CHECKING:
    from data.catalogue.writes import Changed, NewField
    from data.crawl.crawler import CrawlReport, Wish
    from data.crawl.folder import CrawlFolder
    from data.crawl.service import Service
    from retrieval.indexing.indexer import Report

KEY = "FLICKR_API_KEY"
DEFAULT_LIMIT, MOST = 100, 10_000
DEFAULT_SIDE = 1600
LONGEST_TEXT = 300
SHOWN = 5
"""Refused pictures that are listed."""


class _Source(NamedTuple):
    """A service, the hosts of its files, and who asks it."""

    service: Service
    hosts: Collection[str]
    agent: str


@click.group()
def crawl() -> None:
    """Fetch pictures with their licences from a web service, and index them."""


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that all services share."""
    options = (
        click.option("--text", required=True, help="Words to search for."),
        click.option("--license", "licences", help="Licences to take [default: cc0,pdm,cc-by,cc-by-sa]."),
        click.option(
            "--limit", type=click.IntRange(1, MOST), default=DEFAULT_LIMIT, show_default=True, help="Pictures at most."
        ),
        click.option("--to", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Folder for them."),
        click.option(
            "--side",
            type=click.IntRange(1, 10_000),
            default=DEFAULT_SIDE,
            show_default=True,
            help="Longer side in pixels, at most, where the service has such a size.",
        ),
        library_option,
        bundle_option,
        json_option,
    )
    return with_options(command, options)


@crawl.command()
@_options
def flickr(**given: Any) -> None:
    """Pictures of Flickr; the environment variable FLICKR_API_KEY has the key. Run it again to go on."""
    _need_requests()
    from data.crawl.flickr import HOSTS, Flickr

    key = os.environ.get(KEY, "").strip()
    if not (key.isascii() and key.isalnum()):
        what = "is no key: letters and digits" if key else "is not set"
        raise RetroflexError(f"{KEY} {what}; get a key at flickr.com/services/apps and put it into the environment")
    _crawl(_Source(Flickr(key), HOSTS, _agent("")), **given)


@crawl.command()
@_options
@click.option("--contact", default="", help="Your e-mail or web address, which Wikimedia asks programs to send.")
def commons(contact: str, **given: Any) -> None:
    """Pictures of Wikimedia Commons, without a key. Run it again to go on."""
    _need_requests()
    from data.crawl.commons import HOSTS, Commons

    if len(contact) > 200 or not (contact.isascii() and (contact.isprintable())):
        raise RetroflexError("--contact is an e-mail or web address in one line of plain letters")
    _crawl(_Source(Commons(), HOSTS, _agent(contact)), **given)


def _need_requests() -> None:
    try:
        import requests  # noqa: F401
    except ModuleNotFoundError as error:
        raise RetroflexError("crawling needs the package requests; run: pip install 'retroflex[crawl]'") from error


def _agent(contact: str) -> str:
    """Return the User-Agent, as https://foundation.wikimedia.org/wiki/Policy:User-Agent_policy asks for it."""
    return f"Retroflex/{version('retroflex')} ({contact or 'self-hosted picture search'}) python-requests"


def _crawl(
    source: _Source,
    text: str,
    licences: str | None,
    limit: int,
    to: Path,
    side: int,
    library: Path | None,
    bundle: Path | None,
    as_json: bool,
) -> None:
    from data.crawl.crawler import Wish
    from data.crawl.facts import crawl_fields
    from data.crawl.folder import opened
    from data.crawl.licences import DEFAULT, read_licences

    if not text.strip() or len(text) > LONGEST_TEXT:
        raise RetroflexError(f"--text needs words, at most {LONGEST_TEXT} characters")
    wish = Wish(text.strip(), read_licences(licences) if licences is not None else DEFAULT, limit, side)
    settings, folder = load_settings(library=library, bundle=bundle), absolute(to)
    fields = crawl_fields(fields_at(settings))
    with opened(folder, source.service.name) as crawled:
        report, problem = _fetch(source, crawled, wish, settings, as_json)
        if not crawled.by_hash:
            if problem is not None:
                raise problem
            raise RetroflexError("the search found no picture that may be taken; try other words or licences")
        indexed, changed = _index(settings, crawled, fields, as_json)
    _print(source, folder, report, indexed, changed, as_json)
    if problem is not None:
        raise problem


def _fetch(
    source: _Source, crawled: CrawlFolder, wish: Wish, settings: Settings, hidden: bool
) -> tuple[CrawlReport, RetroflexError | None]:
    """Crawl; return also why it ended early."""
    from data.crawl.client import Client, CrawlError
    from data.crawl.crawler import Crawler

    client = Client(source.hosts, source.agent, calls=crawled.calls)
    crawler = Crawler(source.service, client, crawled, wish, settings.limits)
    title, present = source.service.title, crawler.report.present
    try:
        with progress_bar(desc=title, unit="pic", total=wish.limit, initial=present, hidden=hidden) as bar:

            def show(done: int) -> None:
                bar.update(done - bar.n)

            return crawler.run(show), None
    except CrawlError as error:
        return crawler.report, error
    finally:
        client.close()


def _index(settings: Settings, crawled: CrawlFolder, fields: list[NewField], hidden: bool) -> tuple[Report, Changed]:
    # Imported here, as they load the captioner.
    from data.crawl.facts import put_crawled
    from retrieval.commands.index import index_folder, indexing_turn
    from retrieval.commands.progress import Bar, Display
    from retrieval.library import opened_for_indexing

    shown = Display if hidden else Bar
    with opened_for_indexing(settings, create=True) as library:
        library.store.check_writable()
        indexed = index_folder(library, crawled.folder, shown)
        with indexing_turn(settings.library, shown):
            changed = put_crawled(library.store, crawled.folder, crawled.entries.values(), fields)
        library.searcher()
        library.merge()
    return indexed, changed


def _print(
    source: _Source, folder: Path, report: CrawlReport, indexed: Report, changed: Changed, as_json: bool
) -> None:
    counts = {name: getattr(report, name) for name in ("kept", "present", "duplicates", "gone", "unlicensed", "failed")}
    if as_json:
        refused = [{"id": number, "reason": reason} for number, reason in report.refused]
        about = {"service": source.service.name, "folder": display(folder), **counts, "refused": refused}
        described = {"captioned": indexed.captioned, "unchanged": indexed.unchanged, "skipped": len(indexed.skipped)}
        print_json({**about, "exhausted": report.exhausted, "indexed": described, "values": changed.values})
        return
    told = {**counts, "refused": len(report.refused)}
    labels = {"kept": "new", "present": "there before", "unlicensed": "under other licences"}
    click.echo(
        f"{display(folder)}: " + ", ".join(f"{count:,} {labels.get(name, name)}" for name, count in told.items())
    )
    for number, reason in report.refused[:SHOWN]:
        click.echo(f"refused: {number} {reason}")
    if report.exhausted:
        click.echo("the search has no more pictures")
    if report.failed:
        remark(f"{report.failed:,} pictures did not come; run the same command again to fetch them")
    click.echo(f"{indexed.captioned:,} captioned, {changed.pictures:,} pictures with new or changed facts")
