"""What helps against a formula's faults: a sentence, the method, and where to read on."""

from __future__ import annotations

from dataclasses import dataclass

PRECISE = "widened or compensated"
"""The more precise method: `widened`, and in fp64, which has no wider format, `compensated`."""


@dataclass(frozen=True)
class Cure:
    """What a formula loses, which method keeps it, and the page that says how."""

    loses: str
    method: str
    page: str = "docs/methods.md#which-to-take"

    def method_in(self, format_name: str) -> str:
        """The method in a format.

        >>> CURES["shift"].method_in("fp64"), CURES["shift"].method_in("fp32")
        ('compensated', 'widened')
        """
        if self.method != PRECISE:
            return self.method
        return "compensated" if format_name == "fp64" else "widened"


CURES: dict[str, Cure] = {
    "shift": Cure("the shift is rounded, which costs up to max - min units of the last place",
                  PRECISE),
    "no shift": Cure("a logit beyond the logarithm of the largest number overflows", "stable"),
    "batch": Cure("one large row takes the digits of all rows beside it", "stable"),
    "clamped": Cure("rows with all logits far below 0 lose their exponentials", "stable"),
    "subtraction": Cure("log-sum-exp is rounded before it is subtracted: a common offset of the "
                        "logits costs digits", "log1p"),
    "base 2": Cure("the constant log2(e) and the product with it are rounded, and both grow with "
                   "max - min", PRECISE),
    "log of a sum": Cure("a sum near 1 is rounded, and its logarithm has no digit left: confident "
                         "rows are lost", "log1p"),
    "log of softmax": Cure("what softmax rounds to 0 or 1, its logarithm cannot bring back",
                           "log1p"),
    "one by one": Cure("each logit rounds once more", "log1p"),
    "minus 1": Cure("1 is subtracted from a probability near 1, which leaves no digit",
                    "log1p", "docs/gradient.md"),
}  # fmt: skip
"""By the key that a suspect has."""
