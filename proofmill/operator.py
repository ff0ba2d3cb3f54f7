"""The operator's side: stake, hot keys, earnings, a seat in the committee. One key, one open account at a time."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from pydantic import field_validator
from pydantic_settings import SettingsConfigDict

from proofmill.chain import (
    ContractCall,
    Journal,
    SenderPolicy,
    Suite,
    TransactionSender,
    connect,
    load_keystore,
    open_database,
    sign_key_grant,
)
from proofmill.chain.deployment import Deployment
from proofmill.chain.history import format_amount
from proofmill.chain.types import EMPTY_ADDRESS, address
from proofmill.errors import ProofmillError
from proofmill.settings import ChainSettings

JOURNALS = ("worker", "oracle", "client")  # whose database a data directory may hold
MAXIMUM_REQUESTS = 50  # redeemed at once


class NothingToDo(ProofmillError):
    """What was asked for would change nothing; nothing was sent."""


class NotEnough(ProofmillError):
    """The account has less than the command would move; nothing was sent."""


class AccountSettings(ChainSettings):
    """Who acts and how the chain is reached: the settings file of a worker, an oracle or a client will do."""

    model_config = SettingsConfigDict(env_prefix="PROOFMILL_", extra="ignore", frozen=True)

    operator: str | None = None

    @field_validator("operator")
    @classmethod
    def _is_address(cls, value: str | None) -> ChecksumAddress | None:
        return None if value is None else address(value, "operator")


@dataclass(frozen=True)
class Stake:
    """What an operator has at risk. `thawing` are (amount, when it is ready) of its own requests to leave."""

    operator: ChecksumAddress
    own: int
    delegated: int
    committed: int
    room: int
    largest_bond: int
    thawing: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Earnings:
    """What waits in one token: with the escrow, and with Staking for the operator itself."""

    token: ChecksumAddress
    uncollected: int
    payable: int


@dataclass(frozen=True)
class OperatorView:
    """What one account can see; made by `open`, also while a process works with the same key."""

    address: ChecksumAddress
    operator: ChecksumAddress  # whom it looks after: itself, or the operator whose hot key it is
    suite: Suite

    @classmethod
    def open(cls, settings: AccountSettings) -> OperatorView:
        """Connect and look whose key it is."""
        account, suite = _connect(settings)
        return cls(account.address, address(settings.operator or account.address), suite)

    def stake(self, operator: ChecksumAddress | None = None) -> Stake:
        """What an operator has at risk now."""
        who, staking = operator or self.operator, self.suite.staking
        room = staking.commit_room(who)
        pool = staking.own_pool(who)
        requests = [
            staking.redeem_request(pool, who, number)
            for number in range(*staking.redeem_request_range(pool, who))
        ]
        return Stake(
            operator=who,
            own=staking.self_stake(who),
            delegated=staking.delegated(who),
            committed=staking.committed(who),
            room=room.total,
            largest_bond=room.each,
            thawing=tuple(request for request in requests if request[0]),
        )

    def earnings(self, operator: ChecksumAddress | None = None) -> list[Earnings]:
        """What waits for an operator, by token; tokens in which nothing waits are left out."""
        who = operator or self.operator
        found = [
            Earnings(
                token, self.suite.job_escrow.earnings(token, who), self.suite.staking.earned(who, token, who)
            )
            for token in self.suite.job_escrow.payment_tokens()
        ]
        return [item for item in found if item.uncollected or item.payable]


@dataclass(frozen=True)
class OperatorAccount(OperatorView):
    """One account with its sender; made by `unlock`."""

    account: LocalAccount
    sender: TransactionSender

    @classmethod
    @contextmanager
    def unlock(cls, settings: AccountSettings) -> Iterator[OperatorAccount]:
        """Connect, unlock the key and finish transactions that an earlier run left pending.

        Raises:
            SenderLocked: a process that works with this key runs; stop it for the moment.
        """
        with ExitStack() as stack:
            account, suite = _connect(settings)
            # The journal of the process that uses this directory: so its lock keeps the two apart.
            paths = [settings.data_directory / f"{name}.db" for name in JOURNALS]
            database = open_database(next((path for path in paths if path.exists()), paths[-1]))
            stack.callback(database.dispose)
            policy = SenderPolicy(confirmations=settings.confirmations)
            web3 = suite.mill_token.web3
            sender = stack.enter_context(TransactionSender(web3, account, Journal(database), policy=policy))
            sender.resume()
            operator = address(settings.operator or account.address)
            yield cls(account.address, operator, suite, account, sender)

    # ---------------------------------------------------------------- stake
    def add_stake(self, amount: int, operator: ChecksumAddress | None = None) -> None:
        """Stake tokens of this account for an operator.

        Raises:
            NotEnough: the account holds less.
        """
        token, staking = self.suite.mill_token, self.suite.staking
        balance = token.balance_of(self.address)
        if balance < amount:
            raise NotEnough(
                f"{self.address} holds {format_amount(balance)}, not {format_amount(amount)}",
                remedy="Fund the account or stake less.",
            )
        self._send_all(
            token.approve(staking.address, amount), staking.stake_for(operator or self.operator, amount)
        )

    def thaw(self, amount: int) -> None:
        """Ask for own stake back; it is paid by `redeem` after the thaw period.

        Raises:
            NotEnough: open work holds the rest.
        """
        staking, who = self.suite.staking, self.address
        available, own = staking.available(who), staking.self_stake(who)
        if amount > available:
            raise NotEnough(
                f"{format_amount(available)} of {format_amount(own)} may leave now, not {format_amount(amount)}",
                remedy="Wait until open work is settled, or ask for less.",
            )
        pool = staking.own_pool(who)
        shares = staking.shares_of(pool, who) if amount == own else staking.convert_to_shares(pool, amount)
        self._send_all(staking.request_redeem(pool, shares))

    def redeem(self) -> int:
        """Pay what has thawed; how much it was.

        Raises:
            NothingToDo: nothing has thawed yet.
        """
        staking, who = self.suite.staking, self.address
        pool = staking.own_pool(who)
        now = int(staking.web3.eth.get_block("latest")["timestamp"])
        thawing = self.stake(who).thawing
        if not any(ready_at <= now for _, ready_at in thawing):
            when = f" before {min(ready_at for _, ready_at in thawing)}" if thawing else ""
            raise NothingToDo(
                f"nothing of {who} has thawed{when}",
                remedy="See `proofmill stake show`; `proofmill stake thaw` asks for stake back.",
            )
        before = self.suite.mill_token.balance_of(who)
        self._send_all(staking.redeem(pool, who, MAXIMUM_REQUESTS))
        return self.suite.mill_token.balance_of(who) - before

    def set_hot_key(self, key: ChecksumAddress, *, authorised: bool) -> None:
        """Let a key claim and submit for this account, or no longer.

        Raises:
            NothingToDo: it is so already.
        """
        staking = self.suite.staking
        if staking.is_hot_key(self.address, key) == authorised:
            raise NothingToDo(
                f"{key} is {'already' if authorised else 'not'} a hot key of {self.address}",
                remedy="Check the address of the key.",
            )
        self._send_all(staking.set_hot_key(key, authorised))

    # ---------------------------------------------------------------- earnings
    def collect_earnings(self, operator: ChecksumAddress | None = None) -> list[Earnings]:
        """Collect and pay out all that waits; what it was.

        Raises:
            NothingToDo: nothing waits.
        """
        who = operator or self.operator
        waiting = self.earnings(who)
        if not waiting:
            raise NothingToDo(f"nothing waits for {who}", remedy="Earnings come with the first paid job.")
        for item in waiting:
            calls = [self.suite.staking.pay_earnings(who, item.token, who)]
            if item.uncollected:
                calls.insert(0, self.suite.job_escrow.collect_earnings(item.token, who))
            self._send_all(*calls)
        return waiting

    # ---------------------------------------------------------------- committee
    def join_committee(self) -> int:
        """Make this account a member that signs with its own key; the bond that this commits.

        Raises:
            NothingToDo: it is a member.
            NotEnough: its stake does not bear the bond.
        """
        committee, who = self.suite.oracle_committee, self.address
        if committee.member(who).key != EMPTY_ADDRESS:
            raise NothingToDo(
                f"{who} is a member", remedy="The committee's owner names it in the configuration."
            )
        bond, room = committee.member_bond(), self.suite.staking.commit_room(who)
        if bond > room.each:
            raise NotEnough(
                f"the bond of a member is {format_amount(bond)}, the stake of {who} bears {format_amount(room.each)}",
                remedy="One bond may be a tenth of the stake: add to it with `proofmill stake add`.",
            )
        grant = sign_key_grant(self.account, who, self.sender.chain_id, committee.address)
        self._send_all(committee.join(who, grant))
        return bond

    def leave_committee(self) -> None:
        """End the membership and free the bond.

        Raises:
            CallReverted: it is in the configuration.
        """
        self._send_all(self.suite.oracle_committee.leave())

    def _send_all(self, *calls: ContractCall) -> None:
        # Each run of a command is an act of its own; within one, a crash never sends twice.
        act = uuid.uuid4().hex
        self.sender.send_many(
            [(f"{call.description}/{act}/{number}", call) for number, call in enumerate(calls)]
        )


def _connect(settings: AccountSettings) -> tuple[LocalAccount, Suite]:
    account = load_keystore(settings.keystore, settings.password_file)
    deployment = Deployment.load(settings.deployment)
    web3 = connect(settings.rpc_url, expected_chain_id=deployment.chain_id)
    deployment.verify(web3)
    return account, deployment.connect(web3)
