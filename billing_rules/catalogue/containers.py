"""The containers of a drug file, each checked against CMS's billing units."""

from __future__ import annotations

from datetime import date
from typing import Any, cast

from billing_rules.catalogue.files import CatalogueError, ContainerFile, DrugFile, Sourced
from billing_rules.catalogue.values import amount_at, number_at, source_of
from billing_rules.model.amounts import Amount
from billing_rules.model.dated import Dated
from billing_rules.model.dates import iso_day
from billing_rules.model.entities import Container, Contents, DoseStatus
from billing_rules.model.ndc import ndc_candidates

FORMS = ("vial", "syringe", "autoinjector", "pen", "container")  # container: form not stated


def containers_of(drug: DrugFile) -> tuple[Container, ...]:
    """The drug's containers. Raises CatalogueError for one that contradicts itself."""
    return tuple(_container(drug, c) for c in drug.containers)


def _container(drug: DrugFile, file: ContainerFile) -> Container:
    place = f"drugs/{drug.id}.yaml: container {file.ndc.value}"
    forms = ndc_candidates(str(file.ndc.value))
    if len(forms) != 1:
        raise CatalogueError(f"{place}: write the NDC with hyphens, as on the box")
    if file.form not in FORMS:
        raise CatalogueError(f"{place}: form must be one of {', '.join(FORMS)}")
    strength = _strength(drug, file, place)
    _check_units(drug, file, strength, place)
    status = file.dose_status or drug.single_dose_list
    return Container(
        ndc=forms[0],
        ndc_shown=str(file.ndc.value),
        form=cast(Any, file.form),
        strength=strength,
        volume=amount_at(file.volume, place) if file.volume else None,
        per_package=file.per_package,
        dose_status=_dose_status(drug, file, place),
        marketed_from=_day(file.marketed_from, place),
        marketed_until=_day(file.marketed_until, place),
        source=source_of(drug.sources, file.ndc),
        dose_status_source=source_of(drug.sources, status) if status else None,
        contents=_contents(file, place),
    )


def _dose_status(drug: DrugFile, file: ContainerFile, place: str) -> DoseStatus:
    """The NDC's own label first, then CMS's single-dose code list, else unknown: ask.

    Absence from the list never means multiple-dose: the list is not exhaustive.
    """
    if file.dose_status is None:
        return "single-dose" if drug.single_dose_list else "unknown"
    text = str(file.dose_status.value).lower()
    if text in ("single-dose", "single-use"):
        return "single-dose"
    if text in ("multi-dose", "multiple-dose"):
        return "multiple-dose"
    raise CatalogueError(f"{place}: dose_status must be single-dose or multiple-dose")


_POWDER = ("powder", "lyo", "lyophilised", "lyophilized")
_READY = ("syringe", "autoinjector", "pen")


def _contents(file: ContainerFile, place: str) -> Contents:
    """What is ready to inject is liquid; a vial is asked about as long as nothing says it."""
    if file.contents is None:
        return "liquid" if file.form in _READY else "not stated"
    words = str(file.contents.value)
    if words.lower() in _POWDER:
        return "powder"
    if words.endswith("mL"):  # a strength in a volume: "100 mg/10 mL"
        return "liquid"
    raise CatalogueError(f"{place}: contents must be powder, lyophilised or like '100 mg/10 mL'")


def _day(sourced: Sourced | None, place: str) -> date | None:
    if sourced is None:
        return None
    try:
        return iso_day(str(sourced.value))
    except ValueError:
        raise CatalogueError(f"{place}: '{sourced.value}' is not a date (YYYY-MM-DD)") from None


def _strength(drug: DrugFile, file: ContainerFile, place: str) -> Amount:
    """The labelled amount: stated, else CMS's billing units times the one billing unit."""
    if file.strength is not None:
        return amount_at(file.strength, place)
    units = Dated(drug.billing_unit).ever()
    if file.billing_units is None or len(units) != 1:
        raise CatalogueError(f"{place}: state its strength, or its billing_units from CMS")
    return amount_at(units[0], place) * number_at(file.billing_units, place)


def _check_units(drug: DrugFile, file: ContainerFile, strength: Amount, place: str) -> None:
    """CMS's billing units of one container must agree with its labelled strength."""
    if file.billing_units is None:
        return
    units = Dated(drug.billing_unit).ever()
    amounts = [amount_at(unit, place) for unit in units]
    expected = {strength.to(u.unit).value / u.value for u in amounts}
    if number_at(file.billing_units, place) not in expected:
        raise CatalogueError(
            f"{place}: {file.billing_units.value} billing units are not {strength}; "
            "one of the two is wrong"
        )
