"""IAM's permissions as AWS evaluates them, in moto's server.

moto checks signatures, finds the policies of who asks, and reads the ARNs of objects. It knows neither conditions nor
the resources of Batch and ECR: so what a request needs stands here, by AWS's Service Authorization Reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import xmltodict
from moto import settings as moto_settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.responses import ActionResult
from moto.iam.access_control import IAMRequestBase
from moto.iam.models import Policy
from moto.iam.responses import IamResponse

from tests.unit.aws_account import ACCOUNT, REGION

Need = tuple[str, str, Mapping[str, str]]
"""An action, the ARN that it is done to, and the values of condition keys."""


def simulate_principal_policy(self: IamResponse) -> ActionResult:
    """Say what a role may do: moto has no SimulatePrincipalPolicy."""
    role = self.backend.get_role_by_arn(self._get_param("PolicySourceArn"))
    documents = [_document(each) for each in (*role.policies.values(), *role.managed_policies.values())]
    context = {each["ContextKeyName"]: each["ContextKeyValues"][0] for each in self._get_param("ContextEntries", [])}
    results = [
        {
            "EvalActionName": action,
            "EvalResourceName": arn,
            "EvalDecision": "allowed" if allows(documents, action, arn, context) else "implicitDeny",
        }
        for action in self._get_param("ActionNames")
        for arn in self._get_param("ResourceArns")
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


@contextmanager
def enforced() -> Iterator[None]:
    """Let nobody do what no policy allows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IAMRequestBase, "check_action_permitted", _check)
        patch.setattr(moto_settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
        patch.setattr(ActionAuthenticatorMixin, "request_count", 0)
        yield


def _check(self: IAMRequestBase, resource: str) -> None:
    if self._action.lower() == "sts:getcalleridentity":
        return
    documents = [_document(policy) for policy in self._access_key.collect_policies()]
    if not all(allows(documents, *need) for need in needs(self, resource)):
        self._raise_access_denied()


def _document(policy: Any) -> dict[str, Any]:
    if isinstance(policy, Policy):
        policy = next(each.document for each in policy.versions if each.is_default)
    found: dict[str, Any] = json.loads(policy) if isinstance(policy, str) else policy
    return found


def needs(request: IAMRequestBase, resource: str) -> list[Need]:
    """Return what somebody must be allowed who makes a request."""
    service, _, action = request._action.partition(":")
    if service == "s3":
        return _needs_of_s3(request, action, resource)
    if service == "batch":
        return _needs_of_batch(action.lower(), json.loads(request._body or b"{}"))
    if action == "SimulatePrincipalPolicy":
        resource = request._data["PolicySourceArn"][0]
    if service == "ecr" and action != "GetAuthorizationToken":
        name = json.loads(request._body)["repositoryName"]
        resource = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"
    return [(f"{service}:{action}", resource, {})]


def _needs_of_s3(request: IAMRequestBase, action: str, resource: str) -> list[Need]:
    asked = parse_qs(urlsplit(request._path).query, keep_blank_values=True)
    if action == "DeleteObject" and "delete" in asked:
        objects = xmltodict.parse(request._body)["Delete"]["Object"]
        keys = [each["Key"] for each in (objects if isinstance(objects, list) else [objects])]
        return [("s3:DeleteObject", f"{resource}/{key}", {}) for key in keys]
    action = {"HeadBucket": "ListBucket", "ListObjectsV2": "ListBucket", "ListBuckets": "ListAllMyBuckets"}.get(
        action, action
    )
    copied = unquote(request._headers.get("X-Amz-Copy-Source", ""))
    source: list[Need] = [("s3:GetObject", f"arn:aws:s3:::{copied}", {})] if copied else []
    return [(f"s3:{action}", resource, {"s3:prefix": asked["prefix"][0]} if "prefix" in asked else {}), *source]


def _needs_of_batch(action: str, asked: Mapping[str, Any]) -> list[Need]:
    own = f"arn:aws:batch:{REGION}:{ACCOUNT}"

    def arn(kind: str, name: str) -> str:
        return name if name.startswith("arn:") else f"{own}:{kind}/{name}"

    tags: list[Need] = []
    if action == "submitjob":
        to = [arn("job-queue", asked["jobQueue"]), arn("job-definition", asked["jobDefinition"])]
        tagged = f"{own}:job/any"
    elif action == "registerjobdefinition":
        to = [tagged := arn("job-definition", asked["jobDefinitionName"])]
        role = asked.get("containerProperties", {}).get("jobRoleArn")
        tags += [("iam:PassRole", role, {"iam:PassedToService": "ecs-tasks.amazonaws.com"})] if role else []
    elif action in ("terminatejob", "canceljob"):
        to = [arn("job", asked["jobId"])]
    elif action.startswith(("describe", "list")):
        to = ["*"]
    else:  # of a queue, an environment or a definition
        to = [f"{own}:{action}/any"]
    tags += [("batch:TagResource", tagged, {})] if asked.get("tags") else []
    return [(f"batch:{action}", each, {}) for each in to] + tags


def allows(documents: list[dict[str, Any]], action: str, arn: str, context: Mapping[str, str]) -> bool:
    """Say whether policies allow an action: one that allows it, and none that denies it."""
    effects = {
        statement["Effect"]
        for document in documents
        for statement in _each(document["Statement"])
        if _speaks_of(statement, action, arn, context)
    }
    return effects == {"Allow"}


def _speaks_of(statement: Mapping[str, Any], action: str, arn: str, context: Mapping[str, str]) -> bool:
    return (
        any(_like(action.lower(), pattern.lower()) for pattern in _each(statement["Action"]))
        and any(_like(arn, pattern) for pattern in _each(statement["Resource"]))
        and all(
            key in context and any(CONDITIONS[operator](context[key], value) for value in _each(values))
            for operator, condition in statement.get("Condition", {}).items()
            for key, values in condition.items()
        )
    )


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _like(text: str, pattern: str) -> bool:
    return bool(re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text))


CONDITIONS: Mapping[str, Any] = {"StringEquals": lambda text, value: text == value, "StringLike": _like}
"""Only what the template uses: another operator must end a test."""
