"""``docs/clients.md`` from what was seen in a run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rig.actions import ACTIONS
from rig.faults import TRIALS
from rig.roster import CLIENTS, Client

HEAD = """\
# Clients

Which clients of the API work against `textgen-mock serve`, unmodified, and what each can do.
`tox -e clients` installs every one into an environment of its own, lets it ask the mock, and compares what it shows with the wire.
This page is made by that run; `tox -e clients -- tests/clients --write-table` writes it anew.
`URL` is the address of a model, such as `http://127.0.0.1:8080/models/google/gemma-2-2b-it`.
"""

YES, PART, NO = "yes", "in part", "no"


@dataclass(slots=True)
class Results:
    """What was seen: for each client its versions, a mark for each action, the exceptions, and the dialects that it works with."""

    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    marks: dict[tuple[str, str], str] = field(default_factory=dict)
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)
    errors: dict[tuple[str, str], str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    tried: dict[tuple[str, str], str] = field(default_factory=dict)

    def mark(self, client: Client, action: str, mark: str) -> None:
        """One result; another dialect must not give another one."""
        before = self.marks.setdefault((client.name, action), mark)
        assert before == mark, f"{client.name} {action}: {mark} here, but {before} in another dialect"

    def refuse(self, client: Client, action: str, reason: str) -> str:
        """The mark of what a client cannot do."""
        self.reasons[client.name, action] = reason
        return NO

    def complete(self) -> bool:
        """Whether every client did every action, was broken, and was tried under every fault."""
        wanted = {(client.name, action.name) for client in CLIENTS for action in ACTIONS}
        tried = {(client.name, trial.fault) for client in CLIENTS for trial in TRIALS}
        return (
            wanted == self.marks.keys()
            and tried == self.tried.keys()
            and {client.name for client in CLIENTS} == self.broken.keys()
        )


def mask_versions(page: str) -> str:
    """``page`` with all version numbers alike, for those may change from run to run."""
    return re.sub(r"\b\d+\.\d+(\.\w+)*", "N", page)


def render(results: Results) -> str:
    return "\n".join(
        [
            HEAD,
            *_connections(results),
            *_abilities(results),
            *_notes(results),
            *_errors(results),
            *_faults(results),
            *_trials(results),
            "",
        ]
    )


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _head(*cells: str) -> Iterator[str]:
    yield _row(*cells)
    yield _row(*("---" for _ in cells))


def _connections(results: Results) -> Iterator[str]:
    yield "## Versions, and how each is told where the server is\n"
    yield from _head("client", "versions", "asked so", "dialects")
    for client in CLIENTS:
        versions = ", ".join(f"{name} {number}" for name, number in results.versions[client.name].items())
        yield _row(client.name, versions, f"`{client.told}`", ", ".join(client.dialects))


def _abilities(results: Results) -> Iterator[str]:
    yield "\n## What each can do\n"
    yield from _head("client", *(action.heading for action in ACTIONS))
    for client in CLIENTS:
        yield _row(client.name, *(results.marks[client.name, action.name] for action in ACTIONS))
    yield ""
    for action in ACTIONS:
        yield f"- {action.heading}: {action.sentence}"


def _notes(results: Results) -> Iterator[str]:
    yield "\n## What a client does otherwise, or cannot\n"
    for client in CLIENTS:
        told = {**_cannot(results, client), **client.notes}
        for name, sentence in told.items():
            heading = next((action.heading for action in ACTIONS if action.name == name), name)
            yield f"- {client.name}, {heading}: {sentence}"


def _cannot(results: Results, client: Client) -> dict[str, str]:
    return {action: reason for (name, action), reason in results.reasons.items() if name == client.name}


def _errors(results: Results) -> Iterator[str]:
    told = [action for action in ACTIONS if any((client.name, action.name) in results.errors for client in CLIENTS)]
    yield "\n## Exceptions\n"
    yield from _head("client", *(action.heading for action in told))
    for client in CLIENTS:
        yield _row(client.name, *(_code(results.errors.get((client.name, action.name))) for action in told))


def _code(name: str | None) -> str:
    return "" if name is None else f"`{name}`"


def _faults(results: Results) -> Iterator[str]:
    yield "\n## A fault that breaks each\n"
    yield from _head("client", "`textgen-mock serve --fault`", "what its user sees")
    for client in CLIENTS:
        yield _row(client.name, f"`{client.breaks[0]}`", results.broken[client.name])


def _trials(results: Results) -> Iterator[str]:
    yield "\n## Client and fault\n"
    yield "What a client makes of faults of the network (`textgen-mock faults --network`): its user gets the right text, or an exception."
    yield "What else there is to say is the mock's verdict, with the texts that the client handed on (`POST /_mock/verdict`)."
    yield "A refusal strikes eight times, anything else once. Read time-outs are not tried: each trial would take minutes.\n"
    yield from _head("client", *(trial.heading for trial in TRIALS))
    for client in CLIENTS:
        yield _row(client.name, *(results.tried[client.name, trial.fault] for trial in TRIALS))
    yield ""
    for trial in TRIALS:
        yield f"- {trial.heading}: `{trial.fault}`"
