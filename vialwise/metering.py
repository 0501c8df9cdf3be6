"""Metrics that all workers of this process share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cds_hooks.metrics import Metrics

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client when it is imported


@contextmanager
def shared() -> Iterator[Metrics]:
    """Metrics whose numbers stand in a directory of their own, which goes when the block ends.

    Workers that are forked inside the block leave it too, by exceptions: only the process that
    made the directory removes it.
    """
    directory, maker = tempfile.mkdtemp(prefix="vialwise-metrics-"), os.getpid()
    os.environ[_VARIABLE] = directory
    try:
        from cds_hooks.metrics import Metrics

        yield Metrics(directory)
    finally:
        if os.getpid() == maker:
            os.environ.pop(_VARIABLE, None)
            shutil.rmtree(directory, ignore_errors=True)
