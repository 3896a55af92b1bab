"""``storestream bench inference --device``: Triton by itself, beside the torch model it serves.

It needs torch, numpy below 2, tritonclient and the wheel with Triton's binary, but no broker, no
Faust and no data: the models have random weights.
"""
