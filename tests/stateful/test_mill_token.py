"""The token against its model: every call, legal or not, by everybody, in any order, by either clock.

After each step all balances, votes and nonces agree, votes and undelegated tokens add up to the supply; at random timepoints,
and at all of them in the end, so do the votes of the past.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import boa
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.models.mill_token import NOBODY as NO_NAME
from tests.models.mill_token import UNLIMITED, MillTokenModel, Refused, require
from tests.stateful.conftest import stateful_settings
from tests.suite.deployment import NOBODY, deploy
from tests.unit.contracts.token.typed_data import Delegation, Payment, Permit, sign_cancel

SUPPLY = 10_000
START = 50_000
FOREVER = 2**64

SIGNERS: dict[str, LocalAccount] = {
    name: Account.from_key(bytes([number + 1]) * 32)
    for number, name in enumerate(("requester", "worker", "delegator"))
}
HOLDERS = st.sampled_from(sorted(SIGNERS))
RECEIVERS = st.sampled_from([*sorted(SIGNERS), NO_NAME, "token"])
VOTERS = [*sorted(SIGNERS), "voter", "token"]
AMOUNTS = st.one_of(st.integers(0, 9), st.integers(0, SUPPLY))
ALLOWANCES = st.one_of(AMOUNTS, st.just(UNLIMITED))
DELEGATES = st.sampled_from([*VOTERS, NO_NAME])
NONCES = st.integers(0, 3)


class TokenAgainstModel(RuleBasedStateMachine):
    is_timestamp = False

    def __init__(self) -> None:
        super().__init__()
        boa.env.sstore_trace.clear()
        boa.env.evm.patch.block_number = START
        boa.env.evm.patch.timestamp = START
        self.token = deploy("MillToken.vy", SIGNERS["requester"].address, SUPPLY, self.is_timestamp)
        self.model = MillTokenModel(START)
        self.model.mint("requester", SUPPLY)
        self.addresses: dict[str, str] = {name: str(signer.address) for name, signer in SIGNERS.items()}
        self.addresses |= {
            NO_NAME: NOBODY,
            "token": str(self.token.address),
            "voter": str(boa.env.generate_address("voter")),
        }

    def attempt(
        self, label: str, expected: Callable[[MillTokenModel], None], call: Callable[[], Any]
    ) -> None:
        """Make a call that is legal exactly if the model does not refuse it."""
        trial = copy.deepcopy(self.model)
        try:
            expected(trial)
        except Refused as refusal:
            note(f"{label}: refused ({refusal})")
            with boa.reverts():
                call()
            return
        note(label)
        call()
        self.model = trial

    # ------------------------------------------------------------ time
    @rule(passed=st.integers(1, 3))
    def wait(self, passed: int) -> None:
        """Only the token's own clock moves by this; the other one by something else."""
        boa.env.evm.patch.timestamp += passed if self.is_timestamp else 7
        boa.env.evm.patch.block_number += 11 if self.is_timestamp else passed
        self.model.clock += passed

    # ------------------------------------------------------------ ERC-20
    @rule(source=HOLDERS, receiver=RECEIVERS, amount=AMOUNTS)
    def transfer(self, source: str, receiver: str, amount: int) -> None:
        self.attempt(
            f"{source} sends {amount} to {receiver or 'nobody'}",
            lambda model: model.transfer(source, receiver, amount),
            lambda: self.token.transfer(self.addresses[receiver], amount, sender=self.addresses[source]),
        )

    @rule(spender=HOLDERS, source=HOLDERS, receiver=RECEIVERS, amount=AMOUNTS)
    def transfer_from(self, spender: str, source: str, receiver: str, amount: int) -> None:
        self.attempt(
            f"{spender} sends {amount} of {source} to {receiver or 'nobody'}",
            lambda model: model.transfer_from(spender, source, receiver, amount),
            lambda: self.token.transferFrom(
                self.addresses[source], self.addresses[receiver], amount, sender=self.addresses[spender]
            ),
        )

    @rule(owner=HOLDERS, spender=RECEIVERS, amount=ALLOWANCES)
    def approve(self, owner: str, spender: str, amount: int) -> None:
        self.attempt(
            f"{owner} allows {spender or 'nobody'} {amount}",
            lambda model: model.approve(owner, spender, amount),
            lambda: self.token.approve(self.addresses[spender], amount, sender=self.addresses[owner]),
        )

    @rule(source=HOLDERS, amount=st.integers(0, 300))
    def burn(self, source: str, amount: int) -> None:
        self.attempt(
            f"{source} burns {amount}",
            lambda model: model.burn(source, amount),
            lambda: self.token.burn(amount, sender=self.addresses[source]),
        )

    @rule(spender=HOLDERS, source=HOLDERS, amount=st.integers(0, 300))
    def burn_from(self, spender: str, source: str, amount: int) -> None:
        self.attempt(
            f"{spender} burns {amount} of {source}",
            lambda model: model.burn_from(spender, source, amount),
            lambda: self.token.burn_from(self.addresses[source], amount, sender=self.addresses[spender]),
        )

    # ------------------------------------------------------------ signatures
    @rule(owner=HOLDERS, signer=HOLDERS, spender=RECEIVERS, amount=ALLOWANCES, nonce=NONCES)
    def permit(self, owner: str, signer: str, spender: str, amount: int, nonce: int) -> None:
        permit = Permit(self.addresses[owner], self.addresses[spender], amount, FOREVER)

        def expected(model: MillTokenModel) -> None:
            require(owner == signer, "signer")
            model.use_nonce(owner, nonce)
            model.approve(owner, spender, amount)

        self.attempt(
            f"{signer} permits {spender or 'nobody'} {amount} of {owner}, nonce {nonce}",
            expected,
            lambda: self.token.permit(*permit, *permit.sign(self.token, nonce, signer=SIGNERS[signer])),
        )

    @rule(
        source=HOLDERS,
        signer=HOLDERS,
        receiver=RECEIVERS,
        caller=HOLDERS,
        amount=AMOUNTS,
        nonce=NONCES,
        receives=st.booleans(),
    )
    def pay_by_authorization(
        self, source: str, signer: str, receiver: str, caller: str, amount: int, nonce: int, receives: bool
    ) -> None:
        word = bytes([nonce]) * 32
        payment = Payment(self.addresses[source], self.addresses[receiver], amount, 0, FOREVER, word)

        def expected(model: MillTokenModel) -> None:
            require(caller == receiver or not receives, "caller")
            model.use_authorization(source, word)
            require(signer == source, "signer")
            model.transfer(source, receiver, amount)

        kind = "ReceiveWithAuthorization" if receives else "TransferWithAuthorization"
        function = self.token.receiveWithAuthorization if receives else self.token.transferWithAuthorization
        signature = payment.sign(self.token, kind, signer=SIGNERS[signer])
        self.attempt(
            f"{caller} brings {signer}'s {kind} of {amount} from {source} to {receiver or 'nobody'}, {nonce}",
            expected,
            lambda: function(*payment, *signature, sender=self.addresses[caller]),
        )

    @rule(authorizer=HOLDERS, nonce=NONCES)
    def cancel_authorization(self, authorizer: str, nonce: int) -> None:
        word = bytes([nonce]) * 32
        signature = sign_cancel(self.token, word, signer=SIGNERS[authorizer])
        self.attempt(
            f"{authorizer} cancels {nonce}",
            lambda model: model.use_authorization(authorizer, word),
            lambda: self.token.cancelAuthorization(self.addresses[authorizer], word, *signature),
        )

    # ------------------------------------------------------------ votes
    @rule(account=HOLDERS, delegatee=DELEGATES)
    def delegate(self, account: str, delegatee: str) -> None:
        self.attempt(
            f"{account} delegates to {delegatee or 'nobody'}",
            lambda model: model.delegate(account, delegatee),
            lambda: self.token.delegate(self.addresses[delegatee], sender=self.addresses[account]),
        )

    @rule(account=HOLDERS, delegatee=DELEGATES, nonce=NONCES)
    def delegate_by_signature(self, account: str, delegatee: str, nonce: int) -> None:
        delegation = Delegation(self.addresses[delegatee], nonce, FOREVER)

        def expected(model: MillTokenModel) -> None:
            model.use_nonce(account, nonce)
            model.delegate(account, delegatee)

        self.attempt(
            f"{account} signs votes over to {delegatee or 'nobody'}, nonce {nonce}",
            expected,
            lambda: self.token.delegateBySig(
                *delegation, *delegation.sign(self.token, signer=SIGNERS[account])
            ),
        )

    @rule(name=DELEGATES, back=st.integers(-2, 60))
    def look_back(self, name: str, back: int) -> None:
        self.compare_past(name, max(self.model.clock - back, 0))

    def compare_past(self, name: str, timepoint: int) -> None:
        if timepoint >= self.model.clock:
            with boa.reverts("votes: timepoint not over"):
                self.token.getPastVotes(self.addresses[name], timepoint)
            with boa.reverts("votes: timepoint not over"):
                self.token.getPastTotalSupply(timepoint)
            return
        votes = 0 if name == NO_NAME else self.model.votes_at(name, timepoint)
        assert self.token.getPastVotes(self.addresses[name], timepoint) == votes
        assert self.token.getPastTotalSupply(timepoint) == self.model.supply_at(timepoint)

    # ------------------------------------------------------------ what always holds
    @invariant()
    def balances_agree_and_votes_add_up_to_the_supply(self) -> None:
        """Votes and undelegated tokens are all tokens there are, each once."""
        balances = {name: self.token.balanceOf(self.addresses[name]) for name in SIGNERS}
        votes = {name: self.token.getVotes(self.addresses[name]) for name in VOTERS}
        supply = self.token.totalSupply()
        assert supply == self.model.supply
        assert balances == {name: self.model.balances[name] for name in SIGNERS}
        assert votes == {name: self.model.votes(name) for name in VOTERS}
        undelegated = sum(balances[name] for name in SIGNERS if self.model.delegates[name] == NO_NAME)
        assert sum(votes.values()) + undelegated == supply

    def teardown(self) -> None:
        for name, address in self.addresses.items():
            entries = [
                tuple(self.token.checkpoints(address, index))
                for index in range(self.token.numCheckpoints(address))
            ]
            assert entries == list(self.model.past_votes[name].items())
            assert self.token.delegates(address) == self.addresses[self.model.delegates[name]]
            assert self.token.nonces(address) == self.model.nonces[name]
            for spender in SIGNERS:
                allowed = self.token.allowance(address, self.addresses[spender])
                assert allowed == self.model.allowances[name, spender]
        for name in (NO_NAME, "token", "voter"):
            assert self.token.balanceOf(self.addresses[name]) == 0
        for timepoint in range(START - 1, self.model.clock):
            for name in VOTERS:
                votes = self.token.getPastVotes(self.addresses[name], timepoint)
                assert votes == self.model.votes_at(name, timepoint)
            assert self.token.getPastTotalSupply(timepoint) == self.model.supply_at(timepoint)


class TokenByTimestampAgainstModel(TokenAgainstModel):
    is_timestamp = True


@pytest.mark.parametrize("machine", [TokenAgainstModel, TokenByTimestampAgainstModel])
def test_token__agrees_with_its_model(machine: type[TokenAgainstModel]) -> None:
    run_state_machine_as_test(machine, settings=stateful_settings())
