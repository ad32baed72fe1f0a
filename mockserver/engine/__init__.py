"""Text and tokens over time: vocabulary, model, stopping, and the loop that makes tokens. Knows no HTTP and no JSON."""
