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


def run_worker(settings: WorkerSettings, engine: Engine) -> None:
    """Serve `engine` with the worker of `settings`; returns after SIGTERM or SIGINT."""
    with Node.open(settings, role="worker") as node:
        engine.load()
        fetcher = BlobFetcher(node.store, settings.peers)
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
                minimum_evaluation_window=settings.minimum_evaluation_window,
                request_bytes_per_second=settings.request_bytes_per_second,
            ),
            health=node.health,
            log=node.log,
        )
        stop_on_signals(worker.stop)
        application = Starlette(
            routes=[
                *blob_routes(node.store, accept_uploads=False),
                *health_routes(node.health),
            ]
        )
        with node.serve(application):
            run_until_stopped(
                worker.step, stopping=worker.stopping, poll_interval=settings.poll_interval, log=node.log
            )
        fetcher.close()
