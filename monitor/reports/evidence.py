"""What stands behind a claim: the polls that an alert or a visit rests on, with what is kept of their answers."""

from collections.abc import Collection
from dataclasses import dataclass

from db.engine import Connection
from db.extracts import extracts_of, polls_behind
from db.flights import visits_by_id
from db.polls import poll_by_id
from db.records import Alert, Extract, Poll
from monitor.reports.sources import polls_behind_evidence

LARGEST_ID = 2**63 - 1
"""What the databases can hold as the number of a poll."""


@dataclass(frozen=True, slots=True)
class PollEvidence:
    """One poll with its extracts; `missing` says in words why there are none, `withheld` of how many nothing is shown."""

    poll: Poll
    extracts: tuple[Extract, ...]
    withheld: int = 0

    @property
    def request(self) -> str:
        """The address that was asked, without keys; '' where it is not kept."""
        return next((each.request for each in self.extracts if each.request), "")

    @property
    def missing(self) -> str:
        """Why nothing of the answer is shown; '' where something is."""
        if self.extracts and not self.withheld:
            return ""
        if self.withheld:
            return f"What it said is kept, and the terms of {self.poll.provider} do not let it be passed on."
        if self.poll.outcome == "failed":
            return f"This poll failed, and nothing is concluded from it: {self.poll.error or 'no reason is kept'}."
        return (
            "Nothing of this answer is kept but its size and hash: what it said is kept of watched aircraft alone, for some "
            "days, and longer only while an alert rests on it."
        )


def evidence_of_poll(connection: Connection, poll_id: int, *, public: bool = False) -> PollEvidence | None:
    """One poll with what is kept of it; None where there is none. To the `public` only what may be passed on is shown."""
    found = poll_by_id(connection, poll_id) if 0 <= poll_id <= LARGEST_ID else None
    if found is None:
        return None
    kept = extracts_of(connection, [poll_id])
    shown = [each for each in kept if each.redistribute or not public]
    return PollEvidence(found, tuple(shown), len(kept) - len(shown))


def polls_of_alert(connection: Connection, alert: Alert) -> list[int]:
    """The numbers of the polls that an alert rests on, through its visits."""
    return sorted({number for some in polls_behind(connection, alert).values() for number in some})


def polls_of_visits(connection: Connection, visit_ids: Collection[str]) -> list[int]:
    """The numbers of the polls that visits rest on."""
    return sorted(
        {
            number
            for each in visits_by_id(connection, visit_ids)
            for number in polls_behind_evidence(each.evidence)
        }
    )
