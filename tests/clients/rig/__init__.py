"""How real clients are put against the mock: what each is asked (``actions``), which there are (``roster``), where each lives
(``environments``), how it is spoken to (``driver``), the mocks (``servers``), and the table of what came out (``table``).

Imports neither tower: the mock is a process of its own, the clients are others.
"""
