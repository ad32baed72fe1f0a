"""What stands around the model in the real service: tokens, loading models, kept replies, rate limits.

Each room decides from plain values and a clock that it is given. Knows no Flask (but ``limits.py``, which is one line of it),
generates nothing, and writes no reply.
"""
