"""A blob store in a directory: atomic writes, verified reads, a quota; shared safely by several processes.

::

    <root>/pinned/ab/<64 hex digits>      blobs that stay until unpinned
    <root>/unpinned/ab/<64 hex digits>    blobs that make room for others, least recently used first
    <root>/quarantine/                    bytes that no longer had their identity, kept for a post-mortem
    <root>/temporary/                     a write in progress
    <root>/usage                          bytes in use; never less than the truth (see ``_change_usage``)
    <root>/lock                           flock: held by the one process and thread that changes the directory

A blob is pinned by where it lies, so that pinning is one atomic rename. Readers take no lock: a file appears
under its name complete or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from proofmill.store.content_id import Identify, content_id, describe, validate_digest
from proofmill.store.errors import BlobNotFound, CorruptBlob, StoreError, StoreFull, StoreUnusable

DEFAULT_QUOTA_BYTES = 10 * 1024**3
MAXIMUM_QUARANTINED = 16
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFETCH = "Fetch it again from a peer, or put the original again; check the disk if it happens twice."


@dataclass(frozen=True)
class _StoredBlob:
    last_use: int  # nanoseconds; the file's modification time, which each use sets
    size: int
    path: Path


class DirectoryStore:
    """Blobs as files. Every method is safe from any thread of any process that can write the directory.

    ``identify`` gives the 32 bytes that a blob is known by; all who use one directory must give the same.
    """

    def __init__(
        self, root: Path | str, *, quota_bytes: int = DEFAULT_QUOTA_BYTES, identify: Identify = content_id
    ) -> None:
        if quota_bytes <= 0:
            raise StoreUnusable(
                f"the quota is {quota_bytes} bytes", remedy="Set a quota of at least one byte, or omit it."
            )
        self.root = Path(root)
        self.quota_bytes = quota_bytes
        self._identify = identify
        self._pinned = self.root / "pinned"
        self._unpinned = self.root / "unpinned"
        self._quarantine = self.root / "quarantine"
        self._temporary = self.root / "temporary"
        with self._operating_system_errors():
            for directory in (self._pinned, self._unpinned, self._quarantine, self._temporary):
                directory.mkdir(parents=True, exist_ok=True)
            with self._locked():
                # Temporary files exist only while the lock is held, so these belong to a process that died.
                for leftover in self._temporary.iterdir():
                    leftover.unlink(missing_ok=True)
                self._write_usage(self._measure())

    def identify(self, data: bytes) -> bytes:
        """Return the 32 bytes under which this store has ``data``, or would have it."""
        return self._identify(data)

    def put(self, data: bytes, *, pinned: bool = True) -> bytes:
        """Keep ``data`` durably (on disk when this returns) and return its identity.

        Putting a blob again is cheap and repairs a damaged copy; a pinned blob stays pinned. Raises
        ``StoreFull`` if there is no room after every unpinned blob made way; then nothing was evicted.
        """
        data = bytes(data)
        digest = self._identify(data)
        with self._operating_system_errors(), self._locked():
            for area in (self._pinned, self._unpinned):
                path = _path_in(area, digest)
                present = _read_or_none(path)
                if present is None:
                    continue
                if present != data:
                    self._move_to_quarantine(path, len(present))
                    pinned = pinned or area is self._pinned
                    continue
                _touch(path)
                if pinned and area is self._unpinned:
                    self._move(path, _path_in(self._pinned, digest))
                return digest
            self._make_room(len(data))
            self._write(data, _path_in(self._pinned if pinned else self._unpinned, digest))
        return digest

    def get(self, digest: bytes) -> bytes:
        """Return the blob. ``BlobNotFound`` if absent; ``CorruptBlob`` if damaged, and then moved aside."""
        validate_digest(digest)
        with self._operating_system_errors():
            data = self._read(digest)
            if data is None or self._identify(data) != digest:
                # Another process may just have moved, repaired or evicted it: the view under the lock counts.
                with self._locked():
                    data = self._read_or_quarantine(digest)
            for area in (self._pinned, self._unpinned):
                _touch(_path_in(area, digest))
            return data

    def has(self, digest: bytes) -> bool:
        """Say whether the blob is present; its bytes are only verified by ``get``."""
        validate_digest(digest)
        with self._operating_system_errors():
            if self._find(digest) is not None:
                return True
            with self._locked():
                return self._find(digest) is not None

    def is_pinned(self, digest: bytes) -> bool:
        """Say whether the blob is present and will never be evicted."""
        validate_digest(digest)
        return _path_in(self._pinned, digest).exists()

    def unpin(self, digest: bytes) -> None:
        """Let the blob be evicted when room is needed; may be repeated. ``BlobNotFound`` if absent."""
        validate_digest(digest)
        with self._operating_system_errors(), self._locked():
            path = self._find(digest)
            if path is None:
                raise _not_found(digest)
            if path.is_relative_to(self._pinned):
                self._move(path, _path_in(self._unpinned, digest))

    def usage_bytes(self) -> int:
        """Return the sum of the sizes of all blobs, measured now."""
        with self._operating_system_errors(), self._locked():
            return self._measure()

    def _find(self, digest: bytes) -> Path | None:
        for area in (self._pinned, self._unpinned):
            path = _path_in(area, digest)
            if path.exists():
                return path
        return None

    def _read(self, digest: bytes) -> bytes | None:
        data = _read_or_none(_path_in(self._pinned, digest))
        return data if data is not None else _read_or_none(_path_in(self._unpinned, digest))

    def _read_or_quarantine(self, digest: bytes) -> bytes:
        path = self._find(digest)
        if path is None:
            raise _not_found(digest)
        data = path.read_bytes()
        if self._identify(data) == digest:
            return data
        aside = self._move_to_quarantine(path, len(data))
        raise CorruptBlob(
            f"the stored bytes of {describe(digest)} were damaged; moved to {aside}", remedy=_REFETCH
        )

    def _make_room(self, size: int) -> None:
        if self._read_usage() + size <= self.quota_bytes:
            return
        pinned_bytes = sum(blob.size for blob in _blobs_in(self._pinned))
        if pinned_bytes + size > self.quota_bytes:
            raise StoreFull(
                f"no room for {size:,} bytes: {pinned_bytes:,} of {self.quota_bytes:,} are pinned",
                remedy="Raise quota_bytes, or unpin blobs that are no longer needed.",
            )
        unpinned = sorted(_blobs_in(self._unpinned), key=lambda blob: (blob.last_use, blob.path))
        used = pinned_bytes + sum(blob.size for blob in unpinned)
        for blob in unpinned:
            if used + size <= self.quota_bytes:
                break
            blob.path.unlink(missing_ok=True)
            used -= blob.size
        self._write_usage(used)

    def _write(self, data: bytes, path: Path) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._temporary)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._change_usage(len(data))
            self._move(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _move(self, source: Path, target: Path) -> None:
        """Rename atomically and durably: the directory entries are on disk when this returns."""
        if not target.parent.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _synchronize_directory(target.parent.parent)
        os.replace(source, target)
        _synchronize_directory(target.parent)
        if source.parent != self._temporary:
            _synchronize_directory(source.parent)

    def _move_to_quarantine(self, path: Path, size: int) -> Path:
        aside = self._quarantine / f"{path.name}.{time.time_ns()}"
        os.replace(path, aside)
        self._change_usage(-size)
        for oldest in sorted(self._quarantine.iterdir(), key=lambda kept: kept.name.split(".")[-1])[
            :-MAXIMUM_QUARANTINED
        ]:
            oldest.unlink(missing_ok=True)
        return aside

    def _measure(self) -> int:
        return sum(blob.size for area in (self._pinned, self._unpinned) for blob in _blobs_in(area))

    def _change_usage(self, difference: int) -> None:
        """Account for a change: growth before it happens, shrinking after it.

        A crash in between can then only leave a number that is too high; the next time room is short, or the
        store is opened, it is measured anew.
        """
        self._write_usage(max(0, self._read_usage() + difference))

    def _read_usage(self) -> int:
        try:
            return int((self.root / "usage").read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return self._measure()

    def _write_usage(self, used: int) -> None:
        temporary = self._temporary / "usage"
        temporary.write_text(str(used), "ascii")
        os.replace(temporary, self.root / "usage")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        # A new open file description each time: flock then excludes other threads as well as other processes,
        # and the kernel releases it when a process dies.
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _operating_system_errors(self) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise StoreFull(
                    f"the disk that holds {self.root} is full",
                    remedy="Free space on it or lower quota_bytes.",
                ) from error
            raise StoreUnusable(
                f"{self.root} cannot be used: {error}",
                remedy="Give this user a directory it can read and write.",
            ) from error


def _path_in(area: Path, digest: bytes) -> Path:
    name = digest.hex()
    return area / name[:2] / name


def _not_found(digest: bytes) -> BlobNotFound:
    return BlobNotFound(
        f"{describe(digest)} is not in the store", remedy="Fetch it from a peer that has it, or put it again."
    )


def _read_or_none(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _touch(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError):  # a read-only directory can still be read
        os.utime(path)


def _blobs_in(area: Path) -> Iterator[_StoredBlob]:
    for shard in os.scandir(area):
        for entry in os.scandir(shard.path):
            status = entry.stat(follow_symlinks=False)
            yield _StoredBlob(status.st_mtime_ns, status.st_size, Path(entry.path))


def _synchronize_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
