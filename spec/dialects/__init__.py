"""What each known server does otherwise: a closed table of switches, and what it changes in `openapi.yaml` and in the ledger.

One file for each dialect. ``openapi`` in it is a JSON Merge Patch (RFC 7396): null takes a key away.
Imports nothing of ours and never talks to a server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

DIALECTS: tuple[str, ...] = ("documented", "tgi", "hosted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """The closed table: every way in which servers behave differently, beside what their documents say."""

    list_of_one: bool
    """The reply without stream at `/` and at `/models/...` is a list of one object, not the object."""
    full_text: bool
    """`return_full_text` is true at `/` and at `/models/...` when it is not said."""
    samples_without_parameters: bool
    """`do_sample` is true when `parameters` is left out altogether."""
    plain_text_refusals: bool
    """A body that cannot be read as a request is refused in text/plain, in the words of the router's JSON reader."""
    router_sentences: bool
    """Lengths and grammars are refused in the router's words, and a JSON `grammar` must have `properties`."""
    errors_in_stream: bool
    """A stream that is refused is status 200 and one event with the error."""
    stop_at_token_end: bool
    """A stop sequence is seen only where it ends with a token (or one newline before its end)."""
    all_the_room: bool
    """Without `max_new_tokens` all the room that is left is used, not a default number of tokens."""
    front_door: bool
    """A front door stands before the model: it reads `x-use-cache` and `x-wait-for-model`, keeps replies, tells of loading models."""
    whole_cached_streams: bool
    """A stream that is given again comes in one piece with a content-length."""
    colon_after_bearer: bool
    """`Authorization: Bearer: hf_...`, as the page's table spells it, is taken too."""
    bare_refusals: bool
    """401, 404 and 405 have no body."""
    names_ignored: bool
    """`x-ignored-parameters` names what was sent and is not known (this project's fake alone does so)."""
    compute_type: str
    """The `x-compute-type` of replies, which then carry the times and token counts of the router too; empty for none of them."""
    request_headers: bool
    """Replies carry `x-request-id` and `x-sha`."""
    router_behind: bool
    """What the router behind the front door answers can be told from the front door's own replies: it comes in chunks, not with a
    content-length, and with `access-control-allow-origin: *`; a kept reply comes with none of the headers of its generation."""
    cors: str
    """Which headers browsers are given: none, router (text-generation-inference's), front-door (the hosted API's)."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect as its file has it."""

    name: str
    summary: str
    switches: Switches
    patches: tuple[dict[str, Any], ...]
    """What is laid over the OpenAPI document, one after the other."""


def load_yaml(text: str) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C loader where it was built: ten times faster
    return yaml.load(text, Loader=loader)  # noqa: S506 (both loaders are safe ones)  # nosec B506


@cache
def read(name: str) -> Dialect:
    """The dialect called ``name``. TypeError when its file does not fill the table exactly."""
    row = load_yaml(files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8"))
    below = read(row["like"]).patches if "like" in row else ()
    return Dialect(name, row["summary"], Switches(**row["switches"]), (*below, row["openapi"]) if "openapi" in row else below)


def meaning(switch: str) -> str:
    """The sentence that stands below ``switch`` in the table."""
    source = files(__name__).joinpath("__init__.py").read_text(encoding="utf-8")
    return source.partition(f"    {switch}: ")[2].partition('"""')[2].partition('"""')[0]


def switch_names() -> tuple[str, ...]:
    return tuple(field.name for field in fields(Switches))


def merge(target: Any, patch: Any) -> Any:
    """``target`` with ``patch`` laid over it (RFC 7396); ``target`` itself is changed.

    >>> merge({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": 4}})
    {'b': {'c': 4, 'd': 3}}
    """
    if not isinstance(patch, Mapping):
        return patch
    merged: dict[str, Any] = target if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged
