"""Settings into what a client shows the broker to be let in."""

from __future__ import annotations

import ssl

from stream.errors import Misconfigured
from stream.settings import Settings


def client_options(settings: Settings) -> dict[str, object]:
    """Return the arguments that aiokafka's and kafka-python's clients share.

    Raises:
        Misconfigured: A certificate or key cannot be read.
    """
    protocol = settings.security_protocol
    options: dict[str, object] = {"security_protocol": protocol}
    if protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = sasl_password(settings)
    if protocol.endswith("SSL"):
        options["ssl_context"] = ssl_context(settings)
    return options


def sasl_password(settings: Settings) -> str | None:
    """Return the password in the clear: only for the client that logs in."""
    password = settings.sasl_password
    return None if password is None else password.get_secret_value()


def ssl_context(settings: Settings) -> ssl.SSLContext:
    """Return a context that verifies the broker, and names us where a certificate is set.

    Raises:
        Misconfigured: A certificate or key cannot be read.
    """
    password = settings.ssl_key_password
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
        if settings.ssl_certfile is not None:
            context.load_cert_chain(
                settings.ssl_certfile,
                settings.ssl_keyfile,
                password.get_secret_value() if password else None,
            )
    except OSError as error:
        files = (settings.ssl_cafile, settings.ssl_certfile, settings.ssl_keyfile)
        named = ", ".join(str(file) for file in files if file is not None)
        raise Misconfigured(f"TLS files {named}: {error}") from error
    return context
