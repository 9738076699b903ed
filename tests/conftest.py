"""Profiles of Hypothesis: a small one that repeats itself, and `--hypothesis-profile=nightly`."""

import os

from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"  # figures without a screen, in the examples of bptt.plotting too

settings.register_profile("default", deadline=None, max_examples=40, derandomize=True)
settings.register_profile("nightly", deadline=None, max_examples=2000)
settings.load_profile("default")
