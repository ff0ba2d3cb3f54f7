"""Child processes that never outlive their parent, however that ends."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
from collections.abc import Callable
from typing import Final

PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def die_with_parent() -> Callable[[], None] | None:
    """A ``preexec_fn`` that has the kernel kill the child when the thread that starts it ends; None off Linux."""
    if platform.system() != "Linux":
        return None
    library = ctypes.CDLL(None, use_errno=True)  # loaded here: between fork and exec little is safe
    parent = os.getpid()

    def prepare() -> None:
        library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the line above
            os.kill(os.getpid(), signal.SIGKILL)

    return prepare
