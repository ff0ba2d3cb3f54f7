"""What a member is and has, and what waits for it, as values of JSON: amounts in the smallest unit, times in unix seconds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from oracle.ballots import Ballots
from oracle.committee_view import CommitteeView
from oracle.inspection import Inspection
from oracle.measuring.memory import MeasuringMemory
from proofmill.chain import JobEscrow, Journal
from proofmill.chain.endpoint_pool import pool_of
from proofmill.chain.errors import JobNotFound
from proofmill.chain.journal import Key
from proofmill.chain.records import Job
from proofmill.chain.types import EMPTY_ADDRESS
from proofmill.disputes.docket import Docket
from proofmill.measuring.windows import Window

WINDOWS_SHOWN = 3
TERA = 10**12


def standing_of(inspection: Inspection) -> dict[str, Any]:
    """Everything that `python -m oracle status` shows.

    Raises:
        ProofmillError: the chain cannot be read.
    """
    ballots = Ballots(inspection.database)
    first_block = inspection.first_block()
    view = inspection.look(ballots, first_block)
    # Last, so that it tells how the endpoints fared in all of this.
    found = {
        "has_run": inspection.has_run,
        "member": _member(inspection, view),
        "chain": _chain(inspection, view),
        "committee": _committee(view),
        "waiting": [_job(job, ballots) for job in view.submitted.values()],
        "challengeable": [_job(job, ballots) for job in view.challengeable.values()],
        "doubts": _doubts(inspection, ballots),
        "challenges": _challenges(inspection, view, first_block),
        "measuring": _measuring(inspection, view),
        "transactions": _transactions(inspection),
    }
    return found | {"endpoints": _endpoints(inspection)}


def _member(inspection: Inspection, view: CommitteeView) -> dict[str, Any]:
    key, suite = inspection.key, inspection.suite
    operator = suite.oracle_committee.operator_of(key)
    has_joined = operator != EMPTY_ADDRESS
    return {
        "key": key,
        "operator": operator if has_joined else None,
        "seat": view.seat(key),
        "bond": suite.oracle_committee.member(operator).bond if has_joined else 0,
        "ether": int(inspection.web3.eth.get_balance(key)),
        "mill": suite.mill_token.balance_of(key),
    }


def _chain(inspection: Inspection, view: CommitteeView) -> dict[str, Any]:
    return {
        "id": view.chain_id,
        "head": int(inspection.web3.eth.block_number),
        "block": view.stamp.number,
        "block_hash": _hex(view.stamp.hash),
        "block_time": view.block_time,
    }


def _committee(view: CommitteeView) -> dict[str, Any]:
    following = view.latest_sequence + 1
    return {
        "address": view.committee,
        "config_digest": _hex(view.config_digest),
        "members": len(view.members),
        "faults_tolerated": view.faults_tolerated,
        "latest_sequence": view.latest_sequence,
        "next_leader": view.members[following % len(view.members)] if view.members else None,
    }


def _job(job: Job, ballots: Ballots) -> dict[str, Any]:
    finding = ballots.finding(job.escrow, job.id, job.commitment)
    return {
        "job": job.id,
        "worker": job.provider,
        "state": job.state.name.lower(),
        "deadline": job.deadline,
        "finding": None if finding is None else finding.verdict.outcome.name.lower(),
    }


def _doubts(inspection: Inspection, ballots: Ballots) -> list[dict[str, Any]]:
    escrow = inspection.suite.job_escrow
    return [
        {
            "job": finding.verdict.job_id,
            "worker": _worker_of(escrow, finding.verdict.job_id),
            "claimed": _hex(finding.claimed),
            "computed": _hex(finding.computed),
        }
        for finding in ballots.rejections(escrow.address)
    ]


def _worker_of(escrow: JobEscrow, job_id: int) -> str | None:
    try:
        return escrow.job(job_id).provider
    except JobNotFound:
        return None  # reorganised away


def _challenges(inspection: Inspection, view: CommitteeView, first_block: int) -> list[dict[str, Any]]:
    game = inspection.suite.dispute_game
    docket = Docket(game, first_block)
    docket.refresh(view.stamp.number)
    found: list[dict[str, Any]] = []
    for file in docket.challenges().values():
        if file.challenger != inspection.key:
            continue
        challenge = game.challenge(file.id, block=view.stamp.number)
        if not challenge.is_open:
            continue
        clock = challenge.defender_left if challenge.waits_for_defender else challenge.challenger_left
        found.append(
            {
                "challenge": file.id,
                "job": file.job_id,
                "turn": "operator" if challenge.waits_for_defender else "this member",
                "seconds_left": challenge.turn_began_at + clock - view.block_time,
            }
        )
    return found


def _measuring(inspection: Inspection, view: CommitteeView) -> dict[str, Any] | None:
    rules = inspection.settings.measuring
    if rules is None:
        return None
    newest = int(inspection.web3.eth.block_number)
    window = Window.at(newest, rules)
    memory = MeasuringMemory(inspection.database)
    shown = range(window.number, window.number - WINDOWS_SHOWN, -1)
    own = inspection.key
    devices = [
        {
            "window": seen.window,
            "operator": seen.operator,
            "device": _hex(seen.device_id),
            "outcome": seen.outcome.name.lower(),
            "tera_operations_per_second": seen.operations_per_second / TERA,
        }
        for seen in (signed.observation for signed in memory.seen_in(own, shown))
    ]
    return {
        "window": window.number,
        "first_block": window.first_block,
        "last_block": window.first_block + rules.window_blocks - 1,
        "phase": window.phase(newest, inspection.settings.confirmations).value,
        "rules": asdict(rules),
        "rules_digest": _hex(rules.digest()),
        "devices": devices,
    }


def _transactions(inspection: Inspection) -> list[dict[str, Any]]:
    key = Key(inspection.deployment.chain_id, inspection.key)
    return [
        {
            "intent": entry.intent,
            "state": entry.status.value,
            "nonce": entry.nonce,
            "attempts": len(entry.attempts),
            "signed_at": int(entry.attempts[0].signed_at),
            "maximum_fee": entry.latest.fees.maximum,
            "hash": _hex(entry.latest.hash),
        }
        for entry in Journal(inspection.database).unresolved(key)
    ]


def _endpoints(inspection: Inspection) -> list[dict[str, Any]]:
    pool = pool_of(inspection.web3)
    return [
        {
            "name": one.name,
            "fit": one.is_fit,
            "head": one.head,
            "lag": one.lag,
            "failures_in_a_row": one.failures_in_a_row,
            "last_failure": one.last_failure,
        }
        for one in (() if pool is None else pool.health())
    ]


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
