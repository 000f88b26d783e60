"""How a service hears that it is to stop."""

import signal
import threading

import pytest

from monitor.runtime.service import stopping
from tests.kit.program import PATIENCE_S


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_another_thread_takes_wakes_the_main_thread(number: signal.Signals) -> None:
    resting, rested = threading.Event(), threading.Event()

    def rest() -> None:
        resting.set()
        rested.wait()

    other = threading.Thread(target=rest)
    other.start()
    resting.wait()
    assert other.ident is not None
    # Sent by a third thread once the main one is asleep on its lock, and to one that is not the main one.
    sender = threading.Timer(0.05, signal.pthread_kill, (other.ident, number))
    try:
        with stopping() as stop:
            sender.start()
            assert stop.wait(PATIENCE_S), "the main thread slept on"
    finally:
        sender.join()
        rested.set()
        other.join()


def test_afterwards_signals_go_where_they_went_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stopping():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.set_wakeup_fd(-1) == -1
