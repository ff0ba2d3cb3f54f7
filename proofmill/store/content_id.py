"""Identity of a blob: 32 bytes that only its bytes give.

By default that is their sha2-256, which people see as a CIDv1 (``bafkrei…``). Whoever makes a store may say otherwise; such an
identity is shown as hexadecimal digits, because a CID would claim that it is a sha2-256.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import string
from collections.abc import Callable

from proofmill.store.errors import InvalidContentId

#: Gives the identity of a blob, 32 bytes. Equal identities must mean equal bytes.
Identify = Callable[[bytes], bytes]

DIGEST_BYTES = 32
# CIDv1: version 1 | codec 0x55 (raw bytes) | multihash 0x12 (sha2-256) | 0x20 (32 bytes follow)
_CID_PREFIX = bytes((0x01, 0x55, 0x12, DIGEST_BYTES))
_CID_LENGTH = 59  # "b" and 36 bytes in unpadded base32
_BASE32_PADDING = "======"  # 58 characters of base32 lack 6 to a multiple of 8
_FORMS = "Give a CIDv1 of raw bytes (bafkrei…) or 64 hexadecimal digits, with or without 0x."


def content_id(data: bytes) -> bytes:
    """Return the sha2-256 digest, 32 bytes: by default what a blob is known by."""
    return hashlib.sha256(data).digest()


def describe(digest: bytes, data: bytes | None = None) -> str:
    """Return how people see the identity ``digest``: a CID if ``data`` are bytes of which it is the sha2-256, else 0x-hex.

    Both are accepted wherever an identity is asked for, by :func:`from_cid`.
    """
    if data is not None and content_id(data) == digest:
        return to_cid(digest)
    validate_digest(digest)
    return "0x" + digest.hex()


def to_cid(digest: bytes) -> str:
    """Return the CIDv1 (raw codec, lower-case base32) of a sha2-256 digest."""
    validate_digest(digest)
    return "b" + base64.b32encode(_CID_PREFIX + digest).decode("ascii").rstrip("=").lower()


def from_cid(text: str) -> bytes:
    """Return the identity named by a CIDv1 or by hexadecimal digits (either case, with or without ``0x``)."""
    digits = text[2:] if text.startswith("0x") else text
    if len(digits) == 2 * DIGEST_BYTES and all(digit in string.hexdigits for digit in digits):
        return bytes.fromhex(digits)
    if len(text) != _CID_LENGTH or not text.startswith("b"):
        raise InvalidContentId(f"{_shorten(text)} is not the identifier of a blob", remedy=_FORMS)
    if text != text.lower():
        raise InvalidContentId(f"{_shorten(text)} has upper-case letters after its 'b' prefix", remedy=_FORMS)
    try:
        cid = base64.b32decode(text[1:].upper() + _BASE32_PADDING)
    except (binascii.Error, ValueError) as error:
        raise InvalidContentId(f"{_shorten(text)} is not base32", remedy=_FORMS) from error
    digest = cid[len(_CID_PREFIX) :]
    # The last base32 character carries 2 unused bits: comparing the text leaves one spelling for each digest.
    if not cid.startswith(_CID_PREFIX) or to_cid(digest) != text:
        raise InvalidContentId(f"{_shorten(text)} is no CIDv1 of raw bytes with sha2-256", remedy=_FORMS)
    return digest


def validate_digest(digest: bytes) -> None:
    """Raise ``InvalidContentId`` unless ``digest`` is 32 bytes."""
    if not isinstance(digest, bytes) or len(digest) != DIGEST_BYTES:
        raise InvalidContentId(
            f"a blob's digest is {DIGEST_BYTES} bytes, not {_shorten(repr(digest))}",
            remedy="Pass the identity as bytes; from_cid() turns text into it.",
        )


def _shorten(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:77] + "…")
