"""What every group of tables shares: the names of constraints, and the key of a series."""

from sqlalchemy import Column, MetaData, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

SERIES_KEY = ("site_id", "area", "metric", "subject", "procedure")


def series_columns() -> list[Column[str]]:
    """The columns of a series key, part of the primary key of each table that speaks of series."""
    return [Column(name, Text, primary_key=True) for name in SERIES_KEY]
