"""Which of a chart's results and medicines any rule could look at, by what they are called.

Most of a large chart is of no interest: its blood pressures and statins need not be read beyond
their names. The answer errs on one side only: what might interest a rule does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from billing_rules.catalogue import Catalogue
from billing_rules.model.entities import Code, OrderLine
from billing_rules.orders.recognise import concerns_catalogue

_BILLED = ("cpt", "hcpcs")


@dataclass(frozen=True, slots=True)
class Interest:
    """What the rules of a catalogue ask of a chart."""

    catalogue: Catalogue

    def in_result(self, codes: tuple[Code, ...], names: Iterable[str]) -> bool:
        """Whether a result of these codes and names could be of a kind that a rule knows."""
        return _is_billed(codes) or self.catalogue.terms.may_be_result(codes, names)

    def in_medicine(self, codes: tuple[Code, ...], names: Iterable[str]) -> bool:
        """Whether a medicine could be a catalogued drug, of a class of drugs, or a service."""
        said = tuple(names)
        if _is_billed(codes) or self.catalogue.terms.may_be_therapy(codes, said):
            return True
        words = (*said, *(code.display for code in codes))
        return concerns_catalogue((OrderLine("", "", codes=codes, names=words),), self.catalogue)


def _is_billed(codes: tuple[Code, ...]) -> bool:
    return any(code.system in _BILLED for code in codes)
