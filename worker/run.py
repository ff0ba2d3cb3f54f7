"""Put a worker together from its settings and run it until a signal."""

from starlette.applications import Starlette

from proofmill.health import health_routes
from proofmill.jobs import Engine
from proofmill.node import Node
from proofmill.service import run_until_stopped, stop_on_signals
from proofmill.store import BlobFetcher, blob_routes
from worker.config import WorkerSettings
from worker.policy import Policy
from worker.service import Worker

MAXIMUM_BLOB_BYTES = 16 << 20


def run_worker(settings: WorkerSettings, engine: Engine) -> None:
    """Serve `engine` with the worker of `settings`; returns after SIGTERM or SIGINT."""
    with Node.open(settings, role="worker") as node:
        fetcher = BlobFetcher(node.store, settings.peers, maximum_blob_bytes=MAXIMUM_BLOB_BYTES)
        worker = Worker(
            account=node.account,
            suite=node.suite,
            board=node.board,
            sender=node.sender,
            engine=engine,
            store=node.store,
            fetcher=fetcher,
            policy=Policy(
                minimum_price=settings.minimum_price,
                maximum_bond_bps=settings.maximum_bond_bps,
                minimum_submit_window=settings.minimum_submit_window,
            ),
            health=node.health,
            log=node.log,
        )
        stop_on_signals(worker.stop, node.log)
        application = Starlette(
            routes=[
                *blob_routes(node.store, accept_uploads=False, maximum_blob_bytes=MAXIMUM_BLOB_BYTES),
                *health_routes(node.health),
            ]
        )
        with node.serve(application):
            run_until_stopped(
                worker.step, stopping=worker.stopping, poll_interval=settings.poll_interval, log=node.log
            )
        fetcher.close()
