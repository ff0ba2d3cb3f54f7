"""Write the ABIs of the deployable contracts where ``proofmill.chain`` reads them.

python tools/export_abis.py            compile and write proofmill/chain/abi/<Name>.json
python tools/export_abis.py --check    compile and fail when a file there differs
"""

from __future__ import annotations

import argparse
import json
import sys

from _contract_build import ROOT, compile_deployables

ABI_DIRECTORY = ROOT / "proofmill" / "chain" / "abi"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare only, and fail on a difference")
    check: bool = parser.parse_args().check

    stale = []
    ABI_DIRECTORY.mkdir(parents=True, exist_ok=True)
    for name, output in compile_deployables(["abi"]).items():
        abi = sorted(output["abi"], key=lambda entry: (entry["type"], entry.get("name", "")))
        text = json.dumps(abi, indent=2, sort_keys=True) + "\n"
        target = ABI_DIRECTORY / f"{name}.json"
        if target.exists() and target.read_text() == text:
            continue
        stale.append(target)
        if not check:
            target.write_text(text)

    for target in stale:
        print(f"{'differs' if check else 'written'}: {target.relative_to(ROOT)}")
    if check and stale:
        print("Run `python tools/export_abis.py` and commit the result.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
