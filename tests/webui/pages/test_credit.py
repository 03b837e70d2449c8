"""Whose a picture is stands with every hit and on its page."""

from __future__ import annotations

from flask.testing import FlaskClient

from data.catalogue.attribution import FIELDS
from data.catalogue.values import CRAWLED, Value
from data.catalogue.writes import declare_fields, put_facts
from retrieval.library import Library


def say(library: Library, **values: str) -> None:
    with library.store.writing() as connection:
        fields = declare_fields(connection, FIELDS)
        put_facts(connection, {2: {fields[name].id: Value(text) for name, text in values.items()}}, CRAWLED)


def test_hits_and_the_page_of_a_picture_say_whose_it_is(client: FlaskClient, library: Library) -> None:
    say(library, author="Jo <b>", licence="CC BY 2.0", page_url="https://example.org/2?a=1&b=2")
    found = '<a href="https://example.org/2?a=1&amp;b=2" rel="noopener noreferrer">'
    for address in ("/", "/?q=green+field"):
        page = client.get(address).text
        assert page.count('class="credit"') == 1
        assert f'<p class="credit">by {found}Jo &lt;b&gt;</a>, CC BY 2.0</p>' in page
    page = client.get("/picture/2").text
    assert f"<dt>Found at</dt><dd>{found}https://example.org/2?a=1&amp;b=2</a>" in page
    assert "(found with the picture)" in page


def test_a_title_leads_to_the_picture_and_the_licence_to_its_text(client: FlaskClient, library: Library) -> None:
    say(library, title="Sea", licence="CC0", licence_url="https://example.org/cc0", page_url="https://example.org/2")
    end = 'rel="noopener noreferrer">'
    sea, cc0 = f'<a href="https://example.org/2" {end}“Sea”</a>', f'<a href="https://example.org/cc0" {end}CC0</a>'
    assert f'<p class="credit">{sea} by unknown, {cc0}</p>' in client.get("/").text


def test_only_addresses_of_the_web_are_links(client: FlaskClient, library: Library) -> None:
    say(library, author="Jo", page_url="javascript:alert(1)")
    assert '<p class="credit">by Jo</p>' in client.get("/").text
    assert 'href="javascript' not in client.get("/picture/2").text
