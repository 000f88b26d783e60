"""How a command fails: two errors, each with one sentence for a person and one exit code."""


class InputError(Exception):
    """What was given cannot be used (exit 2): settings, the sites file, an argument. The text says how to mend it."""


class WorkFailed(Exception):  # noqa: N818 - reads as what happened
    """What was asked could not be done (exit 1); the text says what, where and what to do next."""
