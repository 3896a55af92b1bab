"""Dead letters as a tool: what was set aside, why, and sending it back once that is mended.

``letters.py`` reads them; here ``choice.py`` says which are meant, ``summary.py`` counts them,
``showing.py`` writes one out, ``replaying.py`` sends originals back, and ``command.py`` puts these
together for the command line.
"""
