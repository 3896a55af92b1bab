"""``storestream bench faults``: load without a pause, a fault every so often, and what came of it.

Follow one run by opening the files in this order.

1. ``scene.py`` starts what production has: a cluster, Triton with the models, topics, workers
2. ``trade.py`` draws what goes on in the store, ``poison.py`` what is no event at all
3. ``load.py`` publishes it at a rate, and records where each record lies
4. ``director.py`` takes the next kind of fault from a deck, strikes, and waits until it is over
5. ``kinds/`` are the faults, by the part that they befall; ``supervisor.py``, ``interposer.py``,
   ``wire.py`` are the tools
6. ``books.py`` has what was sent beside what came out, which ``reading.py`` reads meanwhile
7. ``judging.py`` compares, once all is settled, also with ``folding.py``'s offline fold
8. ``report.py`` says it
"""
