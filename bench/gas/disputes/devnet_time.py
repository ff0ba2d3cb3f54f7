"""How long it takes from a wrong answer to the slash on a chain with a block each second.

Both sides run in one process, by turns, and look at the chain once a second; the trace of either is made before. The figure
depends on the machine, so nothing is compared with it.
"""

from __future__ import annotations

import time
from typing import Final

from bench.gas.disputes.court import Court
from bench.gas.disputes.figures import lie
from bench.gas.disputes.games import play
from bench.gas.disputes.works import minilm

BLOCK_SECONDS: Final = 1


def seconds_to_slash(court: Court) -> dict[str, int]:
    """Seconds by the clock of the blocks, on average as those of a wall."""
    work = minilm()
    model_id = court.register(work.committed)
    defended = work.forged([lie(work, work.number_of("linear", "0.up"))])
    anvil = court.chain.anvil
    anvil.request("anvil_removeBlockTimestampInterval", [])
    anvil.set_block_time(BLOCK_SECONDS)
    try:
        game = play(court, work, model_id, defended, lambda: time.sleep(BLOCK_SECONDS))
    finally:
        anvil.set_block_time(0)
        anvil.set_mining(True)
        anvil.request("anvil_setBlockTimestampInterval", [1])
    return {
        "seconds from submit to settle": game.seconds,
        "transactions of the dispute": len(game.sent),
        "replies": len(game.replies),
    }
