"""The queries of billing_rules.data_needed as prefetch templates: conformance A4.8 to A4.13."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

import pytest

from billing_rules.data_needed import DATA_NEEDED, DataNeed
from billing_rules.rules import rules_reading
from ehr_access.query import Query

TOKENS = {
    "context.patientId",
    "context.userId",
    "context.encounterId",
    "userPractitionerId",
    "userPractitionerRoleId",
    "userPatientId",
    "userRelatedPersonId",
}
FORBIDDEN = ("_include", "_revinclude", "_has", ":not", ":above", ":below", "_filter", "_elements")
BY_KEY = pytest.mark.parametrize("need", DATA_NEEDED, ids=lambda need: need.key)


@BY_KEY
def test_a4_8_templates_use_the_tokens_of_2_0_only(need: DataNeed) -> None:
    used = set(re.findall(r"\{\{(.*?)\}\}", need.template))
    assert used and used <= TOKENS, f"{need.key}: 2.0 clients do not know {used - TOKENS}"


@BY_KEY
def test_a4_10_templates_stay_in_the_2_0_query_subset(need: DataNeed) -> None:
    query = need.template.partition("?")[2]
    for name, _ in parse_qsl(query):
        assert "." not in name, f"{need.key}: {name} is a chained search"
        assert not any(word in name for word in FORBIDDEN), f"{need.key}: {name} is not in 2.0"
    assert "sort:" not in query, "A4.11: DSTU2 syntax"


@BY_KEY
def test_a_template_is_a_read_or_a_search_of_its_own_resource_type(need: DataNeed) -> None:
    query = Query.parse(re.sub(r"\{\{.*?\}\}", "1", need.template))
    assert query.resource_type == need.resource_type
    assert bool(query.params) == need.is_search
    if need.newest_first:
        assert {"_sort", "_count"} <= query.names(), "its first page must be the newest"


@BY_KEY
def test_a4_13_every_key_feeds_a_rule(need: DataNeed) -> None:
    assert rules_reading(need.key)


def test_keys_are_unique() -> None:
    keys = [need.key for need in DATA_NEEDED]
    assert len(set(keys)) == len(keys)
