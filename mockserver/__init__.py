"""A mock server for the documented Hugging Face text-generation API.

``create_app(Config(...))`` is a WSGI app; ``textgen-mock serve`` puts it on a port.
``TextgenMock()`` is one for the length of a test; by a ``VirtualClock()`` nothing waits.
It never talks to a network and never imports the contract suite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mockserver.app import create_app
    from mockserver.config import Config
    from mockserver.live import TextgenMock
    from mockserver.scenario.pacing import VirtualClock

__all__ = ["Config", "TextgenMock", "VirtualClock", "create_app"]


def __getattr__(name: str) -> Any:
    """Open the face on first use, so that ``mockserver.sampler`` alone does not load Flask (PEP 562)."""
    if name == "create_app":
        from mockserver.app import create_app

        return create_app
    if name == "Config":
        from mockserver.config import Config

        return Config
    if name == "TextgenMock":
        from mockserver.live import TextgenMock

        return TextgenMock
    if name == "VirtualClock":
        from mockserver.scenario.pacing import VirtualClock

        return VirtualClock
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
