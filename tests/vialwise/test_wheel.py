"""The wheel is enough: `vialwise demo` runs from it, in a folder without a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
sys.path[:] = [p for p in sys.path if p not in ("", sys.argv[1])]
sys.path.insert(0, sys.argv[2])
import vialwise
assert vialwise.__file__.startswith(sys.argv[2]), vialwise.__file__
from vialwise.cli import cli
cli(["demo", "--port", "0", "--ehr-port", "0", "--no-stay"], prog_name="vialwise")
"""


def test_the_demo_runs_from_the_wheel(tmp_path: Path) -> None:
    wheels, installed = tmp_path / "wheels", tmp_path / "installed"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    [wheel] = wheels.glob("vialwise-*.whl")
    with zipfile.ZipFile(wheel) as packed:  # pure Python: installing it is unpacking it
        packed.extractall(installed)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIALWISE_"))}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROOT), str(installed)],
        cwd=tmp_path,
        env={**kept, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    for text in ("J2356 is not omalizumab", "The same 225 mg from two syringes", "HTTP 200"):
        assert text in ran.stdout
