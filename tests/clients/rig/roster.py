"""The clients: what is installed for each, which driver speaks to it, and what it is known to do."""

from __future__ import annotations

from dataclasses import dataclass, field

HUB_ERROR = "huggingface_hub.errors"
HTTP_ERROR = f"{HUB_ERROR}.HfHubHTTPError"
HUB_DRIVER = {
    "validation": f"{HUB_ERROR}.ValidationError",
    "loading": HTTP_ERROR,
    "mid-stream-error": f"{HUB_ERROR}.GenerationError",
}
OUTLINES_ERRORS = {
    "validation": "outlines.exceptions.BadRequestError",
    "loading": "outlines.exceptions.ServerError",
    "mid-stream-error": "outlines.exceptions.GenerationError",
}
JS_ERRORS = dict.fromkeys(("validation", "loading", "mid-stream-error", "newer"), "Error")
JS4_ERRORS = dict.fromkeys(JS_ERRORS, "InferenceClientProviderApiError")


SHOWS_END = "shows the text of the end token too"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """``errors``: the exception that the client raises for each action that fails.

    ``breaks``: a fault of the mock, the action in which it breaks this client, and how that shows.
    ``silent``: the actions whose exception does not carry the server's sentence. ``told``: how its user tells it where the server is.
    """

    name: str
    requirements: tuple[str, ...]
    driver: str
    told: str
    errors: dict[str, str]
    breaks: tuple[str, str, str]
    arguments: tuple[str, ...] = ()
    dialects: tuple[str, ...] = ("documented", "tgi", "hosted")
    strips_stop: bool = False
    silent: tuple[str, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def in_node(self) -> bool:
        return self.driver.endswith(".mjs")


def _hub(version: str, *extra: str, asynchronous: bool = False) -> Client:
    silent = ("loading", "newer") if asynchronous and version.startswith("0.") else ()
    kind = "AsyncInferenceClient" if asynchronous else "InferenceClient"
    return Client(
        name=f"huggingface_hub {version.replace('*', 'x')}{', async' if asynchronous else ''}",
        requirements=(f"huggingface_hub=={version}", *extra),
        driver="hub.py",
        arguments=("async",) if asynchronous else (),
        told=f"{kind}(model=URL).text_generation(...)",
        errors=HUB_DRIVER | {"newer": HTTP_ERROR} | (dict.fromkeys(silent, "aiohttp.client_exceptions.ClientResponseError")),
        silent=silent,
        notes={"end": SHOWS_END} | dict.fromkeys(silent, "the exception tells the status, but not the server's sentence"),
        breaks=("stream-not-json", "stream", "json.decoder.JSONDecodeError"),
    )


def _text_generation(*, asynchronous: bool = False) -> Client:
    errors = "text_generation.errors"
    return Client(
        name=f"text-generation 0.7{', async' if asynchronous else ''}",
        requirements=("text-generation==0.7.*",),
        driver="text_generation_client.py",
        arguments=("async",) if asynchronous else (),
        told=f"{'AsyncClient' if asynchronous else 'Client'}(URL).generate(...)",
        errors={
            "validation": f"{errors}.ValidationError",
            "loading": f"{errors}.UnknownError",
            "mid-stream-error": f"{errors}.GenerationError",
            "newer": f"{errors}.NotFoundError",
        },
        breaks=("stream-done-sentinel", "stream", "json.decoder.JSONDecodeError"),
        dialects=("tgi", "hosted"),
        notes={"dialects": "reads the first of a list (`KeyError: 0` in the `documented` dialect)"},
    )


def _js(major: int) -> Client:
    again = (
        "asks again after a 503 by itself, with the header"
        if major == 2
        else "asks again after a 503 by itself, at once and without end"
    )
    newer = "`textGeneration` calls `/v1/completions` since 4.13" if major == 4 else "`chatCompletion`"
    return Client(
        name=f"@huggingface/inference {major}.x",
        requirements=(f"@huggingface/inference@^{major}",),
        driver="huggingface_js.mjs",
        told="request({model: URL, ...})" if major == 2 else "request({endpointUrl: URL, ...})",
        errors=JS4_ERRORS if major == 4 else JS_ERRORS,
        breaks=("stream-text-plain", "stream", "InferenceClientProviderApiError" if major == 4 else "Error"),
        notes={"wait": again, "newer": newer},
    )


STATUS_CLIENT = Client(
    name="huggingface_hub 0.28",
    requirements=("huggingface_hub==0.28.*",),
    driver="hub_status.py",
    told="HF_INFERENCE_ENDPOINT",
    errors={},
    breaks=("", "", ""),
)
"""The last that asked ``/status/ID``; not in the table."""

CLIENTS: tuple[Client, ...] = (
    _hub("0.36.*", "aiohttp"),
    _hub("0.36.*", "aiohttp", asynchronous=True),
    _hub("1.*"),
    _hub("1.*", asynchronous=True),
    _hub("2.*"),
    _hub("2.*", asynchronous=True),
    _text_generation(),
    _text_generation(asynchronous=True),
    Client(
        name="langchain-huggingface 1.x",
        requirements=("langchain-huggingface==1.*",),
        driver="langchain_endpoint.py",
        told="HuggingFaceEndpoint(endpoint_url=URL).invoke(...)",
        errors=HUB_DRIVER | {"newer": HTTP_ERROR},
        breaks=("generated-text-renamed", "plain", "builtins.KeyError"),
        strips_stop=True,
        notes={"end": SHOWS_END, "stop": "strips the stop sequence off the end of the text"},
    ),
    Client(
        name="llama-index-llms-huggingface-api 0.x",
        requirements=("llama-index-llms-huggingface-api==0.*",),
        driver="llama_index_llm.py",
        told='HuggingFaceInferenceAPI(model_name=URL, task="text-generation").complete(...)',
        errors=HUB_DRIVER | {"newer": HTTP_ERROR},
        breaks=("generated-text-renamed", "plain", "builtins.KeyError"),
        notes={"end": SHOWS_END},
    ),
    Client(
        name="haystack-ai 2.x",
        requirements=("haystack-ai==2.*", "huggingface_hub<2"),
        driver="haystack_generator.py",
        told='HuggingFaceAPIGenerator(api_type="text_generation_inference", api_params={"url": URL}).run(...)',
        errors=HUB_DRIVER | {"newer": HTTP_ERROR},
        breaks=("stream-details-missing", "stream", "details"),
        notes={
            "details": "without the ids of the tokens",
            "end": "the finish reason and the number of tokens are lost with the end token",
        },
    ),
    Client(
        name="outlines 1.x",
        requirements=("outlines==1.*", "huggingface_hub"),
        driver="outlines_tgi.py",
        told="outlines.from_tgi(InferenceClient(model=URL))(...)",
        errors=OUTLINES_ERRORS,
        breaks=("grammar-regex-ignored", "grammar", "text"),
        notes={"end": SHOWS_END},
    ),
    _js(2),
    _js(3),
    _js(4),
)
