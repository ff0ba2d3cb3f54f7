# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title An escrow that answers every call with a revert and a large return value
@license Apache-2.0
@dev Tests only.
"""


@external
def __default__():
    raw_revert(empty(Bytes[65_536]))
