"""Contract under load: Locust sends, the clauses judge every reply.

Locust's own word is law for users, rates and machines (``--master``, ``--worker``, ``--processes``).
It patches sockets and threads for gevent as it is imported, so only ``locustfile.py`` imports it, in a process of its own;
``command.py`` starts that process and reads what it leaves, the rest knows neither.
"""
