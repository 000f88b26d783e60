"""Checking a bundle offline: its sums, its records, and the verdicts judged again by what is written in it."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from alerts.metrics import METRICS, recall_metrics
from monitor.bootstrap import RULES
from monitor.reports.bundle import JUDGEMENTS, JUDGEMENTS_FORM, MESSAGE, STORY, STORY_FORM
from monitor.reports.bundle_file import BundleFiles, bundle_digest, read_bundle, sum_faults
from monitor.reports.bundle_replay import replay_faults


@dataclass(frozen=True, slots=True)
class CheckedBundle:
    """What a check found: `faults` are reasons to mistrust it, `notes` are not."""

    digest: str
    files: int
    verdicts: int
    faults: tuple[str, ...]
    notes: tuple[str, ...]


def check_bundle(path: Path) -> CheckedBundle:
    """Check a zip file or a folder; raises BundleError for what is no bundle or would do harm."""
    files = read_bundle(path)
    faults, notes, verdicts = list(sum_faults(files)), [f"Digest: {bundle_digest(files)}"], 0
    if missing := sorted({STORY, JUDGEMENTS, MESSAGE} - files.keys()):
        faults.append(f"It is no whole bundle: {', '.join(missing)} must be there.")
    else:
        again, said, verdicts = _judged_again(files)
        faults += again
        notes += said
    return CheckedBundle(bundle_digest(files), len(files), verdicts, tuple(faults), tuple(notes))


def _judged_again(files: BundleFiles) -> tuple[list[str], list[str], int]:
    try:
        story = STORY_FORM.validate_json(files[STORY])
        judged = JUDGEMENTS_FORM.validate_json(files[JUDGEMENTS])
        message = files[MESSAGE].decode()
    except (ValidationError, UnicodeDecodeError, RecursionError) as error:
        first = str(error).splitlines()[0]
        return [f"Its records cannot be read: {first}."], [], 0
    if story.metric.name not in METRICS:
        recall_metrics([story.metric])
    said = [each for one in judged for each in one.said]
    notes = [
        f"Not judged again: what the rule {each.rule} said ({each.reason}) did not come out the same at the export, because the "
        "site, its rules or what is known of its past has changed since."
        for each in said
        if not each.replays
    ]
    try:
        faults = list(replay_faults(story, judged, message, RULES))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return [f"It cannot be judged again: {type(error).__name__} at what is written in it."], notes, 0
    return faults, notes, sum(each.replays for each in said)
