"""How the shipped weights were made: corpus, tokenizer, training, quantisation (``python -m mockserver.engine.train``).

Never imported when serving. Only the training itself needs torch.
"""
