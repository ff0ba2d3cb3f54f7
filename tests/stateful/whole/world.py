"""The models of all contracts, joined as the contracts are. Accounts are addresses, so that records hash as on chain."""

from __future__ import annotations

from dataclasses import dataclass

from tests.models.job_escrow import NOBODY, JobEscrowModel, PaymentTokenModel
from tests.models.oracle_committee import COMPLETE, REJECT
from tests.models.staking import NOBODY as NO_NAME
from tests.models.staking import Penalty, Refused, StakingModel, TokenModel

REPORTER_BPS_OF_EQUIVOCATION = 2_500


@dataclass
class StakesOfEscrow:
    """`Stakes` of the escrow's model, on the model of Staking."""

    staking: StakingModel
    escrow: str

    def commit(self, operator: str, actor: str, amount: int, now: int) -> None:
        self.staking.commit(self.escrow, operator, actor, amount, now)

    def release(self, operator: str, amount: int) -> None:
        self.staking.release(self.escrow, operator, amount)

    def slash(
        self,
        operator: str,
        released: int,
        amount: int,
        client: str,
        compensation: int,
        reporter: str,
        reporter_bps: int,
        now: int,
    ) -> tuple[int, int]:
        client, reporter = (NO_NAME if name == NOBODY else name for name in (client, reporter))
        penalty = Penalty(operator, released, amount, client, compensation, reporter, reporter_bps)
        slash = self.staking.slash(self.escrow, penalty, now)
        return slash.taken, slash.compensation

    def distribute(self, operator: str, token: str, amount: int, now: int) -> None:
        self.staking.distribute(self.escrow, operator, token, amount, now)

    def is_hot_key(self, operator: str, key: str) -> bool:
        return (operator, key) in self.staking.hot_keys


@dataclass
class CommitteeModel:
    """What a committee's members have at stake and earn. What they sign is modelled elsewhere."""

    name: str
    members: list[str]
    bond: int
    ejected: set[str]

    def seated(self) -> list[str]:
        return [member for member in self.members if member not in self.ejected]


@dataclass
class World:
    """Everything that the contracts know."""

    tokens: dict[str, TokenModel]
    staking: StakingModel
    escrow: JobEscrowModel
    committee: CommitteeModel

    def transmit(self, verdicts: list[tuple[int, int]], now: int) -> int:
        """Applies what can be applied; returns the bit mask of it."""
        applied = 0
        for place, (job_id, outcome) in enumerate(verdicts):
            try:
                if outcome == COMPLETE:
                    self.escrow.complete(self.committee.name, job_id, now)
                elif outcome == REJECT:
                    self.escrow.reject(self.committee.name, job_id, now)
                else:
                    self.escrow.void(self.committee.name, job_id, now)
            except Refused:
                continue
            applied |= 1 << place
        return applied

    def prove_equivocation(self, member: str, reporter: str, now: int) -> int:
        bond = self.committee.bond
        penalty = Penalty(member, bond, bond, reporter=reporter, reporter_bps=REPORTER_BPS_OF_EQUIVOCATION)
        taken = self.staking.slash(self.committee.name, penalty, now).taken
        self.committee.ejected.add(member)
        return taken

    def share_fees(self, token: str, now: int) -> None:
        name, seated = self.committee.name, self.committee.seated()
        collected = self.escrow.evaluator_fees[token, name]
        share = (self.tokens[token].balances[name] + collected) // len(seated)
        if share == 0:
            raise Refused("committee: nothing to share")
        self.escrow.collect_fees(token, name)
        for member in seated:
            self.staking.distribute(name, member, token, share, now)


def new_world(
    mill: str, coin: str, staking: str, escrow: str, committee: CommitteeModel, owner: str, thaw_period: int
) -> World:
    """Nobody has anything yet."""
    tokens: dict[str, TokenModel] = {mill: TokenModel(), coin: PaymentTokenModel()}
    stakes = StakingModel(tokens, mill, owner, thaw_period)
    # The models know each contract by its address.
    stakes.NAME = staking  # type: ignore[misc]
    jobs = JobEscrowModel(tokens, StakesOfEscrow(stakes, escrow), name=escrow)
    return World(tokens, stakes, jobs, committee)
