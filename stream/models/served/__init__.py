"""What runs inside Triton: ``model.py`` and a model's folder become a version's, copied as they are.

A version keeps the code that its weights were trained with. So these files import nothing of ours
but their neighbours, and a change here reaches only versions that are exported after it.
"""
