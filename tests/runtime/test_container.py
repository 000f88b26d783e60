"""The container files: no engine builds them here, so they are linted and checked against the settings."""

import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config.settings import ENVIRONMENT_PREFIX, Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ("compose.yaml", "compose.postgres.yaml")


def variables(text: str) -> set[str]:
    return set(re.findall(rf"{ENVIRONMENT_PREFIX}[A-Z_]+", text))


def test_the_dockerfile_passes_its_linter() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_without_root_and_says_when_it_is_ill() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "USER 10001" in text
    assert "HEALTHCHECK" in text
    assert "--require-hashes" in text


@pytest.mark.parametrize("name", ["Dockerfile", "container/start", *COMPOSE])
def test_every_setting_in_it_exists(name: str) -> None:
    for variable in variables((ROOT / name).read_text()):
        key = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        assert key in Settings.model_fields or key.removesuffix("_file") in Settings.model_fields, variable


@pytest.mark.parametrize("name", COMPOSE)
def test_a_folder_is_mounted_never_a_file(name: str) -> None:
    services: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())["services"]
    mounts = [mount.split(":")[0] for each in services.values() for mount in each.get("volumes", [])]
    assert all(not Path(mount).suffix for mount in mounts)


def test_the_second_stage_holds_only_what_runs() -> None:
    build, final = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)[1:]
    assert "AS build" in build
    assert "pip install" not in final
    copied = re.findall(r"^COPY (.*)$", final, re.MULTILINE)
    assert all("--from=build" in each or "--chown=root:root" in each for each in copied), (
        "the process owns no code"
    )


@pytest.mark.parametrize("name", COMPOSE)
def test_what_a_service_needs_is_declared(name: str) -> None:
    files = [yaml.safe_load((ROOT / each).read_text()) for each in dict.fromkeys(("compose.yaml", name))]
    services = {key: value for each in files for key, value in each["services"].items()}
    declared = {key for each in files for key in each.get("secrets", {})}
    for service in services.values():
        assert set(service.get("secrets", [])) <= declared
        assert set(service.get("depends_on", {})) <= services.keys()
        named = [
            value for value in service.get("environment", {}).values() if value.startswith("/run/secrets/")
        ]
        assert {Path(value).name for value in named} <= set(service.get("secrets", []))
    assert services["sitewatch"].get("read_only", True)
    assert all(each.get("user") != "root" and not each.get("privileged") for each in services.values())


def test_the_start_puts_the_sites_there_once_and_hands_over(tmp_path: Path) -> None:
    shipped, programs, sites = tmp_path / "shipped", tmp_path / "bin", tmp_path / "data" / "sites.geojson"
    for folder in (shipped, programs, sites.parent):
        folder.mkdir()
    (shipped / "sites.geojson").write_text("shipped")
    (programs / "sitewatch").write_text('#!/bin/sh\necho "ran $*"\n')
    (programs / "sitewatch").chmod(0o755)
    script = (ROOT / "container/start").read_text().replace("/usr/share/sitewatch", str(shipped))
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "SITEWATCH_SITES_FILE": str(sites)}
    for content in ("shipped", "edited"):
        done = subprocess.run(
            ["sh", "-c", script, "start", "run"], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout == "ran run\n"
        assert sites.read_text() == content
        sites.write_text("edited")


def test_what_the_image_sets_can_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-long-random-text-of-thirty-two-characters")
    text = (ROOT / "Dockerfile").read_text()
    environment = dict(re.findall(rf"({ENVIRONMENT_PREFIX}[A-Z_]+)=(\S+)", text))
    settings = load_settings(
        {**environment, f"{ENVIRONMENT_PREFIX}API_TOKEN_FILE": str(tmp_path / "token")}, None
    )
    assert settings.host == "0.0.0.0"
    assert str(settings.sites_file) == "/data/sites.geojson"
