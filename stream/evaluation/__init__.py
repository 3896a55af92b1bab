"""How good the models are, on real data that they have not seen, beside honest baselines.

``histories`` reads what visitors acted on; ``leave_one_out`` hides the end of it; ``popularity``,
``neighbours`` and ``ours`` rank every product for what is left; ``ranks`` says where the hidden one
came.

``series`` reads what sold and holds out the end; ``steady``, ``intermittent`` and ``our_forecaster``
forecast it; ``forecast_quality`` says how far they were from it.
"""
