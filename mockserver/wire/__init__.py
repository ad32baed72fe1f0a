"""Bytes to messages and back: strict JSON, the checked request, the reply and the stream. Knows no Flask and draws no token."""
