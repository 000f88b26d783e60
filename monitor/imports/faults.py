"""Faults in a file of counts: each says which row and column, what is wrong and how to mend it."""

from dataclasses import dataclass

FAULTS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class ImportFault:
    """One thing wrong; `row` is `row 12` (the header is row 1), `feature "ID"` or `the file`."""

    row: str
    column: str
    problem: str
    mend: str

    def __str__(self) -> str:
        where = f"{self.row}, {self.column}" if self.column else self.row
        return f"{where}: {self.problem}. {self.mend}{'' if self.mend.endswith('?') else '.'}"


class BadCell(Exception):  # noqa: N818 - reads as what was found
    """One cell cannot be used; both texts are sentences without their full stop."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.mend = mend


class UnreadableFile(Exception):  # noqa: N818 - reads as what was found
    """The file as a whole cannot be read; `faults` says why."""

    def __init__(self, *faults: ImportFault) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


def unreadable(problem: str, mend: str) -> UnreadableFile:
    """The error for a file that fails as a whole, for one reason."""
    return UnreadableFile(ImportFault("the file", "", problem, mend))
