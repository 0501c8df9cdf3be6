"""What is typed into forms, kept until it is saved; and each form sent once, whoever clicks again.

A draft is kept as it was typed, encrypted, for one user, patient, order and form. A form that is
sent has a key of its own: the first send claims it, a second one finds what the first did. What
was sent for the same order and form meanwhile, in another window or by another user, is known.
Every method is one transaction and raises StoreFailed when the database does not do it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from service_parts.database import StoreFailed, transaction
from smart_app.launch.schema import app_draft, app_sent_form
from smart_app.launch.store import SKEW, WAIT, Seal, WindowStore

SENDING_TAKES = timedelta(seconds=60)  # then a send is taken to have been cut off
FORM_KEY = re.compile(r"[0-9a-f]{32}")


def new_form_key() -> str:
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True, repr=False)
class SavedDraft:
    """What somebody typed, by field name, and when it was kept."""

    typed: Mapping[str, str]
    form_key: str
    saved_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class Sent:
    """A form that was sent. `outcome` is what its screen kept of it; one that is not `complete`
    can be sent again."""

    form_key: str
    outcome: Mapping[str, Any]
    sent_at: datetime
    complete: bool


Claim = Literal["yours", "under way"] | Sent


@dataclass(frozen=True, slots=True)
class SavedForms:
    engine: sa.Engine
    seal: Seal
    now: Callable[[], datetime]
    kept: timedelta

    @classmethod
    def of(cls, store: WindowStore) -> SavedForms:
        return cls(store.engine, store.seal, store.now, store.forms)

    # ------------------------------------------------------------ drafts

    def draft(self, owner: str, form: str, order: str) -> SavedDraft | None:
        """What this owner typed last into this form for this order, if it was not saved since."""
        key = self._draft_key(owner, form, order)
        wanted = sa.select(app_draft).where(app_draft.c.draft_key == key)
        with transaction(self.engine, WAIT) as connection:
            row = connection.execute(wanted).first()
        if row is None or row.saved_at + self.kept <= self.now():
            return None
        content = self.seal.opened(key, row.sealed)
        return SavedDraft(content["typed"], content["form_key"], row.saved_at) if content else None

    def keep(
        self, owner: str, form: str, order: str, typed: Mapping[str, str], form_key: str
    ) -> None:
        """Keep what was typed in the place of what was kept before."""
        key = self._draft_key(owner, form, order)
        sealed = self.seal.closed(key, {"typed": dict(typed), "form_key": form_key})
        values = {"sealed": sealed, "saved_at": self.now()}
        mine = app_draft.c.draft_key == key
        try:
            with transaction(self.engine, WAIT) as connection:
                changed = connection.execute(app_draft.update().where(mine).values(values))
                if changed.rowcount == 0:
                    connection.execute(app_draft.insert(), {"draft_key": key, **values})
        except StoreFailed:
            # Another request of the same form put the row there in between.
            with transaction(self.engine, WAIT) as connection:
                connection.execute(app_draft.update().where(mine).values(values))

    def drop(self, owner: str, form: str, order: str) -> None:
        """It is saved, or thrown away."""
        key = self._draft_key(owner, form, order)
        with transaction(self.engine, WAIT) as connection:
            connection.execute(app_draft.delete().where(app_draft.c.draft_key == key))

    def _draft_key(self, owner: str, form: str, order: str) -> str:
        return self.seal.keyed_hash("draft", owner, form, order)

    # ------------------------------------------------------------ forms that are sent

    def order_key(self, ehr: str, patient: str, order: str, form: str) -> str:
        return self.seal.keyed_hash("sent form", ehr, patient, order, form)

    def claim(self, form_key: str, order_key: str) -> Claim:
        """Whether this form is to be sent now: "yours", or already "under way", or Sent. One that
        was cut off is the next one's to finish; what it wrote is found by its identifiers."""
        row = {
            "form_key": form_key,
            "order_key": order_key,
            "state": "sending",
            "sealed": "",
            "claimed_at": self.now(),
            "sent_at": None,
        }
        try:
            with transaction(self.engine, WAIT) as connection:
                connection.execute(app_sent_form.insert(), row)
            return "yours"
        except StoreFailed as error:
            return self._second(form_key, order_key, error)

    def _second(self, form_key: str, order_key: str, error: Exception) -> Claim:
        """A form's key belongs to its order: with another one it opens nothing."""
        now, columns = self.now(), app_sent_form.c
        mine = (columns.form_key == form_key) & (columns.order_key == order_key)
        cut_off = (columns.claimed_at <= now - SENDING_TAKES) | (columns.claimed_at > now + SKEW)
        over = (columns.state == "unfinished") | cut_off
        again = app_sent_form.update().where(mine, columns.state != "sent", over)
        with transaction(self.engine, WAIT) as connection:
            taken = connection.execute(again.values(state="sending", claimed_at=now))
            if taken.rowcount == 1:
                return "yours"
            row = connection.execute(sa.select(app_sent_form).where(mine)).first()
        if row is None:
            raise error  # it was not a second send: the database failed
        sent = self._opened(row) if row.state == "sent" else None
        return sent or "under way"

    def finished(self, form_key: str, outcome: Mapping[str, Any], complete: bool) -> None:
        """What became of it. One that is not complete can be sent again under the same key."""
        values = {
            "state": "sent" if complete else "unfinished",
            "sealed": self.seal.closed(form_key, dict(outcome)),
            "sent_at": self.now(),
        }
        mine = app_sent_form.c.form_key == form_key
        with transaction(self.engine, WAIT) as connection:
            connection.execute(app_sent_form.update().where(mine).values(values))

    def outcome(self, form_key: str, order_key: str) -> Sent | None:
        """What became of a form of this order, finished or not."""
        columns = app_sent_form.c
        mine = (columns.form_key == form_key) & (columns.order_key == order_key)
        with transaction(self.engine, WAIT) as connection:
            row = connection.execute(sa.select(app_sent_form).where(mine)).first()
        return self._opened(row) if row else None

    def last(self, order_key: str) -> Sent | None:
        """The form that was sent last for this order, by whomever."""
        columns = app_sent_form.c
        newest = (
            sa.select(app_sent_form)
            .where(columns.order_key == order_key, columns.state == "sent")
            .order_by(columns.sent_at.desc())
            .limit(1)
        )
        with transaction(self.engine, WAIT) as connection:
            row = connection.execute(newest).first()
        return self._opened(row) if row else None

    def sweep(self) -> None:
        """Forget drafts and sent forms that are older than they are kept."""
        before = self.now() - self.kept
        with transaction(self.engine, WAIT) as connection:
            connection.execute(app_draft.delete().where(app_draft.c.saved_at <= before))
            connection.execute(app_sent_form.delete().where(app_sent_form.c.claimed_at <= before))

    def _opened(self, row: Any) -> Sent | None:
        content = self.seal.opened(row.form_key, row.sealed) if row.sealed else None
        if content is None:
            return None
        return Sent(row.form_key, content, row.sent_at, row.state == "sent")
