"""Every figure of the benchmark: a name and how it comes about. Each starts from the same state and leaves none behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from eth_account.messages import encode_typed_data

from bench.gas.chain import account
from bench.gas.suite import (
    ACTORS,
    COMPLETE,
    DAY,
    DELIVERABLE,
    FAULTS,
    HOUR,
    MAX_UINT256,
    MEMBER_BOND,
    MILL,
    PRICE,
    REASON,
    REJECT,
    STAKE,
    THAW_PERIOD,
    VOID,
    GasSuite,
    Job,
    key_grant,
)

Figures = dict[str, int]
Scenario = Callable[[GasSuite], Figures]

MANY_VERDICTS: Final = 64
MANY_DELEGATORS: Final = 1_000
DELEGATION: Final = 1_000 * MILL
SMALL_STAKE: Final = 20_000 * MILL  # less than one fault may cost with ten times as much delegated
SEVERAL: Final = 8


# ------------------------------------------------------------------ a job that is paid
def life_with_one_verdict(suite: GasSuite) -> Figures:
    return _life(suite, suite.requesters[0].address, suite.workers[0].address)


def life_with_a_hot_key(suite: GasSuite) -> Figures:
    return _life(
        suite, suite.requesters[0].address, suite.workers[0].address, actor=suite.hot_keys[0].address
    )


def first_life_of_all(suite: GasSuite) -> Figures:
    """Parties and contracts that have never had a job."""
    return _life(suite, suite.requesters[0].address, suite.workers[0].address)


def _life(suite: GasSuite, requester: str, worker: str, actor: str | None = None) -> Figures:
    figures: Figures = {}
    job = suite.post(requester)
    figures["post"] = suite.last_gas
    job = suite.claim(job, worker, actor)
    figures["claim"] = suite.last_gas
    job = suite.submit(job, actor)
    figures["submit"] = suite.last_gas
    figures["report"] = suite.report([job], COMPLETE)
    return figures | {"sum": sum(figures.values())}


def life_with_64_verdicts(suite: GasSuite) -> Figures:
    """Eight requesters and eight workers by turns, so that no two neighbours in the report share an account."""
    return _lives(suite, ACTORS)


def life_with_64_verdicts_of_one_worker(suite: GasSuite) -> Figures:
    return _lives(suite, 1)


def _lives(suite: GasSuite, actors: int) -> Figures:
    totals = {"post": 0, "claim": 0, "submit": 0}
    jobs: list[Job] = []
    for index in range(MANY_VERDICTS):
        requester = suite.requesters[index % actors].address
        worker = suite.workers[index % actors].address
        job = suite.post(requester)
        totals["post"] += suite.last_gas
        job = suite.claim(job, worker)
        totals["claim"] += suite.last_gas
        jobs.append(suite.submit(job))
        totals["submit"] += suite.last_gas
    report = suite.report(jobs, COMPLETE)
    figures = {name: round(total / MANY_VERDICTS) for name, total in totals.items()}
    figures["settlement"] = round(report / MANY_VERDICTS)
    return figures | {"sum": sum(figures.values()), "whole report": report}


def other_deposits(suite: GasSuite) -> Figures:
    """By exact allowance, ERC-2612 and ERC-3009."""
    requester = suite.requesters[0]
    escrow, mill = suite.escrow, suite.mill
    suite.send(mill.functions.approve(escrow.address, PRICE), requester.address)
    suite.post(requester.address)
    figures = {"post with an allowance that ends": suite.last_gas}
    deadline = suite.chain.now() + HOUR
    nonce = mill.functions.nonces(requester.address).call()
    permit = {"owner": requester.address, "spender": escrow.address, "value": PRICE, "nonce": nonce}
    v, r, s = _sign_mill(suite, requester, "Permit", _PERMIT, permit | {"deadline": deadline})
    call = escrow.functions.post_with_permit(suite.offer(), deadline, v, r, s)
    figures["post_with_permit"] = suite.gas(call, requester.address)
    authorization = {
        "from": requester.address,
        "to": escrow.address,
        "value": PRICE,
        "validAfter": 0,
        "validBefore": deadline,
        "nonce": REASON,
    }
    v, r, s = _sign_mill(suite, requester, "ReceiveWithAuthorization", _AUTHORIZATION, authorization)
    call = escrow.functions.post_with_authorization(suite.offer(), 0, deadline, REASON, v, r, s)
    figures["post_with_authorization"] = suite.gas(call, requester.address)
    return figures


# ------------------------------------------------------------------ a job that ends otherwise
def other_endings(suite: GasSuite) -> Figures:
    requester, worker = suite.requesters[0].address, suite.workers[0].address
    figures: Figures = {}

    def measure(name: str, act: Callable[[], int]) -> None:
        with suite.chain.rolled_back():
            figures[name] = act()

    def finalize(job: Job) -> int:
        return suite.gas(suite.escrow.functions.finalize(job.id, job.terms, job.answer), suite.stranger)

    def refund(job: Job) -> int:
        return suite.gas(suite.escrow.functions.claimRefund(job.id, job.terms, job.answer), suite.stranger)

    def cancelled() -> int:
        job = suite.post(requester)
        return suite.gas(suite.escrow.functions.cancel(job.id, job.terms), requester)

    def rejected() -> int:
        return suite.report([suite.submitted(requester, worker)], REJECT)

    def voided() -> int:
        return suite.report([suite.submitted(requester, worker)], VOID)

    def condemned() -> int:
        return suite.report([suite.submitted(requester, worker, is_exact=True)], REJECT)

    def condemned_and_final() -> int:
        job = suite.submitted(requester, worker, is_exact=True)
        suite.report([job], REJECT)
        suite.chain.wait(DAY + 1)
        return finalize(job)

    def unopposed() -> int:
        job = suite.submitted(requester, worker, is_exact=True)
        suite.chain.wait(3 * HOUR + 1)
        return finalize(job)

    def unclaimed() -> int:
        job = suite.post(requester)
        suite.chain.wait(DAY + 1)
        return refund(job)

    def late() -> int:
        job = suite.claim(suite.post(requester), worker)
        suite.chain.wait(2 * HOUR + 1)
        return refund(job)

    def late_and_reopened() -> int:
        job = suite.claim(suite.post(requester, reopens=True), worker)
        suite.chain.wait(2 * HOUR + 1)
        return refund(job)

    def not_evaluated() -> int:
        job = suite.submitted(requester, worker)
        suite.chain.wait(3 * HOUR + 1)
        return refund(job)

    def contested() -> tuple[Job, int]:
        job = suite.submitted(requester, worker, is_exact=True)
        return job, suite.gas(suite.escrow.functions.contest(job.id, job.terms, job.answer), suite.arbiter)

    def dismissed() -> int:
        job, _ = contested()
        return suite.gas(suite.escrow.functions.dismiss(job.id, job.terms, job.answer), suite.arbiter)

    def upheld() -> int:
        job, _ = contested()
        call = suite.escrow.functions.uphold(job.id, job.terms, job.answer, REASON)
        return suite.gas(call, suite.arbiter)

    def convicted() -> int:
        job, _ = contested()
        call = suite.escrow.functions.convict(job.id, job.terms, job.answer, suite.stranger, REASON)
        return suite.gas(call, suite.arbiter)

    measure("cancel", cancelled)
    measure("report of a rejection", rejected)
    measure("report of a void", voided)
    measure("report that condemns", condemned)
    measure("finalize a condemned job", condemned_and_final)
    measure("finalize an unopposed job", unopposed)
    measure("time-out unclaimed", unclaimed)
    measure("time-out late", late)
    measure("time-out late, reopened", late_and_reopened)
    measure("time-out not evaluated", not_evaluated)
    measure("contest", lambda: contested()[1])
    measure("dismiss", dismissed)
    measure("uphold", upheld)
    measure("convict", convicted)
    return figures


def collecting(suite: GasSuite) -> Figures:
    worker, mill = suite.workers[0].address, suite.mill.address
    escrow, staking = suite.escrow.functions, suite.staking.functions
    figures = {"collect_earnings": suite.gas(escrow.collect_earnings(mill, worker), suite.stranger)}
    call = staking.pay_earnings(worker, mill, worker)
    figures["pay_earnings of an operator"] = suite.gas(call, suite.stranger)
    figures["collect_fees"] = suite.gas(escrow.collect_fees(mill, suite.committee.address), suite.stranger)
    call = suite.committee.functions.share_fees(suite.escrow.address, mill)
    figures["share_fees"] = suite.gas(call, suite.stranger)
    return figures


# ------------------------------------------------------------------ stake
def staking(suite: GasSuite) -> Figures:
    """The second time for everybody, unless it says first."""
    worker, other = suite.workers[0].address, suite.workers[1].address
    delegator, second = account("delegator").address, account("second delegator").address
    functions = suite.staking.functions
    pool = functions.delegation_pool(worker).call()
    for owner in (delegator, second):
        suite.fund(owner, 100 * DELEGATION)
    suite.send(functions.delegate(worker, DELEGATION, 0), second)
    suite.send(functions.delegate(other, DELEGATION, 0), second)
    figures = {"stake": suite.gas(functions.stake(MILL), worker)}
    figures["delegate for the first time"] = suite.gas(functions.delegate(worker, DELEGATION, 0), delegator)
    figures["delegate"] = suite.gas(functions.delegate(worker, DELEGATION, 0), delegator)
    suite.fund(suite.holder, 0)
    call = functions.distribute(worker, suite.mill.address, DELEGATION)
    suite.send(call, suite.holder)
    figures["distribute"] = suite.gas(call, suite.holder)
    call = functions.pay_earnings(worker, suite.mill.address, second)
    figures["pay_earnings"] = suite.gas(call, suite.stranger)
    suite.send(functions.distribute(worker, suite.mill.address, DELEGATION), suite.holder)
    shares = functions.shares_of(pool, delegator).call()
    part = shares // 20
    call = functions.requestRedeem(pool, part)
    figures["requestRedeem for the first time"] = suite.gas(call, delegator)
    figures["requestRedeem"] = suite.gas(call, delegator)
    for _ in range(2 + 2 * SEVERAL - 4):
        suite.send(call, delegator)
    first, count = functions.redeem_request_range(pool, delegator).call()
    call = functions.cancelRedeemRequest(pool, count - 1)
    figures["cancelRedeemRequest"] = suite.gas(call, delegator)
    suite.chain.wait(THAW_PERIOD + 1)
    figures["redeem"] = suite.gas(functions.redeem(pool, delegator, 1), delegator)
    call = functions.redelegate(pool, other, 0, 1)
    figures["redelegate"] = suite.gas(call, delegator)
    figures["redeem 8 requests"] = suite.gas(functions.redeem(pool, delegator, SEVERAL), delegator)
    if count - first < SEVERAL + 3:
        raise RuntimeError("too few requests for what is measured")
    figures["set_hot_key"] = suite.gas(
        functions.set_hot_key(account("another hot key").address, True), worker
    )
    figures["set_terms"] = suite.gas(functions.set_terms(2_000, True), worker)
    return figures


def slashing(suite: GasSuite) -> Figures:
    """A slash that takes all of an operator's own stake and a part of its delegators', one or a thousand."""
    verifier = account("verifier").address
    functions = suite.staking.functions
    suite.send(functions.set_verifier(verifier, True), suite.admin)
    few, many, earlier = (
        account(f"operator with {kind}").address for kind in ("one", "many", "an earlier slash")
    )
    for operator in (few, many, earlier):
        suite.fund(operator, SMALL_STAKE)
        suite.send(functions.stake(SMALL_STAKE), operator)
        suite.send(functions.set_terms(1_000, True), operator)
    total = 10 * SMALL_STAKE
    part = total // MANY_DELEGATORS
    for operator in (few, earlier):
        delegator = account(f"the only delegator of {operator}").address
        suite.fund(delegator, total)
        suite.send(functions.delegate(operator, total, 0), delegator)
    for index in range(MANY_DELEGATORS):
        delegator = account(f"delegator {index}").address
        suite.send(suite.mill.functions.transfer(delegator, part), suite.holder)
        suite.send(suite.mill.functions.approve(suite.staking.address, part), delegator)
        suite.send(functions.delegate(many, part, 0), delegator)

    def slash(operator: str) -> int:
        # Beyond any pledge: the fault cap of own and delegated stake together is more than the own stake.
        penalty = (operator, 0, 2**95, suite.requesters[0].address, PRICE, suite.stranger, 1_000, REASON)
        gas = suite.gas(functions.slash(penalty), verifier)
        if functions.self_stake(operator).call() > 0:
            raise RuntimeError("this slash did not reach the delegators")
        return gas

    slash(earlier)  # whoever receives a part has received one before
    figures: Figures = {}
    for name, operator in (("slash with 1 delegator", few), ("slash with 1,000 delegators", many)):
        with suite.chain.rolled_back():
            figures[name] = slash(operator)
    return figures


# ------------------------------------------------------------------ committee and token
def committee(suite: GasSuite) -> Figures:
    functions = suite.committee.functions
    operators = [member.address for member in suite.members]
    figures = {"set_config of 4 members": suite.gas(functions.set_config(operators, FAULTS), suite.admin)}
    joining, key = account("joining member"), account("joining member's key")
    suite.fund(joining.address, STAKE)
    suite.send(suite.staking.functions.stake(10 * MEMBER_BOND), joining.address)
    grant = key_grant(suite, key, joining.address)
    figures["join"] = suite.gas(functions.join(key.address, grant), joining.address)
    figures["leave"] = suite.gas(functions.leave(), joining.address)
    return figures


def token(suite: GasSuite) -> Figures:
    owner, other = suite.requesters[0], suite.requesters[1]
    functions = suite.mill.functions
    figures = {"transfer": suite.gas(functions.transfer(other.address, MILL), owner.address)}
    fresh = account("new holder").address
    figures["transfer to a new holder"] = suite.gas(functions.transfer(fresh, MILL), owner.address)
    call = functions.approve(suite.stranger, MILL)
    figures["approve for the first time"] = suite.gas(call, owner.address)
    figures["approve"] = suite.gas(functions.approve(suite.stranger, 2 * MILL), owner.address)
    call = functions.transferFrom(owner.address, other.address, MILL)
    figures["transferFrom"] = suite.gas(call, suite.stranger)
    deadline = suite.chain.now() + HOUR
    for name in ("permit for the first time", "permit"):
        nonce = functions.nonces(owner.address).call()
        spender = {"owner": owner.address, "spender": suite.stranger, "value": MAX_UINT256 - 1 - nonce}
        fields = spender | {"nonce": nonce, "deadline": deadline}
        v, r, s = _sign_mill(suite, owner, "Permit", _PERMIT, fields)
        call = functions.permit(owner.address, suite.stranger, fields["value"], deadline, v, r, s)
        figures[name] = suite.gas(call, suite.stranger)
    fields = {
        "from": owner.address,
        "to": other.address,
        "value": MILL,
        "validAfter": 0,
        "validBefore": deadline,
        "nonce": DELIVERABLE,
    }
    v, r, s = _sign_mill(suite, owner, "TransferWithAuthorization", _AUTHORIZATION, fields)
    call = functions.transferWithAuthorization(
        owner.address, other.address, MILL, 0, deadline, DELIVERABLE, v, r, s
    )
    figures["transferWithAuthorization"] = suite.gas(call, suite.stranger)
    figures["burn"] = suite.gas(functions.burn(MILL), owner.address)
    figures["delegate votes for the first time"] = suite.gas(functions.delegate(owner.address), owner.address)
    suite.send(functions.delegate(other.address), other.address)
    call = functions.transfer(other.address, MILL)
    figures["transfer between holders that delegated"] = suite.gas(call, owner.address)
    figures["delegate votes to another"] = suite.gas(functions.delegate(other.address), owner.address)
    return figures


_PERMIT: Final = [
    {"name": "owner", "type": "address"},
    {"name": "spender", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "nonce", "type": "uint256"},
    {"name": "deadline", "type": "uint256"},
]
_AUTHORIZATION: Final = [
    {"name": "from", "type": "address"},
    {"name": "to", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "validAfter", "type": "uint256"},
    {"name": "validBefore", "type": "uint256"},
    {"name": "nonce", "type": "bytes32"},
]


def _sign_mill(
    suite: GasSuite, signer: Any, kind: str, fields: list[dict[str, str]], message: dict[str, Any]
) -> tuple[int, bytes, bytes]:
    """A signature over the token's typed data."""
    _, name, version, chain_id, contract, _, _ = suite.mill.functions.eip712Domain().call()
    typed = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            kind: fields,
        },
        "primaryType": kind,
        "domain": {"name": name, "version": version, "chainId": chain_id, "verifyingContract": contract},
        "message": message,
    }
    signed = signer.sign_message(encode_typed_data(full_message=typed))
    return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


COLD: Final[dict[str, Scenario]] = {"first job of all": first_life_of_all}
WARM: Final[dict[str, Scenario]] = {
    "job, one verdict": life_with_one_verdict,
    "job by a hot key, one verdict": life_with_a_hot_key,
    "job, 64 verdicts": life_with_64_verdicts,
    "job, 64 verdicts, one requester and worker": life_with_64_verdicts_of_one_worker,
    "other deposits": other_deposits,
    "other endings": other_endings,
    "collecting": collecting,
    "stake": staking,
    "slash": slashing,
    "committee": committee,
    "token": token,
}
