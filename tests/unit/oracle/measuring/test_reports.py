"""From a window to the registry: four members, of which one may be away or lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from oracle.measuring.messages import MeasurementProposal
from oracle.measuring.session import Refused
from proofmill.chain.typed_data import sign_report
from proofmill.measuring.messages import to_hex
from proofmill.store import DirectoryStore
from tests.unit.oracle.measuring.conftest import DEVICES, MEMBERS, RIVAL, WORKER
from tests.unit.oracle.measuring.network import RULES, Network


@pytest.fixture
def net(tmp_path: Path) -> Network:
    network = Network(DirectoryStore(tmp_path, quota_bytes=1 << 24))
    network.go_to(0)
    return network


def a_window(net: Network, **changes: object) -> None:
    net.work_through(net.prover(**changes))
    net.close()
    net.report()


def test_window__honest_worker__is_on_record_once(net: Network) -> None:
    a_window(net)
    (report,) = net.chain.sent
    assert [item.device_id for item in report.measurements] == list(DEVICES)
    for measurement in report.measurements:
        assert measurement.operator == WORKER.address
        assert measurement.operations_per_second > 0
        assert measurement.evidence_hash == report.head.evidence_hash
        assert measurement.expires_at - measurement.observed_at == RULES.lifetime_seconds


def test_window__one_member_away__is_reported_all_the_same(net: Network) -> None:
    net.members[1].is_away = True
    a_window(net)
    assert net.speed_of(DEVICES[0]) > 0


def test_window__two_members_away__reports_nothing(net: Network) -> None:
    net.members[1].is_away = net.members[2].is_away = True
    prover = net.prover()
    net.begin(prover)
    net.close()
    net.report()
    assert net.chain.sent == []


def test_evidence__is_kept_where_the_report_points(net: Network) -> None:
    a_window(net)
    assert net.store.get(net.chain.sent[0].head.evidence_hash)


def test_failures__three_windows_in_a_row__withdraw_the_device_that_failed(net: Network) -> None:
    a_window(net)
    for number in range(1, RULES.failures_to_withdraw + 1):
        assert net.speed_of(DEVICES[1]) > 0, f"withdrawn after {number - 1} failures"
        net.next_window()
        net.work_through(net.prover(), opened=DEVICES[:1])
        net.close()
        net.report()
    assert net.speed_of(DEVICES[0]) > 0
    assert net.speed_of(DEVICES[1]) == 0


def test_failures__absent_for_three_windows__are_withdrawn_and_then_forgotten(net: Network) -> None:
    a_window(net)
    for _ in range(RULES.failures_to_withdraw + 1):
        net.next_window()
        net.close()
        net.report()
    assert [net.speed_of(device_id) for device_id in DEVICES] == [0, 0]
    assert len(net.chain.sent) == 2  # the measurement and the withdrawal of both, nothing after that


def test_failures__with_a_good_window_between__withdraw_nothing(net: Network) -> None:
    a_window(net)
    for is_present in (False, False, True, False, False):
        net.next_window()
        if is_present:
            net.work_through(net.prover())
        net.close()
        net.report()
    assert net.speed_of(DEVICES[1]) > 0


def test_restart__in_mid_window__accuses_nobody(net: Network) -> None:
    a_window(net)
    net.next_window()
    prover = net.prover()
    nonces = net.begin(prover)
    assert len(nonces) == 4
    restarted = net.restart(2)
    net.close()
    own = restarted.memory.seen_by(net.panel.keys[2], net.chain.beacon(net.window.first_block).hash)
    assert own == []


def test_beacon__replaced__voids_the_window(net: Network) -> None:
    net.work_through(net.prover())
    net.chain.branch = 1
    net.close()
    net.report()
    assert net.chain.sent == []


def test_device__claimed_by_two_operators__does_not_stop_the_report(net: Network) -> None:
    worker, rival = net.prover(), net.prover(key=RIVAL, device_ids=DEVICES[:1])
    all_nonces = [(prover, net.begin(prover)) for prover in (worker, rival)]
    for prover, nonces in all_nonces:
        for member in net.here:
            sessions = member.course.current()
            assert sessions is not None
            sessions.take_roots(prover.roots(nonces), net.clock.now + 10.0)
    net.go_to(RULES.sampled_at + 1)
    for prover, nonces in all_nonces:
        open_devices(net, prover, nonces)
    net.close()
    net.report()
    assert net.holder_of(DEVICES[1]) == WORKER.address
    assert net.holder_of(DEVICES[0]) in (WORKER.address, RIVAL.address)


def open_devices(net: Network, prover, nonces) -> None:  # type: ignore[no-untyped-def]
    from tests.unit.oracle.measuring.conftest import HashChallenge

    sample = net.chain.beacon(net.window.sample_block).randomness
    for device_id in prover.device_ids:
        proof = prover.right_proof(HashChallenge(), device_id, nonces, sample)
        for member in net.here:
            sessions = member.course.current()
            assert sessions is not None
            sessions.take_opening(prover.opening(device_id, proof), proof)


# ------------------------------------------------------------------ a leader that lies
def proposal_of(net: Network) -> tuple[int, MeasurementProposal]:
    """A proposal of whoever leads first, caught before anybody signs it, and its leader's place."""
    net.work_through(net.prover())
    net.close()
    leader = net.members[1]  # of sequence 1
    caught: list[MeasurementProposal] = []

    class Wire:
        def propose(self, proposal: MeasurementProposal) -> list[object]:
            caught.append(proposal)
            return []

    leader.reports._members = Wire()  # type: ignore[assignment]
    leader.reports.lead()
    (proposal,) = caught
    return leader.place, proposal


def signed_again(net: Network, place: int, proposal: MeasurementProposal) -> MeasurementProposal:
    """The altered proposal with a fresh signature of its leader, as a lying leader makes it."""
    leader = net.members[place]
    report = leader.reports._report(leader.view(), proposal)
    signature = sign_report(report, MEMBERS[place], net.panel.chain_id, net.panel.committee)
    return proposal.model_copy(update={"signature": to_hex(signature)})


def test_endorse__honest_proposal__is_signed_once_for_all(net: Network) -> None:
    _, proposal = proposal_of(net)
    signer = net.members[2].reports
    assert signer.endorse(proposal) == signer.endorse(proposal)


def test_endorse__a_second_report_under_one_number__is_refused(net: Network) -> None:
    place, proposal = proposal_of(net)
    signer = net.members[2].reports
    signer.endorse(proposal)
    other = proposal.model_copy(update={"devices": proposal.devices[:1]})
    with pytest.raises(Refused, match="is signed for"):
        signer.endorse(signed_again(net, place, other))


def test_endorse__signed_by_another_than_the_leader__is_refused(net: Network) -> None:
    _, proposal = proposal_of(net)
    with pytest.raises(Refused, match="did not sign this"):
        net.members[2].reports.endorse(signed_again(net, 3, proposal))


def test_endorse__an_observation_altered__is_refused(net: Network) -> None:
    _, proposal = proposal_of(net)
    window = proposal.devices[0].windows[0]
    altered = window[0].model_copy(update={"operations_per_second": "99"})
    device = proposal.devices[0].model_copy(update={"windows": [[altered, *window[1:]]]})
    with pytest.raises(Refused, match=r"is no member|recovers to nobody"):
        net.members[2].reports.endorse(proposal.model_copy(update={"devices": [device]}))


def test_endorse__an_observation_left_out_of_the_quorum__is_refused(net: Network) -> None:
    _, proposal = proposal_of(net)
    device = proposal.devices[0].model_copy(update={"windows": [proposal.devices[0].windows[0][:2]]})
    with pytest.raises(Refused, match="2 members observed it"):
        net.members[2].reports.endorse(proposal.model_copy(update={"devices": [device]}))


def test_endorse__one_device_twice__is_refused(net: Network) -> None:
    _, proposal = proposal_of(net)
    with pytest.raises(Refused, match="reported twice"):
        net.members[2].reports.endorse(proposal.model_copy(update={"devices": [proposal.devices[0]] * 2}))


def test_endorse__an_old_window__is_refused(net: Network) -> None:
    _, proposal = proposal_of(net)
    for _ in range(2):
        net.next_window()
        net.go_to(RULES.report_from)
    later = proposal.model_copy(update={"observed_at": net.chain.time})
    with pytest.raises(Refused, match="is not the last one that is over"):
        net.members[2].reports.endorse(later)


def test_endorse__too_old_or_from_the_future__is_refused(net: Network) -> None:
    _, proposal = proposal_of(net)
    for change in (-3_700, 3_700):
        aged = proposal.model_copy(update={"observed_at": net.chain.time + change})
        with pytest.raises(Refused, match="the report is of"):
            net.members[2].reports.endorse(aged)


def test_endorse__a_sequence_that_is_not_open__is_refused(net: Network) -> None:
    place, proposal = proposal_of(net)
    far = proposal.model_copy(update={"sequence": 4_000_001})
    with pytest.raises(Refused, match="is not open"):
        net.members[2].reports.endorse(signed_again(net, place, far))


def test_endorse__another_branch__is_refused(net: Network) -> None:
    _, proposal = proposal_of(net)
    net.chain.branch = 1
    with pytest.raises(Refused, match="another branch"):
        net.members[2].reports.endorse(proposal)
