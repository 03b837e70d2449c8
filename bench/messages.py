"""Collect the page's messages and bring the translations up to date: `make messages`, or `python -m bench.messages`.

A message is in a template or in a call of `gettext` or `counted`; beside these, labels and sentences of the folders
below `webui` reach the page: errors, notes that the library stores. New messages come without a translation, which
`tests/webui/language/test_catalogues.py` does not let pass.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from webui.language.catalogues import path_of
from webui.language.choosing import LANGUAGES
from webui.language.sentences import PLACE

ROOT = Path(__file__).parents[1]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "counted": (1, 2), "forms": (1, 2)}
JINJA = {"trimmed": "true", "newstyle_gettext": "true", "trim_blocks": "true", "lstrip_blocks": "true"}
SPEAKING = (
    "webui/request/parameters.py webui/request/values.py webui/request/search_request.py webui/request/filters.py "
    "webui/api/duplicates.py webui/api/faces.py webui/api/pictures.py webui/api/export.py webui/api/library.py "
    "webui/api/attention.py webui/auth/access.py webui/auth/rates.py webui/auth/security.py "
    "webui/auth/server_folders.py webui/media.py webui/describing/describer.py webui/problems.py webui/pages/*.py "
    "retrieval/search/catalogue.py retrieval/search/clauses.py retrieval/search/collection.py "
    "retrieval/search/fields.py retrieval/search/grouping.py retrieval/search/query.py retrieval/search/reading.py "
    "retrieval/search/search.py retrieval/search/unsaid.py retrieval/faces/*.py retrieval/library.py "
    "retrieval/indexing/jobs.py retrieval/indexing/places.py retrieval/indexing/skips.py "
    "retrieval/copies/duplicates.py "
    "data/pictures.py data/loading.py data/films/streams.py data/films/animations.py data/films/decoding.py "
    "data/films/worker.py data/decoding/pool.py data/decoding/child.py data/colour/*.py data/metadata/*.py "
    "data/faces/people.py data/albums/*.py webui/api/albums.py data/store.py "
    "data/store_errors.py data/catalogue/values.py"
)
"""The files whose sentences can reach the page."""
LABELS = {
    "NewField": (2,),
    "Option": (1, 3),
    "Order": (1,),
    "Choice": (1, 2),
    "NAMES": (),
    "SOURCES": (),
    "NOTICES": (),
}
"""Where labels stand: in which arguments of which calls; all of what is assigned to these names."""
NAMED = ("any", "wrong_order")
"""Arguments by name, and attributes, that are labels or sentences."""
FEWEST_LETTERS = 5
"""A sentence of fewer letters is none."""
_SENTENCE = re.compile(r"[a-z{]\S* \S+ .*\S|is \S+", re.DOTALL)
_NO_SENTENCE = re.compile(
    r"%s|'none'|\n|://|csv|exact: |two three|codes of|years of|not wearing|=\(\)|none; |the proxy |unknown pixel|lossy|"
    r"lossless|private, |photometric|: a person|the library at|is this|no schema|no parameter|no facet|an answer|"
    r"retroflex "
)
"""What else looks like one: texts for logs, headers and descriptions, and parts of sentences."""


def messages() -> Catalog:
    """Return all messages, without translations."""
    catalog = Catalog()
    for path in sorted((ROOT / "webui" / "templates").glob("*.html")):
        with path.open("rb") as file:
            for _, message, _, _ in extract(babel_extract, file, KEYWORDS, options=JINJA):
                catalog.add(message)
    for path in sorted((ROOT / "webui").rglob("*.py")):
        for message in calls(ast.parse(path.read_text())):
            catalog.add(message)
    for pattern in SPEAKING.split():
        for path in sorted(ROOT.glob(pattern)):
            for sentence in sentences(ast.parse(path.read_text())):
                catalog.add(sentence)
    return catalog


def calls(tree: ast.Module) -> Iterator[str | tuple[str, ...]]:
    """Yield what is given to gettext and its like; Babel's own extractor does not look into f-strings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KEYWORDS:
            given = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            plural = KEYWORDS[node.func.id] is not None
            if given:
                yield (given[0], given[1]) if plural else given[0]


def sentences(tree: ast.Module) -> Iterator[str]:
    """Yield labels and sentences, with {name} for what is filled in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for argument in _labels(node):
                yield from _texts(argument)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id in (*LABELS, *NAMED):
                parts = {ast.Tuple: "elts", ast.Dict: "values"}.get(type(node.value))
                for value in getattr(node.value, parts) if parts else [node.value]:
                    yield from _texts(value)
    documented = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    within = {
        id(part) for one in ast.walk(tree) if isinstance(one, ast.JoinedStr) for part in ast.walk(one)
    } - documented
    for node in ast.walk(tree):
        whole = isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and id(node) not in within)
        if whole and id(node) not in documented:
            yield from filter(_is_sentence, _texts(node))


def _is_sentence(text: str) -> bool:
    letters = sum(map(str.isalpha, PLACE.sub("", text)))
    return letters >= FEWEST_LETTERS and bool(_SENTENCE.fullmatch(text)) and not _NO_SENTENCE.search(text)


def _labels(call: ast.Call) -> Iterator[ast.expr]:
    places = LABELS.get(call.func.id, ()) if isinstance(call.func, ast.Name) else ()
    yield from (call.args[place] for place in places if place < len(call.args))
    yield from (one.value for one in call.keywords if one.arg in NAMED)
    yield from (one.value for one in call.keywords if one.arg == "chip" and places)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value.replace("{}", "{value}")
    elif isinstance(node, ast.JoinedStr):
        places = dict[str, str]()  # by name: what it stands for; a second thing of the same name gets a number
        yield "".join(
            str(one.value) if isinstance(one, ast.Constant) else f"{{{_place(one, places)}}}" for one in node.values
        ).replace("{}", "{value}")


def _place(node: ast.expr, places: dict[str, str]) -> str:
    name, stands_for = _name(node), ast.dump(node)
    while places.setdefault(name, stands_for) != stands_for:
        name += "2"
    return name


def _name(node: ast.expr) -> str:
    """Return the last name in an expression, which says what it stands for: `error` of {one_line(error)}."""
    names = [
        one.attr if isinstance(one, ast.Attribute) else one.id
        for one in ast.walk(node)
        if isinstance(one, ast.Attribute | ast.Name)
    ]
    return (names or ["value"])[-1].strip("_").lower()


def update(language: str, template: Catalog) -> int:
    """Write the translations with the present messages; return how many are missing."""
    path = path_of(language)
    catalog = Catalog(language)
    if path.exists():
        with path.open("rb") as file:
            catalog = read_po(file, language)
    catalog.update(template, no_fuzzy_matching=True)
    written = BytesIO()
    write_po(written, catalog, width=120, no_location=True, omit_header=True, sort_output=True, ignore_obsolete=True)
    header = f'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{header}"Plural-Forms: {catalog.plural_forms}\\n"\n\n{written.getvalue().decode()}')
    return sum(not all(one.string if isinstance(one.string, tuple) else [one.string]) for one in catalog if one.id)


def main() -> None:
    """Bring all translations up to date and say what is missing."""
    template = messages()
    missing = {language: update(language, template) for language in LANGUAGES if language != "en"}
    print(
        ", ".join(
            f"{language}: {count} of {len(template)} messages to translate" for language, count in missing.items()
        )
    )
    sys.exit(1 if any(missing.values()) else 0)


if __name__ == "__main__":
    main()
