"""Reading the parts of an archive on a Dask cluster: files are opened inside the workers, only results come back.

The workers need this program and the archive under the same path (a shared folder).
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime

from distributed import Client, as_completed

from db.records.claims import BackfillPart
from monitor.backfill.archive import Part
from monitor.backfill.filtering import ReportFilter
from monitor.backfill.load import PartReaders
from monitor.errors import WorkFailed

LOCAL_CLUSTER = "local"
_CONNECT_S = 20


@contextmanager
def cluster_readers(address: str) -> Iterator[PartReaders]:
    """Give readers on the cluster whose scheduler is at `address`; `local` starts one process for each core here.

    Raises WorkFailed where it does not answer or a worker fails for good.
    """
    # It tells at length how each connection opens and closes.
    logging.getLogger("distributed").setLevel(logging.WARNING)
    try:
        client = (
            _local()
            if address == LOCAL_CLUSTER
            else Client(address, timeout=_CONNECT_S, set_as_default=False)
        )
    except (OSError, TimeoutError, ValueError) as error:
        raise WorkFailed(
            f"The Dask scheduler at {address} does not answer: {error}. Check the address, or leave --dask out."
        ) from None
    with client, client.as_current():
        yield lambda report_filter, wanted, day, now: _read(client, report_filter, wanted, day, now)


def _local() -> Client:
    # Only loopback: the cluster is nobody else's. No dashboard is served.
    return Client(host="127.0.0.1", dashboard_address=None, set_as_default=False)


def _read(
    client: Client, report_filter: ReportFilter, wanted: Sequence[Part], day: date, now: datetime
) -> Iterator[BackfillPart]:
    # The sieve goes to each worker once, not with each part.
    shared = client.scatter(report_filter, broadcast=True, hash=False)
    futures = [client.submit(_sift, shared, part, day, now, pure=False) for part in wanted]
    for future in as_completed(futures):
        error = future.exception()
        if error is not None:
            raise (
                error
                if isinstance(error, OSError)
                else WorkFailed(f"A worker of the cluster failed: {error}.")
            )
        yield future.result()
        future.release()


def _sift(report_filter: ReportFilter, part: Part, day: date, now: datetime) -> BackfillPart:
    return report_filter.read_part(part, day, now)
