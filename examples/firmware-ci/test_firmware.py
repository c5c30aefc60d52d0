from pathlib import Path

import pytest

PHOTOS = Path(__file__).parent / "photos" / "test"


@pytest.mark.parametrize("shape", ["circle", "square", "triangle"])
def test_it_knows_the_shape(edgemcu_device, shape):
    assert edgemcu_device.classify(PHOTOS / shape / "000.jpg").label == shape


def test_it_keeps_to_its_limits(edgemcu_device):
    assert edgemcu_device.verify().passed
