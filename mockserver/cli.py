"""The command ``textgen-mock``: options to a Config, mistakes to one sentence and exit code 2. Serves nothing itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

import spec
from mockserver.config import LONGEST_LOAD, LONGEST_SENDING, LONGEST_WAIT, Config, ConfigError
from mockserver.mistakes import MistakeError, TellingGroup
from mockserver.paces import PACES

Command = Callable[..., Any]
DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Config)}
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def _show_version(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        from mockserver.release import distribution_version

        click.echo(f"textgen-mock {distribution_version()}")
        context.exit()


@click.group(
    cls=TellingGroup,
    context_settings=CONTEXT,
    epilog="""\b
Examples:
  textgen-mock serve
  textgen-mock faults
""",
)
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version, help="Show the version.")
def main() -> None:
    """A mock server for the documented Hugging Face text-generation API."""


def _setting(flag: str, **attributes: Any) -> Callable[[Command], Command]:
    """An option that fills the Config field of the same name and has its default."""
    default = DEFAULTS[flag.removeprefix("--").replace("-", "_")]
    return click.option(flag, default=default, show_default=True, **attributes)


@main.command(
    context_settings=CONTEXT,
    epilog="""\b
Examples:
  textgen-mock serve
  textgen-mock serve --port 0 --seed 7
  textgen-mock serve --model my-org/my-model --max-total-tokens 2048
  textgen-mock serve --fault stop-ignored --unknown-parameters refuse
\b
Then:
  curl http://127.0.0.1:8080/models/google/gemma-2-2b-it \\
    -H 'content-type: application/json' -d '{"inputs": "Once upon a time"}'
""",
)
@_setting("--host", help="Address to listen on.")
@_setting("--port", type=click.IntRange(0, 65535), metavar="N", help="Port to listen on; 0 takes a free one and says which.")
@_setting("--dialect", type=click.Choice(spec.DIALECTS), help="Whose habits the server has.")
@click.option("--model", "models", metavar="ID", multiple=True, help="Serve this model, not the recommended six; repeatable.")
@_setting(
    "--frames", type=click.Choice(["spaced", "tight"]), help="Events begin with `data: `, or as before 2025 without the space."
)
@_setting("--seed", type=click.IntRange(0), metavar="N", help="Where the seeds of requests that bring none are derived from.")
@_setting("--workers", type=click.IntRange(1, 256), metavar="N", help="Processes that answer; the answers do not depend on it.")
@_setting(
    "--server",
    type=click.Choice(["granian", "gevent"]),
    help="What listens: granian is quickest with whole replies, gevent (an extra) holds thousands of streams.",
)
@_setting(
    "--max-concurrent-requests",
    type=click.IntRange(1, 65_536), metavar="N",
    help="Requests that one worker answers at a time, open streams among them; further ones wait.",
)
@_setting(
    "--send-timeout",
    type=click.FloatRange(0.1, LONGEST_SENDING),
    metavar="SECONDS",
    help="How long a client may take to send a request, or to take a piece of its answer, before it is cut off.",
)
@click.option(
    "--fault",
    "faults",
    metavar="NAME",
    multiple=True,
    help="Break the contract so; repeatable. `faults` lists them. NAME@0.1: one request in ten.",
)
@click.option("--pace", type=click.Choice([*PACES]), help="A named pace; what is said besides counts for more.")
@_setting("--ttft", type=click.FloatRange(0, LONGEST_WAIT), metavar="MS", help="Milliseconds to the first token.")
@_setting("--prefill", type=click.FloatRange(0, 60_000), metavar="MS", help="Milliseconds more for each token of the prompt.")
@_setting("--itl", type=click.FloatRange(0, LONGEST_WAIT), metavar="MS", help="Milliseconds between tokens.")
@_setting("--jitter", type=click.FloatRange(0, LONGEST_WAIT), metavar="MS", help="Each token up to so much earlier or later, by --seed.")
@_setting("--concurrency", type=click.IntRange(1), metavar="N", help="Answer N requests at a time, each worker; the others wait.")
@click.option("--script", metavar="FILE", help="Told answers, YAML or TOML; read again when it changes. `lint` checks it.")
@click.option("--strict", is_flag=True, help="Answer only what a rule tells; else an error that names the nearest rule.")
@click.option("--record", metavar="FILE", help="Pass requests on to --upstream and append what comes back to FILE.")
@click.option("--upstream", metavar="URL", help="The real server, for --record.")
@click.option("--replay", metavar="FILE", help="Answer what was recorded, and nothing else.")
@click.option("--replay-timing", is_flag=True, help="Answer in the time that the real server took.")
@click.option("--no-control", "control", is_flag=True, flag_value=False, default=True, help="No /_mock/..., no journal, no x-mock headers.")
@click.option("--control-token", metavar="T", help="Ask for this token in the Authorization of what is said to /_mock/...")
@click.option("--token", "tokens", metavar="T", multiple=True, help="Ask for this token in Authorization; repeatable.")
@_setting("--cold", type=click.FloatRange(0, LONGEST_LOAD), metavar="SECONDS", help="A model loads so long from its first request on.")
@click.option("--rate-limit", metavar="RATE", help='How often one client may ask, such as "60/minute"; beyond that 429.')
@click.option("--state", metavar="URL", help="Redis in which workers share all that they remember: redis://HOST:PORT/0")
@_setting(
    "--unknown-parameters",
    type=click.Choice(["ignore", "refuse"]),
    help="Parameters that the page does not know: name them in the header x-ignored-parameters, or answer 422.",
)
@click.option("--max-input-tokens", type=click.IntRange(1), metavar="N", help=f"Longest prompt.  [default: {DEFAULTS['max_input_tokens']}]")
@_setting("--max-total-tokens", type=click.IntRange(2), metavar="N", help="Prompt and generated text together.")
@_setting("--max-best-of", type=click.IntRange(1), metavar="N", help="Upper bound of `best_of`.")
@_setting("--max-stop-sequences", type=click.IntRange(0), metavar="N", help="How many `stop` sequences a request may have.")
@_setting("--max-top-n-tokens", type=click.IntRange(0), metavar="N", help="Upper bound of `top_n_tokens`.")
@_setting(
    "--engine", type=click.Choice(["exact", "checkpoint"]), help="Where text comes from: the shipped model, or a checkpoint."
)
@click.option("--checkpoint", metavar="DIR", help="Folder of a local transformers model, for --engine checkpoint.")
@_setting(
    "--device",
    type=click.Choice(["auto", "cpu", "torch", "cuda"]),
    help="Where the engine computes: numpy (cpu), torch on the processor or on a GPU; the shipped model's answers do not change.",
)
def serve(**options: Any) -> None:
    """Serve until SIGTERM or Ctrl-C; open streams may then end.

    Prints one line, `listening on http://HOST:PORT`, once it answers.
    """
    from mockserver.serving import serve as serve_until_told

    if options["engine"] == "checkpoint" and options["checkpoint"]:
        _fit_checkpoint(options)
    options["models"] = options["models"] or DEFAULTS["models"]
    if options["max_input_tokens"] is None:
        options["max_input_tokens"] = min(DEFAULTS["max_input_tokens"], options["max_total_tokens"] - 1)
    try:
        config = Config(**options)
        _try_scenario(config)
        _try_service(config)
        _try_script(config)
        _try_engine(config)
        serve_until_told(config)
    except ConfigError as error:
        raise MistakeError(str(error)) from None


def _fit_checkpoint(options: dict[str, Any]) -> None:
    """Serve a checkpoint under its folder's name, and no more tokens than it can read."""
    from mockserver.engine.checkpoint_files import CheckpointError, context_length

    try:
        longest = context_length(options["checkpoint"])
    except CheckpointError as error:
        raise MistakeError(str(error)) from None
    options["models"] = options["models"] or (Path(options["checkpoint"]).resolve().name,)
    options["max_total_tokens"] = min(options["max_total_tokens"], longest or options["max_total_tokens"])


def _try_scenario(config: Config) -> None:
    """Faults and recordings are looked at before anything listens, and not opened where there are none. Raises ConfigError."""
    if config.faults:
        from mockserver.scenario.armed import check_faults

        check_faults(config.faults)
    if config.record is not None or config.replay is not None:
        from mockserver.scenario.cassette import open_cassette
        from mockserver.scenario.pacing import SystemClock

        open_cassette(config, SystemClock())


def _try_service(config: Config) -> None:
    """What only some servers need is looked at before anything listens. Raises ConfigError."""
    if config.rate_limit is not None:
        from mockserver.service.limits import check_rate

        check_rate(config.rate_limit)
    from importlib.util import find_spec

    if config.server == "gevent" and not (find_spec("gunicorn") and find_spec("gevent")):
        raise MistakeError("`--server gevent` needs gunicorn and gevent: pip install 'textgen-contract[gevent]'")
    if config.state is not None:
        if find_spec("redis") is None:
            raise MistakeError("`--state` needs the redis package: pip install 'textgen-contract[redis]'")
        from mockserver.store import address_of, answers_now

        if not answers_now(config.state):
            silent = f"the Redis at {address_of(config.state)} does not answer"
            if config.workers > 1:  # each would live in a world of its own
                raise MistakeError(f"{silent}, and {config.workers} workers need it to see the same world: start it, or correct `--state`")
            click.echo(f"WARNING: {silent}: going on without it, and with it as soon as it does", err=True)


def _try_script(config: Config) -> None:
    """Read the script once before anything listens. Raises ScriptError."""
    if config.script is not None:
        from mockserver.sayable import read_checked
        from mockserver.scenario.scripts import read_script

        if config.engine == "exact":
            read_checked(Path(config.script), config)
        else:  # what its tokens can say, its own vocabulary knows, once it is open
            read_script(Path(config.script))


def _try_engine(config: Config) -> None:
    """Open the engine once before anything listens, where that can fail: a device or a checkpoint that is not the default.

    In a process of its own, because what CUDA and torch set up does not survive the fork that makes a worker.
    """
    if config.engine == "exact" and config.device == "cpu":
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from mockserver.answer import try_engine

    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        complaint = pool.submit(try_engine, config).result()
    if complaint:
        raise MistakeError(complaint)


@main.command(
    context_settings=CONTEXT,
    epilog="""\b
Example:
  textgen-mock watermark "$(cat reply.txt)"
  textgen-mock watermark --prompt "Once upon a time" "$(cat one.txt)" "$(cat two.txt)"
""",
)
@click.argument("text", nargs=-1, required=True)
@click.option("--prompt", "prompts", multiple=True, metavar="P", help="What TEXT was a reply to: finds more. Once, or once for each.")
def watermark(text: tuple[str, ...], prompts: tuple[str, ...]) -> None:
    """Say how surely a text carries the watermark.

    Told is the z-score of TEXT; above 4 is no accident. Several texts, each a reply of its own, are judged together.
    Less than about 100 tokens, or a text that says the same again and again, holds too little to tell that there is none.
    """
    from mockserver.engine.model import Model
    from mockserver.sampler import ENOUGH_TOKENS, Told, is_long_enough, z_score

    if len(prompts) not in (0, 1, len(text)):
        raise MistakeError(f"{len(prompts)} prompts for {len(text)} texts: give one for all of them, or one for each")
    model = Model.plain()
    encode = model.vocabulary.encode
    replies = [encode(reply) for reply in text]
    count = sum(map(len, replies))
    if count < 3:
        raise MistakeError("a text of less than three tokens carries no watermark: give a longer one")

    def told(prompt: str, reply: list[int]) -> Told:
        given = encode(prompt)
        ids = given + reply
        places = Told.judged(len(given), len(ids))
        return Told(ids, (model.next_logits(ids[max(0, place - model.window) : place]) for place in places), len(given))

    score = z_score(*map(told, prompts if len(prompts) == len(text) else (*prompts, "")[:1] * len(text), replies))
    if score > 4:
        found = "watermarked"
    elif is_long_enough(*replies):
        found = "no watermark found"
    else:
        found = f"too short to tell: it takes about {ENOUGH_TOKENS} tokens that do not repeat themselves, so give several replies"
    click.echo(f"z = {score:.2f} over {count} tokens: {found}")


@main.command(context_settings=CONTEXT)
@click.option("--json", "as_json", is_flag=True, help="A JSON list of {name, statement, sentence}.")
@click.option("--should", "kind", flag_value="should", help="List those that break a `should`: `textgen-contract check` warns of them.")
@click.option("--network", "kind", flag_value="network", help="List those that break no statement, but are hard on clients.")
@click.option(
    "--dialect", type=click.Choice(spec.DIALECTS[1:]), help="List those that break what holds in this dialect only: serve it so."
)
def faults(as_json: bool, kind: str | None, dialect: str | None) -> None:
    """List the named faults.

    Each is listed with the statement of the contract that it breaks.
    `textgen-contract check` fails on each of them. Those that it only warns of, unless it is told --strict, are listed by --should.
    """
    from mockserver.scenario.faults import faults_of_dialect, faults_that_break
    from mockserver.scenario.network_faults import NETWORK_FAULTS

    if dialect is not None and kind is not None:
        raise click.UsageError(f"`--dialect` and `--{kind}` list different faults: give one.")
    listed = faults_of_dialect(dialect) if dialect else NETWORK_FAULTS if kind == "network" else faults_that_break(kind or "must")
    if as_json:
        rows = [{"name": fault.name, "statement": fault.statement, "sentence": fault.sentence} for fault in listed]
        click.echo(json.dumps(rows, indent=2))
        return
    widths = [max(len(fault.name) for fault in listed), max(len(fault.statement) for fault in listed)]
    for fault in listed:
        click.echo(f"{fault.name:{widths[0]}}  {fault.statement:{widths[1]}}  {fault.sentence}")


@main.command(
    context_settings=CONTEXT,
    epilog="""\b
Examples:
  textgen-mock lint answers.yaml
  textgen-mock lint --schema > script.schema.json
""",
)
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--schema", "show_schema", is_flag=True, help="Print the JSON Schema of a script.")
def lint(files: tuple[str, ...], show_schema: bool) -> None:
    """Check scripts of told answers.

    Exit code 1 when one cannot be used.
    """
    from mockserver.sayable import read_checked
    from mockserver.scenario.rules import ScriptError
    from mockserver.scenario.scripts import schema

    if show_schema:
        click.echo(json.dumps(schema(), indent=2))
        return
    if not files:
        raise MistakeError("no script was named: textgen-mock lint FILE")
    bad = False
    for name in files:
        try:
            rules = read_checked(Path(name), None)
            click.echo(f"{name}: {len(rules)} rules")
        except ScriptError as error:
            bad = True
            click.echo(str(error), err=True)
    if bad:
        raise SystemExit(1)
