"""How a token is drawn from logits: the parameters of the operator ``choose`` that come with a request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from proofmill.exact.errors import InvalidOperand

TEMPERATURE_BITS: Final = 16
MAXIMUM_INVERSE_TEMPERATURE: Final = 1 << 24
#: Short and without an exponent: Fraction("1e999999999") would compute that power.
_DECIMAL: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?|\.[0-9]{1,20}", re.ASCII)


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn from logits: ``inverse_temperature`` in Q.16, 1 to 2^24, and a seed of 64 bits."""

    inverse_temperature: int
    seed: int

    def __post_init__(self) -> None:
        if type(self.inverse_temperature) is not int or type(self.seed) is not int:
            raise InvalidOperand(
                f"inverse temperature {self.inverse_temperature!r} or seed {self.seed!r} is not an integer",
                remedy="Use from_temperature for a decimal.",
            )
        if not 1 <= self.inverse_temperature <= MAXIMUM_INVERSE_TEMPERATURE:
            raise InvalidOperand(
                f"inverse temperature {self.inverse_temperature} is not in 1 to {MAXIMUM_INVERSE_TEMPERATURE}",
                remedy="Use a temperature from 1/256 to 65536, or none for greedy decoding.",
            )
        if not 0 <= self.seed < 1 << 64:
            raise InvalidOperand(
                f"seed {self.seed} has more than 64 bits", remedy="Use a seed from 0 to 2^64 - 1."
            )

    @classmethod
    def from_temperature(cls, temperature: str | int | Fraction, seed: int) -> Sampling:
        """From a decimal such as "0.8", read exactly; the inverse is rounded to the nearest multiple of 2^-16."""
        if isinstance(temperature, str) and not _DECIMAL.fullmatch(temperature):
            raise InvalidOperand(
                f"temperature {temperature[:40]!r} is not a decimal of at most 20 digits",
                remedy="Use a decimal such as 0.8.",
            )
        try:
            value = Fraction(temperature)
            inverse = round((1 << TEMPERATURE_BITS) / value)
        except (ValueError, TypeError, OverflowError, ZeroDivisionError) as error:
            raise InvalidOperand(
                f"temperature {temperature!r} is not a positive number", remedy="Use a decimal such as 0.8."
            ) from error
        return cls(inverse, seed)
