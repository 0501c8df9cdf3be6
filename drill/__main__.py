"""`make drill`: every failure, one after the other; exit code 1 when anything was lost or wrong.

`python -m drill replay` plays one part.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from drill import database_steps, fhir_steps, replay_steps, worker_steps
from drill.steps import Report
from vialwise import terminal

PARTS = {
    "fhir": ("The EHR's FHIR server fails", fhir_steps.play),
    "database": ("The database goes and comes back", database_steps.play),
    "workers": ("Workers are killed under load", worker_steps.play),
    "replay": ("One token is used again", replay_steps.play),
}


def main(names: list[str]) -> int:
    """The parts of these names, or all."""
    report, started = Report(), time.monotonic()
    for name in names or PARTS:
        title, play = PARTS[name]
        report.part(title)
        with tempfile.TemporaryDirectory(prefix="vialwise-drill-") as folder:
            try:
                play(report, Path(folder))
            except Exception as error:  # the other parts are still played
                with report.step(title) as step:
                    step.faults.append(f"broke off: {type(error).__name__}: {error}")
    passed = report.summary()
    terminal.say(f"{time.monotonic() - started:.0f} s")
    return 0 if passed else 1


def _end(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends what was started, as Ctrl-C does."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main(sys.argv[1:]))
