"""Tables as text: a header and rows, believed only where every row is whole."""

import csv
import io
from collections.abc import Iterator, Sequence

from monitor.feeds import Answer, FeedError
from monitor.feeds.parsing import parse_json, words_of

DELIMITERS = (",", ";", "\t", "|")
_LONGEST_CELL = 10_000


def table_rows(
    answer: Answer, where: str, needed: Sequence[str], delimiters: Sequence[str] = DELIMITERS
) -> Iterator[dict[str, str]]:
    """The rows of a CSV answer by column; raises FeedError for what is no table with the needed columns, or is cut.

    Text that says that a key is wrong, or that the service rests, comes with status 200 too: it is no empty table.
    """
    body = answer.body
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FeedError(f"{where}: the answer is no text in UTF-8.", body=body) from None
    lines = text.splitlines()
    header = lines[0] if lines else ""
    delimiter = next((each for each in delimiters if _has(header, each, needed)), None)
    if delimiter is None:
        raise FeedError(
            f"{where}: the answer is no table with the columns {', '.join(needed)}.{_words(answer)} Check the address, the key and the "
            "names of columns in the provider's options.",
            body=body,
        )
    if not text.endswith(("\n", "\r")):
        raise FeedError(f"{where}: the answer breaks off in the middle of a row.", body=body)
    return _rows(text, delimiter, where)


def _words(answer: Answer) -> str:
    try:
        return words_of(parse_json(answer.body, ""), answer)
    except FeedError:
        return ""


def _has(header: str, delimiter: str, needed: Sequence[str]) -> bool:
    names = {each.strip().strip('"') for each in header.split(delimiter)}
    return set(needed) <= names


def _rows(text: str, delimiter: str, where: str) -> Iterator[dict[str, str]]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [each.strip() for each in next(rows)]
        for cells in rows:
            if not cells:
                continue
            if len(cells) != len(names) or any(len(each) > _LONGEST_CELL for each in cells):
                raise FeedError(
                    f"{where}: row {rows.line_num} has not as many cells as the header, so the answer is damaged."
                )
            yield dict(zip(names, cells, strict=True))
    except csv.Error as error:
        raise FeedError(f"{where}: the answer is no well-formed CSV ({error}).") from None
