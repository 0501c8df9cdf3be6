"""National Drug Codes in every spelling, as the 11 digits a claim carries.

FDA assigns 10 digits as labeler-product-package in one of three shapes (4-4-2, 5-3-2, 5-4-1);
claims carry 5-4-2, each part padded with a leading zero. A hyphenated code pads in one way only.
Ten digits without hyphens fit all three shapes, so they give three candidates and the caller
must look which one exists (21 CFR 207.33; NDC/HIPAA 11-digit form).
"""

from __future__ import annotations

import re

_HYPHENATED = re.compile(r"^(\d{4,5})-(\d{3,4})-(\d{1,2})$")
_SHAPES = ((4, 4, 2), (5, 3, 2), (5, 4, 1))


def ndc_candidates(text: str) -> tuple[str, ...]:
    """The 11-digit codes that `text` can mean: one, three, or none when it is no NDC."""
    cleaned = text.strip().replace(" ", "")
    hyphenated = _HYPHENATED.match(cleaned)
    if hyphenated:
        labeler, product, package = hyphenated.groups()
        return (labeler.zfill(5) + product.zfill(4) + package.zfill(2),)
    if not cleaned.isascii() or not cleaned.isdigit():
        return ()
    if len(cleaned) == 11:
        return (cleaned,)
    if len(cleaned) == 10:
        return tuple(dict.fromkeys(_padded(cleaned, shape) for shape in _SHAPES))
    return ()


def _padded(ten: str, shape: tuple[int, int, int]) -> str:
    labeler, product, package = shape
    return (
        ten[:labeler].zfill(5)
        + ten[labeler : labeler + product].zfill(4)
        + ten[10 - package :].zfill(2)
    )


def hyphenated_ndc(code: str) -> str:
    """Eleven digits as 5-4-2, as CMS's crosswalk writes them; anything else as it is."""
    if len(code) != 11 or not code.isdecimal():
        return code
    return f"{code[:5]}-{code[5:9]}-{code[9:]}"


def ndc_product(ndc11: str) -> str:
    """Labeler and product, the nine digits all packages of one presentation share."""
    return ndc11[:9]
