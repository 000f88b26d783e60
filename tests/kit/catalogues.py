"""Finds every message that people are told, and brings the catalogues up to date: `python -m tests.kit.catalogues`."""

import ast
import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from alerts.metrics import METRICS
from alerts.speech import CATALOGUES, ENGLISH_NAME, language_names, read_catalogue
from db.said import Said
from monitor.flights.tracks.classes import default_classes

ROOT = Path(__file__).parents[2]
PACKAGES = ("db", "alerts", "monitor")
TEMPLATES = ROOT / "monitor/web/templates"
_HOMES = frozenset({"db.said", "alerts.words"})
_SAYS = frozenset({"phrase", "message", "phrase_as", "phrase_n", "numbered"})


class Found(NamedTuple):
    """One message, with where it stands; `ids` has two where it has a plural."""

    context: str | None
    ids: tuple[str, ...]
    file: str
    line: int


class NotFoundError(ValueError):
    """A message that no catalogue can have, for it is put together; the text names the place."""


def all_messages() -> Iterator[Found]:
    """Every message of the program: in Python, in the templates of the page, in the words of metrics."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            yield from python_messages(file.read_text(encoding="utf-8"), file.relative_to(ROOT).as_posix())
    for file in sorted(TEMPLATES.glob("*.html")):
        yield from template_messages(file.read_text(encoding="utf-8"), file.relative_to(ROOT).as_posix())
    for metric in METRICS.values():
        for text in (metric.one, metric.many, metric.heading, metric.unknown):
            yield from _of_text(text, f"alerts/metrics/{metric.name}.toml")
    for label in default_classes().labels.values():
        yield from _of_text(label, "monitor/flights/tracks/classes.toml")


def _of_text(text: str, file: str) -> Iterator[Found]:
    """The message of a word that stands in a file of ours, or of the words in it."""
    match text.made if isinstance(text, Said) else None:
        case ["as", str(context), str(message), {}]:
            yield Found(context, (message,), file, 1)
        case ["say", _, {"heading": ["as", str(context), str(message), {}]}]:
            yield Found(context, (message,), file, 1)


def python_messages(source: str, file: str) -> Iterator[Found]:
    """The messages of one Python file; raises NotFoundError for one that does not stand there as it is."""
    if not any(each in source for each in ("db.said", "numbered")):
        return
    tree = ast.parse(source)
    known = {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in _HOMES
        for name in node.names
    } | ({"numbered"} if file == "alerts/words.py" else set())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in _SAYS & known and node.args:
            yield from _of_call(node, file)


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _of_call(node: ast.Call, file: str) -> Iterator[Found]:
    name = _called(node)
    wanted = {"phrase": (0,), "message": (0,), "phrase_as": (0, 1), "phrase_n": (0, 1), "numbered": (1, 2)}[
        name
    ]
    texts = [_literal(node.args[at]) for at in wanted if at < len(node.args)]
    if any(text is None for text in texts):
        if (file, name) in _THEMSELVES:
            return
        raise NotFoundError(f"{file}:{node.lineno}: {name}() needs its message as it is, not put together.")
    known = [text for text in texts if text is not None]
    match name:
        case "phrase_as":
            yield Found(known[0], (known[1],), file, node.lineno)
        case "phrase_n":
            yield Found(None, (known[0], known[1]), file, node.lineno)
        case "numbered":
            nouns = known[1] if len(known) > 1 else f"{known[0]}s"
            yield Found(None, (f"{{n}} {known[0]}", f"{{n}} {nouns}"), file, node.lineno)
        case _:
            yield Found(None, (known[0],), file, node.lineno)


_THEMSELVES = frozenset(
    {
        ("alerts/words.py", "phrase_n"),
        ("alerts/metrics/declaration.py", "phrase_as"),
        ("alerts/odds.py", "phrase"),
        ("monitor/flights/tracks/classes.py", "phrase_as"),
    }
)
"""Where a message comes from elsewhere, which names it."""


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def template_messages(source: str, file: str) -> Iterator[Found]:
    """The messages of one template."""
    from monitor.web.files import BUILT_FOLDER, Assets
    from monitor.web.rendering import make_environment

    environment = make_environment(Assets.of(BUILT_FOLDER))
    extract = environment.extract_translations  # type: ignore[attr-defined]
    for line, function, text in extract(source):
        if function == "ngettext":
            yield Found(None, (text[0], text[1]), file, line)
        elif function == "pgettext":
            yield Found(text[0], (text[1],), file, line)
        else:
            yield Found(None, (text if isinstance(text, str) else text[0],), file, line)


def collected(found: Iterable[Found], language: str) -> Catalog:
    """These messages as a catalogue without translations."""
    catalogue = Catalog(locale=language, project="sitewatch", fuzzy=False)
    for each in found:
        ids = each.ids if len(each.ids) > 1 else each.ids[0]
        catalogue.add(ids, context=each.context, locations=[(each.file, each.line)])
    return catalogue


def brought_up_to_date(language: str, messages: Iterable[Found]) -> Catalog:
    """The catalogue of a language with every message there is, and none that is no more."""
    wanted, known = collected(messages, language), read_catalogue(language)
    for each in wanted:
        old = known.get(each.id, each.context) if each.id else None
        if old is not None and each.id:
            each.string = old.string
    return wanted


def main() -> None:
    """Write every catalogue anew."""
    messages = list(all_messages())
    for language in language_names():
        if language == ENGLISH_NAME:
            continue
        catalogue = brought_up_to_date(language, messages)
        text = BytesIO()
        write_po(text, catalogue, width=0, sort_output=True, omit_header=True, include_lineno=False)
        head = _HEAD.format(language=language, plurals=catalogue.plural_forms)
        (CATALOGUES / f"{language}.po").write_text(head + text.getvalue().decode(), encoding="utf-8")
        missing = [each.id for each in catalogue if each.id and not each.string]
        sys.stdout.write(f"{language}: {len(catalogue)} messages, {len(missing)} without translation\n")
        sys.stdout.writelines(f"  {each}\n" for each in missing)


_HEAD = """# What sitewatch says. docs/languages.md tells how to change it.
msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: {plurals}\\n"
"Content-Type: text/plain; charset=utf-8\\n"

"""


if __name__ == "__main__":
    main()
