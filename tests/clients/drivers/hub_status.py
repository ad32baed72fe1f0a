"""huggingface_hub before 0.29, which asks the front door how a model is; ``HF_INFERENCE_ENDPOINT`` says where that is."""

from __future__ import annotations

from dataclasses import asdict

from huggingface_hub import InferenceClient
from talk import Answer, Ask, talk


def status(ask: Ask) -> Answer:
    return {"details": asdict(InferenceClient().get_model_status(ask["model"]))}


if __name__ == "__main__":
    talk({"status": status}, {}, ("huggingface_hub",))
