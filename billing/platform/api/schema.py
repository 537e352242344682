"""How views describe themselves in the OpenAPI document."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import Direction, OpenApiParameter, inline_serializer
from rest_framework import serializers

from billing.platform.api.idempotency import HEADER, KEY_LENGTH_MAX, Idempotency
from billing.platform.api.problems import MEDIA_TYPE
from billing.platform.api.serializers import Output


class FieldProblem(Output):
    """One wrong input."""

    field = serializers.CharField(
        help_text="Its path, for example tiers[1].up_to; empty for the whole request."
    )
    message = serializers.CharField()
    code = serializers.CharField()


class Problem(Output):
    """A refusal (RFC 9457). `code` is stable; `detail` and `message` are for people and may change."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    instance = serializers.CharField()
    request_id = serializers.CharField(required=False)
    errors = FieldProblem(many=True, required=False)  # type: ignore[assignment]  # a field, not the property
    details = serializers.DictField(required=False)


class ApiSchema(AutoSchema):
    """Adds to every operation its refusals, and the Idempotency-Key header where the method takes one."""

    def get_override_parameters(self) -> list[Any]:
        how: Idempotency | None = getattr(getattr(self.view, self.method.lower(), None), "idempotency", None)
        if how is None:
            return []
        text = (
            f"A unique value of yours, 1 to {KEY_LENGTH_MAX} printable ASCII characters. Send the request again with "
            "the same key and you get the first answer (`Idempotent-Replayed: true`); kept for 30 days."
        )
        return [
            OpenApiParameter(
                HEADER, OpenApiTypes.STR, OpenApiParameter.HEADER, required=how.required, description=text
            )
        ]

    def get_serializer_name(self, serializer: Any, direction: Direction) -> str:
        return super().get_serializer_name(serializer, direction).removesuffix("Output").removesuffix("Out")

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        component: ResolvedComponent = self.resolve_serializer(Problem, "response")
        bodies["default"] = {
            "description": "Any refusal: `code` says which.",
            "content": {MEDIA_TYPE: {"schema": component.ref}},
        }
        return bodies


def page_of(serializer: type[serializers.Serializer]) -> Any:  # type: ignore[type-arg]
    """One page of a list of these, for the schema."""
    name = serializer.__name__.removesuffix("Output").removesuffix("Out")
    return inline_serializer(
        f"{name}Page",
        {
            "data": serializer(many=True),
            "next_cursor": serializers.CharField(
                allow_null=True, help_text="Give it as `cursor` for the next page; null on the last."
            ),
        },
    )
