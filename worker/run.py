"""Put a worker together from its settings and run it until a signal."""

from collections.abc import Iterator
from contextlib import contextmanager

from eth_typing import ChecksumAddress
from starlette.applications import Starlette

from proofmill.chain.block_search import first_block_since
from proofmill.chain.errors import node_failures
from proofmill.chain.types import address
from proofmill.disputes.docket import Docket
from proofmill.disputes.matter import KnownModels, Reruns
from proofmill.errors import ProofmillError
from proofmill.health import health_routes
from proofmill.jobs import Engine
from proofmill.logs import Logger
from proofmill.node import Node
from proofmill.service import stop_on_signals
from proofmill.store import BlobFetcher, blob_routes
from worker.config import WorkerSettings
from worker.defence import LOOK_BACK_SECONDS, OwnDefence
from worker.earnings import EarningsCollector
from worker.measuring.build import build_taking_part
from worker.policy import Policy
from worker.service import Worker
from worker.sharing import RequestSharing


def run_worker(settings: WorkerSettings, engine: Engine, reruns: Reruns | None = None) -> None:
    """Serve `engine` with the worker of `settings`; returns after SIGTERM or SIGINT.

    ``reruns`` are what it defends its answers with; by default those of the models that it knows.
    """
    with Node.open(settings, role="worker") as node:
        engine.load()
        fetcher = BlobFetcher(node.store, settings.peers)
        operator = address(settings.operator or node.account.address)
        mill = node.suite.mill_token.address
        prices = {mill: settings.minimum_price} | {
            address(t): least for t, least in settings.token_prices.items()
        }
        _check_key(node, operator)
        sharing = RequestSharing(fetcher=fetcher, store=node.store, log=node.log)
        worker = Worker(
            operator=operator,
            suite=node.suite,
            board=node.board,
            sender=node.sender,
            engine=engine,
            store=node.store,
            fetcher=fetcher,
            policy=Policy(
                minimum_prices=prices,
                maximum_bond_bps=settings.maximum_bond_bps,
                minimum_submit_window=settings.minimum_submit_window,
                minimum_evaluation_window=settings.minimum_evaluation_window,
                request_bytes_per_second=settings.request_bytes_per_second,
            ),
            earnings=EarningsCollector(
                operator=operator,
                suite=node.suite,
                sender=node.sender,
                minimums={**prices, mill: settings.minimum_collection},
                after_jobs=settings.collect_after_jobs,
                after_seconds=settings.collect_after_seconds,
                log=node.log,
            ),
            health=node.health,
            log=node.log,
            defence=OwnDefence(
                operator=operator,
                suite=node.suite,
                sender=node.sender,
                docket=Docket(node.suite.dispute_game, _first_block(node)),
                reruns=reruns or Reruns(KnownModels()),
                engine=engine,
                fetcher=fetcher,
                log=node.log,
            ),
            sharing=sharing,
        )

        def stop() -> None:
            node.health.drain()
            worker.stop()

        stop_on_signals(stop)
        application = Starlette(
            routes=[
                *blob_routes(node.store, accept_uploads=False),
                *health_routes(node.health),
            ]
        )
        with node.serve(application), _measuring(node, settings, operator):
            node.run(worker.step, worker.stopping)
            _drain(worker, node.log)
        sharing.close()
        fetcher.close()


@contextmanager
def _measuring(node: Node, settings: WorkerSettings, operator: ChecksumAddress) -> Iterator[None]:
    """Take part in measuring meanwhile, if the settings have rules for it."""
    part = None
    if settings.measuring is not None:
        part = build_taking_part(node, settings, settings.measuring, operator)
    if part is not None:
        part.start(settings.poll_interval)
    try:
        yield
    finally:
        if part is not None:
            part.stop()


def _first_block(node: Node) -> int:
    with node_failures():
        return first_block_since(node.web3, LOOK_BACK_SECONDS, node.deployment.deployed_block)


def _check_key(node: Node, operator: ChecksumAddress) -> None:
    """Say at the start what would only show at the first claim; the operator may still authorise the key."""
    key = node.account.address
    with node_failures():
        if key != operator and not node.suite.staking.is_hot_key(operator, key):
            node.log.error(
                "this key may not work for the operator",
                operator=operator,
                remedy=f"The operator runs `proofmill hot-key add {key}`.",
            )


def _drain(worker: Worker, log: Logger) -> None:
    """Collect what is worth it; whatever stands in the way, the process ends."""
    try:
        with node_failures():
            worker.drain()
    except ProofmillError as error:
        log.warning("earnings wait where they are", error=str(error), remedy=error.remedy)
