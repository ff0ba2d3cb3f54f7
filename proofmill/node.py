"""What worker and oracle have in common: a key, a chain, a database, a store, an address to listen on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version

from eth_account.signers.local import LocalAccount
from sqlalchemy import Engine
from starlette.types import ASGIApp
from web3 import Web3

from proofmill.chain import (
    Deployment,
    Journal,
    SenderPolicy,
    Suite,
    TransactionSender,
    connect,
    load_keystore,
    open_database,
)
from proofmill.chain.errors import node_failures
from proofmill.chain.job_board import JobBoard
from proofmill.errors import ProofmillError
from proofmill.health import Health
from proofmill.http_limits import RequestLimits
from proofmill.jobs import identify
from proofmill.logs import Logger, configure_logs, get_logger
from proofmill.metrics import NodeMetrics
from proofmill.service import run_until_stopped
from proofmill.settings import NodeSettings
from proofmill.store import DEFAULT_MAXIMUM_BLOB_BYTES, DirectoryStore, ServiceServer
from proofmill.telemetry import Telemetry

# A node that has not finished a cycle for this many poll intervals is not ready.
STALE_AFTER_INTERVALS = 30


@dataclass(frozen=True)
class Node:
    """An opened node; made by `open`, closed at the end of its `with` block."""

    settings: NodeSettings
    log: Logger
    account: LocalAccount
    web3: Web3
    deployment: Deployment
    suite: Suite
    database: Engine
    store: DirectoryStore
    sender: TransactionSender
    board: JobBoard
    health: Health
    metrics: NodeMetrics
    telemetry: Telemetry

    @classmethod
    @contextmanager
    def open(cls, settings: NodeSettings, *, role: str) -> Iterator[Node]:
        """Connect, unlock the key, open the journal and finish what a crash interrupted.

        Raises:
            ProofmillError: a setting points nowhere, the chain is another one, or another process holds the key.
        """
        configure_logs(level=settings.log_level, log_format=settings.log_format)
        with ExitStack() as stack:
            account = load_keystore(settings.keystore, settings.password_file)
            log = get_logger(role=role, address=account.address)
            deployment = Deployment.load(settings.deployment)
            web3 = connect(settings.rpc_url, expected_chain_id=deployment.chain_id)
            deployment.verify(web3)
            suite = deployment.connect(web3)
            database = open_database(settings.data_directory / f"{role}.db")
            stack.callback(database.dispose)
            policy = SenderPolicy(confirmations=settings.confirmations, patience=settings.fee_patience)
            sender = stack.enter_context(TransactionSender(web3, account, Journal(database), policy=policy))
            _resume(sender, log)
            _limit_threads(settings.torch_threads)
            metrics = NodeMetrics(role=role, address=account.address, version=version("proofmill"))
            yield cls(
                settings=settings,
                log=log,
                account=account,
                web3=web3,
                deployment=deployment,
                suite=suite,
                database=database,
                store=DirectoryStore(
                    settings.data_directory / "blobs", quota_bytes=settings.quota_bytes, identify=identify
                ),
                sender=sender,
                board=JobBoard(
                    web3,
                    suite.job_escrow,
                    database,
                    start_block=deployment.deployed_block,
                    confirmations=settings.confirmations,
                ),
                health=Health(
                    role=role,
                    address=account.address,
                    stale_after=max(60.0, STALE_AFTER_INTERVALS * settings.poll_interval),
                    metrics=metrics,
                ),
                metrics=metrics,
                telemetry=Telemetry(
                    web3=web3,
                    database=database,
                    address=account.address,
                    mill_token=suite.mill_token,
                    confirmations=settings.confirmations,
                    metrics=metrics,
                    log=log,
                ),
            )

    def run(self, step: Callable[[], None], stopping: threading.Event) -> None:
        """Do `step` at the rhythm of the settings until `stopping`, with everything about it in the metrics."""
        run_until_stopped(
            step,
            stopping=stopping,
            poll_interval=self.settings.poll_interval,
            log=self.log,
            metrics=self.metrics,
            after_each=self.telemetry.note,
        )

    @contextmanager
    def serve(self, application: ASGIApp) -> Iterator[None]:
        """Serve `application` on the configured address and say where; no client gets more than the settings allow."""
        limited = RequestLimits(
            application,
            requests_per_second=self.settings.requests_per_second,
            burst=self.settings.request_burst,
            maximum_body_bytes=DEFAULT_MAXIMUM_BLOB_BYTES,
            refused=self.metrics.note_refused,
        )
        server = ServiceServer(limited, host=self.settings.listen_host, port=self.settings.listen_port)
        with server:
            self.log.info("ready", url=server.url, chain_id=self.deployment.chain_id)
            try:
                yield
            finally:
                self.health.drain()  # while requests in progress end
        self.log.info("stopped")


def _resume(sender: TransactionSender, log: Logger) -> None:
    """Finish what a crash interrupted, if that can be done now: an oracle without ether can still sign what others relay."""
    try:
        with node_failures():
            sender.resume()
    except ProofmillError as error:
        log.warning("earlier transactions wait", error=str(error), remedy=error.remedy)


def _limit_threads(threads: int) -> None:
    """Several nodes on one machine share its cores: leave torch no more than its part."""
    if threads:
        import torch

        torch.set_num_threads(threads)
