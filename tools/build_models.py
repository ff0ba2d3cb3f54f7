"""Convert the packaged models to integers and put them in the cache, checked against their pinned ids."""

from __future__ import annotations

import sys
import time

from proofmill.errors import ProofmillError
from proofmill.exact.minilm import cache_path, default_cache_directory, load_packed


def main() -> int:
    start = time.perf_counter()
    manifest, tensors = load_packed()
    path = cache_path(default_cache_directory())
    where = path if path.exists() else "memory only: the cache directory cannot be written"
    size = sum(tensor.nbytes for tensor in tensors.values()) / 2**20
    print(
        f"MiniLM E16  {manifest.model_id.hex()}  {size:.0f} MiB  {time.perf_counter() - start:.1f} s  {where}"
    )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ProofmillError as error:
        print(f"{error}\n{error.remedy}", file=sys.stderr)
        sys.exit(1)
