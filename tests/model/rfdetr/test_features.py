"""What a network of rfdetr sees of whole images."""

import numpy as np
import pytest

from segtrack.model import Network, model_settings
from tests.model.rfdetr.conftest import NAME


def test_they_are_the_means_of_what_the_decoder_is_given(nano):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (*shape, 3), np.uint8) for shape in ((40, 60), (80, 80), (9, 9))]
    network = Network(model_settings(NAME, batch=2), nano, "cpu")
    extractor = network.family.extractor(network)
    prepared = [extractor.prepare(image) for image in images]
    found = extractor.features(prepared)
    model, seen = extractor.detector.model, []
    hook = model.transformer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    extractor.detector.predict(prepared)
    hook.remove()
    expected = np.concatenate([np.concatenate([s.mean((2, 3)) for s in one], 1) for one in seen])
    assert found.shape == expected.shape and found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-4)
    assert found.std(0).max() > 0, "images differ"
