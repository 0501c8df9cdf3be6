"""What the practice can order, from formulary.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

NDC = "http://hl7.org/fhir/sid/ndc"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SNOMED = "http://snomed.info/sct"


@dataclass(frozen=True, slots=True)
class Product:
    """One container that is stocked, or one drug that is not stocked by the container."""

    drug: str
    system: str
    code: str
    display: str
    text: str
    word: str
    route: tuple[str, str]  # SNOMED CT code, words
    hcpcs: str
    hcpcs_display: str
    dose_unit: str
    every: tuple[int, str]

    def concept(self) -> dict[str, Any]:
        """The product as a medicationCodeableConcept."""
        coding = {"system": self.system, "code": self.code, "display": self.display}
        return {"coding": [coding], "text": self.text}

    def route_concept(self) -> dict[str, Any]:
        code, words = self.route
        display = f"{words.capitalize()} route"
        coding = {"system": SNOMED, "code": code, "display": display}
        return {"coding": [coding], "text": words}


@cache
def products() -> dict[str, Product]:
    """Everything that can be ordered, by NDC or RxNorm code, in the order of the file."""
    drugs = yaml.safe_load(Path(__file__).with_name("formulary.yaml").read_text(encoding="utf-8"))
    found = [_product(drug, container) for drug in drugs for container in drug["containers"]]
    return {product.code: product for product in found}


def hcpcs_displays() -> dict[str, str]:
    """The words of every billing code that is known here."""
    return {p.hcpcs: p.hcpcs_display for p in products().values() if p.hcpcs}


def _product(drug: dict[str, Any], container: dict[str, str]) -> Product:
    coded = drug.get("code", {})
    period, unit = drug["every"]
    return Product(
        drug=drug["drug"],
        system=NDC if "ndc" in container else RXNORM,
        code=container.get("ndc") or container["rxnorm"],
        display=container["display"],
        text=container["text"],
        word=container["word"],
        route=(drug["route"]["code"], drug["route"]["text"]),
        hcpcs=coded.get("code", ""),
        hcpcs_display=coded.get("display", ""),
        dose_unit=drug["dose"],
        every=(period, unit),
    )
