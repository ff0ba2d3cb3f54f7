"""What can be wrong with a challenge; what is wrong with an *answer* is a verdict, not an error."""

from __future__ import annotations

from proofmill.errors import ProofmillError


class CapabilityError(ProofmillError):
    """Base of every error of ``proofmill.capability``."""


class InvalidChallenge(CapabilityError, ValueError):
    """Parameters, seeds or claims that no challenge has; the message names the field."""


class DeviceUnfit(CapabilityError, RuntimeError):
    """This device cannot compute the challenge: no exact arithmetic, or not enough memory."""
