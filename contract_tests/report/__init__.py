"""One result, several ways to read it: console, results.json, JUnit. The result is made once and only read here."""
