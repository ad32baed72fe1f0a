"""Several results side by side as one HTML file that needs nothing else: no network, no script."""

from __future__ import annotations

from markupsafe import Markup

from contract_tests.report.compare import Comparison
from contract_tests.report.html import digest, part, template


def to_html(comparison: Comparison, *, everything: bool = False) -> str:
    """A card for each endpoint, then the clauses; those on which all agree that nothing is wrong are shown on demand."""
    style = part("page.css") + part("compare.css")
    page = template("compare.html.jinja").render(
        comparison=comparison,
        everything=everything,
        style=Markup(style),  # noqa: S704 (our own file)  # nosec B704
        policy=f"default-src 'none'; style-src '{digest(style)}'; img-src data:; base-uri 'none'; form-action 'none'",
    )
    return page + "\n"
