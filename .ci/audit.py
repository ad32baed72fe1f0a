"""Known vulnerabilities of what is installed here, by pip-audit: exit code 1 for any.

Where its database cannot be asked, nothing is known: that is said aloud, and is neither a pass nor a failure.
"""

from __future__ import annotations

import json
import subprocess
import sys


def main() -> int:
    command = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--format", "json", "--progress-spinner", "off"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(f"NOTHING WAS AUDITED: pip-audit could not ask its database: {ended.stderr.strip().splitlines()[-1:]}")
        return 0
    audited = [row for row in found if "skip_reason" not in row]
    broken = [row for row in audited if row["vulns"]]
    for row in broken:
        for known in row["vulns"]:
            mended = ", ".join(known["fix_versions"]) or "no version"
            print(f"{row['name']} {row['version']}: {known['id']}, mended in {mended}")
    if len(audited) < len(found):
        print(
            f"NOT AUDITED: {len(found) - len(audited)} of {len(found)} packages, of which the database that pip-audit asks knows nothing"
        )
    print(f"{len(broken)} of {len(audited)} audited packages have known vulnerabilities")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
