"""The page and the CSV of what became of the cards: whose it is, what it counts and escapes."""

from __future__ import annotations

import base64
import csv
import io
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask, Response
from flask.testing import FlaskClient

from cds_hooks.cards.plan import QUIET_HOURS, SHADOW
from cds_hooks.pages import feedback_page
from cds_hooks.record.card_feedback import Tally
from cds_hooks.record.store import Store
from service_parts.svg_chart import MOST_WEEKS, STACK_HEIGHT, weekly
from tests.cds_hooks.conftest import Client
from tests.databases import overridden, shown_card, store_at
from vialwise.cli import cli

SECRET = b"an operator's secret of forty characters"
BEARER = {"Authorization": f"Bearer {SECRET.decode()}"}
MONDAY = datetime(2026, 11, 16, 9, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=y>"


def a_month(store: Store, clock: list[datetime]) -> None:
    """Nine cards in three weeks, and four that were held back."""
    first = shown_card(client="https://a.example")
    second = shown_card(findings=(("wrong_code", "a"), ("weight", "stale")), client=HOSTILE)
    store.record([first, second, shown_card(held_back=SHADOW)])
    store.feedback([overridden(first, MONDAY, outcome="accepted")])
    why = {"reason_code": "x", "reason_display": HOSTILE, "comment": "of Ada", "comment_sent": True}
    store.feedback([overridden(second, MONDAY, **why)])
    clock[0] += timedelta(days=14)
    others = [shown_card(payer_id="maryland-medicaid", drug_id="mepolizumab") for _ in range(7)]
    unseen = [shown_card(held_back=QUIET_HOURS, findings=(("weight", "stale"),)) for _ in range(3)]
    store.record([*others, *unseen])
    store.feedback([overridden(others[0], clock[0]), overridden("u" * 36)])


@pytest.fixture
def page(tmp_path: Path, client_with: Client) -> FlaskClient:
    clock = [MONDAY]
    with store_at(f"sqlite:///{tmp_path}/s.sqlite", lambda: clock[0]) as store:
        a_month(store, clock)
        yield client_with(store, operator_secret=SECRET)


def text_of(response: Response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.get_data(as_text=True)).split())


# ---------------------------------------------------------------- whose it is


def test_without_a_secret_there_is_no_such_page(client_with: Client, store: Store) -> None:
    for address in ("/feedback", "/feedback.csv"):
        assert client_with(store).get(address).status_code == 404


def test_without_the_secret_nothing_is_shown(page: FlaskClient) -> None:
    wrong = (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(SECRET + b":").decode()},
        {"Authorization": f"Digest {SECRET.decode()}"},
        {"Authorization": "Bearer \u00fc"},
    )
    for headers in wrong:
        for address in ("/feedback", "/feedback.csv", "/metrics"):
            answer = page.get(address, headers=headers)
            assert answer.status_code == 401, (headers, address)
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
            assert "shown" not in answer.get_data(as_text=True).lower()


def test_a_wrong_secret_is_logged_and_not_repeated(
    page: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    page.get("/feedback")  # a browser's first request has none
    assert not caplog.records
    page.get("/metrics", headers={"Authorization": "Bearer canary-secret"})
    assert "security: what was sent is not the operator's secret" in caplog.text
    assert "canary" not in caplog.text


def test_a_browser_may_send_it_as_a_password(page: FlaskClient) -> None:
    basic = base64.b64encode(b"anyone:" + SECRET).decode()
    answer = page.get("/feedback", headers={"Authorization": f"Basic {basic}"})
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "address, said, status",
    [
        ("127.0.0.1", "", 200),
        ("::1", "", 200),
        ("::ffff:127.0.0.1", "", 200),
        ("10.1.2.3", "", 403),
        ("10.1.2.3", "https", 403),
        ("10.1.2.3", "http", 403),
        ("127.0.0.1", "http", 403),
        ("", "", 403),
    ],
)
def test_the_secret_is_taken_over_tls_or_on_this_machine_only(
    page: FlaskClient, address: str, said: str, status: int
) -> None:
    """Of proxies: vialwise/test_proxies.py."""
    headers = {**BEARER, **({"X-Forwarded-Proto": said} if said else {})}
    answer = page.get("/feedback", headers=headers, environ_base={"REMOTE_ADDR": address})
    assert answer.status_code == status


def test_readyz_is_bare_for_others_than_operators(page: FlaskClient) -> None:
    assert page.get("/readyz").json == {"status": "ready"}
    assert set(page.get("/readyz", headers=BEARER).json) > {"catalogue", "database"}
    assert page.get("/healthz").status_code == 200


def test_another_application_mounts_it_behind_a_guard_of_its_own(
    page: FlaskClient, store: Store
) -> None:
    app, refused = Flask("another"), [True]

    def guard() -> Response | None:
        return Response("sign in", 403) if refused[0] else None

    app.register_blueprint(feedback_page.blueprint(store.engine, guard, str), url_prefix="/site")
    other = app.test_client()
    assert [other.get(f"/site/{a}").status_code for a in ("feedback", "feedback.csv")] == [403, 403]
    refused[0] = False
    said = other.get("/site/feedback").get_data(as_text=True)
    assert 'href="/site/feedback.css"' in said and "No card was shown yet" in said
    assert other.get("/site/feedback.css").status_code == 200


# ---------------------------------------------------------------- what it counts


def test_what_was_held_back_is_not_counted_as_shown(page: FlaskClient) -> None:
    said = text_of(page.get("/feedback", headers=BEARER))
    assert "Shown 9 Accepted 1 Overridden 2 Ignored 6" in said
    assert "Kept and not shown, quiet hours: 3 cards, by rule Rule Cards Weight 3" in said
    assert "Kept and not shown, shadow: 1 card, by rule Rule Cards Wrong code 1" in said
    assert "Feedback on cards that are not on record: 1." in said


def numbers_of_page(text: str) -> list[tuple[str, list[str]]]:
    rows = re.findall(r'<th scope="row"[^>]*>(.*?)</th>((?:<td[^>]*>\d+</td>)+)', text)
    return [(unescape(name), re.findall(r"\d+", cells)) for name, cells in rows]


def test_the_command_and_the_page_agree_to_the_number(page: FlaskClient, tmp_path: Path) -> None:
    options = ["feedback", "--database", str(tmp_path / "s.sqlite")]
    for query, given in (
        ("", []),
        ("?rule=weight", ["--rule", "weight"]),
        (
            "?payer=maryland-medicaid&from=2026-11-17",
            ["--payer", "maryland-medicaid", "--since", "2026-11-17"],
        ),
        ("?to=2026-11-16", ["--until", "2026-11-16"]),
        ("?client=https://a.example", ["--client", "https://a.example"]),
    ):
        shown = page.get(f"/feedback{query}", headers=BEARER).get_data(as_text=True)
        printed = CliRunner().invoke(cli, [*options, *given]).stdout
        lines = [" ".join(line.split()) for line in printed.splitlines()]
        rows = numbers_of_page(shown)
        assert len(rows) >= 4
        for name, numbers in rows:
            start = " ".join(name[:31].split())
            told = [line for line in lines if start in line]
            found = [re.findall(r"\b\d+\b", line.replace(start, "")) for line in told]
            assert numbers in found, (query, name, numbers, printed)


def test_filters_narrow_the_page_and_the_csv(page: FlaskClient) -> None:
    query = "?payer=maryland-medicaid&from=2026-11-30&to=2026-11-30"
    said = page.get(f"/feedback{query}", headers=BEARER)
    assert "Shown 7 Accepted 0 Overridden 1 Ignored 6" in text_of(said)
    assert 'value="maryland-medicaid" selected' in said.get_data(as_text=True)
    rows = list(
        csv.DictReader(
            io.StringIO(page.get(f"/feedback.csv{query}", headers=BEARER).get_data(as_text=True))
        )
    )
    assert len(rows) == 7 and {row["payer"] for row in rows} == {"maryland-medicaid"}
    assert "No card was shown that fits" in text_of(
        page.get("/feedback?to=2020-01-01", headers=BEARER)
    )


def test_the_csv_tells_shown_from_held_back(page: FlaskClient) -> None:
    answer = page.get("/feedback.csv", headers=BEARER)
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    assert "attachment" in answer.headers["Content-Disposition"]
    assert len([row for row in rows if not row["held_back"]]) == 9
    held = [row for row in rows if row["held_back"]]
    assert len(held) == 4 and {row["action"] for row in held} == {"held back"}
    assert "of Ada" not in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    "query, words",
    [
        ("from=yesterday", "“yesterday” is not a day: write it as YYYY-MM-DD"),
        ("to=2026-13-01", "“2026-13-01” is not a day"),
        ("to=2026-W01-1", "“2026-W01-1” is not a day"),
        ("to=20260101", "“20260101” is not a day"),
        ("from=2026-11-20&to=2026-11-01", "“From” is after “to”"),
        ("rule=nothing", "There is no rule “nothing” here"),
        ("payer=x", "There is no payer “x” here"),
        ("client=" + "x" * 5000, "There is no client “xxx"),
        ("from=%3Cscript%3E", "“&lt;script&gt;” is not a day"),
        ("from=%00", "is not a day"),
    ],
)
def test_a_wrong_filter_is_said_and_stays_in_the_form(
    page: FlaskClient, query: str, words: str
) -> None:
    for address in ("/feedback", "/feedback.csv"):
        answer = page.get(f"{address}?{query}", headers=BEARER)
        text = answer.get_data(as_text=True)
        assert answer.status_code == 400 and words in text and 'role="alert"' in text
        assert "<script>" not in text and len(text) < 20_000


@pytest.mark.parametrize(
    "query", ["from=0001-01-01&to=9999-12-31", "to=9999-12-31", "from=", "x=y"]
)
def test_the_ends_of_time_can_be_asked_for(page: FlaskClient, query: str) -> None:
    said = text_of(page.get(f"/feedback?{query}", headers=BEARER))
    assert "Shown 9" in said


def test_a_database_that_is_away_is_said_and_the_filters_stay(
    page: FlaskClient, tmp_path: Path
) -> None:
    (tmp_path / "s.sqlite").unlink()
    answer = page.get("/feedback?from=2026-11-16", headers=BEARER)
    assert answer.status_code == 503 and "cannot be read now" in text_of(answer)
    assert 'value="2026-11-16"' in answer.get_data(as_text=True)
    assert page.get("/feedback.csv", headers=BEARER).status_code == 503


# ---------------------------------------------------------------- what it escapes, and its picture


def test_hostile_words_stay_words(page: FlaskClient) -> None:
    answer = page.get("/feedback", headers=BEARER)
    text = answer.get_data(as_text=True)
    assert "&lt;script&gt;alert(1)" in text and "<script" not in text and "<img" not in text
    assert "of Ada" not in text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "<style" not in text
    tags = re.findall(r"<[a-z][^>]*>", text)
    assert not [tag for tag in tags if re.search(r"\s(style|on\w+)=", re.sub('"[^"]*"', '""', tag))]


def test_the_picture_says_what_it_shows(page: FlaskClient) -> None:
    text = page.get("/feedback", headers=BEARER).get_data(as_text=True)
    named = 'role="img" aria-labelledby="plot-title plot-desc"'
    svg = re.search(rf"<svg {named}.*?</svg>", text, re.DOTALL)
    assert svg and "<desc" in svg[0]
    bars = re.findall(r"<title>(\S+): (\d+) (\w+)</title>", svg[0])
    rows = dict(numbers_of_page(text))
    for week, count, part in bars:
        column = ["shown", "accepted", "overridden", "ignored"].index(part)
        assert rows[week][column] == count
    assert sum(int(count) for _, count, _ in bars) == 9


def test_weeks_without_cards_are_in_the_picture() -> None:
    plot = weekly({"2026-W52": Tally(4, 1, 1).parts, "2027-W02": Tally(2).parts})
    assert plot and [week for _, week in plot.weeks] == [
        "2026-W52",
        "2026-W53",
        "2027-W01",
        "2027-W02",
    ]
    assert {bar.says.split(":")[0] for bar in plot.bars} == {"2026-W52", "2027-W02"}
    first = [bar for bar in plot.bars if bar.says.startswith("2026-W52")]
    assert sum(bar.height for bar in first) == pytest.approx(STACK_HEIGHT, abs=0.2)
    assert min(bar.y for bar in first) == pytest.approx(0, abs=0.2)


def test_of_many_years_the_last_weeks_are_drawn() -> None:
    plot = weekly({"2001-W01": Tally(1).parts, "2026-W48": Tally(123).parts})
    assert plot and plot.left_out > 1000 and len(plot.bars) == 1 and len(plot.weeks) <= 4
    assert all(0 <= bar.x <= 100 for bar in plot.bars) and MOST_WEEKS == 104
    assert weekly({}) is None
