"""The declarations of tests/support/esp_idf against the real headers, where a checkout is at hand.

EDGEMCU_ESP_IDF names one of ESP-IDF 5.5.3, EDGEMCU_ESP_NN and EDGEMCU_ESP_CAMERA those of the
components. Each file there says which headers it stands for: every function that it declares must
be declared in one of them with the same types, and every member of a structure must be in one.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support.esp_idf import INCLUDE

CHECKOUTS = {
    "ESP-IDF": "EDGEMCU_ESP_IDF",
    "ESP-NN": "EDGEMCU_ESP_NN",
    "esp32-camera": "EDGEMCU_ESP_CAMERA",
}
FILES = sorted(path.relative_to(INCLUDE).as_posix() for path in INCLUDE.rglob("*.h"))
FUNCTION = re.compile(r"^([\w *]+?[ *])(\w+)\(([^;{}]*)\)\s*;", re.MULTILINE)
# Declared in headers that those named include.
ELSEWHERE = {"esp_nn.h": ("include/esp_nn_ansi_headers.h", "include/esp_nn_defs.h")}
ELSEWHERE |= {"esp_camera.h": ("driver/include/sensor.h",)}


def without_comments(text: str) -> str:
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)
    return re.sub(r"__attribute__\s*\(\(.*?\)\)|\b(PRIVILEGED_FUNCTION|IRAM_ATTR)\b", " ", text)


def types(parameters: str) -> list[str]:
    """The types of a parameter list: names and const of the parameters themselves dropped."""
    found = []
    for parameter in parameters.split(","):
        words = re.findall(r"\w+|\*", parameter)
        if len(words) > 1 and words[-1] != "*":
            words.pop()
        if words and words[-1] == "const":
            words.pop()
        if "*" not in words:
            words = [word for word in words if word != "const"]
        found.append(" ".join(words))
    return found


def functions(text: str) -> dict[str, tuple[str, list[str]]]:
    """Function → (type of the result, types of the parameters)."""
    return {
        name: (" ".join(re.findall(r"\w+|\*", result.replace("extern", ""))), types(parameters))
        for result, name, parameters in FUNCTION.findall(without_comments(text))
    }


def real_headers(name: str) -> str:
    """The text of all headers that the file `name` stands for."""
    text = (INCLUDE / name).read_text()
    said = " ".join(text[: text.index("*/")].replace("*", " ").split())
    named = [package for package in CHECKOUTS if f"of {package}" in said]
    package = min(named, key=lambda package: said.index(f"of {package}"), default=None)
    if package is None:
        pytest.skip(f"{name} stands for a file that a build makes")
    root = os.environ.get(CHECKOUTS[package])
    if not root:
        pytest.skip(f"{CHECKOUTS[package]} does not name a checkout of {package}")
    paths = [*re.findall(r"[\w/.-]+/[\w.-]+\.h", said), *ELSEWHERE.get(name, ())]
    found = [Path(root, path) for path in paths if Path(root, path).is_file()]
    assert found, paths
    return "\n".join(path.read_text(errors="replace") for path in found)


@pytest.mark.parametrize("name", FILES)
def test_declarations_are_those_of_the_sdk(name: str) -> None:
    real = without_comments(real_headers(name))
    declared, known = functions((INCLUDE / name).read_text()), functions(real)
    if name == "esp_nn.h":  # its names are macros for those of a chip; the C ones end so
        known |= {function.removesuffix("_ansi"): facts for function, facts in known.items()}
    different = {
        function: (facts, known.get(function))
        for function, facts in declared.items()
        if known.get(function) != facts
    }
    assert not different
    own = without_comments((INCLUDE / name).read_text())
    members = {
        member
        for body in re.findall(r"typedef struct[\w ]*\{([^}]*)\}", own)
        for member in re.findall(r"(\w+);", body)
    }
    missing = {member for member in members if not re.search(rf"\b{member}\b", real)}
    assert missing <= {"memory"}  # the one of StaticTask_t, which nobody looks into
