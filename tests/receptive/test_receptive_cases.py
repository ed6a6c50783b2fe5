"""Small modules that were once judged wrongly, refused or crashed, each with what is right (made for the tests)."""

import copy

import pytest

torch = pytest.importorskip("torch")
from receptive_cases import CASES  # noqa: E402

from cellgrad.receptive import measure_receptive_field, receptive_field  # noqa: E402


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_judged_right(name):
    module, input_size, expected = CASES[name]
    if "refused with" in expected:
        with pytest.raises(ValueError, match=expected["refused with"]):
            receptive_field(module, input_size)
        return
    before = copy.deepcopy(dict(module.named_buffers()))
    last = receptive_field(module, input_size).iloc[-1]
    for column in ("size", "local", "jump"):
        assert last[column] == expected.get(column, last[column]), column
    if "whole image" in expected:
        assert last["size"] == "whole image" and last["jump"] is None and last["start"] is None
    if "measure" in expected:
        assert measure_receptive_field(module, input_size) == expected["measure"]
    for buffer, value in module.named_buffers():
        assert torch.equal(value, before[buffer]), "the module was changed"
