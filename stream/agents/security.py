"""Settings into the credentials that Faust wants."""

from __future__ import annotations

from typing import Any

import faust

from stream.adapters.security import sasl_password, ssl_context
from stream.settings import Settings


def faust_credentials(settings: Settings) -> Any:
    """Return Faust's ``broker_credentials``, None for plain text."""
    protocol = settings.security_protocol
    context = ssl_context(settings) if protocol.endswith("SSL") else None
    if not protocol.startswith("SASL"):
        return None if context is None else faust.SSLCredentials(context=context)
    return faust.SASLCredentials(
        username=settings.sasl_username,
        password=sasl_password(settings),
        mechanism=settings.sasl_mechanism,
        ssl_context=context,
    )
