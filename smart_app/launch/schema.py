"""The tables of launches under way, launched windows and forms; vialwise/migrations makes them.

Whatever is of a person or could open a chart is in `sealed`, encrypted (store.py). What browsers
hold, state and cookies, stands as a hash only.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, MetaData, String, Table, Text

from service_parts.database import HASH, UtcTime

ID = String(32)
NAME = String(200)

metadata = MetaData()

# Between the way to the EHR's authorization server and the way back; ten minutes at most.
app_launch = Table(
    "app_launch",
    metadata,
    Column("state_hash", HASH, primary_key=True),
    Column("browser_hash", HASH, nullable=False),
    Column("ehr", NAME, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Index("app_launch_by_time", "expires_at"),
)

# A window stays for a while after its end, without what was sealed: `owner_key` then still says
# whose it was, so that what somebody was typing is not lost.
app_window = Table(
    "app_window",
    metadata,
    Column("id", ID, primary_key=True),
    Column("key_hash", HASH, nullable=False),
    Column("ehr", NAME, nullable=False),
    Column("owner_key", HASH, nullable=False),
    Column("sealed", Text, nullable=False),  # "" once the window has ended
    Column("version", Integer, nullable=False),  # counts renewals of its token
    Column("renewing_until", UtcTime, nullable=True),
    Column("opened_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Index("app_window_by_time", "ends_at"),
)

# What somebody was typing, as it was typed: one row for a user, a patient, an order and a form
# (saved_forms.py). It goes when it was saved in the EHR, or after a while.
app_draft = Table(
    "app_draft",
    metadata,
    Column("draft_key", HASH, primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("saved_at", UtcTime, nullable=False),
    Index("app_draft_by_time", "saved_at"),
)

# Each form that was sent, once: a second click finds the first one's row. `order_key` is of the
# order and the form, whoever sent it; `sealed` says what became of it.
app_sent_form = Table(
    "app_sent_form",
    metadata,
    Column("form_key", ID, primary_key=True),
    Column("order_key", HASH, nullable=False),
    Column("state", String(20), nullable=False),
    Column("sealed", Text, nullable=False),
    Column("claimed_at", UtcTime, nullable=False),
    Column("sent_at", UtcTime, nullable=True),
    Index("app_sent_form_by_order", "order_key"),
    Index("app_sent_form_by_time", "claimed_at"),
)
