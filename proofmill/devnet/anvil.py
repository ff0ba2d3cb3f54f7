"""A local chain as a child process: found, started on a free port, and never left behind."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.types import RPCEndpoint

from proofmill.chain.connection import connect
from proofmill.devnet.child_process import die_with_parent
from proofmill.errors import ProofmillError

BINARY_VARIABLE: Final = "PROOFMILL_ANVIL"
REPOSITORY: Final = Path(__file__).resolve().parents[2]
DEVELOPMENT_MNEMONIC: Final = "test test test test test test test test test test test junk"
CHAIN_ID: Final = 31337
ETHER: Final = 10**18
READY_SECONDS: Final = 20.0
STOP_SECONDS: Final = 5.0
LISTENING: Final = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")
PACKAGE_MACHINES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class AnvilNotFound(ProofmillError, FileNotFoundError):
    """There is no anvil binary."""


class AnvilFailed(ProofmillError, RuntimeError):
    """anvil did not start, or refused a request."""


def find_anvil() -> Path:
    """The binary: the one named in the environment, else the repository's, else the one on the PATH.

    The package's own binary is preferred to npm's wrapper script, which would be one more process to kill.
    """
    named = os.environ.get(BINARY_VARIABLE)
    if named is not None:
        if not os.access(named, os.X_OK):
            raise AnvilNotFound(
                f"{BINARY_VARIABLE} names {named}, which cannot be run",
                remedy=f"Correct or unset {BINARY_VARIABLE}.",
            )
        return Path(named)
    machine = PACKAGE_MACHINES.get(platform.machine().lower(), "amd64")
    package = f"anvil-{platform.system().lower()}-{machine}"
    modules = REPOSITORY / "node_modules"
    for candidate in (modules / "@foundry-rs" / package / "bin" / "anvil", modules / ".bin" / "anvil"):
        if os.access(candidate, os.X_OK):
            return candidate
    on_path = shutil.which("anvil")
    if on_path is None:
        raise AnvilNotFound(
            "anvil, the local chain, is not installed",
            remedy=f"Run `make setup`, or set {BINARY_VARIABLE} to an anvil binary.",
        )
    return Path(on_path)


class Anvil:
    """One anvil process, a context manager. It dies with the thread that started it, however that ends."""

    def __init__(
        self,
        *,
        port: int = 0,
        block_time: int | None = None,
        is_mining: bool = True,
        chain_id: int = CHAIN_ID,
        account_count: int = 10,
        mnemonic: str = DEVELOPMENT_MNEMONIC,
        log_file: Path | None = None,
    ) -> None:
        self.chain_id = chain_id
        self.accounts = _derive_accounts(mnemonic, account_count)
        self.log_file = log_file
        self._mnemonic = mnemonic
        self._port = port
        self._block_time = block_time
        self._is_mining = is_mining
        self._process: subprocess.Popen[bytes] | None = None
        self._web3: Web3 | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    # ------------------------------------------------------------------ the process
    def start(self) -> Self:
        """Starts the process and waits until it answers."""
        if self._process is not None:
            raise AnvilFailed("this anvil is already running", remedy="Stop it first, or make another.")
        if self.log_file is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="proofmill-anvil-")
            self.log_file = Path(self._temporary.name) / "anvil.log"
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        command = [str(find_anvil()), "--host", "127.0.0.1", "--port", str(self._port)]
        command += ["--chain-id", str(self.chain_id), "--mnemonic", self._mnemonic]
        command += ["--accounts", str(len(self.accounts))]
        if self._block_time is not None:
            command += ["--block-time", str(self._block_time)]
        if not self._is_mining:
            command += ["--no-mining"]
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(),
            )
        try:
            self._port = self._wait_until_listening()
            self._web3 = connect(self.rpc_url, self.chain_id)
        except ProofmillError:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends the process, gently first; calling it again does nothing."""
        process, self._process, self._web3 = self._process, None, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary, self.log_file = None, None

    @property
    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise AnvilFailed("anvil is not running", remedy="Start it first.")
        return self._process.pid

    @property
    def rpc_url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def web3(self) -> Web3:
        """A connection to it."""
        if self._web3 is None:
            raise AnvilFailed("anvil is not running", remedy="Start it first.")
        return self._web3

    # ------------------------------------------------------------------ what only a development chain can do
    def mine(self, blocks: int = 1) -> None:
        """Mines blocks at once."""
        self.request("anvil_mine", [hex(blocks)])

    def increase_time(self, seconds: int) -> None:
        """Moves the clock forward and mines a block, so that views see it."""
        self.request("evm_increaseTime", [seconds])
        self.mine()

    def snapshot(self) -> str:
        """A point to go back to, once."""
        return str(self.request("evm_snapshot", []))

    def revert(self, snapshot: str) -> None:
        """Goes back to a snapshot, which is spent by it."""
        if self.request("evm_revert", [snapshot]) is not True:
            raise AnvilFailed(f"there is no snapshot {snapshot}", remedy="A snapshot can be used once only.")

    def fund(self, address: str, amount: int = 100 * ETHER) -> None:
        """Sets the ether balance of an address."""
        self.request("anvil_setBalance", [address, hex(amount)])

    def set_mining(self, is_automatic: bool) -> None:
        """Whether each transaction is mined as it arrives."""
        self.request("evm_setAutomine", [is_automatic])

    def set_block_time(self, seconds: int) -> None:
        """From now on a block every so many seconds, with or without transactions."""
        self.request("evm_setIntervalMining", [seconds])

    def set_next_base_fee(self, base_fee: int) -> None:
        """The base fee of the next block."""
        self.request("anvil_setNextBlockBaseFeePerGas", [hex(base_fee)])

    def reorganise(self, depth: int) -> None:
        """Replaces the last ``depth`` blocks by empty ones."""
        self.request("anvil_reorg", [depth, []])

    def request(self, method: str, parameters: list[Any]) -> Any:
        """A raw request, for what has no method here."""
        response = self.web3.provider.make_request(RPCEndpoint(method), parameters)
        if "error" in response:
            raise AnvilFailed(f"anvil refuses {method}: {response['error']}", remedy="Check its arguments.")
        return response["result"]

    def _wait_until_listening(self) -> int:
        """The port, as anvil itself reports it: choosing a free one beforehand would be a race."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            text = self._log()
            found = LISTENING.search(text)
            if found is not None:
                return int(found[1])
            if not self.is_running:
                break
            time.sleep(0.02)
        raise AnvilFailed(
            f"anvil did not start: {self._log().strip()[-500:] or 'it said nothing'}",
            remedy="Choose another port, or look into the log file.",
        )

    def _log(self) -> str:
        return "" if self.log_file is None else self.log_file.read_text("utf-8", errors="replace")


def _derive_accounts(mnemonic: str, count: int) -> tuple[LocalAccount, ...]:
    Account.enable_unaudited_hdwallet_features()
    return tuple(
        Account.from_mnemonic(mnemonic, account_path=f"m/44'/60'/0'/0/{index}") for index in range(count)
    )
