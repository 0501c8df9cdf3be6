"""The rules, collected from their modules and refused where a row is incomplete.

A rule is a function of one frozen `Case` that gives at least one outcome: a finding, silence
with its reason, or that it could not check. It knows no date, no clock and no FHIR. Its module
stands in `billing/` or `documentation/` and holds its row, RULE (billing_rules.rules.rule).
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import ModuleType

from billing_rules.data_needed import DATA_NEEDED
from billing_rules.model.findings import Correction, Topic
from billing_rules.model.states import iso_day
from billing_rules.rules import billing, documentation
from billing_rules.rules.rule import HOOKS, Place, Record, Rule, UseOf


class IncompleteRule(Exception):
    """A rule's row is missing, incomplete or contradicts itself; the sentence says where."""


def modules_in(*folders: ModuleType) -> dict[str, object]:
    """The rows as the modules of these packages state them: module name -> RULE, None without.
    Raises IncompleteRule for a row that lacks a field."""
    rows: dict[str, object] = {}
    for folder in folders:
        for found in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
            try:
                rows[found.name] = getattr(import_module(found.name), "RULE", None)
            except TypeError as error:
                raise IncompleteRule(f"{found.name}: {error}") from error
    return rows


def complete(rows: Mapping[str, object]) -> tuple[Rule, ...]:
    """The rules in card order: what the order bills before what the chart must show, and within
    these the most urgent first. Raises IncompleteRule with the module and what it lacks."""
    rules: list[Rule] = []
    for module, row in rows.items():
        if not isinstance(row, Rule):
            raise IncompleteRule(f"{module}: state the rule's row, RULE = Rule(...)")
        for problem in (*_problems(row, module), *_shared(row, rules)):
            raise IncompleteRule(f"{module}: {problem}")
        rules.append(row)
    return tuple(sorted(rules, key=lambda rule: (list(Topic).index(rule.topic), rule.rank)))


def _problems(rule: Rule, module: str) -> Iterator[str]:
    """What one row lacks by itself."""
    _, folder, name = module.rsplit(".", 2)
    queries = [need.key for need in DATA_NEEDED]
    yield from _without_comma(
        rule, "requires", "warns", "informs", "suggests", "hooks", "queries", "form_groups"
    )
    if rule.id != name:
        yield f"the id is '{rule.id}'; it must be the module's name, '{name}'"
    if not isinstance(rule.topic, Topic) or rule.topic.value != folder:
        yield f"the topic is not that of the folder, {folder}"
    if not callable(rule.check):
        yield "check is not a function"
    if not rule.warns and not rule.informs:
        yield "name the kinds of its findings, under warns or informs"
    if not rule.hooks:
        yield "name the hooks at which it speaks"
    if not rule.corrected_at:
        yield "say where its findings are corrected"
    for what, used, there in (
        ("hooks", rule.hooks, HOOKS),
        ("queries", rule.queries, queries),
        ("corrected_at", rule.corrected_at, list(Topic)),
        ("corrected_at", rule.corrected_at.values(), list(Place)),
        ("suggests", rule.suggests, Correction.__args__),
    ):
        yield from (f"{what} names {key!r}, which there is not" for key in used if key not in there)
    for what, kinds in (("warns", rule.warns), ("informs", rule.informs)):
        yield from (f"{what} names '{k}' twice" for k in dict.fromkeys(kinds) if kinds.count(k) > 1)
    if isinstance(rule.record, Record):
        yield from _gaps(rule.record)
    else:
        yield "the record is missing: what it says, prevents and cites"


def _gaps(record: Record) -> Iterator[str]:
    """What a record lacks; whether its ids are listed is seen where they are read
    (billing_rules.rule_records)."""
    yield from _without_comma(record, "denials", "citations", "codes", "reads", "limits")
    if not record.citations:
        yield "the record cites no source"
    if not record.denials:
        yield "the record names no reason for denial that the rule answers"
    texts = [(name, getattr(record, name)) for name in ("name", "title", "says", "prevents")]
    texts += [("limits", limit) for limit in record.limits]
    texts += [(name, getattr(record.uses, name)) for name in UseOf.__struct_fields__]
    for name, text in texts:
        if not text.strip():
            yield f"{name} is blank; write 'none' or 'not used' where that is so"
    if record.revised != "none" and not _is_day(record.revised):
        yield f"revised is '{record.revised}'; write YYYY-MM-DD, or none"


def _without_comma(stated: Rule | Record, *names: str) -> Iterator[str]:
    """The fields that are lists and are not written as one: ("label") is a text."""
    for name in names:
        if not isinstance(getattr(stated, name), tuple):
            yield f'{name} is not a list; of one thing it is written with a comma, ("this",)'


def _is_day(text: str) -> bool:
    try:
        return bool(iso_day(text))
    except ValueError:
        return False


def _shared(rule: Rule, others: list[Rule]) -> Iterator[str]:
    """What a row claims that another has already."""
    for other in others:
        if other.id == rule.id:
            yield f"another rule has the id '{rule.id}'"
        if (other.topic, other.rank) == (rule.topic, rule.rank):
            yield f"{other.id} has the rank {rule.rank} as well"
        for group in set(other.form_groups) & set(rule.form_groups):
            yield f"{other.id} has the form group '{group}' as well"


RULES = complete(modules_in(billing, documentation))
DOCUMENTATION_NAMES = frozenset(rule.id for rule in RULES if rule.topic is Topic.DOCUMENTATION)
RULE_BY_ID = {rule.id: rule for rule in RULES}
_BY_FORM_GROUP = {group: rule.id for rule in RULES for group in rule.form_groups}


def rules_at(*hooks: str) -> frozenset[str]:
    """The ids of the rules that speak at all of these hooks."""
    return frozenset(rule.id for rule in RULES if set(hooks) <= set(rule.hooks))


def rules_reading(query: str) -> tuple[str, ...]:
    """The ids of the rules that read a query of billing_rules.data_needed, in card order."""
    return tuple(rule.id for rule in RULES if query in rule.queries)


def rule_of_form_group(group: str) -> str:
    """The id of the rule that finds a group of the documentation form open; "" where none does."""
    return _BY_FORM_GROUP.get(group, "")
