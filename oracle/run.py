"""Put a committee member together from its settings and run it until a signal."""

from collections.abc import Callable

from oracle.ballots import Ballots
from oracle.caseload import Caseload
from oracle.chain_watch import ChainWatch
from oracle.committee_view import CommitteeView
from oracle.config import OracleSettings
from oracle.custody import Custody
from oracle.duties import build_duties
from oracle.judge import Judge
from oracle.measuring.build import Measuring, build_measuring
from oracle.money_check import MoneyCheck
from oracle.peers import Peers
from oracle.registered import Registrations
from oracle.relay import Relay
from oracle.rounds import Rounds
from oracle.routes import build_application
from oracle.sampling import Sampling
from oracle.service import Oracle
from oracle.statements import Statements
from oracle.track_records import TrackRecords
from proofmill.chain.errors import node_failures
from proofmill.chain.types import EMPTY_ADDRESS
from proofmill.jobs import minilm_engine
from proofmill.node import Node
from proofmill.sampling import SamplingPolicy
from proofmill.service import stop_on_signals
from proofmill.store import BlobFetcher


def run_oracle(settings: OracleSettings, make_judge: Callable[..., Judge] = Judge) -> None:
    """Be the committee member of `settings` until SIGTERM or SIGINT; `make_judge` takes what `Judge` takes."""
    with Node.open(settings, role="oracle") as node:
        engine = minilm_engine()
        engine.load()
        ballots = Ballots(
            node.database, noted=lambda outcome: node.metrics.note_verdict(outcome.name.lower())
        )
        committee = node.suite.oracle_committee
        urls = _others(node, settings)
        peers = Peers(urls)
        fetcher = BlobFetcher(node.store, list(urls.values()))

        def current_view() -> CommitteeView | None:
            return oracle.view

        statements = Statements(node.database)
        money = MoneyCheck(committee, node.suite.job_escrow, confirmations=settings.confirmations)
        duties = build_duties(
            node,
            settings,
            ballots=ballots,
            statements=statements,
            engine=engine,
            fetcher=fetcher,
            money=money,
        )
        registrations = Registrations(node.suite.model_registry, node.deployment.deployed_block)
        caseload = Caseload(node.account.address, _sampling(node) if settings.sampling else None)
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
            confirm=money.of_report,
            caseload=caseload,
        )
        measuring: Measuring | None = None
        if settings.measuring is not None:
            measuring = build_measuring(
                node,
                rules=settings.measuring,
                ballots=ballots,
                urls=urls,
                patience=settings.patience,
                current_view=current_view,
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
            metrics=node.metrics,
            cycle=node.run,
            poll_interval=settings.poll_interval,
            log=node.log,
            duties=duties.by_name(),
            requests_in_hand=lambda: duties.doubts.requests,
            measuring=measuring,
            caseload=caseload,
        )

        def stop() -> None:
            node.health.drain()  # at once: the step in progress may take a while
            oracle.stop()

        stop_on_signals(stop)
        application = build_application(
            rounds=rounds,
            store=node.store,
            health=node.health,
            accept_uploads=settings.accept_uploads,
            measuring=() if measuring is None else measuring.routes,
        )
        with node.serve(application):
            oracle.run()
        if measuring is not None:
            measuring.close()
        peers.close()
        fetcher.close()


def _sampling(node: Node) -> Sampling:
    """What draws jobs for this member, by the parameters that all members have."""
    with node_failures():
        records = TrackRecords(
            node.web3,
            node.suite.job_escrow,
            node.database,
            start_block=node.deployment.deployed_block,
            confirmations=node.settings.confirmations,
        )
    return Sampling(
        policy=SamplingPolicy(),
        records=records,
        staking=node.suite.staking,
        web3=node.web3,
        log=node.log,
    )


def _others(node: Node, settings: OracleSettings) -> dict[str, str]:
    """The URLs of the other members, by their operators; says so where this key is no member's."""
    key = node.account.address
    with node_failures():
        operator = node.suite.oracle_committee.operator_of(key)
    if operator == EMPTY_ADDRESS:
        node.log.warning(
            "this key belongs to no member",
            remedy="Its operator stakes and runs `proofmill committee join`; the owner then names it as a member.",
        )
    return {member: url for member, url in settings.peers.items() if member not in (key, operator)}
