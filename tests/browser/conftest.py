"""The built site, served and opened: what every test here starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import measure
import pytest
import served
from playwright.sync_api import Browser, BrowserContext


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return one browser for all tests of a process."""
    with measure.launch() as started:
        yield started


@pytest.fixture(scope="session")
def reader(browser: Browser) -> Callable[..., BrowserContext]:
    """Return readers by theme, width and script, one of each kind for all tests of a process."""

    @cache
    def made(theme: str, width: int, *, script: bool = True) -> BrowserContext:
        return measure.context(browser, theme, width, script=script)

    return made


@pytest.fixture(scope="session")
def home() -> Iterator[str]:
    """Return the address of the site, served under a sub-path."""
    with served.serve() as address:
        yield address
