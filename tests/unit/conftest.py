"""What several files of unit tests share."""

import pytest


@pytest.fixture
def passes_of():
    """A function: a list that grows with every forward pass of some language models."""
    handles = []

    def count(*lms):
        passes = []
        for lm in lms:
            handles.append(lm.model.register_forward_hook(lambda *_: passes.append(1)))
        return passes

    yield count
    for handle in handles:
        handle.remove()
