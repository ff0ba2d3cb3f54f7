"""A defender's moves that were mined and reverted."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from proofmill.disputes.defence import Defence
from tests.unit.cli.test_dispute_command import GAME, JOB, RIGHT
from tests.unit.oracle.test_send_again import CALL, RevertingSender


class Silent:
    """Nobody listens."""

    def info(self, event: str, **facts: Any) -> None: ...

    warning = error = info


def test_appeal__mined_and_reverted__is_sent_again() -> None:
    """What made it revert may be gone a block later; a defender that stays silent loses its stake."""
    sender: Any = RevertingSender(reverts=1)
    suite: Any = SimpleNamespace(dispute_game=SimpleNamespace(address=GAME, appeal=lambda *_: CALL))
    nothing: Any = None
    defence = Defence(JOB.provider, suite, sender, nothing, nothing, Silent())
    job = replace(JOB, deliverable=RIGHT.root)
    matter: Any = SimpleNamespace(own=SimpleNamespace(root=RIGHT.root))
    assert not defence.appeal(job, matter)
    assert defence.appeal(job, matter)
    assert defence.appeal(job, matter), "and once it is done, it stays done"
    assert len(sender.mined) == 2
