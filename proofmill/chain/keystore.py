"""Encrypted keys on disk (eth-account version 3 JSON). Passwords come from files, not from the environment."""

from __future__ import annotations

import json
import logging
import os
import stat
from pathlib import Path
from typing import Final

from eth_account import Account
from eth_account.signers.local import LocalAccount

from proofmill.chain.errors import KeystoreExists, KeystoreInvalid, KeystoreNotFound, WrongPassword

logger = logging.getLogger(__name__)

OWNER_ONLY: Final = 0o600


def create_keystore(
    path: Path, password_file: Path, *, account: LocalAccount | None = None, iterations: int | None = None
) -> LocalAccount:
    """Writes a new key, or the given one, encrypted and readable by its owner only; never overwrites."""
    password = read_password(password_file)
    chosen: LocalAccount = account or Account.create()
    encrypted = json.dumps(chosen.encrypt(password, iterations=iterations))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError:
        raise KeystoreExists(
            f"{path} exists", remedy="Choose another path; a lost key cannot be had back."
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(encrypted)
        file.flush()
        os.fsync(file.fileno())
    return chosen


def load_keystore(path: Path, password_file: Path) -> LocalAccount:
    """Opens a keystore."""
    text = _read(path, "keystore")
    password = read_password(password_file)
    try:
        values = json.loads(text)
        if not isinstance(values, dict):
            raise TypeError("not a JSON object")
        key = Account.decrypt(values, password)
    except (ValueError, TypeError, KeyError, NotImplementedError) as error:
        if "MAC mismatch" in str(error):
            raise WrongPassword(
                f"the password in {password_file} does not open {path}",
                remedy="Give the file that it was made with.",
            ) from error
        raise KeystoreInvalid(
            f"{path} is not a version 3 keystore: {error}", remedy="Restore the file from its backup."
        ) from error
    account: LocalAccount = Account.from_key(key)
    return account


def read_password(path: Path) -> str:
    """The first line of a password file."""
    lines = _read(path, "password file").splitlines()
    if not lines or not lines[0]:
        raise KeystoreInvalid(
            f"the password file {path} is empty", remedy="Write the password on its first line."
        )
    return lines[0]


def _read(path: Path, kind: str) -> str:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise KeystoreNotFound(
            f"there is no {kind} at {path}", remedy="Check the path or create one."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeystoreInvalid(
            f"the {kind} {path} cannot be read: {error}", remedy="Check its permissions."
        ) from error
    if mode & 0o077:
        logger.warning("%s %s is open to others (mode %o); run: chmod 600 %s", kind, path, mode, path)
    return text
