"""FHIR servers, and one app, that nobody here wrote, started on free loopback ports from packages.

HAPI FHIR is the software behind the best-known public test server: its libraries come from Maven
Central, a few lines in hapi/ start it (its runnable server is not published there). Medplum's
router comes from npm, and so does the library of the SMART app. What was downloaded stays in
Maven's own folder and in INTEROP_CACHE (~/.cache/vialwise/interop); nothing is written into the
tree.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

HERE = Path(__file__).parent
_BUILD_SECONDS = 900  # the first build downloads 300 MB
_START_SECONDS = 300
_READY = "READY "


class NotHere(Exception):
    """The server cannot be had on this machine; the message says what is missing."""


@contextmanager
def hapi() -> Iterator[str]:
    """The base address of HAPI FHIR R4 with JPA storage, empty. Raises NotHere."""
    java = _java()
    built = _cache() / "hapi"
    classes = built / "classpath"
    build = [
        "mvn",
        "-B",
        "-q",
        "-f",
        str(HERE / "hapi" / "pom.xml"),
        f"-Dout={built}",
        "compile",
        "dependency:build-classpath",
        f"-Dmdep.outputFile={classes}",
    ]
    _build(build, "mvn", "Maven (Debian: maven)", HERE)
    path = f"{built / 'classes'}:{classes.read_text(encoding='utf-8').strip()}"
    command = [
        java,
        "-Xmx2g",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
        "-cp",
        path,
        "interop.Launcher",
    ]
    with _started(command) as base:
        yield base


@contextmanager
def medplum() -> Iterator[str]:
    """The base address of Medplum's router with its storage in memory, empty. Raises NotHere."""
    built = _npm("medplum")
    with _started(["node", str(built / "server.mjs")]) as base:
        yield base


@contextmanager
def smart_js(client_id: str, scope: str) -> Iterator[str]:
    """The address of a SMART app made of npm's fhirclient, a public client. Raises NotHere."""
    built = _npm("smart_js", "--omit=optional", "--legacy-peer-deps")
    with _started(["node", str(built / "app.mjs"), client_id, scope]) as address:
        yield address


SERVERS: dict[str, Callable[[], AbstractContextManager[str]]] = {
    "HAPI FHIR 8.8": hapi,
    "Medplum 5.2": medplum,
}


# ---------------------------------------------------------------- how


def _cache() -> Path:
    named = os.environ.get("INTEROP_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "vialwise" / "interop"


def _npm(name: str, *options: str) -> Path:
    """The folder of that name with its locked packages, outside of the tree. Raises NotHere."""
    built = _cache() / name
    shutil.copytree(HERE / name, built, dirs_exist_ok=True)
    install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    _build([*install, *options], "npm", "Node.js 20 or newer with npm (Debian: nodejs npm)", built)
    return built


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        raise NotHere("Java 17 is not installed (Debian: openjdk-17-jdk-headless)")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60).stderr
    version = said.partition('"')[2].partition(".")[0]
    if not version.isdigit() or int(version) < 17:
        raise NotHere(f"Java 17 or newer is needed, and this is {said.splitlines()[0]}")
    return java


def _build(command: list[str], program: str, wanted: str, folder: Path) -> None:
    if shutil.which(program) is None:
        raise NotHere(f"{wanted} is not installed")
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_BUILD_SECONDS
    )
    if done.returncode:
        raise NotHere(f"{program} could not get the packages: {(done.stdout + done.stderr)[-800:]}")


@contextmanager
def _started(command: list[str]) -> Iterator[str]:
    """The server's process until the block ends. It ends when its standard input does, so also
    when these tests are killed."""
    with tempfile.TemporaryDirectory(prefix="vialwise-interop-") as folder:
        said, log = Path(folder, "out"), Path(folder, "log")
        with said.open("wb") as out, log.open("wb") as err:
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.PIPE, stdout=out, stderr=err
            )
        try:
            yield _base(process, said, log)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(15)


def _base(process: subprocess.Popen[bytes], said: Path, log: Path) -> str:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        for line in said.read_text(encoding="utf-8").splitlines():
            if line.startswith(_READY):
                return line.removeprefix(_READY).strip()
        time.sleep(0.2)
    raise RuntimeError(f"the server did not start: {log.read_text(encoding='utf-8')[-800:]}")
