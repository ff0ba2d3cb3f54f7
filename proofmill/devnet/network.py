"""A whole Proofmill network on this machine: a chain, the contracts, funded accounts, oracles and workers as processes.

Everything lies in one directory: keystores, settings, journals, blobs, logs. The settings files are what an operator would
write, so a look at them shows how a real network is configured.
"""

from __future__ import annotations

import json
import secrets
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from eth_account.signers.local import LocalAccount
from web3 import Web3

from proofmill.chain import (
    ContractCall,
    Deployment,
    Journal,
    SenderPolicy,
    Suite,
    TransactionSender,
    create_keystore,
    open_database,
    sign_key_grant,
)
from proofmill.client import MILL, ClientSettings
from proofmill.deploy import DeployParameters, configure_committee, deploy_suite
from proofmill.devnet.anvil import Anvil
from proofmill.devnet.node_process import NodeProcess
from proofmill.errors import ProofmillError
from proofmill.measuring.rules import MeasuringRules

MARKER = "proofmill-devnet"
# The keys of a local chain protect nothing; a real keystore uses 2^18.
KEYSTORE_ITERATIONS = 1 << 10
REQUESTER, CHALLENGER = "requester", "challenger"
CLIENT_FILES = {REQUESTER: "client.toml", CHALLENGER: "challenger.toml"}


class DirectoryInUse(ProofmillError):
    """The directory holds something else than an earlier local network."""


@dataclass(frozen=True)
class WorkerSpec:
    """A worker of the network: its name, the module that runs it, and what it has at stake."""

    name: str
    module: str = "worker"
    stake: int = 10_000 * MILL  # one bond may be a tenth of it, all open ones three tenths


@dataclass(frozen=True)
class Tier:
    """What a device must be measured to do."""

    operations_per_second: int
    memory_bytes: int = 0


@dataclass(frozen=True)
class Collusion:
    """Oracles that attest whatever one worker answers, by their places in the committee; all other workers they judge honestly.

    The two odd places lead every other sequence, so their report is never far.
    """

    worker: str
    oracles: tuple[int, ...] = (1, 3)
    module: str = "adversaries.colluding_oracle"

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(f"oracle-{place}" for place in self.oracles)


@dataclass(frozen=True)
class NetworkPlan:
    """What to start. Four oracles tolerate one that lies or sleeps; the bond of each is a tenth of its stake."""

    faults_tolerated: int = 1
    workers: tuple[WorkerSpec, ...] = (WorkerSpec("worker"),)
    block_time: int = 1
    requester_balance: int = 1_000 * MILL
    oracle_stake: int = 2_000 * MILL
    collect_after_jobs: int = 1  # of a worker; each collection is two transactions
    poll_interval: float = 0.5
    patience: float = 15.0
    relay_delay: float = 5.0
    rpc_port: int = 0
    collusion: Collusion | None = None
    oracles_dispute: bool = True  # whether members dispute wrong answers that were paid, as by default
    challenger_balance: int = 0  # of an account that doubts answers; 0: there is none
    registered_models: tuple[str, ...] = ()  # names in the catalogue: exact jobs need a registered model
    measuring: MeasuringRules | None = None  # with them all oracles and workers take part in measuring
    tiers: tuple[Tier, ...] = ()  # the first is tier 1

    @property
    def oracle_count(self) -> int:
        return 3 * self.faults_tolerated + 1


@dataclass
class Devnet:
    """A running network; a context manager. `watch` is told each step in words."""

    directory: Path
    plan: NetworkPlan = field(default_factory=NetworkPlan)
    watch: Callable[[str], None] = field(default=lambda _: None)

    def __post_init__(self) -> None:
        self.directory = self.directory.resolve()
        self.anvil = Anvil(port=self.plan.rpc_port, log_file=self.directory / "logs" / "anvil.log")
        self.accounts: dict[str, LocalAccount] = {}
        self.nodes: dict[str, NodeProcess] = {}
        self._registrations: list[str] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stack.close()

    # ---------------------------------------------------------------- what others ask
    @property
    def web3(self) -> Web3:
        return self.anvil.web3

    def address(self, role: str) -> str:
        """The address of a role: requester, deployer, a worker's name, oracle-0, …"""
        return str(self.accounts[role].address)

    def client_settings(self, role: str = REQUESTER) -> ClientSettings:
        """Settings of requester or challenger, also there for the command line: ``client.toml``, ``challenger.toml``."""
        return ClientSettings.load(self.directory / CLIENT_FILES[role])

    @property
    def deployment_path(self) -> Path:
        return self.directory / "deployment.json"

    # ---------------------------------------------------------------- start
    def _start(self) -> None:
        self._prepare_directory()
        self._stack.enter_context(self.anvil)
        self.watch(f"local chain {self.anvil.chain_id} runs at {self.anvil.rpc_url}")
        self._create_accounts()
        self.deployment = self._deploy()
        # Only now: while nobody watches, a block per transaction deploys in a second instead of ten.
        self.anvil.set_block_time(self.plan.block_time)
        self.watch("contracts are deployed, stake is deposited, the committee has joined and is configured")
        for line in self._registrations:
            self.watch(line)
        self._write_settings()
        self._start_nodes()
        workers = "1 worker" if len(self.plan.workers) == 1 else f"{len(self.plan.workers)} workers"
        self.watch(f"{self.plan.oracle_count} oracles and {workers} run as processes of their own")

    def _prepare_directory(self) -> None:
        marker = self.directory / MARKER
        if self.directory.exists() and any(self.directory.iterdir()):
            if not marker.exists():
                raise DirectoryInUse(
                    f"{self.directory} is not empty and no earlier local network",
                    remedy="Name an empty or new directory with --directory.",
                )
            shutil.rmtree(self.directory)
        for part in ("keystores", "logs", "data"):
            (self.directory / part).mkdir(parents=True, exist_ok=True)
        marker.write_text("Made by proofmill; removed and made anew at each start.\n", encoding="utf-8")

    def _create_accounts(self) -> None:
        password = self.directory / "keystores" / "password"
        password.write_text(secrets.token_urlsafe(24) + "\n", encoding="utf-8")
        password.chmod(0o600)
        self._oracles = [f"oracle-{index}" for index in range(self.plan.oracle_count)]
        self._clients = (REQUESTER, CHALLENGER) if self.plan.challenger_balance else (REQUESTER,)
        workers = [worker.name for worker in self.plan.workers]
        for role in ("deployer", *self._clients, *self._oracles, *workers):
            path = self.directory / "keystores" / f"{role}.json"
            self.accounts[role] = create_keystore(path, password, iterations=KEYSTORE_ITERATIONS)
            self.anvil.fund(self.address(role))

    def _deploy(self) -> Deployment:
        database = open_database(self.directory / "data" / "deployer.db")
        policy = SenderPolicy(poll_interval=0.1)
        with TransactionSender(
            self.web3, self.accounts["deployer"], Journal(database), policy=policy
        ) as sender:
            parameters = DeployParameters(member_bond=self.plan.oracle_stake // 10)
            deployment = deploy_suite(self.web3, sender, parameters=parameters)
            suite = deployment.connect(self.web3)
            sender.send_many(self._endowments(suite))
            for role in self._oracles:
                self._join_committee(role, suite)
            members = [self.address(role) for role in self._oracles]
            configure_committee(suite, sender, members, self.plan.faults_tolerated)
            for number, tier in enumerate(self.plan.tiers, start=1):
                call = suite.capability_registry.set_tier(
                    number, tier.operations_per_second, tier.memory_bytes
                )
                sender.send(f"tier {number}", call)
            for name in self.plan.registered_models:
                self._register(name, suite, sender)
        database.dispose()
        deployment.save(self.deployment_path)
        return deployment

    def _join_committee(self, role: str, suite: Suite) -> None:
        """As the oracle's operator would with `proofmill committee join`, through the journal of its process to come."""
        account, committee = self.accounts[role], suite.oracle_committee
        database = open_database(self.directory / "data" / role / "oracle.db")
        policy = SenderPolicy(poll_interval=0.1)
        with TransactionSender(self.web3, account, Journal(database), policy=policy) as sender:
            grant = sign_key_grant(account, account.address, sender.chain_id, committee.address)
            sender.send("join committee", committee.join(account.address, grant))
        database.dispose()

    def _register(self, name: str, suite: Suite, sender: TransactionSender) -> None:
        # These import PyTorch, which a network without a registered model does not need.
        from proofmill.exact.models.catalogue import known_model, load_packed
        from proofmill.model_registration import Registration, register

        manifest, _ = load_packed(known_model(name))
        registration = Registration.of(manifest)
        outcome = register(registration, suite.model_registry, sender)
        self._registrations.append(
            f"{name} is registered, all {registration.operators} operators of it, with {outcome.gas_used:,} gas"
        )

    def _endowments(self, suite: Suite) -> Sequence[tuple[str, ContractCall]]:
        stakes = {worker.name: worker.stake for worker in self.plan.workers}
        stakes |= dict.fromkeys(self._oracles, self.plan.oracle_stake)
        balances = {REQUESTER: self.plan.requester_balance}
        if self.plan.challenger_balance:
            balances[CHALLENGER] = self.plan.challenger_balance
        return [
            *(
                (f"endow {role}", suite.mill_token.transfer(self.address(role), amount))
                for role, amount in balances.items()
            ),
            ("approve stakes", suite.mill_token.approve(suite.staking.address, sum(stakes.values()))),
            *(
                (f"stake {role}", suite.staking.stake_for(self.address(role), amount))
                for role, amount in stakes.items()
            ),
        ]

    # ---------------------------------------------------------------- nodes
    def _write_settings(self) -> None:
        roles = [*self._oracles, *(worker.name for worker in self.plan.workers)]
        ports = dict(zip(roles, _free_ports(len(roles)), strict=True))
        urls = {role: f"http://127.0.0.1:{port}" for role, port in ports.items()}
        oracle_urls = {self.address(role): urls[role] for role in self._oracles}
        collusion = self.plan.collusion
        for role in self._oracles:
            values = {
                **self._common(role),
                "listen_port": ports[role],
                "patience": self.plan.patience,
                "relay_delay": self.plan.relay_delay,
                "peers": {
                    address: url for address, url in oracle_urls.items() if address != self.address(role)
                },
            }
            if not self.plan.oracles_dispute:
                values["disputes"] = False
            module = "oracle"
            if collusion is not None and role in collusion.roles:
                module, confederate = collusion.module, collusion.worker
                values |= {"confederate": self.address(confederate), "confederate_url": urls[confederate]}
            self._add_node(role, module, values, urls[role])
        for worker in self.plan.workers:
            values = {
                **self._common(worker.name),
                "listen_port": ports[worker.name],
                "peers": list(oracle_urls.values()),
                "collect_after_jobs": self.plan.collect_after_jobs,
            }
            self._add_node(worker.name, worker.module, values, urls[worker.name])
        for role in self._clients:
            client = self._chain(role) | {
                "nodes": list(oracle_urls.values()),
                "poll_interval": self.plan.poll_interval,
            }
            (self.directory / CLIENT_FILES[role]).write_text(_toml(client), encoding="utf-8")

    def _chain(self, role: str) -> dict[str, object]:
        return {
            "rpc_url": self.anvil.rpc_url,
            "deployment": "deployment.json",
            "keystore": f"keystores/{role}.json",
            "password_file": "keystores/password",
            "data_directory": f"data/{role}",
        }

    def _common(self, role: str) -> dict[str, object]:
        common = self._chain(role) | {"poll_interval": self.plan.poll_interval, "torch_threads": 1}
        if self.plan.measuring is not None:
            common["measuring"] = asdict(self.plan.measuring)
        return common

    def _add_node(self, role: str, module: str, values: Mapping[str, object], url: str) -> None:
        config = self.directory / f"{role}.toml"
        config.write_text(_toml(values), encoding="utf-8")
        self.nodes[role] = NodeProcess(role, module, config, url, self.directory / "logs" / f"{role}.log")

    def _start_nodes(self) -> None:
        for node in self.nodes.values():
            node.start()
            self._stack.callback(node.stop)
        # All are asked to end before the first is waited for: they go down side by side.
        self._stack.callback(self._ask_nodes_to_end)
        for node in self.nodes.values():
            node.wait_until_ready()

    def _ask_nodes_to_end(self) -> None:
        for node in self.nodes.values():
            node.ask_to_end()


def _free_ports(count: int) -> list[int]:
    """Ports free at this moment, all held at once so that they differ."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(server.getsockname()[1]) for server in held]
    for server in held:
        server.close()
    return ports


def _toml(values: Mapping[str, object]) -> str:
    """Flat settings as TOML: JSON's strings, numbers and lists are TOML's, a mapping becomes a table at the end."""
    tables = {key: value for key, value in values.items() if isinstance(value, dict)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items() if key not in tables]
    for name, table in tables.items():
        lines += [
            "",
            f"[{name}]",
            *(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items()),
        ]
    return "\n".join(lines) + "\n"
