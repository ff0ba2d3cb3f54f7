"""What a node's metrics say of its chain and its money: asked by the cycle, seldom, and never in the way of the work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from eth_typing import ChecksumAddress
from sqlalchemy import Engine, func, select
from web3 import Web3

from proofmill.chain import Status
from proofmill.chain.block_stamp import choose_stamp
from proofmill.chain.database import database_failures
from proofmill.chain.endpoint_pool import pool_of
from proofmill.chain.errors import node_failures
from proofmill.chain.journal import attempts_table, intents_table
from proofmill.chain.mill_token import MillToken
from proofmill.errors import ProofmillError
from proofmill.logs import Logger
from proofmill.metrics import NodeMetrics

EVERY_SECONDS: Final = 15.0
UNIT: Final = 10**18  # of ether and of MILL


class Telemetry:
    """Notes blocks, balances and the journal of one key. Not for use by several threads."""

    def __init__(
        self,
        *,
        web3: Web3,
        database: Engine,
        address: ChecksumAddress,
        mill_token: MillToken,
        confirmations: int,
        metrics: NodeMetrics,
        log: Logger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._web3 = web3
        self._database = database
        self._address = address
        self._mill_token = mill_token
        self._confirmations = confirmations
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self._noted_at = float("-inf")
        pool = pool_of(web3)
        if pool is not None:
            pool.observe(metrics.note_request)
            metrics.watch_endpoints(pool.health)

    def note(self) -> None:
        """Once in a while, read what the metrics show; a failure leaves them as they were and is logged."""
        if self._clock() - self._noted_at < EVERY_SECONDS:
            return
        self._noted_at = self._clock()
        try:
            with node_failures():
                self._note_journal()
                self._note_chain()
        except ProofmillError as error:
            self._log.warning("metrics are old", error=str(error), remedy=error.remedy)

    def _note_journal(self) -> None:
        ours = intents_table.c.sender == self._address
        states = select(intents_table.c.status, func.count()).where(ours).group_by(intents_table.c.status)
        # Every nonce of an intent begins with an attempt that replaces nothing.
        attempts = (
            select(attempts_table.c.intent_id, attempts_table.c.nonce)
            .join(intents_table, intents_table.c.id == attempts_table.c.intent_id)
            .where(ours)
        )
        with database_failures("the journal"), self._database.connect() as connection:
            counts = {str(state): int(count) for state, count in connection.execute(states)}
            signed = int(
                connection.execute(select(func.count()).select_from(attempts.subquery())).scalar_one()
            )
            first = int(
                connection.execute(
                    select(func.count()).select_from(attempts.distinct().subquery())
                ).scalar_one()
            )
        self._metrics.note_transactions(
            {state.value: counts.get(state.value, 0) for state in Status}, signed - first
        )

    def _note_chain(self) -> None:
        head = int(self._web3.eth.block_number)
        stamp = choose_stamp(self._web3, confirmations=self._confirmations)
        self._metrics.note_blocks(
            head=max(head, stamp.number), confirmed=stamp.number, block_time=stamp.timestamp
        )
        self._metrics.note_balance("ether", int(self._web3.eth.get_balance(self._address)) / UNIT)
        self._metrics.note_balance("MILL", self._mill_token.balance_of(self._address) / UNIT)
