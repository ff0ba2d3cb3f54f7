"""What a node's metrics show of its money and its endpoints, also while the chain is away."""

from __future__ import annotations

from typing import Any

from eth_account.signers.local import LocalAccount

from adversaries.rpc_proxy import DropRequest
from proofmill.chain import Deployment, Journal
from proofmill.devnet.anvil import Anvil
from proofmill.logs import get_logger
from proofmill.metrics import NodeMetrics
from proofmill.telemetry import Telemetry
from tests.integration.conftest import SenderFactory
from tests.integration.faults.conftest import RECIPIENT, MakeProxy, through


def test_note__transactions_balances_and_endpoints__are_shown_and_survive_an_outage(
    make_proxy: MakeProxy,
    deployment: Deployment,
    operator: LocalAccount,
    journal: Journal,
    make_sender: SenderFactory,
) -> None:
    proxies = [make_proxy(), make_proxy()]
    web3 = through(*proxies)
    suite = deployment.connect(web3)
    metrics = NodeMetrics(role="worker", address=operator.address)
    seconds = [0.0]
    telemetry = Telemetry(
        web3=web3,
        database=journal.engine,
        address=operator.address,
        mill_token=suite.mill_token,
        confirmations=2,
        metrics=metrics,
        log=get_logger(),
        clock=lambda: seconds[0],
    )

    def value(name: str, **labels: Any) -> float | None:
        return metrics.registry.get_sample_value(f"proofmill_{name}", labels)

    sender = make_sender(connection=web3)
    telemetry.note()
    before = value("balance", token="MILL")
    assert before is not None
    sender.send("pay", suite.mill_token.transfer(RECIPIENT, 3 * 10**18))
    telemetry.note()
    assert value("transactions", state="mined") == 0, "asked seldom"
    seconds[0] = 60
    telemetry.note()
    assert value("transactions", state="mined") == 1
    assert value("balance", token="MILL") == before - 3
    assert value("block_number", which="head") == web3.eth.block_number
    assert value("block_number", which="confirmed") == web3.eth.block_number - 1
    name = proxies[0].url
    assert (
        value("rpc_request_seconds_count", endpoint=name, method="eth_getBalance", result="answered") or 0
    ) > 1
    assert value("rpc_endpoint_fit", endpoint=name) == 1

    for proxy in proxies:
        proxy.add(DropRequest())
    seconds[0] = 120
    telemetry.note()  # logged, and in nobody's way
    assert value("rpc_endpoint_fit", endpoint=name) == 0
    assert value("balance", token="MILL") == before - 3


def test_note__fee_was_raised__replacements_are_counted(
    anvil: Anvil,
    deployment: Deployment,
    operator: LocalAccount,
    journal: Journal,
    make_sender: SenderFactory,
) -> None:
    metrics = NodeMetrics(role="worker", address=operator.address)
    telemetry = Telemetry(
        web3=anvil.web3,
        database=journal.engine,
        address=operator.address,
        mill_token=deployment.connect(anvil.web3).mill_token,
        confirmations=1,
        metrics=metrics,
        log=get_logger(),
    )
    anvil.set_mining(False)
    rounds: list[int] = []

    def pass_time(_: float) -> None:
        """A block that was full of others, then one with room."""
        rounds.append(1)
        if len(rounds) == 1:
            anvil.set_next_base_fee(10**10)
        anvil.mine()

    sender = make_sender(patience=-1.0, sleep=pass_time)
    sender.send("pay", deployment.connect(anvil.web3).mill_token.transfer(RECIPIENT, 1))
    telemetry.note()
    assert metrics.registry.get_sample_value("proofmill_fee_bumps") == len(
        [
            one
            for entry in [journal.find(sender._key, "pay")]
            if entry is not None
            for one in entry.attempts[1:]
        ]
    )
    assert (metrics.registry.get_sample_value("proofmill_fee_bumps") or 0) >= 1
