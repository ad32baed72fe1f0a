"""Facts about a local checkpoint as the model: a tiny network made here, with random weights and a tokenizer trained here.

Facts about its vocabulary, its folder and its pieces need no torch; the others are skipped without torch and transformers.
"""

from __future__ import annotations

import builtins
import json
import re
import shutil
import socket
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from mockserver import Config, create_app
from mockserver.answer import Answerer
from mockserver.engine.checkpoint import BLOCK, LIMIT, CheckpointModel, kept_tokens, open_checkpoint, pieces, quantise
from mockserver.engine.checkpoint_files import CheckpointError, CheckpointVocabulary, context_length
from mockserver.engine.vocabulary import TextStream, Vocabulary
from mockserver.errors import GenerationError, NotFoundError

MODEL_ID = "my/checkpoint"
PADDED = 320  # rows of the head: more than the tokenizer has tokens, as in many checkpoints
LONGEST = 128
SENTENCES = (
    "The harbour is quiet in the morning.",
    'def add(a, b):\n    return a + b  # {"x": 1}',
    "naïve café 日本語 👩‍👧 0123456789",
)
AWKWARD = ("", " ", "  two", "\n\t", "Hello, world!", "日本語 👩‍👧", "a</s>", "\x00\ufffd", "<0x41>")


def byte_level() -> str:
    """As GPT-2 and Llama 3 have it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["</s>", "<|user|>"], initial_alphabet=letters, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 5, trainer)
    tokenizer.add_tokens([AddedToken("two words", normalized=False)])
    tokenizer.enable_truncation(4)  # a setting of their training, not of the server
    return str(tokenizer.to_str())


def sentencepiece() -> str:
    """As Llama 2 has it: U+2581 for a space, bytes for what is unknown, a begin token before the prompt."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abdehlortuw.", "▁h", "▁w", "or", "▁wor"]
    vocabulary = {piece: token_id for token_id, piece in enumerate(pieces)}
    merges = [("▁", "h"), ("▁", "w"), ("o", "r"), ("▁w", "or")]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return str(tokenizer.to_str())


BYTE_LEVEL = CheckpointVocabulary(byte_level(), [0])
SENTENCEPIECE = CheckpointVocabulary(sentencepiece(), [2])
BOTH = pytest.mark.parametrize("vocabulary", [BYTE_LEVEL, SENTENCEPIECE], ids=["byte-level", "sentencepiece"])


def write_folder(folder: Path, **config: Any) -> Path:
    """A folder with every file of a checkpoint, but no weights in it."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"eos_token_id": 0} | config), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"")
    (folder / "tokenizer.json").write_text(BYTE_LEVEL.json, encoding="utf-8")
    return folder


class TestVocabulary:
    @BOTH
    @pytest.mark.parametrize("text", AWKWARD, ids=repr)
    def test_every_text_comes_back_as_their_library_says(self, vocabulary: CheckpointVocabulary, text: str) -> None:
        """Their SentencePiece decoder takes one space from the front, for it decodes a whole text."""
        theirs = Tokenizer.from_str(vocabulary.json)
        ids = vocabulary.encode(text)
        decoded = vocabulary.decode(ids)

        assert theirs.decode(ids) == (decoded if vocabulary is BYTE_LEVEL else decoded.removeprefix(" "))
        assert text.replace("</s>", "") in (decoded, decoded.removeprefix(" "))

    @BOTH
    def test_each_ordinary_token_is_what_their_library_makes_of_it(self, vocabulary: CheckpointVocabulary) -> None:
        theirs = Tokenizer.from_str(vocabulary.json)
        theirs.decoder = (
            decoders.ByteLevel()
            if vocabulary is BYTE_LEVEL
            else decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
        )
        ordinary = [token_id for token_id in range(vocabulary.size) if not vocabulary.is_special(token_id)]

        assert [theirs.decode([token_id]) for token_id in ordinary] == [vocabulary.token_text(token_id) for token_id in ordinary]

    @BOTH
    @given(data=st.data())
    def test_stream_joins_to_decode(self, vocabulary: CheckpointVocabulary, data: st.DataObject) -> None:
        """For any ids, also those that are no text at all."""
        ids = data.draw(st.lists(st.integers(0, vocabulary.size - 1), max_size=40))
        stream = TextStream(vocabulary)
        pushed = [(token_id, stream.push(token_id)) for token_id in ids]

        assert vocabulary.decode(ids) == "".join(text for token_id, text in pushed if not vocabulary.is_special(token_id))

    @BOTH
    def test_has_the_face_of_the_shipped_vocabulary(self, vocabulary: CheckpointVocabulary) -> None:
        assert isinstance(vocabulary, Vocabulary)
        assert vars(Vocabulary.shipped()).keys() <= vars(vocabulary).keys()
        assert ("</s>", b"</s>") == (vocabulary.token_text(vocabulary.eos_id), vocabulary.token_bytes(vocabulary.eos_id))
        assert vocabulary.is_special(vocabulary.eos_id)

    def test_prompt_begins_as_the_tokenizer_says(self) -> None:
        assert [1] == SENTENCEPIECE.encode("")
        assert 1 == SENTENCEPIECE.encode("hello")[0]

    def test_name_of_a_special_token_is_the_token(self) -> None:
        """A chat prompt is written with them."""
        assert BYTE_LEVEL.encode("<|user|></s>") == [1, 0]

    def test_truncation_of_their_training_is_off(self) -> None:
        assert len(BYTE_LEVEL.encode("x" * 50)) > 4

    def test_added_token_that_is_not_special_is_text(self) -> None:
        ids = BYTE_LEVEL.encode("in two words")

        assert BYTE_LEVEL.size - 1 == ids[-1]
        assert "in two words" == BYTE_LEVEL.decode(ids)

    def test_id_without_a_token_has_no_text(self) -> None:
        described = json.loads(BYTE_LEVEL.json)
        tokens = described["model"]["vocab"]
        described["added_tokens"].pop()
        last = max(tokens, key=tokens.__getitem__)
        tokens[last] += 3
        vocabulary = CheckpointVocabulary(json.dumps(described), [0])

        assert (tokens[last] - 3, tokens[last] - 2, tokens[last] - 1) == vocabulary.unnamed_ids
        assert vocabulary.size == tokens[last] + 1
        assert "" == vocabulary.decode(vocabulary.unnamed_ids)

    @pytest.mark.parametrize(
        "decoder",
        [decoders.WordPiece(), decoders.CTC(), decoders.Sequence([decoders.Metaspace(), decoders.WordPiece()]), None],
        ids=["WordPiece", "CTC", "mixed", "none"],
    )
    def test_other_tokenizers_are_refused(self, decoder: Any) -> None:
        described = json.loads(BYTE_LEVEL.json)
        described["decoder"] = None if decoder is None else json.loads(decoder.__getstate__())

        with pytest.raises(CheckpointError, match="only byte-level BPE and SentencePiece"):
            CheckpointVocabulary(json.dumps(described), [0])


class TestFolder:
    def test_every_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match=r"it has no config\.json and no model\.safetensors and no tokenizer\.json$"):
            CheckpointModel.load(tmp_path)

    def test_pickled_weights_are_not_read(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path)
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")

        with pytest.raises(
            CheckpointError, match=r"no model\.safetensors \(weights in \*\.bin are pickles, which are not read\)$"
        ):
            CheckpointModel.load(folder)

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match="nowhere is no folder"):
            CheckpointModel.load(tmp_path / "nowhere")

    @pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
    @pytest.mark.parametrize("content", [b"{", b"\xff", b"[]", b'{"model": 1}'], ids=repr)
    def test_broken_files_are_one_sentence(self, tmp_path: Path, name: str, content: bytes) -> None:
        (write_folder(tmp_path) / name).write_bytes(content)

        with pytest.raises(CheckpointError, match=r"^[^\n]+$"):
            CheckpointModel.load(tmp_path)

    @pytest.mark.parametrize("ids", [None, [], 999, [0, 999]])
    def test_end_token_must_be_known(self, tmp_path: Path, ids: Any) -> None:
        with pytest.raises(CheckpointError, match=r"eos_token_id|end token"):
            CheckpointVocabulary.read(write_folder(tmp_path, eos_token_id=ids))

    def test_end_token_of_the_generation_config_counts_first(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path)
        (folder / "generation_config.json").write_text('{"eos_token_id": 1}', encoding="utf-8")

        assert 1 == CheckpointVocabulary.read(folder).eos_id

    @pytest.mark.parametrize("name", ["<|user|>", {"content": "<|user|>"}], ids=["text", "object"])
    def test_of_several_end_tokens_the_tokenizers_own_is_shown(self, tmp_path: Path, name: Any) -> None:
        folder = write_folder(tmp_path, eos_token_id=[0, 1])
        (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": name}), encoding="utf-8")

        assert (1, 0) == CheckpointVocabulary.read(folder).end_ids

    @pytest.mark.parametrize(
        ("config", "expected"),
        [
            ({"n_positions": 8}, 8),
            ({"text_config": {"max_position_embeddings": 9}}, 9),
            ({"max_seq_len": None}, None),
            ({}, None),
        ],
    )
    def test_context_length_is_that_of_the_config(self, tmp_path: Path, config: dict[str, Any], expected: int | None) -> None:
        assert expected == context_length(write_folder(tmp_path, **config))

    @pytest.mark.parametrize("library", ["torch", "transformers"])
    def test_missing_library_names_the_extra(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
        def import_module(name: str) -> Any:
            if name == library:
                raise ImportError(f"No module named {name!r}")
            return builtins

        monkeypatch.setattr("mockserver.engine.checkpoint.import_module", import_module)

        with pytest.raises(CheckpointError, match=re.escape('pip install "textgen-contract[checkpoint]"')):
            CheckpointModel.load(write_folder(tmp_path))


class TestPieces:
    lengths = st.integers(1, 5 * BLOCK)

    @given(lengths, lengths, lengths)
    def test_what_is_kept_was_read_in_the_same_pieces(self, had_length: int, length: int, same: int) -> None:
        """So logits are a function of the context alone."""
        had = [0] * had_length
        ids = [0] * min(same, length) + [1] * max(length - same, 0)
        kept = kept_tokens(had, ids)
        anew = list(pieces(0, length))
        left = list(pieces(kept, length))

        assert kept < length
        assert anew[len(anew) - len(left) :] == left
        reused = anew[: len(anew) - len(left)]
        assert reused == list(pieces(0, had_length))[: len(reused)]
        assert had[:kept] == ids[:kept]

    @given(lengths)
    def test_pieces_cover_the_context(self, length: int) -> None:
        assert list(range(length)) == list(chain.from_iterable(range(*piece) for piece in pieces(0, length)))


class TestQuantise:
    def test_rounds_to_the_nearest_unit(self) -> None:
        nats = np.array([[1.0, 1.0004, -1.0006, 0.00048828125]], np.float32)

        assert [[1024, 1024, -1025, 0]] == quantise(nats).tolist()

    def test_clips_what_is_too_large(self) -> None:
        nats = np.array([[np.inf, -np.inf, 1e30, -1e30]], np.float32)

        assert [[LIMIT, -LIMIT, LIMIT, -LIMIT]] == quantise(nats).tolist()
        assert np.dtype(np.int32) == quantise(nats).dtype


@pytest.fixture(scope="session")
def torch() -> Any:
    return pytest.importorskip("torch", reason="the checkpoint engine needs torch")


@pytest.fixture(scope="session")
def transformers() -> Any:
    return pytest.importorskip("transformers", reason="the checkpoint engine needs transformers")


Make = Callable[..., Path]


@pytest.fixture(scope="session")
def make(torch: Any, transformers: Any, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A checkpoint with random weights, which prefers its end token a little; ``make("Gemma2Config", ...)`` for another architecture."""

    def make(name: str = "GPT2Config", /, **settings: Any) -> Path:
        shape = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": LONGEST} if name == "GPT2Config" else {}
        common = {"vocab_size": PADDED, "eos_token_id": 0, "bos_token_id": 0, "pad_token_id": 0, "initializer_range": 0.3}
        config = getattr(transformers, name)(**(common | shape | settings))
        torch.manual_seed(0)
        network = transformers.AutoModelForCausalLM.from_config(config)
        if name == "GPT2Config":
            end = network.transformer.wte.weight[0]
            network.transformer.ln_f.bias.data.copy_(1.5 * end / end.norm())
        folder = tmp_path_factory.mktemp("checkpoint")
        network.save_pretrained(folder)
        (folder / "tokenizer.json").write_text(BYTE_LEVEL.json, encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="session")
def folder(make: Make) -> Path:
    return make()


@pytest.fixture(scope="session")
def model(folder: Path) -> CheckpointModel:
    return CheckpointModel.load(folder, "cpu")


def their_logits(torch: Any, transformers: Any, folder: Path, ids: Sequence[int]) -> NDArray[np.float64]:
    """(n, V) in units, each context read whole by transformers itself."""
    network = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        rows: NDArray[np.float64] = network(torch.tensor([ids])).logits[0].double().numpy() * 1024
    return rows[:, : BYTE_LEVEL.size]


def some_ids(length: int) -> list[int]:
    return [2 + (7 * place * place + 3 * place) % 290 for place in range(length)]


ARCHITECTURE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": LONGEST,
}


class TestLogits:
    @pytest.mark.parametrize(
        ("name", "settings", "keeps"),
        [
            ("GPT2Config", {}, True),
            ("LlamaConfig", ARCHITECTURE, True),
            ("MistralConfig", ARCHITECTURE | {"sliding_window": 8}, True),
            ("Gemma2Config", ARCHITECTURE | {"sliding_window": 8, "head_dim": 16}, True),
            ("BloomConfig", {"hidden_size": 32, "n_layer": 2, "n_head": 2}, True),
            ("MambaConfig", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}, False),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_are_those_of_transformers_to_the_unit(
        self, torch: Any, transformers: Any, make: Make, name: str, settings: dict[str, Any], keeps: bool
    ) -> None:
        """Read in pieces and read whole, in and beyond a sliding window; a network without keys and values is read whole."""
        folder = make(name, **settings)
        model, ids = CheckpointModel.load(folder, "cpu"), some_ids(3 * BLOCK + 5)
        expected = their_logits(torch, transformers, folder, ids)

        assert np.abs(expected - model.prefill(ids)).max() <= 1
        assert np.abs(expected - model.logits([ids[: place + 1] for place in range(len(ids))])).max() <= 1
        assert keeps is (model._reader._cache_class is not None)

    def test_shape_and_unit(self, model: CheckpointModel) -> None:
        logits = model.logits([[5], [6, 7]])

        assert (np.dtype(np.int32), (2, BYTE_LEVEL.size)) == (logits.dtype, logits.shape)
        assert (0, BYTE_LEVEL.size) == model.logits([]).shape

    @pytest.mark.parametrize("length", [0, 1, BLOCK, 2 * BLOCK + 1])
    def test_prefill_has_a_row_for_each_token(self, model: CheckpointModel, length: int) -> None:
        rows = model.prefill(some_ids(length))

        assert (np.dtype(np.int32), (length, BYTE_LEVEL.size)) == (rows.dtype, rows.shape)

    def test_depend_on_the_context_alone(self, folder: Path, model: CheckpointModel) -> None:
        """Whatever was read before, and whether anything was."""
        ids = some_ids(3 * BLOCK)
        contexts = [ids[:length] for length in (*range(1, len(ids) + 1), 5, 40, 17, 16, 33, 32, 48, 31, 48)]
        contexts += [[9, *ids[:20]], ids[:20], [*ids[:18], 9, 9], ids[:21]]
        expected = np.concatenate([model.logits([context]) for context in contexts])
        anew = CheckpointModel.load(folder, "cpu")
        found = np.concatenate([anew.logits([context]) for context in reversed(contexts)])[::-1]

        assert np.array_equal(expected, found)

    def test_are_the_same_in_another_thread(self, model: CheckpointModel) -> None:
        found: list[NDArray[np.int32]] = []
        thread = Thread(target=lambda: found.append(model.logits([some_ids(50)])))
        thread.start()
        thread.join()
        model.logits([[1]])

        assert np.array_equal(model.logits([some_ids(50)]), found[0])

    def test_a_context_that_grows_is_not_read_again(self, folder: Path) -> None:
        model, ids = CheckpointModel.load(folder, "cpu"), some_ids(4 * BLOCK + 1)
        model.logits([ids[: BLOCK + 1]])
        before = model._reader.passes
        for length in range(BLOCK + 2, len(ids) + 1):
            model.logits([ids[:length]])

        assert len(ids) - BLOCK - 1 == model._reader.passes - before

    def test_callers_may_keep_what_they_got(self, model: CheckpointModel) -> None:
        first = model.logits([[5]])
        copy = first.copy()
        model.logits([[5, 6]])

        assert np.array_equal(copy, first)

    def test_nothing_before_is_read_as_an_end_token(self, model: CheckpointModel) -> None:
        assert np.array_equal(model.logits([[0]]), model.logits([[]]))

    def test_context_that_is_too_long_is_refused(self, model: CheckpointModel) -> None:
        assert LONGEST == model.max_tokens
        assert (1, BYTE_LEVEL.size) == model.logits([[5] * LONGEST]).shape
        with pytest.raises(GenerationError, match=f"at most {LONGEST} tokens"):
            model.logits([[5] * (LONGEST + 1)])
        with pytest.raises(GenerationError, match=f"at most {LONGEST} tokens"):
            model.prefill([5] * (LONGEST + 1))

    def test_several_end_tokens_are_one(self, make: Make, model: CheckpointModel) -> None:
        both = CheckpointModel.load(make(eos_token_id=[0, 1]), "cpu")
        apart, together = model.logits([[5, 6]])[0], both.logits([[5, 6]])[0]

        assert abs(np.logaddexp(apart[0] / 1024, apart[1] / 1024) * 1024 - together[0]) <= 1
        assert -LIMIT == together[1]
        assert np.array_equal(apart[2:], together[2:])
        assert np.array_equal(model.prefill([5, 6]), both.prefill([5, 6]))

    def test_logit_that_is_no_number_is_an_error(self, torch: Any, folder: Path) -> None:
        model = CheckpointModel.load(folder, "cpu")
        model._reader._network.transformer.wte.weight.data[3] = torch.nan

        with pytest.raises(GenerationError, match="not a number"):
            model.logits([[5]])

    def test_a_failed_reading_leaves_nothing_behind(self, folder: Path, model: CheckpointModel) -> None:
        broken, ids = CheckpointModel.load(folder, "cpu"), some_ids(2 * BLOCK + 3)
        broken.logits([ids])
        with pytest.raises(IndexError):
            broken.logits([[*ids, 5, PADDED + 1]])

        assert np.array_equal(model.logits([[*ids, 5]]), broken.logits([[*ids, 5]]))


class TestLoad:
    def test_switches_of_repeatability_are_set(self, torch: Any, model: CheckpointModel) -> None:
        network = model._reader._network

        assert torch.are_deterministic_algorithms_enabled()
        assert 1 == torch.get_num_threads()
        assert not torch.backends.cuda.matmul.allow_tf32
        assert (False, "eager", torch.float32) == (network.training, network.config._attn_implementation, network.dtype)

    def test_one_thread_holds_in_threads_that_come_later(self, torch: Any, model: CheckpointModel) -> None:
        found: list[int] = []
        thread = Thread(target=lambda: (model.logits([[5]]), found.append(torch.get_num_threads())))
        thread.start()
        thread.join()

        assert [1] == found

    def test_never_opens_the_network(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[Any] = []

        def refuse(*given: Any, **_named: Any) -> Any:
            asked.append(given)
            raise OSError("no network here")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)

        assert "cpu" == CheckpointModel.load(folder, "cpu").device
        assert not asked

    def test_weights_that_lack_are_not_invented(self, folder: Path, tmp_path: Path) -> None:
        safetensors = pytest.importorskip("safetensors.numpy")
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        weights = safetensors.load_file(tmp_path / "model.safetensors")
        del weights["transformer.h.1.mlp.c_fc.weight"]
        safetensors.save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})

        with pytest.raises(CheckpointError, match=r"lacks 1 of the weights .+: transformer\.h\.1\.mlp\.c_fc\.weight"):
            CheckpointModel.load(tmp_path, "cpu")

    @pytest.mark.usefixtures("torch", "transformers")
    @pytest.mark.parametrize("config", [{}, {"model_type": "no-such"}, {"model_type": "t5"}, {"model_type": "gpt2"}], ids=str)
    def test_what_transformers_refuses_is_one_sentence(self, tmp_path: Path, config: dict[str, Any]) -> None:
        with pytest.raises(CheckpointError, match=r"^[^\n]+ cannot be read as a causal language model: [^\n]+$"):
            CheckpointModel.load(write_folder(tmp_path, **config), "cpu")

    def test_code_in_the_folder_is_not_run(self, folder: Path, tmp_path: Path) -> None:
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
        config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}}
        (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
        (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", encoding="utf-8")

        with pytest.raises(CheckpointError):
            CheckpointModel.load(tmp_path, "cpu")
        assert not (tmp_path / "ran").exists()

    def test_tokenizer_larger_than_the_model_is_refused(self, make: Make) -> None:
        with pytest.raises(CheckpointError, match=f"tokenizer.json has {BYTE_LEVEL.size} ids, the model only 290"):
            CheckpointModel.load(make(vocab_size=290), "cpu")

    def test_unknown_device_is_refused(self, folder: Path) -> None:
        with pytest.raises(CheckpointError, match="auto, cpu, cuda; given: 'tpu'"):
            CheckpointModel.load(folder, "tpu")

    def test_cuda_without_a_gpu_is_refused(self, torch: Any, folder: Path) -> None:
        if torch.cuda.is_available():
            pytest.skip("there is a GPU here")

        assert "cpu" == CheckpointModel.load(folder).device
        with pytest.raises(CheckpointError, match="no CUDA device"):
            CheckpointModel.load(folder, "cuda")


@pytest.fixture
def on_gpu(torch: Any, folder: Path) -> CheckpointModel:
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU here")
    return CheckpointModel.load(folder, "cuda")


class TestCuda:
    def test_logits_are_those_of_the_cpu_to_two_units(self, model: CheckpointModel, on_gpu: CheckpointModel) -> None:
        """The difference of two roundings and of two orders of summation; equality is not promised."""
        ids = some_ids(3 * BLOCK + 5)

        assert np.abs(model.prefill(ids) - on_gpu.prefill(ids)).max() <= 2
        assert np.abs(model.logits([ids]) - on_gpu.logits([ids])).max() <= 2

    def test_logits_repeat(self, folder: Path, on_gpu: CheckpointModel) -> None:
        anew, ids = CheckpointModel.load(folder, "cuda"), some_ids(3 * BLOCK + 5)
        growing = [on_gpu.logits([ids[:length]]) for length in range(1, len(ids) + 1)]

        assert np.array_equal(growing[-1], anew.logits([ids]))
        assert "cuda" == CheckpointModel.load(folder).device


Ask = Callable[..., Any]


@pytest.fixture(scope="session")
def load(folder: Path) -> Any:
    return open_checkpoint(folder, "cpu")


@pytest.fixture(scope="session")
def config() -> Config:
    return Config(models=(MODEL_ID,), max_input_tokens=LONGEST - 1, max_total_tokens=LONGEST)


@pytest.fixture(scope="session")
def ask_checkpoint(load: Any, config: Config) -> Ask:
    """Inputs and parameters to the reply, through every room of the server but Flask."""
    answerer = Answerer(config, load=load)

    def ask(inputs: str, *, stream: bool = False, **parameters: Any) -> Any:
        body = json.dumps({"inputs": inputs, "parameters": parameters, "stream": stream}).encode()
        reply = answerer.answer(lambda: body, "application/json")
        if not stream:
            return json.loads(reply.body)
        assert not isinstance(reply.body, bytes)
        frames = b"".join(reply.body).decode().split("\n\n")[:-1]
        return [json.loads(frame.removeprefix("data:")) for frame in frames]

    return ask


class TestServed:
    @pytest.mark.parametrize(
        "parameters",
        [
            {},
            {"seed": 7, "do_sample": True},
            {"seed": 8, "temperature": 2.5, "top_p": 0.9},
            {"do_sample": True},
            {"best_of": 2, "top_k": 20},
            {"watermark": True, "repetition_penalty": 1.2, "frequency_penalty": 0.1},
        ],
        ids=str,
    )
    def test_the_same_request_has_the_same_reply(self, ask_checkpoint: Ask, parameters: dict[str, Any]) -> None:
        wanted = {"max_new_tokens": 40, "details": True, **parameters}
        first = ask_checkpoint("Hello", **wanted)
        ask_checkpoint("Something in between", max_new_tokens=3)

        assert first == ask_checkpoint("Hello", **wanted)
        assert first["details"]["generated_tokens"] > 0

    def test_seeds_matter(self, ask_checkpoint: Ask) -> None:
        texts = {ask_checkpoint("Hello", seed=seed, do_sample=True)["generated_text"] for seed in range(8)}

        assert len(texts) > 1

    @pytest.mark.parametrize("seed", range(5))
    def test_stream_joins_to_the_plain_reply(self, ask_checkpoint: Ask, seed: int) -> None:
        wanted = {"max_new_tokens": 60, "seed": seed, "temperature": 3.0}
        plain = ask_checkpoint("Hello", details=True, **wanted)
        events = ask_checkpoint("Hello", stream=True, **wanted)
        texts = [event["token"]["text"] for event in events if not event["token"]["special"]]

        assert plain["generated_text"] == "".join(texts) == events[-1]["generated_text"]
        assert plain["details"]["tokens"] == [event["token"] for event in events]
        ids = [token["id"] for token in plain["details"]["tokens"]]
        assert plain["generated_text"] == BYTE_LEVEL.decode(ids)

    def test_end_token_ends(self, ask_checkpoint: Ask) -> None:
        replies = [ask_checkpoint("Hello", seed=seed, do_sample=True, max_new_tokens=60, details=True) for seed in range(12)]
        ended = [reply for reply in replies if reply["details"]["finish_reason"] == "eos_token"]

        assert ended
        for reply in ended:
            last = reply["details"]["tokens"][-1]
            assert (0, "</s>", True) == (last["id"], last["text"], last["special"])
            assert "</s>" not in reply["generated_text"]

    def test_prefill_is_reported(self, ask_checkpoint: Ask) -> None:
        prefill = ask_checkpoint("Hello", details=True, decoder_input_details=True, max_new_tokens=1)["details"]["prefill"]

        assert BYTE_LEVEL.encode("Hello") == [token["id"] for token in prefill]
        assert prefill[0]["logprob"] is None
        assert all(token["logprob"] < 0 for token in prefill[1:])

    def test_grammar_holds(self, ask_checkpoint: Ask) -> None:
        grammar = {"type": "regex", "value": "[0-9]{3}-[a-c]+!"}
        reply = ask_checkpoint("Hello", grammar=grammar, max_new_tokens=60, details=True, seed=3, do_sample=True)

        assert "eos_token" == reply["details"]["finish_reason"]
        assert re.fullmatch(grammar["value"], reply["generated_text"])

    def test_adapters_are_unknown(self, load: Any) -> None:
        with pytest.raises(NotFoundError, match="'demo/haiku' is unknown: a checkpoint is served without adapters"):
            load(MODEL_ID, "demo/haiku")

    def test_over_wsgi(self, load: Any, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mockserver.app.Answerer", partial(Answerer, load=load))
        response = (
            create_app(config).test_client().post("/generate", json={"inputs": "Hello", "parameters": {"max_new_tokens": 5}})
        )

        assert 200 == response.status_code
        assert isinstance(response.get_json()["generated_text"], str)

    def test_contract_holds(self, make: Make, check_wsgi: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
        """The whole suite, on a checkpoint that reads as much as the default limits allow."""
        config = Config()
        load = open_checkpoint(make(n_positions=config.max_total_tokens), "cpu")
        monkeypatch.setattr("mockserver.app.Answerer", partial(Answerer, load=load))

        assert "pass" == check_wsgi(create_app(config))["summary"]["verdict"]
