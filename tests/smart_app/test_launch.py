"""Launches: from an EHR or by oneself, to a window, and every way they are refused."""

from __future__ import annotations

import pytest

from smart_app.settings import ClientKind
from tests.smart_app.conftest import MakeSite


@pytest.mark.parametrize("kind", list(ClientKind))
def test_a_strict_ehr_opens_the_app_for_every_kind_of_client(
    site_with: MakeSite, kind: ClientKind
) -> None:
    browser = site_with(kind).browser()
    said = browser.seen(browser.launched())
    assert browser.site.ehr.refuses == []
    assert (said["patient"], said["encounter"], said["user"]) == ("p-1", "e-1", "Practitioner/7")
    assert (said["name"], said["role"]) == ("Dr. Odile Fenwick", "clinician")
