"""Convert the packaged models to integers and put them in the cache, checked against their pinned ids."""

from __future__ import annotations

import sys
import time

from proofmill.errors import ProofmillError
from proofmill.exact.models.catalogue import KNOWN_MODELS, cache_path, load_packed


def main() -> int:
    for known in KNOWN_MODELS.values():
        start = time.perf_counter()
        manifest, model = load_packed(known)
        path = cache_path(known)
        where = path if path.exists() else "memory only: the cache directory cannot be written"
        size = sum(tensor.nbytes for tensor in model.tensors.values()) / 2**20
        seconds = time.perf_counter() - start
        print(
            f"{known.name:13} {manifest.model_id.hex()}  {size:4.0f} MiB  {seconds:5.1f} s  {where}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ProofmillError as error:
        print(f"{error}\n{error.remedy}", file=sys.stderr)
        sys.exit(1)
