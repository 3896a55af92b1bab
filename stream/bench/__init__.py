"""Measures Storestream beside others doing the same work."""
