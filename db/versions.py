"""Whether anybody has written since: a text that is the same as long as a database holds the same."""

import threading

from sqlalchemy import Connection, Engine, text

from db.engine import reading


class DatabaseVersion:
    """Asks one database again and again; SQLite counts for each connection what others have written, so one is kept open."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def read(self) -> str:
        """Give the version of now; raises DBAPIError. Another one may still hold the same, never the other way round."""
        if self._engine.dialect.name == "postgresql":
            with reading(self._engine) as connection:
                return str(
                    connection.execute(text("select cast(txid_current_snapshot() as text)")).scalar_one()
                )
        with self._lock:
            try:
                return self._of_file()
            except BaseException:
                self._close()
                raise

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._close()

    def _of_file(self) -> str:
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(read_only=True)
        with self._connection.begin() as transaction:
            found = self._connection.execute(text("PRAGMA data_version")).scalar_one()
            transaction.rollback()
        return str(found)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
