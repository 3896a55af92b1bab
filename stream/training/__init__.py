"""Trains a model on a store's past and puts it beside the versions that are there.

``deeds`` is the past, in columns; ``from_file`` and ``from_topics`` read it, and ``past`` is either
of them. ``shelves`` folds when products were sold out, and ``demand`` says what was wanted on which of
the store's days. ``begun`` keeps a training that is stopped; ``command`` trains, and exports what came
of it. Nothing is served differently for it: see ``stream.lifecycle``.
"""
