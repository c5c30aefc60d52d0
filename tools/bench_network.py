"""Write one of `edgemcu bench`'s own networks to a file, for other tools to look at.

python tools/bench_network.py mobilenet-v1-0.25-96 model.tflite
"""

from __future__ import annotations

import argparse
from pathlib import Path

from edgemcu.artefacts import write_bytes
from edgemcu.bench.networks import NETWORKS, benchmark_network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=sorted(NETWORKS))
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    write_bytes(arguments.file, benchmark_network(arguments.network))


if __name__ == "__main__":
    main()
