"""``storestream report``: what came of the recommendations, by variant of the experiment.

``claims.py`` gathers what events say was shown and clicked and joins it to the recommendations,
``purchases.py`` finds what was bought of it, ``arms.py`` adds up by variant, ``comparisons.py`` sets
variants beside each other (the statistics are in ``domain/experiments.py``), ``findings.py`` and
``table.py`` tell it to programs and people, and ``command.py`` reads the topics for them, in this order.
"""
