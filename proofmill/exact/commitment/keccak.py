"""Keccak-256 of one message, or of many of one length at once on all cores.

The compiled kernels hash several messages per vector register; where there is no compiler, one message after the other is
hashed by pycryptodome, with the same results. So are the first messages of a process that has not loaded the kernels: whoever
only names the blobs of a small job waits for no tensor library and no compiler.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import sys
from collections.abc import Callable
from typing import Final

import numpy as np
from Crypto.Hash import keccak
from numpy.typing import NDArray

from proofmill.exact.errors import InvalidOperand, NativeUnavailable

Bytes = NDArray[np.uint8]

_log = logging.getLogger(__name__)

DIGEST_BYTES: Final = 32
#: Messages hashed one by one before the kernels are loaded for more: a third of a second.
_PATIENCE: Final = 1 << 16


def keccak256(data: bytes) -> bytes:
    """The hash of the EVM's ``keccak256``: Keccak with the original padding, 32 bytes. Source: Bertoni et al., 2011."""
    return keccak.new(data=data, digest_bits=256).digest()


def hash_leaf(data: bytes) -> bytes:
    """``keccak(keccak(data))``: hashed twice, so that no leaf can be taken for a node, whatever its length."""
    return keccak256(keccak256(data))


def hash_messages(messages: Bytes, *, twice: bool = False, native: bool | None = None) -> Bytes:
    """Digests of messages along the last axis: uint8 [..., length] gives uint8 [..., 32].

    ``twice`` makes them leaves. Rows may be strided, bytes of a row may not. ``native`` says whether to use the compiled
    kernels; by default they are, once they are loaded or there is enough to hash to be worth loading them.
    """
    if messages.dtype != np.uint8 or messages.ndim < 1:
        raise InvalidOperand(
            f"messages of type {messages.dtype} and shape {messages.shape}",
            remedy="Hash bytes: uint8 [..., length].",
        )
    digests = np.empty((*messages.shape[:-1], DIGEST_BYTES), dtype=np.uint8)
    if digests.size == 0:
        return digests
    if native is None:
        native = _is_worth_loading(digests.size // DIGEST_BYTES)
    function = _native_function() if native else None
    if function is None:
        _hash_each(messages, digests, hash_leaf if twice else keccak256)
    else:
        _hash_native(function, messages, digests, twice)
    return digests


_hashed_one_by_one = 0


def _is_worth_loading(count: int) -> bool:
    """Whether ``count`` more messages justify the compiled kernels, which take seconds to load and at worst must be compiled."""
    global _hashed_one_by_one
    if _native_function.cache_info().currsize or _is_loaded():
        return True
    _hashed_one_by_one += count
    return _hashed_one_by_one > _PATIENCE


def _is_loaded() -> bool:
    """Whether this process has loaded the compiled kernels for something else."""
    build = sys.modules.get("proofmill.exact.kernels.native.build")
    return build is not None and build.is_loaded()


def _hash_each(messages: Bytes, digests: Bytes, function: Callable[[bytes], bytes]) -> None:
    rows = np.ascontiguousarray(messages).reshape(digests.size // DIGEST_BYTES, messages.shape[-1])
    joined = b"".join(function(row.tobytes()) for row in rows)
    digests[...] = np.frombuffer(joined, dtype=np.uint8).reshape(digests.shape)


def _hash_native(function: Callable[..., None], messages: Bytes, digests: Bytes, twice: bool) -> None:
    """The kernel takes two strided axes of rows; more are joined, by a copy where their strides do not allow a view."""
    length = messages.shape[-1]
    if length > 1 and messages.strides[-1] != 1:
        messages = np.ascontiguousarray(messages)
    if messages.ndim > 3:
        messages = messages.reshape(-1, messages.shape[-2], length)
    groups, members = (1, 1, *messages.shape[:-1])[-2:]
    group_stride, member_stride = (0, 0, *messages.strides[:-1])[-2:]
    function(
        messages.ctypes.data,
        groups,
        group_stride,
        members,
        member_stride,
        length,
        int(twice),
        digests.ctypes.data,
    )


@functools.cache
def _native_function() -> Callable[..., None] | None:
    """The compiled hash, or None where there is none; the kernel reads words in little-endian order."""
    if sys.byteorder != "little":
        return None
    from proofmill.exact.kernels.native.build import library  # imports torch, which takes seconds

    try:
        function = library().proofmill_keccak256
    except NativeUnavailable as error:
        _log.info("hashing with pycryptodome: %s", error)
        return None
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    function.argtypes = [pointer, number, number, number, number, number, ctypes.c_int, pointer]
    function.restype = None
    result: Callable[..., None] = function
    return result
