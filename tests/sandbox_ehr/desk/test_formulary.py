"""The practice's own formulary agrees with the catalogue, which it does not read."""

from __future__ import annotations

from datetime import date

import pytest

from billing_rules.catalogue import Catalogue
from sandbox_ehr.desk import draft_forms

STOCKED = [p for p in draft_forms.products().values() if p.system == draft_forms.NDC]


@pytest.mark.parametrize("product", STOCKED, ids=lambda p: p.code)
def test_every_container_and_code_is_the_catalogues(
    product: draft_forms.FormularyProduct, catalogue: Catalogue
) -> None:
    drugs = [catalogue.drug(id_, date(2026, 11, 24)) for id_ in catalogue.drug_ids()]
    drug = next(d for d in drugs if d.name == product.drug)
    container = next(c for c in drug.containers if c.ndc_shown == product.code)
    assert (container.form, drug.hcpcs) == (product.word, product.hcpcs)
    assert str(container.strength) in product.text and product.route[1] in drug.routes
