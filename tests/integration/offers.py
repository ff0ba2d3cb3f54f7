"""Offers that a test changes in what matters to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from proofmill.chain import JobOffer, Suite
from proofmill.chain.types import EMPTY_ADDRESS

PRICE = 10**18


def offer(suite: Suite, **changes: Any) -> JobOffer:
    """An open job at a fixed price in MILL, with a bond of the same height and a thousand seconds for each step."""
    now = int(suite.job_escrow.web3.eth.get_block("latest")["timestamp"])
    plain = JobOffer(
        provider=EMPTY_ADDRESS,
        payment_token=suite.mill_token.address,
        callback=EMPTY_ADDRESS,
        model_id=b"\x01" * 32,
        input_root=b"\x02" * 32,
        price_floor=PRICE,
        price_ceiling=PRICE,
        ramp=0,
        bond=PRICE,
        cancellation_bps=0,
        claim_deadline=now + 1_000,
        submit_window=1_000,
        evaluation_window=1_000,
    )
    return replace(plain, **changes)
