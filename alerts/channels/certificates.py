"""Why a server's certificate was refused, in words that say how to mend it."""

import ssl

from alerts.channels.safe_text import server_words

_EXPIRED, _NOT_YET = 10, 9
_OTHER_NAME = (62, 63, 64)
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)
"""Results of a verification by OpenSSL (x509_vfy.h)."""


def certificate_refused(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with the certificate that a server showed, and what to do, as the end of a sentence about it."""
    said = f"showed a certificate that cannot be trusted: {server_words(error.verify_message, ())}"
    code = error.verify_code
    if code == _EXPIRED:
        return (
            f"{said}. Whoever runs the server must renew it; if it is not that old, set this machine's clock"
        )
    if code == _NOT_YET:
        return f"{said}. Set this machine's clock, or wait until the certificate holds"
    if code in _OTHER_NAME:
        return f"{said}. Check the host name: it must be one for which the certificate was made"
    if code in _UNKNOWN_AUTHORITY:
        return (
            f"{said}. For a private certificate authority set ca_file to a file (PEM) that holds it; a public "
            "server must send its intermediate certificates along"
        )
    return f"{said}. Check the host name and the server's certificate; for a private certificate authority set ca_file"
