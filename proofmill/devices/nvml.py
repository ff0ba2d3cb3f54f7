"""The driver's library as far as it answers: every error of NVML means one of four things, and none of them is a zero.

What NVML says is a *claim*: any library of that name can be put in its place. Nothing here is believed; see ``agreement``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from enum import Enum
from types import ModuleType
from typing import Any, Final, TypeVar

import pynvml

from proofmill.errors import ProofmillError

Value = TypeVar("Value")


class Meaning(Enum):
    """What an error of NVML means for what was asked."""

    NO_DRIVER = "there is no driver, so there is no GPU"
    ABSENT = "this card or driver does not say"
    FORBIDDEN = "this process may not ask"
    FAILED = "the card or the driver is not in order"


# Every error that NVML has; one that it gets later counts as a failure, by its number.
MEANINGS: Final[dict[int, Meaning]] = {
    pynvml.NVML_ERROR_UNINITIALIZED: Meaning.FAILED,
    pynvml.NVML_ERROR_INVALID_ARGUMENT: Meaning.ABSENT,  # a field or index that this driver does not know
    pynvml.NVML_ERROR_NOT_SUPPORTED: Meaning.ABSENT,
    pynvml.NVML_ERROR_NO_PERMISSION: Meaning.FORBIDDEN,
    pynvml.NVML_ERROR_ALREADY_INITIALIZED: Meaning.FAILED,
    pynvml.NVML_ERROR_NOT_FOUND: Meaning.ABSENT,
    pynvml.NVML_ERROR_INSUFFICIENT_SIZE: Meaning.FAILED,
    pynvml.NVML_ERROR_INSUFFICIENT_POWER: Meaning.FAILED,
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: Meaning.NO_DRIVER,
    pynvml.NVML_ERROR_TIMEOUT: Meaning.FAILED,
    pynvml.NVML_ERROR_IRQ_ISSUE: Meaning.FAILED,
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: Meaning.NO_DRIVER,
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND: Meaning.ABSENT,
    pynvml.NVML_ERROR_CORRUPTED_INFOROM: Meaning.FAILED,
    pynvml.NVML_ERROR_GPU_IS_LOST: Meaning.FAILED,
    pynvml.NVML_ERROR_RESET_REQUIRED: Meaning.FAILED,
    pynvml.NVML_ERROR_OPERATING_SYSTEM: Meaning.FORBIDDEN,  # "blocked the request": cgroups, containers
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: Meaning.FAILED,
    pynvml.NVML_ERROR_IN_USE: Meaning.FAILED,
    pynvml.NVML_ERROR_MEMORY: Meaning.FAILED,
    pynvml.NVML_ERROR_NO_DATA: Meaning.ABSENT,
    pynvml.NVML_ERROR_VGPU_ECC_NOT_SUPPORTED: Meaning.ABSENT,
    pynvml.NVML_ERROR_INSUFFICIENT_RESOURCES: Meaning.FAILED,
    pynvml.NVML_ERROR_FREQ_NOT_SUPPORTED: Meaning.ABSENT,
    pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH: Meaning.ABSENT,  # the driver is older or newer than the structure
    pynvml.NVML_ERROR_DEPRECATED: Meaning.ABSENT,
    pynvml.NVML_ERROR_NOT_READY: Meaning.FAILED,
    pynvml.NVML_ERROR_GPU_NOT_FOUND: Meaning.ABSENT,
    pynvml.NVML_ERROR_INVALID_STATE: Meaning.FAILED,
    pynvml.NVML_ERROR_RESET_TYPE_NOT_SUPPORTED: Meaning.ABSENT,
    pynvml.NVML_ERROR_UNKNOWN: Meaning.FAILED,
}


class DriverFailed(ProofmillError, RuntimeError):
    """There is a driver, and it cannot be used."""


def meaning_of(error: pynvml.NVMLError) -> Meaning:
    """What an error of NVML means; unknown ones are failures, never silence."""
    return MEANINGS.get(error.value, Meaning.FAILED)


def said(error: pynvml.NVMLError) -> str:
    """An error in words, for logs and for the list of what a device does not say."""
    return f"{meaning_of(error).value} ({error})"


class Nvml:
    """An initialised NVML. Made by ``opened``."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def call(self, name: str, *arguments: Any) -> Any:
        """One function of pynvml.

        Raises:
            pynvml.NVMLError: as NVML says; also where this version of pynvml has no such function.
        """
        function: Callable[..., Any] | None = getattr(self._module, name, None)
        if function is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        return function(*arguments)

    def ask(
        self, silences: MutableMapping[str, str], what: str, question: Callable[[], Value]
    ) -> Value | None:
        """The answer to a question, or None and why not, filed under `what` in `silences`."""
        try:
            answer = question()
        except pynvml.NVMLError as error:
            silences[what] = said(error)
            return None
        except (UnicodeDecodeError, ValueError, TypeError) as error:
            # A library that answers with what is no text or number; whatever it is, it is no claim.
            silences[what] = f"the answer cannot be read ({type(error).__name__}: {error})"
            return None
        if answer is None:
            silences[what] = "the answer has no value"
        return answer


@contextmanager
def opened(module: ModuleType = pynvml) -> Iterator[Nvml | None]:
    """NVML for the time of a block; None where there is no driver, which is no error.

    Raises:
        DriverFailed: there is a driver, and it does not start.
    """
    try:
        module.nvmlInit()
    except pynvml.NVMLError as error:
        if meaning_of(error) is Meaning.NO_DRIVER:
            yield None
            return
        raise DriverFailed(
            f"the NVIDIA driver does not start: {error}",
            remedy="See what `nvidia-smi` says; a driver that was updated needs a restart of the machine or container.",
        ) from error
    try:
        yield Nvml(module)
    finally:
        module.nvmlShutdown()
