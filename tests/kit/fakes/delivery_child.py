"""A process that does nothing but deliver, so that the crash tests have somebody to kill."""

import os
import threading
from datetime import UTC, datetime

from sqlalchemy import Engine, select

from alerts.channels import Channel, Message
from alerts.channels.email import EmailChannel
from alerts.channels.slack import SlackChannel
from alerts.delivery.worker import deliver_due
from db.deliveries import deliveries
from db.engine import open_engine, reading
from db.records import Delivery
from db.schema import alert
from tests.kit.fakes.http_post import LoopbackPost
from tests.kit.fakes.smtp import HOST

DOMAIN = "example.org"
LEASE_S = 1.0


def now() -> datetime:
    return datetime.now(UTC)


def channels(slack_url: str, smtp_port: int) -> dict[str, Channel]:
    mail = EmailChannel(
        "mail",
        HOST,
        smtp_port,
        security="none",
        username=None,
        password=None,
        sender=f"watch@{DOMAIN}",
        recipients=(f"desk@{DOMAIN}",),
    )
    # The fake's rate limit is off: a message a second would make this a test of patience.
    return {"slack": SlackChannel("slack", slack_url, LoopbackPost(), min_interval_s=0), "mail": mail}


def compose(engine: Engine, delivery: Delivery) -> Message:
    with reading(engine) as connection:
        query = select(alert.c.headline, alert.c.incident_id).where(alert.c.id == delivery.alert_id)
        headline, incident = connection.execute(query).one()
    return Message(
        identity=delivery.identity,
        thread=incident,
        subject="Busy Port",
        status="New",
        headline=headline,
        paragraphs=(),
        created_at=delivery.created_at,
    )


def main(database_url: str, slack_url: str, smtp_port: str) -> None:
    engine = open_engine(database_url)
    never = threading.Event()
    while True:
        report = deliver_due(
            engine,
            channels(slack_url, int(smtp_port)),
            lambda delivery: compose(engine, delivery),
            now,
            f"process {os.getpid()}",
            lease_s=LEASE_S,
        )
        if report.next_due is None:
            break
        never.wait(max(0.0, (report.next_due - now()).total_seconds()))
    with reading(engine) as connection:
        assert deliveries(connection, state="queued") == []
