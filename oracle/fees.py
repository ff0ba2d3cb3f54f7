"""Sharing the committee's fees: whoever calls pays for all, so the members take turns, and only where it is worth the gas."""

from __future__ import annotations

from typing import Final

from eth_account.signers.local import LocalAccount

from oracle.committee_view import CommitteeView
from oracle.purse import CannotPay, Purse
from proofmill.chain import Suite, TransactionSender
from proofmill.chain.errors import CallReverted, TransactionReverted
from proofmill.chain.history import format_amount
from proofmill.chain.types import EMPTY_ADDRESS
from proofmill.disputes.prosecution import send_again
from proofmill.logs import Logger

TURN_SECONDS: Final = 3_600  # of the chain's time; member i has turns i, i + n, i + 2n, …
LOOK_EVERY: Final = 60
#: Gas of `share_fees` without members, and for each.
BASE_GAS, MEMBER_GAS = 150_000, 90_000


class FeeSharing:
    """One member's turns. Only fees in MILL are looked at: what another token is worth, nobody has told this member."""

    def __init__(
        self, *, account: LocalAccount, suite: Suite, sender: TransactionSender, purse: Purse, log: Logger
    ) -> None:
        self._account, self._suite, self._sender = account, suite, sender
        self._purse, self._log = purse, log
        self._looked_at = -LOOK_EVERY

    def step(self, view: CommitteeView) -> bool:
        """Share the fees if it is this member's turn and its own part is worth the gas; whether that was done."""
        seat, turn = view.seat(self._account.address), view.block_time // TURN_SECONDS
        if seat is None or turn % len(view.members) != seat or view.block_time < self._looked_at + LOOK_EVERY:
            return False
        self._looked_at = view.block_time
        escrow, committee, token = (
            self._suite.job_escrow,
            self._suite.oracle_committee,
            self._suite.mill_token.address,
        )
        seated = sum(key != EMPTY_ADDRESS for key in view.keys)
        fees = escrow.fees(token, committee.address)[1]
        part = fees // seated
        if part == 0:
            return False
        try:
            self._purse.check_worth("sharing the fees", gas=BASE_GAS + seated * MEMBER_GAS, worth=part)
            call = committee.share_fees(escrow.address, token)
            send_again(self._sender, f"oracle/fees/{committee.address}/{token}/{turn}", call)
        except CannotPay:
            return False  # no news: they grow, or gas gets cheaper
        except (CallReverted, TransactionReverted) as error:
            self._log.info("fees not shared", why=str(error))
            return False
        self._log.info("fees shared", amount=format_amount(fees), each=format_amount(part))
        return True
