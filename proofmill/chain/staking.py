"""The typed client of ``Staking``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from eth_typing import ChecksumAddress

from proofmill.chain.ownable import PausableClient
from proofmill.chain.types import (
    EMPTY_ADDRESS,
    EMPTY_BYTES32,
    AbiStruct,
    BlockReference,
    ContractCall,
    address,
)


@dataclass(frozen=True, slots=True)
class Penalty(AbiStruct):
    """What one slash takes and who gets it."""

    operator: ChecksumAddress
    released: int
    amount: int
    client: ChecksumAddress = EMPTY_ADDRESS
    compensation: int = 0
    reporter: ChecksumAddress = EMPTY_ADDRESS
    reporter_bps: int = 0
    reason: bytes = EMPTY_BYTES32

    def __post_init__(self) -> None:
        self.normalise(
            addresses="operator client reporter",
            words="reason",
            numbers="released amount compensation reporter_bps",
        )


class Pool(NamedTuple):
    """An operator's own stake, or that of its delegators."""

    active: int
    active_shares: int
    thawing: int
    thawing_shares: int


class CommitRoom(NamedTuple):
    """How much more stake open work may hold, and the most that one piece of work may."""

    total: int
    each: int


class OperatorTerms(NamedTuple):
    """What delegators agree to: the operator's cut now, the one announced and when it counts, and whether they may come."""

    cut_bps: int
    announced_cut_bps: int
    effective_at: int
    accepts_delegation: bool


class Staking(PausableClient):
    """What operators and their delegators have at risk. Pools are named by ``own_pool`` and ``delegation_pool``."""

    name: ClassVar[str] = "Staking"

    # ------------------------------------------------------------------ operator
    def stake(self, amount: int) -> ContractCall:
        """Adds to the caller's own stake."""
        return self._build("stake", amount)

    def stake_for(self, operator: str, amount: int) -> ContractCall:
        """Adds to the operator's own stake, from the caller's tokens."""
        return self._build("stake_for", address(operator), amount)

    def set_hot_key(self, key: str, authorised: bool) -> ContractCall:
        """Lets a key claim and submit for the caller, or no longer; it never moves stake."""
        return self._build("set_hot_key", address(key), authorised)

    def set_terms(self, cut_bps: int, accepts_delegation: bool) -> ContractCall:
        """Announces the caller's cut and says whether delegation is accepted."""
        return self._build("set_terms", cut_bps, accepts_delegation)

    # ------------------------------------------------------------------ delegator
    def delegate(self, operator: str, amount: int, min_shares: int) -> ContractCall:
        """Puts the caller's tokens behind an operator."""
        return self._build("delegate", address(operator), amount, min_shares)

    def redelegate(self, pool: int, operator: str, min_shares: int, max_n: int) -> ContractCall:
        """Moves thawed requests of one pool behind another operator."""
        return self._build("redelegate", pool, address(operator), min_shares, max_n)

    # ------------------------------------------------------------------ owner of shares
    def request_redeem(self, pool: int, shares: int) -> ContractCall:
        """Begins to thaw shares of the caller."""
        return self._build("requestRedeem", pool, shares)

    def cancel_redeem_request(self, pool: int, request_id: int) -> ContractCall:
        """Makes a request of the caller active stake again."""
        return self._build("cancelRedeemRequest", pool, request_id)

    # ------------------------------------------------------------------ anyone
    def redeem(self, pool: int, owner: str, max_n: int) -> ContractCall:
        """Pays up to ``max_n`` thawed requests to their owner."""
        return self._build("redeem", pool, address(owner), max_n)

    def pay_earnings(self, operator: str, token: str, owner: str) -> ContractCall:
        """Pays the owner its part of an operator's earnings."""
        return self._build("pay_earnings", address(operator), address(token), address(owner))

    def distribute(self, operator: str, token: str, amount: int) -> ContractCall:
        """Shares the caller's tokens between an operator and its delegators."""
        return self._build("distribute", address(operator), address(token), amount)

    # ------------------------------------------------------------------ verifier
    def commit(self, operator: str, actor: str, amount: int) -> ContractCall:
        """Commits stake to open work on the word of the operator or one of its hot keys (verifiers only)."""
        return self._build("commit", address(operator), address(actor), amount)

    def release(self, operator: str, amount: int) -> ContractCall:
        """Releases committed stake (verifiers only)."""
        return self._build("release", address(operator), amount)

    def slash(self, penalty: Penalty) -> ContractCall:
        """Takes stake (verifiers only)."""
        return self._build("slash", penalty.to_abi())

    # ------------------------------------------------------------------ owner
    def set_verifier(self, verifier: str, authorised: bool) -> ContractCall:
        """Lets a contract commit and slash, or no longer commit."""
        return self._build("set_verifier", address(verifier), authorised)

    def set_thaw_period(self, thaw_period: int) -> ContractCall:
        """Sets the thaw period of later requests."""
        return self._build("set_thaw_period", thaw_period)

    def set_slash_caps(self, fault_bps: int, window_bps: int) -> ContractCall:
        """Sets how much of an operator's stake one fault, and all faults of a window, may take."""
        return self._build("set_slash_caps", fault_bps, window_bps)

    def set_delegation_limits(
        self, minimum_self_stake: int, minimum_delegation: int, delegation_ratio: int
    ) -> ContractCall:
        """Sets the least stakes, and how much delegation counts for each own token."""
        return self._build("set_delegation_limits", minimum_self_stake, minimum_delegation, delegation_ratio)

    def set_insurance(self, insurance: str, insurance_bps: int) -> ContractCall:
        """Names who receives a share of what would be burned."""
        return self._build("set_insurance", address(insurance), insurance_bps)

    def add_earnings_token(self, token: str) -> ContractCall:
        """Lets operators earn in a token, for ever."""
        return self._build("add_earnings_token", address(token))

    # ------------------------------------------------------------------ views
    def own_pool(self, operator: str, *, block: BlockReference = "latest") -> int:
        """The name of the pool of an operator's own stake."""
        return int(self._read("own_pool", address(operator), block=block))

    def delegation_pool(self, operator: str, *, block: BlockReference = "latest") -> int:
        """The name of the pool of an operator's delegators."""
        return int(self._read("delegation_pool", address(operator), block=block))

    def pool(self, pool: int, *, block: BlockReference = "latest") -> Pool:
        """Active and thawing tokens of a pool, each with its shares."""
        return Pool(*map(int, self._read("pool", pool, block=block)))

    def shares_of(self, pool: int, owner: str, *, block: BlockReference = "latest") -> int:
        """Active shares of an owner."""
        return int(self._read("shares_of", pool, address(owner), block=block))

    def convert_to_assets(self, pool: int, shares: int, *, block: BlockReference = "latest") -> int:
        """Tokens that active shares are worth."""
        return int(self._read("convertToAssets", pool, shares, block=block))

    def convert_to_shares(self, pool: int, amount: int, *, block: BlockReference = "latest") -> int:
        """Active shares that tokens buy."""
        return int(self._read("convertToShares", pool, amount, block=block))

    def redeem_request(
        self, pool: int, owner: str, request_id: int, *, block: BlockReference = "latest"
    ) -> tuple[int, int]:
        """What a request is worth now and when it is ready; zeros where there is none."""
        amount, ready_at = self._read("redeem_request", pool, address(owner), request_id, block=block)
        return int(amount), int(ready_at)

    def redeem_request_range(
        self, pool: int, owner: str, *, block: BlockReference = "latest"
    ) -> tuple[int, int]:
        """The first request that has not ended, and the number of the next one."""
        first, following = self._read("redeem_request_range", pool, address(owner), block=block)
        return int(first), int(following)

    def pending_redeem_request(
        self, pool: int, request_id: int, owner: str, *, block: BlockReference = "latest"
    ) -> int:
        """Tokens of all requests that still thaw."""
        return int(self._read("pendingRedeemRequest", pool, request_id, address(owner), block=block))

    def claimable_redeem_request(
        self, pool: int, request_id: int, owner: str, *, block: BlockReference = "latest"
    ) -> int:
        """Tokens of a request that can be redeemed now."""
        return int(self._read("claimableRedeemRequest", pool, request_id, address(owner), block=block))

    def self_stake(self, operator: str, *, block: BlockReference = "latest") -> int:
        """The operator's own stake that is not thawing."""
        return int(self._read("self_stake", address(operator), block=block))

    def delegated(self, operator: str, *, block: BlockReference = "latest") -> int:
        """Its delegators' stake that is not thawing."""
        return int(self._read("delegated", address(operator), block=block))

    def committed(self, operator: str, *, block: BlockReference = "latest") -> int:
        """Stake that open work holds."""
        return int(self._read("committed", address(operator), block=block))

    def committed_to(self, verifier: str, operator: str, *, block: BlockReference = "latest") -> int:
        """The part of ``committed`` that one verifier holds."""
        return int(self._read("committed_to", address(verifier), address(operator), block=block))

    def commit_room(self, operator: str, *, block: BlockReference = "latest") -> CommitRoom:
        """What could be committed now, and the most that one commitment may be."""
        return CommitRoom(*map(int, self._read("commit_room", address(operator), block=block)))

    def available(self, operator: str, *, block: BlockReference = "latest") -> int:
        """Own stake that may start to thaw."""
        return int(self._read("available", address(operator), block=block))

    def slashable(self, operator: str, *, block: BlockReference = "latest") -> int:
        """Everything a slash can reach, delegators' and thawing stake included."""
        return int(self._read("slashable", address(operator), block=block))

    def slash_room(self, operator: str, *, block: BlockReference = "latest") -> int:
        """What a slash beyond a commitment could still take in this window."""
        return int(self._read("slash_room", address(operator), block=block))

    def slash_caps(self, *, block: BlockReference = "latest") -> tuple[int, int]:
        """How much one fault, and all faults of a window, may take, in basis points."""
        fault, window = self._read("slash_caps", block=block)
        return int(fault), int(window)

    def delegation_limits(self, *, block: BlockReference = "latest") -> tuple[int, int, int]:
        """Least own stake, least delegation, and how much delegation counts for each own token."""
        least_own, least_delegated, ratio = self._read("delegation_limits", block=block)
        return int(least_own), int(least_delegated), int(ratio)

    def insurance(self, *, block: BlockReference = "latest") -> tuple[ChecksumAddress, int]:
        """Who receives which share of what would be burned, in basis points."""
        insurance, insurance_bps = self._read("insurance", block=block)
        return address(insurance), int(insurance_bps)

    def is_hot_key(self, operator: str, key: str, *, block: BlockReference = "latest") -> bool:
        """Whether a key may claim and submit for an operator."""
        return bool(self._read("is_hot_key", address(operator), address(key), block=block))

    def terms(self, operator: str, *, block: BlockReference = "latest") -> OperatorTerms:
        """What an operator's delegators agree to."""
        cut, announced, effective_at, accepts = self._read("terms", address(operator), block=block)
        return OperatorTerms(int(cut), int(announced), int(effective_at), bool(accepts))

    def earned(self, operator: str, token: str, owner: str, *, block: BlockReference = "latest") -> int:
        """What `pay_earnings` would pay."""
        return int(self._read("earned", address(operator), address(token), address(owner), block=block))

    def is_earnings_token(self, token: str, *, block: BlockReference = "latest") -> bool:
        """Whether operators may earn in a token."""
        return bool(self._read("is_earnings_token", address(token), block=block))

    def earnings_owed(self, token: str, *, block: BlockReference = "latest") -> int:
        """Distributed earnings that nobody has been paid yet."""
        return int(self._read("earnings_owed", address(token), block=block))

    def total_staked(self, *, block: BlockReference = "latest") -> int:
        """All stake, thawing included."""
        return int(self._read("total_staked", block=block))

    def is_verifier(self, verifier: str, *, block: BlockReference = "latest") -> bool:
        """Whether a contract may commit stake."""
        return bool(self._read("is_verifier", address(verifier), block=block))

    def thaw_period(self, *, block: BlockReference = "latest") -> int:
        """Seconds from a request to its redemption."""
        return int(self._read("thaw_period", block=block))

    def stake_token(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """The token that is staked."""
        return address(self._read("stake_token", block=block))
