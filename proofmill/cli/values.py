"""Command-line values that are more than text: amounts of MILL, model ids, addresses."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import click
from eth_typing import ChecksumAddress

from proofmill.chain.errors import InvalidValue
from proofmill.chain.history import TOKEN_UNIT
from proofmill.chain.types import address


class AmountType(click.ParamType):
    """A positive decimal number of MILL, exact to 18 places; the value is in smallest units."""

    name = "MILL"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            units = Decimal(str(value)) * TOKEN_UNIT
        except InvalidOperation:
            self.fail(f"{value!r} is not a number", param, ctx)
        if not units.is_finite() or units <= 0 or units != units.to_integral_value():
            self.fail(f"{value!r} is not a positive amount with at most 18 decimals", param, ctx)
        return int(units)


class ModelIdType(click.ParamType):
    """32 bytes in hex, with or without 0x."""

    name = "MODEL_ID"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            model_id = bytes.fromhex(str(value).removeprefix("0x"))
        except ValueError:
            model_id = b""
        if len(model_id) != 32:
            self.fail(f"{value!r} is not a model id: 64 hex digits are expected", param, ctx)
        return model_id


class AddressType(click.ParamType):
    """An account; a mixed-case spelling must have the right checksum (EIP-55)."""

    name = "ADDRESS"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> ChecksumAddress:
        try:
            return address(str(value))
        except InvalidValue as error:
            self.fail(f"{error}. {error.remedy}", param, ctx)
