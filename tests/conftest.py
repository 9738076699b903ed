"""Profiles of Hypothesis, a small one that repeats itself and `--hypothesis-profile=nightly`; which tests are not traced."""

import os
import sys
from collections.abc import Generator

import pytest
from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"  # figures without a screen, in the examples of bptt.plotting too

settings.register_profile("default", deadline=None, max_examples=40, derandomize=True)
settings.register_profile("nightly", deadline=None, max_examples=2000)
settings.load_profile("default")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let coverage count no lines of a test that looks at the repository, or runs what others run: counting takes as long again.

    Where xdist's workers run the tests, the mark `no_cover` of pytest-cov does not do this.
    """
    tracer = sys.gettrace()
    if any(map(item.get_closest_marker, ("house", "untraced"))):
        sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)
