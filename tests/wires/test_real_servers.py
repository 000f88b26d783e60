"""A server that is missing costs a developer a test, and CI the run."""

import pytest

from tests.kit.real_servers import installed, needed


def test_a_missing_server_skips_here_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-server is not installed"):
        installed("no-such-server")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-server is not installed"):
        installed("no-such-server")
    needed("/usr/sbin/nginx", "nginx")
