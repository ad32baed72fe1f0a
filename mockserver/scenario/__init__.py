"""What the person at the desk arranges: named faults. The clean server runs without any of it."""
