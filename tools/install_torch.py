"""Install the pinned torch, and beside its CPU build the pinned Triton, into the running interpreter's environment.

`auto` and `cpu` install the CPU build, which is all that a requester, an oracle and the tests need; `cuda` installs the
build with CUDA. The CPU build carries the local version `+cpu`; where no configured package index offers it, the plain
version is installed, which has the same arithmetic and is larger.

Builds with CUDA bring the Triton they were made with. Beside the CPU build it serves the tests, which run the GPU's kernels
under Triton's interpreter; it exists for Linux only, and without it those tests are skipped.

    python tools/install_torch.py {auto,cpu,cuda} [EXTRA_INDEX]
"""

import importlib
import importlib.metadata
import platform
import shutil
import subprocess
import sys
from pathlib import Path

LOCKS = Path(__file__).resolve().parent.parent / "requirements"
PIN = LOCKS.joinpath("torch.lock").read_text().strip()
TRITON_PIN = LOCKS.joinpath("triton.lock").read_text().strip()

CUDA_ADVICE = """\
An NVIDIA GPU was found. The CPU build of torch is installed; it computes the same bits.
To let the worker use the GPU, run:   make setup TORCH=cuda
(several gigabytes; add TORCH_INDEX=… to take a build for another CUDA version from an index of your choice)"""


def has_nvidia_gpu() -> bool:
    """True when a driver is loaded or the driver's tool is installed."""
    return Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None


def installed_version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def install(requirement: str, extra_index: str | None) -> bool:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-warn-script-location", requirement]
    if extra_index:
        command += ["--extra-index-url", extra_index]
    return subprocess.run(command, check=False).returncode == 0


def main(flavour: str, extra_index: str | None) -> int:
    version = PIN.partition("==")[2]
    installed = installed_version("torch")
    wants_cuda = flavour == "cuda"
    is_pinned = installed is not None and installed.partition("+")[0] == version
    has_cuda = installed is not None and not installed.endswith("+cpu")
    if is_pinned and (has_cuda or not wants_cuda):  # a build with CUDA serves every wish
        return finish(flavour)
    candidates = [PIN] if wants_cuda else [f"{PIN}+cpu", PIN]
    for requirement in candidates:
        if install(requirement, extra_index):
            return finish(flavour)
        if requirement != candidates[-1]:
            print(
                f"No configured package index offers {requirement}; taking {candidates[-1]} instead, which is larger.\n"
                "Set TORCH_INDEX to an index with CPU builds to avoid that.",
                file=sys.stderr,
            )
    print(f"torch could not be installed ({PIN}); the lines above say why.", file=sys.stderr)
    return 1


def finish(flavour: str) -> int:
    importlib.invalidate_caches()
    torch = installed_version("torch")
    on_linux = sys.platform == "linux" and platform.machine() == "x86_64"
    wanted = on_linux and torch is not None and torch.endswith("+cpu")
    present = installed_version("triton") == TRITON_PIN.partition("==")[2]
    if wanted and not present and not install(TRITON_PIN, None):
        print(
            f"{TRITON_PIN} could not be installed; tests of the GPU's kernels are skipped.", file=sys.stderr
        )
    return advise(flavour)


def advise(flavour: str) -> int:
    if flavour == "auto" and has_nvidia_gpu():
        print(CUDA_ADVICE)
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("auto", "cpu", "cuda"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 and sys.argv[2] else None))
