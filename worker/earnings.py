"""Collecting what has been earned: one transaction moves the pay of many jobs to Staking, a second one pays the operator.

Nothing is remembered: what waits is read from the chain, so a crash between the two transactions costs nothing.
"""

import time
from collections.abc import Callable, Mapping

from eth_typing import ChecksumAddress

from proofmill.chain import Suite, TransactionSender
from proofmill.chain.errors import CallReverted, TransactionReverted
from proofmill.logs import Logger


class EarningsCollector:
    """Collects for one operator after so many paid jobs or so much time, whichever comes first.

    `minimums` says, for each payment token, how much is worth two transactions.
    """

    def __init__(
        self,
        *,
        operator: ChecksumAddress,
        suite: Suite,
        sender: TransactionSender,
        minimums: Mapping[ChecksumAddress, int],
        after_jobs: int,
        after_seconds: float,
        log: Logger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._operator = operator
        self._escrow = suite.job_escrow
        self._staking = suite.staking
        self._sender = sender
        self._minimums = dict(minimums)
        self._after_jobs = after_jobs
        self._after_seconds = after_seconds
        self._log = log
        self._clock = clock
        self._paid_jobs = 0
        self._collected_at = clock()

    def note_paid_job(self) -> None:
        """Count a job that was paid."""
        self._paid_jobs += 1

    def collect_if_due(self, block: bytes) -> None:
        """Collect where enough jobs have been paid or enough time has passed; `block` is the hash of that to judge by."""
        passed = self._clock() - self._collected_at
        if self._paid_jobs >= self._after_jobs or passed >= self._after_seconds:
            self.collect(block)

    def collect(self, block: bytes) -> None:
        """Collect now what is worth it, token by token."""
        self._paid_jobs = 0
        self._collected_at = self._clock()
        for token, minimum in self._minimums.items():
            waiting = self._escrow.earnings(token, self._operator, block=block)
            payable = self._staking.earned(self._operator, token, self._operator, block=block)
            if waiting + payable >= minimum:
                self._collect_token(token, waiting, block)

    def _collect_token(self, token: ChecksumAddress, waiting: int, block: bytes) -> None:
        # Each collection is of one block; the same intent again, after a crash, is the same collection.
        name = f"{token}/{self._operator}/{block.hex()}"
        pay = self._staking.pay_earnings(self._operator, token, self._operator)
        calls = [(f"pay-earnings/{name}", pay)]
        if waiting > 0:
            calls.insert(0, (f"collect/{name}", self._escrow.collect_earnings(token, self._operator)))
        try:
            receipts = self._sender.send_many(calls)
        except (CallReverted, TransactionReverted) as error:
            # Anyone may collect, so somebody else may have; what was earned is never lost by it.
            self._log.warning("earnings not collected", token=token, why=str(error), remedy=error.remedy)
            return
        paid = [event for event in self._staking.events(receipts[-1]) if event.name == "EarningsPaid"]
        self._log.info(
            "earnings collected",
            token=token,
            amount=waiting,
            paid=sum(int(event.args["amount"]) for event in paid),
        )
