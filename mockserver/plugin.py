"""The pytest plugin: the fixtures ``textgen_mock`` and ``textgen_mock_respx``.

It is loaded in every pytest run of everybody who has this package installed, so it imports nothing of the mock until a fixture is
used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import respx

    from mockserver.live import TextgenMock

DOCUMENTED_HOST = "api-inference.huggingface.co"


@pytest.fixture(scope="session")
def _textgen_mock_server() -> Iterator[TextgenMock]:
    """The server of this session (under xdist, of this worker)."""
    from mockserver.live import TextgenMock

    with TextgenMock() as mock:
        yield mock


@pytest.fixture
def textgen_mock(_textgen_mock_server: TextgenMock) -> TextgenMock:
    """A mock of the text-generation API on a free port, as new for each test."""
    _textgen_mock_server.reset()
    return _textgen_mock_server


@pytest.fixture
def textgen_mock_respx(textgen_mock: TextgenMock) -> Iterator[respx.MockRouter]:
    """What httpx sends to the documented host is answered by ``textgen_mock``, without a socket; the rest goes where it goes."""
    import respx

    from mockserver.routed import answer_in_process

    with respx.mock(assert_all_called=False, assert_all_mocked=False) as router:
        router.route(host=DOCUMENTED_HOST).mock(side_effect=answer_in_process(textgen_mock.app))
        router.route().pass_through()
        yield router
