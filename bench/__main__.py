"""`make bench`: every figure of docs/performance.md, as a table. Ratios of one run count."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bench import in_process, over_http, processes
from bench.bodies import SIZES, body
from bench.wsgi import answer_of

Row = tuple[str, str, str]  # what, measured, target
_REQUESTS = int(os.environ.get("BENCH_REQUESTS", "10000"))


def main() -> None:
    print("| What | Measured | Target |\n|---|---|---|")
    for rows in (_in_process, _over_http, _first_answer, _memory):
        for row in rows():
            print("| " + " | ".join(row) + " |", flush=True)


def _in_process() -> list[Row]:
    app = in_process.application()
    targets = {"18 KB": "", "98 KB": "<= 1.0", "1.1 MB": "<= 0.6"}
    rows, per_resource = [], {}
    for name, count in SIZES.items():
        ours, other = body(count), body(count, ours=False)
        took = in_process.times({
            "parse": lambda sent=ours: in_process.parsed(sent),
            "ours": lambda sent=ours: answer_of(app, sent),
            "other": lambda sent=other: answer_of(app, sent),
        })  # fmt: skip
        per_resource[name] = took["ours"] / count
        rows += [
            (f"{name}, all rules and the answer, against orjson.loads alone",
             f"{took['ours'] / took['parse']:.2f} x "
             f"({took['ours'] * 1000:.2f} ms, {took['parse'] * 1000:.2f} ms)", targets[name]),
            (f"{name}, an order that is not ours against one that is",
             f"{took['other'] / took['ours']:.2f} x ({took['other'] * 1000:.2f} ms)", "<= 0.3"),
        ]  # fmt: skip
    growth = per_resource["1.1 MB"] / per_resource["98 KB"]
    return [*rows, ("cost of a resource, 1.1 MB against 98 KB", f"{growth:.2f} x", "<= 1.2")]


def _over_http() -> list[Row]:
    targets = {"98 KB": ">= 1.0", "1.1 MB": ">= 1.5"}
    rows = []
    loads = over_http.compared({name: body(SIZES[name]) for name in targets})
    for name, (ours, bare) in loads.items():
        failed = f", {ours.failed + bare.failed} failed" if ours.failed + bare.failed else ""
        rows += [
            (f"{name} over HTTP, requests a second against a bare Flask view",
             f"{ours.rate / bare.rate:.2f} x ({ours.rate:.0f}, {bare.rate:.0f}{failed})",
             targets[name]),
            (f"{name} over HTTP, p99 against p50",
             f"{ours.p99 / ours.p50:.1f} x ({ours.p99:.0f} ms, {ours.p50:.0f} ms)", "<= 4"),
        ]  # fmt: skip
    return rows


def _first_answer() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        sent = Path(folder, "body.json")
        sent.write_bytes(body(SIZES["18 KB"]))
        ours, bare = processes.first_answers(sent)
    measured = f"{ours / bare:.1f} x ({ours:.2f} s, {bare:.2f} s)"
    return [("start of Python to the first answer, against a bare Flask view", measured, "<= 1.6")]


def _memory() -> list[Row]:
    before, after = processes.memory(_REQUESTS)
    grown = f"{(after - before) / 1024:+.1f} MB ({before // 1024} MB before)"
    return [(f"memory of a worker over {_REQUESTS:,} requests of 18 KB", grown, "no growth")]


if __name__ == "__main__":
    main()
