"""What AWS and S3 mean by an answer that is none: the same for whoever asks."""

from __future__ import annotations

import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError

from tasks.runtime.aws import answers
from tasks.runtime.aws.answers import Kind


def refusal(code: str, status: int) -> Exception:
    answer = {"Error": {"Code": code, "Message": "why"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return exceptions.ClientError(answer, "PutObject")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("NoSuchKey", 404, Kind.GONE),
        ("404", 404, Kind.GONE),  # of a HEAD, which has no body
        ("NoSuchBucket", 404, Kind.NO_BUCKET),
        ("PreconditionFailed", 412, Kind.CONFLICT),
        ("ConditionalRequestConflict", 409, Kind.CONFLICT),
        ("NotImplemented", 501, Kind.NOT_IMPLEMENTED),
        ("InternalError", 500, Kind.BUSY),
        ("SlowDown", 503, Kind.BUSY),
        ("RequestTimeout", 400, Kind.BUSY),
        ("TooManyRequests", 429, Kind.BUSY),
        ("AccessDenied", 403, Kind.DENIED),
        ("403", 403, Kind.DENIED),
        ("AccessDeniedException", 400, Kind.DENIED),
        ("ExpiredToken", 400, Kind.EXPIRED),
        ("SignatureDoesNotMatch", 403, Kind.UNKNOWN_CALLER),
        ("InvalidAccessKeyId", 403, Kind.UNKNOWN_CALLER),
        ("ClientException", 400, Kind.REFUSED),
    ],
)
def test_a_refusal_is_known_by_its_code_else_by_its_status(code: str, status: int, kind: Kind) -> None:
    answer = answers.of(refusal(code, status))

    assert answer.kind is kind
    assert str(answer) == f"{code}: why"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (exceptions.EndpointConnectionError(endpoint_url="https://s3"), Kind.BUSY),
        (exceptions.ReadTimeoutError(endpoint_url="https://s3"), Kind.BUSY),
        (ResponseParserError("<html>"), Kind.BUSY),
        (exceptions.NoCredentialsError(), Kind.NO_CREDENTIALS),
        (exceptions.ProfileNotFound(profile="x"), Kind.NO_CREDENTIALS),
        (exceptions.NoRegionError(), Kind.NO_REGION),
        (exceptions.UnauthorizedSSOTokenError(), Kind.EXPIRED),
        (exceptions.ParamValidationError(report="x"), Kind.NOT_ASKED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_boto3_fails_with_is_told_apart_by_its_class(error: Exception, kind: Kind) -> None:
    assert isinstance(error, answers.ERRORS)
    assert answers.of(error).kind is kind
    assert answers.of(error).code == ""
