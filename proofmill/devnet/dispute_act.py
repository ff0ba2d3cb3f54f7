"""The third act: a lie that the committee attests, and that one challenger proves in the EVM.

A worker answers falsely and can defend its lie; as many members as it takes to complete a job attest it unseen. Nobody has to
trust a majority: whoever runs the job again finds the difference, and the contracts compute the one step that decides.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eth_typing import ChecksumAddress

from proofmill.chain import CloseReason, Job, JobState, StageFlag
from proofmill.chain.errors import CallReverted, TransactionReverted
from proofmill.chain.events import EventLog
from proofmill.chain.history import earnings_history, job_history
from proofmill.chain.terms import BASIS_POINTS
from proofmill.chain.types import address
from proofmill.client import Client, Progress, Terms
from proofmill.devnet.acts import Act, wait_for_collection
from proofmill.devnet.ledger import Balances, mismatches
from proofmill.devnet.moves import Move, moves_between
from proofmill.devnet.network import CHALLENGER, REQUESTER, Devnet
from proofmill.devnet.refuted_signers import RefutedSigner, refuted_signers
from proofmill.disputes.inquiry import Inquiry
from proofmill.disputes.matter import KnownModels, Reruns
from proofmill.disputes.prosecution import Progress as Standing
from proofmill.disputes.prosecution import record_of
from proofmill.errors import ProofmillError
from proofmill.jobs import minilm_engine

FORGING_WORKER: Final = "forging-worker"
VERDICT_SECONDS, DISPUTE_SECONDS = 240.0, 600.0
RULED_FALSE: Final = 1  # IArbiter.ruling: the arithmetic refuted the answer
SIGNERS_REPORTER_BPS: Final = 2_500  # of a member's bond: contracts/modules/expulsion.vy


class NotDefended(ProofmillError):
    """The worker that is to defend its lie does not."""


@dataclass(frozen=True)
class Slash:
    """What one operator lost, and who has it now. Amounts in smallest units of MILL."""

    role: str
    taken: int
    to_requester: int
    to_reporter: int
    insured: int
    burned: int
    reporter: str  # role of who made it possible
    block: int
    time: int


@dataclass(frozen=True)
class DisputeAct(Act):
    """The act with every move of it. `proof` says in words which step was shown to be false."""

    moves: Sequence[Move] = ()
    slashes: Sequence[Slash] = ()
    signers: Sequence[str] = ()  # roles of those who attested the lie
    proof: str = ""

    def since_the_lie(self, slash: Slash) -> tuple[int, int]:
        """Blocks and seconds of the chain from the submission of the answer to a slash."""
        lie = next(move for move in self.moves if move.call == "JobEscrow.submit")
        return slash.block - lie.block, slash.time - lie.time


def dispute_act(devnet: Devnet, client: Client, challenger: Client, sentences: Sequence[str]) -> DisputeAct:
    """A job for the forging worker: attested by its confederates, then disputed by ``challenger`` until all have paid."""
    before = _balances(devnet, client)
    member_bond = client.suite.oracle_committee.member_bond()
    operator = _address(devnet, FORGING_WORKER)
    terms = Terms(provider=operator, is_exact=True)
    job = _wait_for_verdict(client, client.post(client.build_request(sentences), terms).id)
    if job.close_reason is not CloseReason.ATTESTED:
        return _end(
            devnet, client, before, job, [], "", [f"the committee did not attest the lie of job {job.id}"]
        )
    client.collect(job)  # the requester has an answer that looks like any other
    problems = list[str]()
    standing, proof = _doubt(challenger, job.id)
    if standing is not Standing.WON:
        problems.append(f"the challenge of job {job.id} ended as {standing.value}, not won")
    signers = refuted_signers(client.web3, client.suite, job.id)
    problems += _expel(devnet, challenger, signers)
    problems += wait_for_collection(client, operator)
    act = _end(devnet, client, before, job, signers, proof, problems)
    expected = due(act, member_bond)
    problems += [*_wrong_facts(devnet, client, act), *mismatches(before, act.after, expected)]
    return act


# ---------------------------------------------------------------- the moves
def _wait_for_verdict(client: Client, job_id: int) -> Job:
    """The job once the committee has judged it, or as it is when that takes too long: a condemned one would be appealed."""
    deadline, seen = time.monotonic() + VERDICT_SECONDS, None
    while True:
        job = client.suite.job_escrow.job(job_id)
        if job.stage != seen:
            seen = job.stage
            client.watch(Progress(job.state.name.lower(), f"job {job_id}: {_in_words(job)}", job_id))
        is_judged = job.state.is_final or StageFlag.CONDEMNED in job.flags
        if is_judged or time.monotonic() > deadline:
            return job
        time.sleep(client.poll_interval)


def _in_words(job: Job) -> str:
    if StageFlag.CONDEMNED in job.flags:
        return "the committee finds the answer wrong"
    if job.state is JobState.SUBMITTED:
        return "a false answer is submitted, the committee judges it"
    if job.state is JobState.COMPLETED:
        return "the committee attests the false answer, the worker is paid"
    return f"claimed by {job.provider}" if job.is_claimed else "waiting for a worker"


def _doubt(challenger: Client, job_id: int) -> tuple[Standing, str]:
    """What ``proofmill dispute open`` does; how it ended, and the words of the proof."""
    told = list[str]()
    watch = challenger.watch

    def listen(progress: Progress) -> None:
        told.append(progress.message)
        watch(progress)

    deadline = time.monotonic() + DISPUTE_SECONDS

    def sleep(seconds: float) -> None:
        if time.monotonic() > deadline:
            raise NotDefended(
                f"the liar has not answered the challenge of job {job_id} within {DISPUTE_SECONDS:.0f} s",
                remedy=f"Read the log of {FORGING_WORKER}. On a real chain its clock would run out, which convicts it too.",
            )
        time.sleep(seconds)

    challenger.watch = listen
    try:
        engine, reruns = minilm_engine(), Reruns(KnownModels())
        inquiry = Inquiry(challenger, job_id, engine=engine, reruns=reruns, sleep=sleep)
        inquiry.examine()
        standing = inquiry.play(inquiry.open())
    finally:
        challenger.watch = watch
    proofs = [each.partition(": ")[2] for each in told if each.startswith(("proved: ", "contradicted: "))]
    return standing, "".join(proofs[-1:])


def _expel(devnet: Devnet, challenger: Client, signers: Sequence[RefutedSigner]) -> list[str]:
    """Show the committee contract who signed for the refuted answer; what went wrong.

    Anyone may be faster, an honest member for example: then that one has the reporter's share.
    """
    committee = challenger.suite.oracle_committee
    for signer in signers:
        role, how = _role(devnet, signer.operator), "its bond is taken, it is expelled"
        try:
            call = committee.prove_misjudgement(signer.proof)
            challenger.sender.send(f"misjudgement/{signer.proof.verdict.job_id}/{signer.operator}", call)
        except (CallReverted, TransactionReverted) as error:
            how = f"this account has nothing of it, {error}"
        challenger.watch(Progress("signer", f"{role} signed for the refuted answer: {how}"))
    seated = committee.keys()
    left = [_role(devnet, signer.operator) for signer in signers if signer.proof.key in seated]
    return [f"{role} still has its seat" for role in left]


# ---------------------------------------------------------------- the account
def _balances(devnet: Devnet, client: Client) -> Balances:
    operators = {role: devnet.address(role) for role in (FORGING_WORKER, *_oracles(devnet))}
    clients = {role: devnet.address(role) for role in (REQUESTER, CHALLENGER)}
    return Balances.take(client.suite, clients | operators, operators)


def due(act: DisputeAct, member_bond: int) -> Mapping[str, int]:
    """What each balance must have changed by, from the terms of the job and the rules of the contracts.

    Of what happened only this counts: who signed, and who showed it first.
    """
    job, bond = act.job, act.job.terms.bond
    compensation = job.terms.compensation(job.price, bond)
    reward = bond * job.terms.rates.reporter_bps // BASIS_POINTS
    for_signer = member_bond * SIGNERS_REPORTER_BPS // BASIS_POINTS
    expected = Counter(
        {
            f"{REQUESTER}: wallet": compensation - job.price,
            f"{CHALLENGER}: wallet": reward,  # its own bond came back
            f"{FORGING_WORKER}: wallet": job.pay,
            f"{FORGING_WORKER}: stake": -bond,
            "escrow": job.price - job.pay,
            "total supply": compensation + reward - bond,
        }
    )
    reporters = {slash.role: slash.reporter for slash in act.slashes}
    for role in act.signers:
        expected[f"{role}: stake"] -= member_bond
        expected[f"{reporters.get(role, CHALLENGER)}: wallet"] += for_signer
        expected["total supply"] += for_signer - member_bond
    return expected


def _wrong_facts(devnet: Devnet, client: Client, act: DisputeAct) -> list[str]:
    """What is not as it must be, besides the balances."""
    problems = list[str]()
    assert devnet.plan.collusion is not None
    if set(act.signers) != set(devnet.plan.collusion.roles):
        problems.append(f"the lie was signed by {', '.join(act.signers) or 'nobody'}")
    if act.job.close_reason is not CloseReason.REFUTED:
        problems.append(
            f"job {act.job.id} ended as {act.job.close_reason.name.lower()}, its answer not refuted"
        )
    if client.suite.dispute_game.ruling(act.job.id, record_of(act.job)) != RULED_FALSE:
        problems.append("the arithmetic did not decide")
    lost = sorted(slash.role for slash in act.slashes)
    if lost != sorted([FORGING_WORKER, *act.signers]):
        problems.append(f"slashed were {', '.join(lost) or 'nobody'}")
    return problems


def _end(
    devnet: Devnet,
    client: Client,
    before: Balances,
    job: Job,
    signers: Sequence[RefutedSigner],
    proof: str,
    problems: list[str],
) -> DisputeAct:
    """The act as it stands now; ``problems`` may still grow."""
    roles = {role: str(account.address) for role, account in devnet.accounts.items()}
    head = int(client.web3.eth.block_number)
    moves = moves_between(client.web3, client.suite, roles, job.posted_block, head)
    return DisputeAct(
        job=client.suite.job_escrow.job(job.id),
        history=job_history(client.web3, client.deployment, job.id),
        collections=earnings_history(client.web3, client.deployment, job.provider, job.posted_block),
        before=before,
        after=_balances(devnet, client),
        problems=problems,
        moves=moves,
        slashes=[
            _slash(devnet, move, event) for move in moves for event in move.events if event.name == "Slashed"
        ],
        signers=[_role(devnet, signer.operator) for signer in signers],
        proof=proof,
    )


def _slash(devnet: Devnet, move: Move, event: EventLog) -> Slash:
    args = event.args
    return Slash(
        role=_role(devnet, address(args["operator"])),
        taken=int(args["own"]) + int(args["delegated"]),
        to_requester=int(args["compensation"]),
        to_reporter=int(args["reward"]),
        insured=int(args["insured"]),
        burned=int(args["burned"]),
        reporter=_role(devnet, address(args["reporter"])),
        block=move.block,
        time=move.time,
    )


def _oracles(devnet: Devnet) -> list[str]:
    return [f"oracle-{place}" for place in range(devnet.plan.oracle_count)]


def _role(devnet: Devnet, operator: ChecksumAddress) -> str:
    return next(role for role, account in devnet.accounts.items() if account.address == operator)


def _address(devnet: Devnet, role: str) -> ChecksumAddress:
    return address(devnet.address(role))
