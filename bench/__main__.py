"""`make bench`: every figure of docs/performance.md, as a table. Ratios of one run count.

It says what missed its target, and ends well all the same: a figure depends on the machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fixtures
from bench import a_year, first_screen, in_process, over_http, processes, tokens
from bench.bodies import SIZES, body
from bench.figures import Row, ratio, times
from bench.over_http import BARE, GRANIAN, HEALTHCHAIN, SERVICE, Load
from bench.wsgi import answer_of
from billing_rules import catalogue

_REQUESTS = int(os.environ.get("BENCH_REQUESTS", "50000"))
_MEGABYTE = 1024


def main() -> None:
    print(f"Load of the machine at the start: {os.getloadavg()[0]:.1f}\n", flush=True)
    print("| What | Measured | Target |\n|---|---|---|", flush=True)
    missed = 0
    for rows in (
        _in_process,
        _year,
        _token,
        _over_http,
        _first_answer,
        _check,
        _first_screen,
        _memory,
    ):
        for row in rows():
            print(row, flush=True)
            missed += row.missed
    print(f"\n{missed} missed; load at the end: {os.getloadavg()[0]:.1f}", flush=True)


def _in_process() -> Iterator[Row]:
    app = in_process.application()
    targets = {"18 KB": "", "98 KB": "<= 8", "1.1 MB": "<= 1.5"}
    per_resource = {}
    for name, count in SIZES.items():
        ours, other = body(count), body(count, ours=False)
        took = in_process.times(
            {
                "parse": partial(in_process.parsed, ours),
                "ours": partial(answer_of, app, ours),
                "other": partial(answer_of, app, other),
            }
        )
        ms = {call: seconds * 1000 for call, seconds in took.items()}
        per_resource[name] = took["ours"] / count
        slower = took["ours"] / took["parse"]
        shown = times(slower, f"{ms['ours']:.2f} ms, {ms['parse']:.2f} ms")
        what = f"{name}, all rules and the answer, against orjson.loads alone"
        yield Row(what, slower, shown, targets[name])
        share = took["other"] / took["ours"]
        what = f"{name}, an order that is not ours against one that is"
        yield Row(what, share, times(share, f"{ms['other']:.2f} ms"), "<= 0.3")
    growth = per_resource["1.1 MB"] / per_resource["98 KB"]
    yield Row("cost of a resource, 1.1 MB against 98 KB", growth, f"{growth:.2f} x", "<= 1.2")


def _year() -> Iterator[Row]:
    known, chart = catalogue.load(), a_year.parts()
    items = sum(map(len, a_year.judged(known, chart)))
    took = in_process.times({"year": lambda: list(a_year.judged(known, chart))})
    ms = took["year"] * 1000 / items
    what = f"a patient's year, {items} orders, doses and claims, each as of its day, an item"
    yield Row(what, ms, f"{ms:.2f} ms", "<= 1.2 ms")


def _token() -> Iterator[Row]:
    added = tokens.added()
    yield Row("an RS384 token checked, added to a request", added, f"{added:.3f} ms", "<= 0.15 ms")


def _over_http() -> Iterator[Row]:
    targets = {"98 KB": ">= 1.0", "1.1 MB": ">= 1.5"}
    cpu_targets = {"98 KB": ">= 1.3", "1.1 MB": ">= 2.5"}
    measured = over_http.compared({name: body(SIZES[name]) for name in targets})
    for size, loads in measured.items():
        ours = loads[SERVICE]
        yield _against(
            f"{size} over HTTP, requests a second against a bare Flask view",
            ours,
            loads[BARE],
            targets[size],
        )
        tail = ratio(ours.p99, ours.p50)
        shown = times(tail, f"{ours.p99:.0f} ms, {ours.p50:.0f} ms")
        yield Row(f"{size} over HTTP, p99 against p50", tail, shown, "<= 4")
        if HEALTHCHAIN in loads:
            yield _against(
                f"{size} over HTTP, against healthchain with one static card, uvicorn",
                ours,
                loads[HEALTHCHAIN],
                ">= 3",
            )
            less = ratio(loads[HEALTHCHAIN].cpu, ours.cpu)
            shown = times(less, f"{ours.cpu:.1f} ms, {loads[HEALTHCHAIN].cpu:.1f} ms")
            what = f"{size} over HTTP, CPU time a request, times less than healthchain's"
            yield Row(what, less, shown, cpu_targets[size])
        if GRANIAN in loads:
            yield _against(
                f"{size} over HTTP, granian in the place of gunicorn, against gunicorn",
                loads[GRANIAN],
                ours,
            )


def _against(what: str, one: Load, other: Load, target: str = "") -> Row:
    failed = one.failed + other.failed
    shown = f"{one.rate:.0f}, {other.rate:.0f}; CPU {one.cpu:.1f} ms, {other.cpu:.1f} ms"
    shown += f"; {failed} failed" if failed else ""
    faster = ratio(one.rate, other.rate)
    return Row(what, faster, times(faster, shown), target)


def _first_answer() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        sent = Path(folder, "body.json")
        sent.write_bytes(body(SIZES["18 KB"]))
        ours, bare = processes.first_answers(sent)
    what = "start of Python to the first answer, against a bare Flask view"
    yield Row(what, ours / bare, times(ours / bare, f"{ours:.2f} s, {bare:.2f} s"), "<= 1.6")


def _check() -> Iterator[Row]:
    took = processes.check_of_a_file(fixtures.path("hook_requests/story-225-mg-two-vials"))
    yield Row("`vialwise check FILE`, whole process, CPU time", took, f"{took:.2f} s", "<= 0.35 s")


def _first_screen() -> Iterator[Row]:
    if first_screen.chromium() is None:
        print("No Chromium: no row for the app's first screen.", file=sys.stderr)
        return
    found = first_screen.measured()
    for state, opened in (("cold", found.cold), ("warm", found.warm)):
        what = f"a chart of {first_screen.RESOURCES:,} in Chromium, {state}, click to worksheet"
        shown = f"{opened.first:.2f} s (the whole chart {opened.whole:.2f} s)"
        yield Row(what, opened.first, shown, "<= 1.0 s")


def _memory() -> Iterator[Row]:
    before, after = processes.memory(_REQUESTS)
    grown = (after - before) / _MEGABYTE
    what = f"memory of a worker over {_REQUESTS:,} requests of 18 KB"
    shown = f"{grown:+.1f} MB ({before / _MEGABYTE:.0f} MB before)"
    yield Row(what, grown, shown, "<= 1 MB")


if __name__ == "__main__":
    main()
