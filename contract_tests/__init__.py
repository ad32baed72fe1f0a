"""The contract as a client that doubts any server: probes send, clauses judge, the report tells.

It knows the API only from ``spec`` and never imports the mock; ``textgen-contract check`` starts that as a child process.
Nothing is imported here, because pytest loads this package's plugin in every run of everybody.
"""
