"""What runs inside Triton: each folder becomes a version folder, copied as it is.

A version keeps the code that its weights were trained with. So these files import nothing of ours
but their neighbours, and a change here reaches only versions that are exported after it.
"""
