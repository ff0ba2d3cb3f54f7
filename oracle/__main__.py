"""``python -m oracle --config oracle.toml``: one committee member until it is told to stop."""

from collections.abc import Callable
from pathlib import Path

import click

from oracle.ballots import Ballots
from oracle.config import OracleSettings
from oracle.custody import Custody
from oracle.duties import build_duties
from oracle.judge import Judge
from oracle.peers import Peers
from oracle.registered import Registrations
from oracle.rounds import CommitteeView, Rounds
from oracle.routes import build_application
from oracle.service import ChainWatch, Oracle, Relay
from oracle.statements import Statements
from proofmill.chain.types import EMPTY_ADDRESS
from proofmill.failures import report_failures
from proofmill.jobs import minilm_engine
from proofmill.node import Node
from proofmill.service import stop_on_signals
from proofmill.store import BlobFetcher


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="TOML file; PROOFMILL_ORACLE_* overrides it.")
@report_failures
def main(config: Path | None) -> None:
    """Re-execute submitted jobs, attest verdicts with the committee, relay them."""
    run_oracle(OracleSettings.load(config))


def run_oracle(settings: OracleSettings, make_judge: Callable[..., Judge] = Judge) -> None:
    """Be the committee member of `settings` until SIGTERM or SIGINT; `make_judge` takes what `Judge` takes."""
    with Node.open(settings, role="oracle") as node:
        engine = minilm_engine()
        engine.load()
        ballots = Ballots(node.database)
        committee = node.suite.oracle_committee
        own = {node.account.address, committee.operator_of(node.account.address)}
        urls = {member: url for member, url in settings.peers.items() if member not in own}
        peers = Peers(urls)
        fetcher = BlobFetcher(node.store, list(urls.values()))
        if own == {node.account.address, EMPTY_ADDRESS}:
            node.log.warning(
                "this key belongs to no member",
                remedy="Its operator stakes and runs `proofmill committee join`; the owner then names it as a member.",
            )

        def current_view() -> CommitteeView | None:
            return oracle.view

        statements = Statements(node.database)
        duties = build_duties(
            node, settings, ballots=ballots, statements=statements, engine=engine, fetcher=fetcher
        )
        registrations = Registrations(node.suite.model_registry, node.deployment.deployed_block)
        rounds = Rounds(
            account=node.account,
            ballots=ballots,
            statements=statements,
            peers=peers,
            store=node.store,
            transmit=Relay(committee=committee, sender=node.sender, current_view=current_view, log=node.log),
            patience=settings.patience,
            relay_delay=settings.relay_delay,
            log=node.log,
        )
        oracle = Oracle(
            account=node.account,
            watch=ChainWatch(node.deployment.chain_id, committee, node.board, duties.settlements, ballots),
            judge=make_judge(
                engine=engine,
                fetcher=fetcher,
                store=node.store,
                ballots=ballots,
                is_provable=registrations.is_provable,
                log=node.log,
            ),
            custody=Custody(fetcher=fetcher, store=node.store, log=node.log),
            rounds=rounds,
            health=node.health,
            poll_interval=settings.poll_interval,
            log=node.log,
            duties=duties.by_name(),
            requests_in_hand=lambda: duties.doubts.requests,
        )
        stop_on_signals(oracle.stop)
        application = build_application(
            rounds=rounds, store=node.store, health=node.health, accept_uploads=settings.accept_uploads
        )
        with node.serve(application):
            oracle.run()
        peers.close()
        fetcher.close()


if __name__ == "__main__":
    main()
