"""Fail when a deployable contract is larger than the chain accepts, and print how large each one is.

python tools/check_contract_sizes.py
"""

from __future__ import annotations

import sys

from _contract_build import compile_deployables

MAX_RUNTIME_BYTES = 24_576  # EIP-170
MAX_INITCODE_BYTES = 49_152  # EIP-3860
WORD_BYTES = 32

# Outputs of the compiler, as hexadecimal text.
RUNTIME, INITCODE = "bytecode_runtime", "bytecode"


def byte_length(code: str) -> int:
    return len(bytes.fromhex(code.removeprefix("0x")))


def constructor_argument_bytes(abi: list[dict[str, object]]) -> int:
    """Initcode counts the arguments too; every constructor here takes words only."""
    for entry in abi:
        if entry["type"] == "constructor":
            inputs = entry["inputs"]
            assert isinstance(inputs, list)
            return WORD_BYTES * len(inputs)
    return 0


def main() -> int:
    too_large = []
    print(f"{'contract':<16} {'runtime':>8} {'of':>7} {'initcode':>9} {'of':>7}")
    for name, output in compile_deployables([RUNTIME, INITCODE, "abi"]).items():
        runtime = byte_length(output[RUNTIME])
        initcode = byte_length(output[INITCODE]) + constructor_argument_bytes(output["abi"])
        print(f"{name:<16} {runtime:>8} {MAX_RUNTIME_BYTES:>7} {initcode:>9} {MAX_INITCODE_BYTES:>7}")
        if runtime > MAX_RUNTIME_BYTES or initcode > MAX_INITCODE_BYTES:
            too_large.append(name)
    if too_large:
        print(f"too large: {', '.join(too_large)}; move code into a contract of its own", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
