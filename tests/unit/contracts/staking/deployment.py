"""`Staking` with its token on titanoboa, and who plays which part. No test lives here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import boa
from boa.interpret import set_search_paths

ROOT = Path(__file__).resolve().parents[4]
set_search_paths([str(ROOT)])

DAY = 86_400
MILL = 10**18
SUPPLY = 10**9 * MILL
THAW_PERIOD = 14 * DAY
WINDOW = 30 * DAY
OWN, DELEGATED = 0, 1
STAKE, DELEGATE = 1, 2
NOBODY = "0x" + "00" * 20
MAX_UINT256 = 2**256 - 1
REASON = b"reason".ljust(32, b"\4")


@cache
def deployer_of(path: str) -> Any:
    """Compile once for each test process."""
    return boa.load_partial(str(ROOT / "contracts" / path))


def deploy(path: str, *arguments: Any) -> Any:
    return deployer_of(path).deploy(*arguments)


def actor(name: str) -> str:
    return str(boa.env.generate_address(name))


def now() -> int:
    return int(boa.env.evm.patch.timestamp)


def travel(seconds: int) -> None:
    boa.env.evm.patch.timestamp = now() + seconds


def events_of(contract: Any) -> list[tuple[str, dict[str, Any]]]:
    """What `contract` itself logged in its latest call: name and fields of each event, in order."""
    logged = []
    for event in contract.get_logs():
        if str(event.address) == str(contract.address):
            fields = event._asdict()
            del fields["address"]
            logged.append((type(event).__name__, fields))
    return logged


def own_pool(operator: str) -> int:
    return int(operator, 16)


def delegation_pool(operator: str) -> int:
    return int(operator, 16) | DELEGATED << 160


class Penalty(NamedTuple):
    """`IStaking.Penalty`."""

    operator: str
    released: int = 0
    amount: int = 0
    client: str = NOBODY
    compensation: int = 0
    reporter: str = NOBODY
    reporter_bps: int = 0
    reason: bytes = REASON


@dataclass
class Stage:
    """The contract and its actors. The operator has 1,000 MILL at stake and accepts delegation for a cut of 10 %."""

    mill: Any
    staking: Any
    admin: str
    holder: str
    operator: str
    delegator: str
    verifier: str
    client: str
    reporter: str
    stranger: str

    CUT_BPS = 1_000
    OWN_STAKE = 1_000 * MILL

    def fund(self, account: str, amount: int) -> None:
        """Give stake tokens and let `Staking` take them."""
        self.mill.transfer(account, amount, sender=self.holder)
        self.mill.approve(self.staking.address, MAX_UINT256, sender=account)

    def stake(self, operator: str, amount: int) -> int:
        self.fund(operator, amount)
        return int(self.staking.stake(amount, sender=operator))

    def delegate(self, delegator: str, amount: int, operator: str | None = None) -> int:
        self.fund(delegator, amount)
        return int(self.staking.delegate(operator or self.operator, amount, 0, sender=delegator))

    def accept(self, operator: str, cut_bps: int = CUT_BPS) -> None:
        self.staking.set_terms(cut_bps, True, sender=operator)

    def commit(self, amount: int, operator: str | None = None, verifier: str | None = None) -> None:
        operator = operator or self.operator
        self.staking.commit(operator, operator, amount, sender=verifier or self.verifier)

    def slash(self, amount: int, *, released: int | None = None, **fields: Any) -> tuple[int, int]:
        """A slash of what is committed; with `released`, perhaps beyond it."""
        penalty = Penalty(
            fields.pop("operator", self.operator), amount if released is None else released, amount, **fields
        )
        taken, compensation = self.staking.slash(penalty, sender=self.verifier)
        return int(taken), int(compensation)

    def commit_and_slash(self, amount: int, **fields: Any) -> tuple[int, int]:
        self.commit(amount, fields.get("operator"))
        return self.slash(amount, **fields)

    def lift_caps(self) -> None:
        """The widest limits there are."""
        self.staking.set_slash_caps(5_000, 5_000, sender=self.admin)
        self.staking.set_delegation_limits(0, 1, 100, sender=self.admin)

    def leave(self, pool: int, owner: str) -> int:
        """Request everything, wait, redeem; returns what was paid."""
        self.staking.requestRedeem(pool, self.staking.shares_of(pool, owner), sender=owner)
        travel(self.staking.thaw_period())
        return int(self.staking.redeem(pool, owner, 100, sender=owner))

    def earnings_token(self, path: str = "mocks/MockFickleToken.vy") -> Any:
        """A listed token that the holder can distribute."""
        token = deploy(path)
        self.staking.add_earnings_token(token.address, sender=self.admin)
        token.mint(self.holder, 10**30)
        token.approve(self.staking.address, MAX_UINT256, sender=self.holder)
        return token


def deploy_stage() -> Stage:
    holder, admin = actor("holder"), actor("admin")
    mill = deploy("MillToken.vy", holder, SUPPLY, True)
    stage = Stage(
        mill=mill,
        staking=deploy("Staking.vy", mill.address, admin, THAW_PERIOD),
        admin=admin,
        holder=holder,
        operator=actor("operator"),
        delegator=actor("delegator"),
        verifier=actor("verifier"),
        client=actor("client"),
        reporter=actor("reporter"),
        stranger=actor("stranger"),
    )
    mill.approve(stage.staking.address, MAX_UINT256, sender=holder)
    stage.staking.set_verifier(stage.verifier, True, sender=admin)
    stage.stake(stage.operator, Stage.OWN_STAKE)
    stage.accept(stage.operator)
    return stage
