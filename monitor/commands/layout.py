"""How rows fit a terminal: as a table where no word of it would be cut, else each row as a few lines of its own."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

GAP = 2
_BETWEEN = " · "
_INDENT = "  "
_LEAST_COLUMNS = 20


def column_widths(titles: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """How wide each column may be, so that lines break between words alone; None where the words are too wide."""
    columns = [*zip(titles, *rows, strict=True)]
    widths = [max(_longest_word(cell) for cell in column) for column in columns]
    left = width - GAP * (len(columns) - 1) - sum(widths)
    if left < 0:
        return None
    # The narrowest first: a date or a count then stands on one line, and the prose beside it takes what is left.
    # A title that breaks costs one line in all, a cell one in each row.
    for part in (slice(1, None), slice(1)):
        wanted = [max((cell_len(cell) for cell in column[part]), default=0) for column in columns]
        for index in sorted(range(len(columns)), key=lambda each: wanted[each]):
            more = max(0, min(left, wanted[index] - widths[index]))
            widths[index] += more
            left -= more
    return widths


def _longest_word(cell: str) -> int:
    return max((cell_len(word) for word in cell.split()), default=1)


def stacked(titles: Sequence[str], row: Sequence[str], width: int) -> Iterator[str]:
    """One row as lines: its first cell, then each other cell that says something, under its title and never cut.

    What is wider than the terminal (an address) stands on a line of its own, for the terminal to break.
    """
    yield row[0]
    line = ""
    for title, cell in zip(titles[1:], row[1:], strict=True):
        if not cell.strip():
            continue
        item = f"{title}: {' '.join(cell.split())}"
        if line and cell_len(_INDENT + line + _BETWEEN + item) <= width:
            line += _BETWEEN + item
            continue
        if line:
            yield _INDENT + line
        *whole, line = _broken(item, max(width - 2 * len(_INDENT), _LEAST_COLUMNS))
        yield from (_INDENT + each for each in whole)
    if line:
        yield _INDENT + line


def _broken(text: str, width: int) -> list[str]:
    """Break between words; what follows the first line is indented."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and cell_len(joined) > width:
            lines.append(_INDENT + word)
        else:
            lines[-1] = joined
    return lines
