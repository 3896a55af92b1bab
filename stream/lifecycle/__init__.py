"""New model versions without a restart: tried, decided, told to the workers, taken back.

``decisions.py`` reads and publishes what is decided (``domain/rollouts.py``), ``server.py`` has
Triton serve it and tries a version out, ``changing.py`` is one change from beginning to end,
``listing.py`` and ``comparing.py`` show what there is, and ``command.py`` puts these together for
the command line.
"""
