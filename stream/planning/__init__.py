"""``storestream stock``: what a planner has to deal with now, what costs most first.

``present.py`` keeps the last that the topic says of each alert, ``choice.py`` says which are meant,
``totals.py`` adds up, ``table.py`` lists them, ``figures.py`` has all that is known of one product, and
``command.py`` reads the topic for them.
"""
