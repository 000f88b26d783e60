"""Rows on a terminal: no word is ever cut, and nothing is lost, however narrow it is."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from monitor.commands.layout import GAP, column_widths, stacked

WORDS = st.text(st.sampled_from("ab가Ä1-"), min_size=1, max_size=9)
CELLS = st.lists(WORDS, max_size=6).map(" ".join)
ROWS = st.integers(1, 5).flatmap(
    lambda columns: st.lists(st.lists(CELLS, min_size=columns, max_size=columns), min_size=1, max_size=4)
)


@given(rows=ROWS, width=st.integers(1, 120))
def test_columns_are_as_wide_as_their_longest_word_and_fit(rows: list[list[str]], width: int) -> None:
    widths = column_widths(rows[0], rows[1:], width)
    longest = [max(map(cell_len, " ".join(column).split()), default=1) for column in zip(*rows, strict=True)]
    if widths is None:
        assert sum(longest) + GAP * (len(longest) - 1) > width
    else:
        assert all(given >= word for given, word in zip(widths, longest, strict=True))
        assert sum(widths) + GAP * (len(widths) - 1) <= width


@given(rows=ROWS, width=st.integers(30, 120))
def test_a_row_as_lines_says_every_word_in_its_order(rows: list[list[str]], width: int) -> None:
    titles, row = [f"t{number}" for number in range(len(rows[0]))], rows[0]
    lines = [*stacked(titles, row, width)]
    assert lines[0] == row[0]
    said = [f"{title}: {cell}" for title, cell in zip(titles[1:], row[1:], strict=True) if cell]
    assert " ".join(lines[1:]).replace(" · ", " ").split() == " ".join(said).split()
    assert all(cell_len(line) <= width for line in lines[1:])


def test_a_date_is_kept_on_its_line_and_prose_takes_what_is_left() -> None:
    assert column_widths(["when", "note"], [["2023-10-05 10:24", "a b c " * 20]], 40) == [16, 22]
