"""The peers, installed from their registries and set up to answer the same text as we do. Measures nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.servers import Kind, cache_folder, need

NPM = {"aimock": "@copilotkit/aimock", "Prism": "@stoplight/prism-cli", "Mockoon": "@mockoon/cli"}
WORDS = "a b c d e f g h i j k l m n o"
"""What LLMock's echo makes a stream of 20 events of, its own words and the closing ones included."""


def install_node_peers() -> Path:
    """The folder of their modules."""
    folder = cache_folder() / "npm"
    folder.mkdir(exist_ok=True)
    if not all((folder / "node_modules" / package).exists() for package in NPM.values()):
        subprocess.run(
            [need("npm"), "install", "--no-audit", "--no-fund", "--silent", *NPM.values()], cwd=folder, check=True, timeout=600
        )
    return folder / "node_modules"


def install_llmock() -> Path:
    """The folder of its programs, in an environment of its own."""
    folder = cache_folder() / "llmock"
    if not (folder / "bin" / "llmock").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", "llmock"], check=True, timeout=600)
    return folder / "bin"


def chat(text: str, *, stream: bool) -> bytes:
    """The request that the OpenAI-shaped peers understand."""
    return json.dumps({"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": text}]}).encode()


def aimock(prompt: str, reply: str, *, stream: bool = False) -> Kind:
    modules = install_node_peers()
    fixtures = _write("aimock.json", {"fixtures": [{"match": {"userMessage": prompt}, "response": {"content": reply}}]})
    pieces = max(1, len(reply) // 18)
    options = ["-p", "{port}", "-f", str(fixtures), "--log-level", "silent", "-c", str(pieces)]
    return Kind(
        name="aimock",
        version=_npm_version(modules, "aimock"),
        command=[need("node"), str(modules / ".bin" / "llmock"), *options],
        path="/v1/chat/completions",
        body=chat(prompt, stream=stream),
    )


def prism(body: bytes, reply: Any) -> Kind:
    modules = install_node_peers()
    request = {"type": "object", "required": ["inputs"], "properties": {"inputs": {"type": "string"}}}
    operation = {
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {"200": {"description": "a reply", "content": {"application/json": {"schema": {}, "example": reply}}}},
    }
    document = {"openapi": "3.1.0", "info": {"title": "a reply", "version": "1"}, "paths": {"/generate": {"post": operation}}}
    command = [need("node"), str(modules / ".bin" / "prism"), "mock", "-h", "127.0.0.1", "-p", "{port}", "-v", "fatal"]
    return Kind(
        name="Prism",
        version=_npm_version(modules, "Prism"),
        command=[*command, str(_write("prism.json", document))],
        path="/generate",
        body=body,
    )


def mockoon(body: bytes, reply: str, *, stream: bool = False) -> Kind:
    modules = install_node_peers()
    route = "8a0b6a3e-0000-4000-8000-000000000001"
    response = {
        "uuid": "8a0b6a3e-0000-4000-8000-000000000002", "body": reply, "latency": 0, "statusCode": 200, "label": "",
        "headers": [{"key": "content-type", "value": "text/event-stream" if stream else "application/json"}],
        "bodyType": "INLINE", "filePath": "", "databucketID": "", "sendFileAsBody": False, "rules": [], "rulesOperator": "OR",
        "disableTemplating": True, "fallbackTo404": False, "default": True, "crudKey": "id", "callbacks": [],
    }  # fmt: skip
    environment = {
        "uuid": "8a0b6a3e-0000-4000-8000-000000000000", "lastMigration": 33, "name": "a reply", "port": 3000,
        "hostname": "127.0.0.1", "endpointPrefix": "", "latency": 0, "folders": [],
        "rootChildren": [{"type": "route", "uuid": route}],
        "routes": [{"uuid": route, "type": "http", "documentation": "", "method": "post", "endpoint": "generate",
                    "responses": [response], "responseMode": None, "streamingMode": None, "streamingInterval": 0}],
        "proxyMode": False, "proxyHost": "", "proxyRemovePrefix": False, "cors": False, "headers": [],
        "tlsOptions": {"enabled": False, "type": "CERT", "pfxPath": "", "certPath": "", "keyPath": "", "caPath": "", "passphrase": ""},
        "proxyReqHeaders": [], "proxyResHeaders": [], "data": [], "callbacks": [],
    }  # fmt: skip
    data = _write(f"mockoon-{'sse' if stream else 'json'}.json", environment)
    return Kind(
        name="Mockoon",
        version=_npm_version(modules, "Mockoon"),
        command=[
            need("node"), str(modules / ".bin" / "mockoon-cli"), "start", "--data", str(data), "--port", "{port}",
            "--disable-log-to-file", "--disable-admin-api",
        ],
        path="/generate",
        body=body,
    )  # fmt: skip


def llmock(*, stream: bool = False) -> Kind:
    programs = install_llmock()
    asked = "import importlib.metadata as m; print(m.version('llmock'))"
    told = subprocess.run([programs / "python", "-c", asked], check=True, capture_output=True, text=True, timeout=60)
    return Kind(
        name="LLMock",
        version=told.stdout.strip(),
        command=[str(programs / "llmock"), "serve", "--port", "{port}", "--response-style", "echo", "--log-level", "critical"],
        path="/v1/chat/completions",
        body=chat(WORDS, stream=stream),
    )


def names_and_versions(kinds: Sequence[Kind]) -> str:
    return ", ".join(f"{kind.name} {kind.version}" for kind in kinds)


def _npm_version(modules: Path, name: str) -> str:
    told: str = json.loads((modules / NPM[name] / "package.json").read_text(encoding="utf-8"))["version"]
    return told


def _write(name: str, value: Any) -> Path:
    path = cache_folder() / name
    path.write_text(json.dumps(value), encoding="utf-8")
    return path
