"""``textgen-contract``: the commands, but for ``check`` and ``load``, which have files of their own. The work is done in other rooms."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from rich.console import Console

import spec
from contract_tests.check import check
from contract_tests.client import Client
from contract_tests.contract_run import selected
from contract_tests.endpoint import check_url
from contract_tests.evidence import Evidence
from contract_tests.load.cli import load
from contract_tests.options import ABOVE_ZERO, DIALECT_HELP, EXISTING, FILE, apart, judging, reporting
from contract_tests.report.console import print_result
from contract_tests.report.files import check_writable, write_reports
from contract_tests.report.masking import mask
from contract_tests.report.result import Spent, exit_code, make_result, tool
from contract_tests.settings import parse_header, read_token
from contract_tests.telling import TellingGroup
from spec.secrets import Masker, secrets_of_url


@click.group(cls=TellingGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(tool()["version"], prog_name="textgen-contract")
def main() -> None:
    """Does an endpoint keep the documented Hugging Face text-generation contract?

    \b
    textgen-contract check                         # starts the local fake and checks it
    textgen-contract check http://127.0.0.1:8080/  # checks any endpoint; posted to verbatim
    textgen-contract clauses stream.               # what is checked about streams
    """


main.add_command(check)
main.add_command(load)


@main.command()
@click.argument("files", nargs=-1, required=True, type=EXISTING)
@judging
@reporting
def judge(files: tuple[Path, ...], dialect: str, select: tuple[str, ...], strict: bool, **reports: Path | None) -> None:
    """Judge recorded exchanges, and send nothing.

    JSON lines as `--record` writes them, or HAR.

    \b
    textgen-contract judge exchanges.jsonl --html report.html
    """
    from contract_tests.judging import judge_recordings
    from contract_tests.recordings import read_recording

    apart(**reports)
    evidence = Evidence(selected(select, dialect))
    check_writable(*reports.values())
    started = time.monotonic()
    secrets: set[str] = set()
    judged = judge_recordings(lambda: (exchange for file in files for exchange in read_recording(file, secrets)), evidence)
    result = make_result(
        evidence,
        url=", ".join(str(file) for file in files),
        dialect=dialect,
        seed=0,
        spent=Spent(0, 0, time.monotonic() - started),
        strict=strict,
        refused=(),
    )
    result = mask(result, Masker(secrets))
    write_reports(result, **reports)
    click.echo(judged.sentence)
    print_result(result, Console())
    sys.exit(exit_code(result))


@main.command()
@click.argument("results", type=EXISTING)
@click.argument("clause")
@click.argument("url", required=False)
@click.option("--token-env", metavar="NAME", help="Environment variable that holds the token; it is never shown.")
@click.option("--header", "headers", multiple=True, metavar="'K: V'", help="Send this header too; repeatable. Never shown.")
@click.option("--timeout", type=ABOVE_ZERO, metavar="S", default=30.0, show_default=True, help="Seconds for one reply.")
def replay(results: Path, clause: str, url: str | None, token_env: str | None, headers: tuple[str, ...], timeout: float) -> None:
    """Send one violation again, and say whether it still fails.

    It is the smallest failing case of CLAUSE in RESULTS, a file as --json writes it.

    \b
    textgen-contract replay results.json stream.index.counts http://127.0.0.1:8080/
    """
    from contract_tests.replay import read_case, replay_case

    case = read_case(results, clause)
    token, own = read_token(token_env) if token_env else "", tuple(parse_header(header) for header in headers)
    masker = Masker((token, *(value for _, value in own), *secrets_of_url(url or case.url)))
    with closing(Client(check_url(url or case.url), token=token, headers=own, timeout=timeout)) as client:
        evidence = replay_case(case, client, masker)
    result = make_result(
        evidence,
        url=client.url,
        dialect=case.dialect,
        seed=case.seed,
        spent=Spent(client.budget.requests, client.budget.tokens, 0.0),
        strict=True,
        refused=(),
        token_env=token_env or "",
    )
    print_result(mask(result, masker), Console())
    sys.exit(exit_code(result))


@main.command()
@click.argument("file", type=EXISTING)
@click.argument("url")
@click.option("--token-env", metavar="NAME", help="Environment variable that holds the token; it is never shown.")
@click.option("--header", "headers", multiple=True, metavar="'K: V'", help="Send this header too; repeatable. Never shown.")
@click.option("--max-requests", type=click.IntRange(min=1), metavar="N", help="Send no more.  [default: 300 beyond this machine]")
@click.option("--max-tokens", type=click.IntRange(min=1), metavar="N", help="Ask for no more.  [default: 20000 beyond this machine]")
@click.option("--rate", type=ABOVE_ZERO, metavar="N", help="At most so many requests a second.")
@click.option("--timeout", type=ABOVE_ZERO, metavar="S", default=30.0, show_default=True, help="Seconds for one reply.")
@click.option("--json", "json_file", type=FILE, help="Write what changed as JSON.")
def drift(file: Path, url: str, token_env: str | None, headers: tuple[str, ...], **options: Any) -> None:
    """Ask recorded requests again, and say what changed.

    Told is what came in another shape than in FILE; words are not compared.

    A URL without a path is asked at the paths where they were recorded.

    \b
    Exit code: 0 the same shape, 1 another, 2 wrong usage, 3 nothing that could be compared came.

    \b
    textgen-contract drift tape.jsonl https://api-inference.huggingface.co --token-env HF_TOKEN
    """
    from contract_tests.drift.command import drift as ask_and_compare

    token = read_token(token_env) if token_env else ""
    own = tuple(parse_header(header) for header in headers)
    sys.exit(ask_and_compare(file, url, token=token, token_env=token_env or "", headers=own, **options))


@main.command()
@click.argument("files", nargs=-1, required=True, metavar="A.json B.json ...", type=EXISTING)
@click.option("--all", "everything", is_flag=True, help="Show the clauses on which all agree as well.")
@click.option("--html", type=FILE, help="Write the comparison as one self-contained HTML page.")
@click.option("--markdown", type=FILE, help="Write the comparison as Markdown.")
def compare(files: tuple[Path, ...], everything: bool, html: Path | None, markdown: Path | None) -> None:
    """Put the results of several endpoints side by side.

    \b
    textgen-contract compare mine.json vendor.json
    """
    from contract_tests.report import compare as comparison
    from contract_tests.report.compare_html import to_html
    from contract_tests.report.results_file import read_result

    check_writable(html, markdown)
    found = comparison.compare([read_result(path) for path in files])
    # in a file or a pipe a table need not fit a screen
    comparison.print_comparison(found, Console(width=None if sys.stdout.isatty() else 200), everything=everything)
    if html:
        html.write_text(to_html(found, everything=everything), encoding="utf-8")
    if markdown:
        markdown.write_text(comparison.to_markdown(found, everything=everything), encoding="utf-8")


@main.command()
@click.option("--dialect", type=click.Choice(spec.DIALECTS), default=spec.DIALECTS[0], show_default=True, help=DIALECT_HELP)
def openapi(dialect: str) -> None:
    """Print the contract as an OpenAPI 3.2 document.

    \b
    textgen-contract openapi > openapi.json
    """
    click.echo(json.dumps(spec.openapi(dialect), indent=1))


@main.command()
@click.argument("prefix", default="")
@click.option(
    "--dialect",
    type=click.Choice(spec.DIALECTS),
    default=spec.DIALECTS[0],
    show_default=True,
    help="Which server's habits to expect.",
)
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
def clauses(prefix: str, dialect: str, *, as_json: bool) -> None:
    """List what is checked.

    Of each clause whose id begins with PREFIX: id, level, basis, sentence, source.
    """
    from contract_tests.clauses import clauses_of

    fields = ("id", "level", "basis", "sentence", "source")
    rows = [
        {name: getattr(clause.statement, name) for name in fields}
        for id, clause in clauses_of(dialect).items()
        if id.startswith(prefix)
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    elif rows:
        for row in rows:
            click.echo(f"{row['id']}\n    {row['level']}, {row['basis']}: {row['sentence']}\n    {row['source']}")
    else:
        click.echo(f"textgen-contract: no clause begins with `{prefix}`: `textgen-contract clauses` lists them all.", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
