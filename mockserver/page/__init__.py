"""A page to try the server with: the API as a form, answers as they come, and the desk at a click.

Its files stand beside this one and are served as they are; what they show comes from ``/openapi.json``, ``/docs/desk.json`` and
``/_mock/...``. They ask nobody else for anything, and the security policy keeps it so.
"""

from mockserver.page.routes import PATHS, add_page

__all__ = ["PATHS", "add_page"]
