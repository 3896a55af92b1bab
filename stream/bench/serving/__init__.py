"""``storestream bench inference --device``: Triton by itself, beside the engine that it serves.

It needs no broker, no Faust and no data, since the models have random weights; what it does need
stands in ``benchmarks/inference.md``.
"""
