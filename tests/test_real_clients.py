"""Clients that people really use, against the mock on a real socket."""

from __future__ import annotations

import pytest
import requests
from huggingface_hub import InferenceClient
from huggingface_hub.errors import ValidationError

from mockserver.config import RECOMMENDED_MODELS

PROMPT = "Can you please let us know more details about your "


@pytest.mark.parametrize("model", RECOMMENDED_MODELS)
def test_the_pages_own_snippet_with_only_the_host_changed(live_mock: str, model: str) -> None:
    host = live_mock.partition("/models/")[0]
    API_URL = f"{host}/models/{model}"  # noqa: N806 (the page's spelling)
    headers = {"Authorization": "Bearer hf_***"}

    def query(payload: dict[str, str]) -> dict[str, str]:
        response = requests.post(API_URL, headers=headers, json=payload, timeout=30)
        return response.json()  # type: ignore[no-any-return]

    output = query(
        {
            "inputs": "Can you please let us know more details about your ",
        }
    )

    assert output["generated_text"]


def test_huggingface_hub_plain(live_mock: str) -> None:
    text = InferenceClient(model=live_mock).text_generation(PROMPT, max_new_tokens=8)

    assert isinstance(text, str)
    assert text


def test_huggingface_hub_with_details(live_mock: str) -> None:
    output = InferenceClient(model=live_mock).text_generation(
        PROMPT, max_new_tokens=8, details=True, decoder_input_details=True, top_n_tokens=2, do_sample=True, seed=7
    )

    assert output.details is not None
    assert output.details.generated_tokens == len(output.details.tokens)
    assert 7 == output.details.seed
    assert output.details.prefill[0].logprob is None
    assert "".join(token.text for token in output.details.tokens if not token.special) == output.generated_text


def test_huggingface_hub_streaming(live_mock: str) -> None:
    client = InferenceClient(model=live_mock)  # kept: dropping it closes the stream
    plain = client.text_generation(PROMPT, max_new_tokens=8)
    streamed = "".join(client.text_generation(PROMPT, max_new_tokens=8, stream=True, stop=[]))

    assert streamed.startswith(plain)


def test_huggingface_hub_streaming_with_details(live_mock: str) -> None:
    client = InferenceClient(model=live_mock)
    whole = client.text_generation(PROMPT, max_new_tokens=8, details=True)
    events = list(client.text_generation(PROMPT, max_new_tokens=8, details=True, stream=True))

    assert [event.index for event in events] == list(range(1, len(events) + 1))
    assert whole.details is not None
    assert [event.token.id for event in events] == [token.id for token in whole.details.tokens]
    assert events[-1].generated_text == whole.generated_text
    assert events[-1].details is not None
    assert events[-1].details.finish_reason == whole.details.finish_reason


def test_huggingface_hub_streams_text_outside_ascii_whole(live_mock: str) -> None:
    """Raw U+2028 or U+0085 inside a frame would break this client: it splits lines there."""
    prompt = "line\u2028separator, next\u0085line, \u6f22\u5b57 \U0001f389"
    client = InferenceClient(model=live_mock)
    *_, last = client.text_generation(prompt, max_new_tokens=4, stream=True, details=True, return_full_text=True)

    assert last.generated_text is not None
    assert last.generated_text.startswith(prompt)


def test_huggingface_hub_tells_a_bad_parameter(live_mock: str) -> None:
    with pytest.raises(ValidationError, match="`temperature` must be strictly positive"):
        InferenceClient(model=live_mock).text_generation(PROMPT, temperature=-1.0)
