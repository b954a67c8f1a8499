"""What an answer of AWS means that is none, whichever of its services was asked, and what boto3 itself fails with."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import Enum, auto

from botocore import exceptions
from botocore.parsers import ResponseParserError

ERRORS = (exceptions.ClientError, exceptions.BotoCoreError, ResponseParserError)
"""What a call of boto3 raises."""


class Kind(Enum):
    """What is to be done about it depends on this alone."""

    BUSY = auto()
    """It may pass: throttling, a fault of the service, no connection."""
    GONE = auto()
    """There is no such object."""
    NO_BUCKET = auto()
    CONFLICT = auto()
    """The condition of a write does not hold, or another write came in."""
    NOT_IMPLEMENTED = auto()
    DENIED = auto()
    EXPIRED = auto()
    """Somebody must log in again."""
    UNKNOWN_CALLER = auto()
    NO_CREDENTIALS = auto()
    NO_REGION = auto()
    REFUSED = auto()
    """The service says why; it is none of these."""
    NOT_ASKED = auto()
    """It was not asked: boto3 refuses what it was given."""


CODES: Mapping[Kind, Set[str]] = {
    Kind.BUSY: {
        "TooManyRequestsException",
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "SlowDown",
        "PriorRequestNotComplete",
        "RequestTimeout",
        "RequestTimeoutException",
    },
    Kind.GONE: {"NoSuchKey", "404", "NotFound"},
    Kind.NO_BUCKET: {"NoSuchBucket"},
    Kind.NOT_IMPLEMENTED: {"NotImplemented", "501"},
    Kind.DENIED: {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "NotAuthorized",
        "403",
        "Forbidden",
    },
    Kind.EXPIRED: {"ExpiredToken", "ExpiredTokenException", "RequestExpired"},
    Kind.UNKNOWN_CALLER: {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "AuthFailure",
        "MissingAuthenticationToken",
    },
}
"""A HEAD has no body, and its code is the status."""
CONFLICTS = (409, 412)
TOO_MANY, NOT_IMPLEMENTED = 429, 501
OWN: tuple[tuple[Kind, tuple[type[Exception], ...]], ...] = (
    (Kind.NO_REGION, (exceptions.NoRegionError,)),
    (
        Kind.NO_CREDENTIALS,
        (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound),
    ),
    (Kind.EXPIRED, (exceptions.SSOError, exceptions.TokenRetrievalError, exceptions.CredentialRetrievalError)),
    (Kind.BUSY, (exceptions.ConnectionError, exceptions.HTTPClientError)),  # no name, no connection, or silence
)


@dataclass(frozen=True)
class Answer:
    """Why a call failed."""

    kind: Kind
    said: str
    code: str = ""
    """Of the service; empty where it did not answer."""

    def __str__(self) -> str:
        return f"{self.code}: {self.said}" if self.code else self.said


def of(error: Exception) -> Answer:
    """Return what one of ERRORS means."""
    if isinstance(error, exceptions.ClientError):
        return _of_service(error.response)
    if isinstance(error, ResponseParserError):  # a page of HTML: of a proxy, or of a service that is broken
        return Answer(Kind.BUSY, f"what came is no answer of it: {str(error)[:200]}")
    kind = next((kind for kind, classes in OWN if isinstance(error, classes)), Kind.NOT_ASKED)
    return Answer(kind, str(error))


def _of_service(response: Mapping[str, Mapping[str, str | int]]) -> Answer:
    code, said = str(response["Error"].get("Code", "")), str(response["Error"].get("Message", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return Answer(next((kind for kind, codes in CODES.items() if code in codes), _of_status(status)), said, code)


def _of_status(status: int) -> Kind:
    if status == NOT_IMPLEMENTED:
        return Kind.NOT_IMPLEMENTED
    if status >= 500 or status == TOO_MANY:
        return Kind.BUSY
    return Kind.CONFLICT if status in CONFLICTS else Kind.REFUSED
