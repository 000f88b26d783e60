"""`sitewatch backup` and `sitewatch restore`: a copy of all that is known, and its way back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.commands import JsonFlag, opened, print_json, say
from monitor.config.clock import utc_now
from monitor.errors import InputError, WorkFailed

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.app import App


def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The new file; one that is there is not replaced.")
    ],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Copy the whole database into one file, also while a service runs.

    The file is a SQLite database whichever kind the own one is, and can be restored into either.
    """
    from db.backup import BackupError, back_up

    with opened() as app:
        try:
            copied = back_up(app.engine, file)
        except FileExistsError:
            raise InputError(
                f"{file} is there already, and a backup replaces none. Choose another name."
            ) from None
        except OSError as error:
            raise InputError(
                f"{file} cannot be written: {error.strerror}. Make its folder, or choose another."
            ) from None
        except BackupError as error:
            raise WorkFailed(f"No backup was made: {error}.") from None
        database = app.database
    if as_json:
        print_json({"file": str(file), "tables": copied.tables, "rows": copied.rows})
        return
    say(f"{file} holds all of the {database}: {copied.rows:,} rows of {copied.tables} tables.")
    say(f"To bring it back: sitewatch restore {file}")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What “sitewatch backup” wrote.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Put a backup in the place of all that is stored, also while a service runs.

    What was there before is kept in a file of its own, a damaged SQLite file as it is. What a backup from before a message was sent still owes is sent again, under the same identity.
    """
    from db.backup import BackupError, bring_back, opened_backup
    from db.migrate import migrate
    from monitor.pipeline import note_sites

    if not file.is_file():
        raise InputError(f"There is no file {file}. Name one that “sitewatch backup” wrote.")
    at = utc_now()
    with opened(prepared=False) as app:
        try:
            with opened_backup(file) as copy:
                kept = _keep(app, file, at)
                migrate(app.engine)
                copied = bring_back(copy, app.engine)
        except BackupError as error:
            raise InputError(f"{file} cannot be restored: {error}. Nothing was changed.") from None
        note_sites(app, at)
        database = app.database
    if as_json:
        document = {"file": str(file), "tables": copied.tables, "rows": copied.rows}
        print_json({**document, "kept": None if kept is None else str(kept)})
        return
    say(f"The {database} holds what {file} held: {copied.rows:,} rows of {copied.tables} tables.")
    if kept is not None:
        say(f"What was there before is in {kept}.")


def _keep(app: "App", file: Path, at: "datetime") -> Path | None:
    """Keep what is to be replaced, and give its place: a sound database as a backup, a damaged file as it is."""
    from db.backup import back_up, set_aside
    from db.engine import DBAPIError
    from db.migrate import current_revision
    from monitor.ops.database_health import inside, is_damaged, sqlite_file
    from monitor.pipeline import prepare

    path, mark = sqlite_file(app.settings), f"{at:%Y%m%dT%H%M%SZ}"
    try:
        revision = current_revision(app.engine)
        damaged = revision is not None and inside(app.engine, app.settings) is not None
    except DBAPIError as error:
        if not is_damaged(error):
            raise
        damaged = True
    if damaged and path is not None:
        app.engine.dispose()
        return set_aside(path, f"damaged-{mark}")
    if revision is None:
        return None
    prepare(app, at, fresh=False)
    kept = (path or file).absolute().parent / f"before-restore-{mark}.db"
    back_up(app.engine, kept)
    return kept
