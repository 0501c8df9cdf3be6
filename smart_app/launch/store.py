"""What is kept of windows, encrypted with keys of the installation (cryptography's Fernet).

Several keys, newest first: the first encrypts, all decrypt. A key is changed by putting a new one
in front and removing the old one once no window is older than the change."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from service_parts.database import transaction
from smart_app.launch.schema import app_draft, app_launch, app_sent_form, app_window

SHORTEST_KEY = 32  # bytes


class Seal:
    """Seals values that are JSON, each for one row: moved to another it does not open."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) < SHORTEST_KEY for key in keys):
            raise ValueError(f"a key has less than {SHORTEST_KEY} bytes, or there is none")
        derived = [base64.urlsafe_b64encode(_derived(key, b"content")) for key in keys]
        self._fernet = MultiFernet([Fernet(key) for key in derived])
        self._hash_key = _derived(keys[-1], b"hashes")  # the oldest: it stays while others come

    def closed(self, row: str, value: Any) -> str:
        content = json.dumps([row, value], separators=(",", ":")).encode()
        return self._fernet.encrypt(content).decode()

    def opened(self, row: str, sealed: str) -> Any:
        """What was sealed for `row`; None when this is not that."""
        try:
            named, value = json.loads(self._fernet.decrypt(sealed))
        except (InvalidToken, ValueError):
            return None
        return value if named == row else None

    def keyed_hash(self, *parts: str) -> str:
        """The same for the same words; who does not have the keys cannot try words out."""
        return hmac.new(self._hash_key, json.dumps(parts).encode(), hashlib.sha256).hexdigest()


def _derived(key: bytes, purpose: bytes) -> bytes:
    info = b"vialwise app windows 1 " + purpose
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key)


# ----------------------------------------------------------------------
# Launches under way and launched windows in the database, for all workers together.
#
# Every method is one transaction and raises StoreFailed when the database does not do it.


WAIT = 3000  # milliseconds for a lock: somebody waits for a page
FORMS_KEPT = timedelta(days=7)
ATTEMPT_LIFE = timedelta(minutes=10)
MOST_UNDER_WAY = 20_000  # launches, about 15 MB; anyone may begin one
KEPT_AFTER_END = timedelta(hours=24)  # so that whose an ended window was is still known
RENEWAL_TAKES = timedelta(seconds=20)  # then another may try
# Clocks of workers' machines differ by less. What was begun later than that from now was begun
# while the clock was wrong, and its end would be as wrong: it is over.
SKEW = timedelta(minutes=5)


def utc_now() -> datetime:
    return datetime.now(UTC)


def hashed(secret: str) -> str:
    """What is kept of a secret that a browser holds; it is random, so no key is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True, repr=False)
class Attempt:
    """A launch on its way through the EHR's authorization server.

    `verifier` is PKCE's secret (RFC 7636), `nonce` comes back in the id_token, `asked` is the
    scope that was requested.
    """

    ehr: str
    verifier: str
    nonce: str
    asked: str


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """What reads the chart, until when, and what gets the next one ("" when nothing does)."""

    access: str
    expires_at: float  # seconds since 1970
    refresh: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class LaunchGrant:
    """What a launch gave: whose chart, who looks, with which rights.

    `user` and `name` are "" where the EHR does not say. `order`, `rules` and `together` are what a
    card handed over, if it could be used; `note` is the sentence to show when it could not.
    """

    patient: str
    encounter: str
    user: str
    name: str
    role: str
    scope: str
    order: str
    rules: tuple[str, ...]
    shows_banner: bool
    note: str
    together: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class StoredWindow:
    """A window as it is kept. `opened` and `tokens` are None once it has ended."""

    id: str
    ehr: str
    owner_key: str
    opened: LaunchGrant | None
    tokens: Tokens | None
    version: int
    opened_at: datetime
    seen_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class WindowStore:
    """A window lasts `session` from its launch, and `idle` from its last use; what is typed into
    forms is kept for `forms`."""

    engine: sa.Engine
    seal: Seal
    session: timedelta
    idle: timedelta
    now: Callable[[], datetime] = utc_now
    forms: timedelta = FORMS_KEPT

    # ------------------------------------------------------------ launches under way

    def begin(self, state: str, browser: str, attempt: Attempt) -> bool:
        """Remember a launch until it comes back with `state`, from the browser with that secret.
        False when so many are under way already that no more are kept."""
        key = hashed(state)
        row = {
            "state_hash": key,
            "browser_hash": hashed(browser),
            "ehr": attempt.ehr,
            "sealed": self.seal.closed(key, asdict(attempt)),
            "expires_at": self.now() + ATTEMPT_LIFE,
        }
        under_way = sa.select(sa.func.count()).select_from(app_launch)
        with transaction(self.engine, WAIT) as connection:
            if connection.execute(under_way).scalar_one() >= MOST_UNDER_WAY:
                return False
            connection.execute(app_launch.insert(), row)
        return True

    def take(self, state: str, browser: str) -> Attempt | None:
        """The launch with that state, once: whoever asks again gets None. So does another browser,
        which uses it up all the same."""
        key = hashed(state)
        taken = app_launch.delete().where(app_launch.c.state_hash == key).returning(app_launch)
        with transaction(self.engine, WAIT) as connection:
            row = connection.execute(taken).first()
        left = row.expires_at - self.now() if row else timedelta(0)
        if row is None or not timedelta(0) < left <= ATTEMPT_LIFE + SKEW:
            return None
        if not secrets.compare_digest(row.browser_hash, hashed(browser)):
            return None
        attempt = self.seal.opened(key, row.sealed)
        return None if attempt is None else msgspec.convert(attempt, Attempt)

    # ------------------------------------------------------------ windows

    def open(
        self, id_: str, key: str, ehr: str, owner: str, opened: LaunchGrant, tokens: Tokens
    ) -> None:
        """Keep a new window, which the browser with `key` alone may use."""
        now = self.now()
        row = {
            "id": id_,
            "key_hash": hashed(key),
            "ehr": ehr,
            "owner_key": owner,
            "sealed": self._sealed(id_, opened, tokens),
            "version": 0,
            "renewing_until": None,
            "opened_at": now,
            "seen_at": now,
            "ends_at": now + self.session,
        }
        with transaction(self.engine, WAIT) as connection:
            connection.execute(app_window.insert(), row)

    def find(self, id_: str, key: str) -> StoredWindow | None:
        """The window, for the browser that has its key. One that has ended has nothing opened."""
        row = self._row(id_)
        if row is None or not secrets.compare_digest(row.key_hash, hashed(key)):
            return None
        return self._kept(row)

    def current(self, id_: str) -> StoredWindow | None:
        """The window as it is now, whoever asks; for the program's own use."""
        row = self._row(id_)
        return None if row is None else self._kept(row)

    def see(self, id_: str) -> None:
        """That something was done in the window now."""
        self._update(app_window.c.id == id_, {"seen_at": self.now()})

    def end(self, id_: str) -> None:
        """What the window gave access to is gone; whose it was is not yet."""
        self._update(app_window.c.id == id_, {"sealed": "", "renewing_until": None})

    def sweep(self) -> None:
        """Forget launches nobody came back from, what ended windows gave access to, and windows
        that ended long ago."""
        now = self.now()
        columns = app_window.c
        over = (
            (columns.ends_at <= now)
            | (columns.seen_at <= now - self.idle)
            | (columns.opened_at > now + SKEW)
        )
        long_over = columns.ends_at <= now - KEPT_AFTER_END
        launched = app_launch.c.expires_at
        gone = (launched <= now) | (launched > now + ATTEMPT_LIFE + SKEW)
        with transaction(self.engine, WAIT) as connection:
            connection.execute(app_launch.delete().where(gone))
            connection.execute(app_window.update().where(over).values(sealed=""))
            connection.execute(app_window.delete().where(long_over))

    # ------------------------------------------------------------ renewing a token

    def claim_renewal(self, window: StoredWindow) -> bool:
        """Whether the caller, and nobody else meanwhile, is to renew this window's token.

        One statement decides between all threads and workers; a renewal that takes too long is
        given up, so that a worker that was killed in it blocks nobody for long.
        """
        now, columns = self.now(), app_window.c
        claimed = columns.renewing_until
        free = claimed.is_(None) | (claimed <= now) | (claimed > now + RENEWAL_TAKES + SKEW)
        same = (columns.id == window.id) & (columns.version == window.version)
        claim = app_window.update().where(same, free, columns.sealed != "")
        with transaction(self.engine, WAIT) as connection:
            taken = connection.execute(claim.values(renewing_until=now + RENEWAL_TAKES))
        return taken.rowcount == 1

    def renewed(self, window: StoredWindow, opened: LaunchGrant, tokens: Tokens) -> None:
        """Keep the new tokens; those before are used up."""
        columns = app_window.c
        same = (columns.id == window.id) & (columns.version == window.version)
        values = {
            "sealed": self._sealed(window.id, opened, tokens),
            "version": window.version + 1,
            "renewing_until": None,
        }
        self._update(same & (columns.sealed != ""), values)

    # ------------------------------------------------------------ rows

    def _row(self, id_: str) -> Any:
        with transaction(self.engine, WAIT) as connection:
            return connection.execute(sa.select(app_window).where(app_window.c.id == id_)).first()

    def _update(self, which: sa.ColumnElement[bool], values: dict[str, Any]) -> None:
        with transaction(self.engine, WAIT) as connection:
            connection.execute(app_window.update().where(which).values(values))

    def _sealed(self, id_: str, opened: LaunchGrant, tokens: Tokens) -> str:
        return self.seal.closed(id_, {"opened": asdict(opened), "tokens": asdict(tokens)})

    def _kept(self, row: Any) -> StoredWindow:
        now = self.now()
        over = row.ends_at <= now or row.seen_at + self.idle <= now or row.opened_at > now + SKEW
        content = None if over or not row.sealed else self.seal.opened(row.id, row.sealed)
        return StoredWindow(
            row.id,
            row.ehr,
            row.owner_key,
            msgspec.convert(content["opened"], LaunchGrant) if content else None,
            msgspec.convert(content["tokens"], Tokens) if content else None,
            row.version,
            row.opened_at,
            row.seen_at,
            row.ends_at,
        )


# ----------------------------------------------------------------------
# The end of what the app keeps, before its own time. Nothing is opened, so no secret is needed.
#
# The running app forgets by itself what is over (Store.sweep, SavedForms.sweep). This is for an
# incident, a lost secret, a clinic that leaves.


def forget(engine: sa.Engine, before: datetime) -> tuple[int, int]:
    """Delete windows, with their tokens and the launches under way, and forms of before that
    moment; how many windows and forms they were. Raises StoreFailed, and then nothing is deleted.

    Whoever looks at such a window has to open the app again. The EHR is not told: a token that was
    copied from here before ends by its own time.
    """
    with transaction(engine, WAIT) as connection:
        begun = app_launch.c.expires_at < before + ATTEMPT_LIFE
        connection.execute(app_launch.delete().where(begun))
        forms = (
            app_draft.delete().where(app_draft.c.saved_at < before),
            app_sent_form.delete().where(app_sent_form.c.claimed_at < before),
        )
        typed = sum(connection.execute(one).rowcount for one in forms)
        opened = app_window.delete().where(app_window.c.opened_at < before)
        return connection.execute(opened).rowcount, typed
