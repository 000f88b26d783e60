"""The service as a process: it starts without network, answers beside commands, stops cleanly, and hands over."""

import json
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.program import PATIENCE_S, Program, closed_port, run, running, write_settings

pytestmark = [pytest.mark.timeout(240), pytest.mark.long]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with settings under which every provider refuses the connection."""
    with closed_port() as port:
        write_settings(tmp_path, port, "lease_s = 2", "port = 0")
        yield tmp_path


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        text: str = answer.read().decode()
    return text


def test_it_starts_without_network_answers_beside_commands_and_stops_with_0(folder: Path) -> None:
    with running(folder, "run", "--no-web") as service:
        service.until("Watching.")
        told = "\n".join(service.lines)
        assert "var/sitewatch.db (made just now)" in told
        assert "4 watched" in told
        assert "2 published facts loaded" in told
        assert "adsb.lol" in told
        assert "No Slack or email yet" in told
        history = run(folder, "history", "busy-port", "ships_present", "--json")
        assert history.returncode == 0, history.stderr
        assert "https://watch.example/2" in history.stdout
        assert service.stop() == 0
        service.until("Stopped.")


def test_a_feed_that_cannot_be_reached_is_shown_failing_and_never_as_a_zero(folder: Path) -> None:
    with running(folder, "run", "--no-web") as service:
        service.until("Watching.")
        status = wait_for_failure(folder)
        assert service.stop() == 0
    failing = {each["name"]: each["state"] for each in status["providers"]}
    assert "Connection refused" in failing["adsb.lol"]["last_error"]
    assert failing["adsb.lol"]["last_ok_at"] is None
    shares = {each["id"]: each["watched_share_24h"] for each in status["sites"]}
    assert shares["quiet-field"] == 0, "no second of the last day was watched"
    assert shares["busy-port"] is None, "no feed watches a port"
    looks = json.loads(run(folder, "history", "quiet-field", "arrivals", "--json").stdout)["looks"]
    assert [(each["procedure"], each["value"]) for each in looks if each["value"] is not None] == [
        ("published", 1.0)
    ]


def wait_for_failure(folder: Path) -> dict[str, Any]:
    """The status once the first poll has ended; each try takes a whole command, so this does not spin."""
    for _ in range(30):
        answer = run(folder, "status", "--json")
        assert answer.returncode == 0, answer.stderr
        status: dict[str, Any] = json.loads(answer.stdout)
        if all(each["state"]["health"] == "failing" for each in status["providers"]):
            return status
    raise AssertionError(f"the providers were never shown failing: {status}")


def test_an_alert_is_told_through_the_log_channel(folder: Path) -> None:
    once = run(folder, "run", "--once")
    assert once.returncode == 0, once.stderr
    assert "1 opened" in once.stdout
    assert "1 message sent" in once.stdout
    told = [json.loads(line) for line in once.stderr.splitlines() if '"alert"' in line]
    assert any("Quiet Field" in each.get("text", "") for each in told)
    again = run(folder, "run", "--once")
    assert "0 messages sent" in again.stdout, "what was told is not told again"


def owner(line: str) -> str:
    return line.split("(", 1)[1].split(")", 1)[0]


def test_a_second_service_waits_and_takes_over_after_kill_9(folder: Path) -> None:
    with running(folder, "run", "--no-web") as first:
        first.until("Watching.")
        with running(folder, "run", "--no-web") as second:
            waits_for = owner(second.until("Waiting:"))
            assert f"process {first.process.pid}," in waits_for
            first.kill()
            assert waits_for in second.until("Taking over")
            second.until("Watching.")
            assert second.stop() == 0


def test_a_second_service_takes_over_when_the_first_stops(folder: Path) -> None:
    with running(folder, "run", "--no-web") as first:
        first.until("Watching.")
        with running(folder, "run", "--no-web") as second:
            second.until("Waiting:")
            assert first.stop(signal.SIGINT) == 0
            second.until("Watching.")
            assert second.stop() == 0


def test_a_second_signal_ends_it_at_once_while_a_poll_hangs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        # Connections are taken by the system, and nobody ever answers them.
        write_settings(tmp_path, deaf.getsockname()[1], "lease_s = 2")
        with running(tmp_path, "run", "--no-web") as service:
            service.until("Watching.")
            asked, _ = deaf.accept()
            with asked:
                service.process.send_signal(signal.SIGTERM)
                service.until("Stopping:")
                assert insist(service) == 128 + signal.SIGTERM


def insist(service: Program) -> int:
    """Send the signal until the process has ended: the first half second counts as one wish."""
    for _ in range(100):
        service.process.send_signal(signal.SIGTERM)
        try:
            return service.process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("it did not end")


def test_the_page_is_served_and_what_readers_leave_open_does_not_hold_up_the_end(folder: Path) -> None:
    with running(folder, "run") as service:
        page = service.until("Page: ").removeprefix("Page: ")
        service.until("Watching.")
        assert fetch(f"{page}healthz") == "ok\n"
        assert fetch(f"{page}readyz") == "ready\n"
        assert 'sitewatch_job_runs_total{job="lease"' in fetch(f"{page}metrics")
        streams = [urllib.request.urlopen(f"{page}events", timeout=PATIENCE_S) for _ in range(3)]
        assert [stream.readline() for stream in streams] == [b"retry: 5000\n"] * 3
        port = int(page.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as stuck:
            # A form of which the rest never comes.
            stuck.sendall(b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n")
            stuck.sendall(b"Content-Type: application/x-www-form-urlencoded\r\n\r\nform_token=")
            service.process.send_signal(signal.SIGTERM)
            for stream in streams:
                with stream:
                    stream.read()  # raises where a stream is cut off and not ended
            assert service.process.wait(PATIENCE_S) == 0
    log = service.log()
    assert "Traceback" not in log
    assert '"event": "requests unfinished when the page stopped: 1", "level": "warning"' in log


def test_a_taken_port_is_told_and_served_once_it_is_free(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with running(folder, "run", SITEWATCH_PORT=str(port)) as service:
            assert f"port {port} is taken" in service.until("The page is not served yet")
            service.until("Watching.")
            other.close()
            service.until(f"Page: http://127.0.0.1:{port}/")
            assert service.stop() == 0


def test_a_service_whose_port_is_taken_stops_as_any_other(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        with running(folder, "run", "--port", port, SITEWATCH_PORT="0") as service:
            assert "--port" in service.until("The page is not served yet")
            assert service.stop() == 0


def test_an_address_that_cannot_be_listened_on_is_told(folder: Path) -> None:
    # 192.0.2.0/24 is kept for documentation: no machine has such an address.
    token = "a token of some length"
    with running(folder, "run", SITEWATCH_HOST="192.0.2.1", SITEWATCH_API_TOKEN=token) as service:
        assert service.process.wait(PATIENCE_S) == 1
        assert "192.0.2.1" in service.log()
        assert "--no-web" in service.log()
        assert "Traceback" not in service.log()


def test_host_and_port_can_be_typed_and_keep_the_rules_of_the_settings(folder: Path) -> None:
    with running(folder, "run", "--host", "::1", "--port", "0", SITEWATCH_PORT="1") as service:
        page = service.until("Page: ").removeprefix("Page: ").strip()
        assert page.startswith("http://[::1]:")
        assert fetch(f"{page}healthz") == "ok\n"
        assert service.stop() == 0
    open_to_all = run(folder, "run", "--host", "0.0.0.0")
    assert open_to_all.returncode == 2
    assert "so the page needs a token" in open_to_all.stderr
    assert run(folder, "run", "--port", "65536").returncode == 2


def test_an_edited_sites_file_is_taken_up_and_a_bad_edit_is_refused(folder: Path) -> None:
    sites = folder / "sites.geojson"
    with running(folder, "run", "--no-web") as service:
        service.until("Watching.")
        good = sites.read_text(encoding="utf-8")
        sites.write_text(good.replace("Quiet Field", "Quieter Field"), encoding="utf-8")
        assert json.loads(service.until_logged("sites changed"))["changed"] == ["quiet-field"]
        sites.write_text(good[:-10], encoding="utf-8")
        assert json.loads(service.until_logged("sites file refused"))["faults"]
        assert service.stop() == 0
