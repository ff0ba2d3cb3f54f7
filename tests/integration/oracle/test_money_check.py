"""A rejection, and a bond against an answer, rest on what two endpoints say of one block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from adversaries.rpc_proxy import Lie, RpcProxy
from oracle.money_check import MoneyCheck, ViewContradicted
from proofmill.chain import Deployment, Outcome, Report, ReportHead, Verdict, connect
from proofmill.chain.errors import EndpointsDisagree
from proofmill.devnet.anvil import Anvil
from tests.integration.disputes.trial import right_answer
from tests.integration.oracle.conftest import Open
from tests.integration.oracle.honest_member import HonestMember

Check = Callable[[int], MoneyCheck]


@pytest.fixture
def check(anvil: Anvil, deployment: Deployment) -> Iterator[Check]:
    """A check through so many liars, the preferred ones, and two honest endpoints less than three."""
    with ExitStack() as stack:

        def make(liars: int) -> MoneyCheck:
            proxies = [stack.enter_context(RpcProxy(anvil.rpc_url)) for _ in range(2)]
            for proxy in proxies[:liars]:
                proxy.add(
                    Lie(lambda _exchange, value: "0x" + "00" * ((len(value) - 2) // 2)), methods=["eth_call"]
                )
            suite = deployment.connect(connect([proxy.url for proxy in proxies]))
            return MoneyCheck(suite.oracle_committee, suite.job_escrow, confirmations=1)

        yield make


def rejection(member: HonestMember, job_id: int) -> Report:
    view = member.look()
    job = view.submitted[job_id]
    head = ReportHead(view.config_digest, 1, view.block_time, bytes(32), view.escrow)
    return Report(head, (Verdict(job_id, Outcome.REJECT, job.commitment),))


def test_of_report__both_endpoints_say_what_the_member_saw__passes(
    check: Check, member: HonestMember, submitted: Open
) -> None:
    trial = submitted(right_answer())
    report = rejection(member, trial.job_id)
    check(0).of_report(member.look(), report)


def test_of_report__one_endpoint_says_something_else__nothing_is_decided(
    check: Check, member: HonestMember, submitted: Open
) -> None:
    trial = submitted(right_answer())
    report = rejection(member, trial.job_id)
    with pytest.raises(EndpointsDisagree):
        check(1).of_report(member.look(), report)


def test_of_report__member_was_shown_a_job_that_the_endpoints_do_not_have__is_contradicted(
    check: Check, member: HonestMember, submitted: Open
) -> None:
    """It got its view from a liar that has gone since."""
    trial = submitted(right_answer())
    view = member.look()
    job = replace(view.submitted[trial.job_id], commitment=b"\x07" * 32)
    shown = replace(view, submitted={job.id: job})
    report = replace(
        rejection(member, trial.job_id), verdicts=(Verdict(job.id, Outcome.REJECT, job.commitment),)
    )
    with pytest.raises(ViewContradicted, match=rf"\[{job.id}\]"):
        check(0).of_report(shown, report)


def test_of_answer__two_agree_or_not__decides_whether_a_bond_is_posted(
    check: Check, member: HonestMember, submitted: Open
) -> None:
    job = submitted(right_answer()).job
    check(0).of_answer(job)
    with pytest.raises(ViewContradicted):
        check(0).of_answer(replace(job, deliverable=b"\x07" * 32))
    with pytest.raises(EndpointsDisagree):
        check(1).of_answer(job)
