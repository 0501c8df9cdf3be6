"""The end of what the app keeps, before its own time. Nothing is opened, so no secret is needed.

The running app forgets by itself what is over (Store.sweep, SavedForms.sweep). This is for an
incident, a lost secret, a clinic that leaves.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from service_parts.database import transaction
from smart_app.launch.schema import app_draft, app_launch, app_sent_form, app_window
from smart_app.launch.store import ATTEMPT_LIFE, WAIT


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
