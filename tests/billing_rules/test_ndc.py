"""Every spelling of an NDC gives the eleven digits a claim carries."""

import pytest

from billing_rules.model.entities import ndc_candidates, ndc_product


@pytest.mark.parametrize(
    ("text", "eleven"),
    [
        ("50242-040-62", "50242004062"),  # 5-3-2
        ("0173-0881-01", "00173088101"),  # 4-4-2
        ("70121-1657-1", "70121165701"),  # 5-4-1
        ("80425-0262-1", "80425026201"),  # 5-4-1
        ("50242-0040-62", "50242004062"),  # 5-4-2, eleven digits with hyphens
        ("50242004062", "50242004062"),
        (" 50242-040-62 ", "50242004062"),
    ],
)
def test_one_meaning(text: str, eleven: str) -> None:
    assert ndc_candidates(text) == (eleven,)


def test_ten_digits_without_hyphens_can_mean_three() -> None:
    assert "50242004062" in ndc_candidates("5024204062")
    assert "00173088101" in ndc_candidates("0173088101")
    assert len(ndc_candidates("5024204062")) == 3


@pytest.mark.parametrize(
    "text", ["", "abc", "123", "50242-040", "5024204062x", "٥٠٢٤٢٠٠٤٠٦٢", "1" * 12]
)
def test_no_ndc(text: str) -> None:
    assert ndc_candidates(text) == ()


def test_packages_of_one_presentation_share_labeler_and_product() -> None:
    assert ndc_product("50242021501") == ndc_product("50242021583")
