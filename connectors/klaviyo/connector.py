"""Klaviyo as a destination. Facts, set-up and limits: docs/connectors/klaviyo.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import BaseModel, Field, SecretStr

from connectors.klaviyo import bodies, flows
from connectors.klaviyo.calls import Calls
from hub.sdk.contract import Destination, Flow, NoSettings, by_status, secret
from hub.sdk.errors import AuthFailed, DeliveryError, Retryable, Unreadable
from hub.sdk.values import (
    AnyPush,
    Auth,
    Batch,
    ErasePush,
    EventPush,
    Header,
    Item,
    Json,
    MessagePush,
    Operation,
    Pool,
    ProfilePush,
    Rate,
    Rejected,
    Request,
    Response,
    Route,
    Waiting,
)

REFERENCE: Final = "https://developers.klaviyo.com/en/reference/"
LIMITS: Final = "https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling"
TIERS: Final = {"S": (3, 60), "M": (10, 150), "L": (75, 700)}
"""Calls per second (burst) and per minute (steady). Every endpoint belongs to one tier."""
POOLS: Final = {"profiles": "L", "profile_jobs": "M", "event_jobs": "M", "lists": "M", "erasures": "S"}


class KlaviyoSettings(BaseModel):
    api_key: SecretStr = Field(
        description="A private API key. Scopes: profiles, events, lists and data-privacy (read and write).",
        examples=["pk_0123456789abcdef"],
    )
    revision: str = Field(
        default="2026-07-15",
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description="The API revision sent with every call. Klaviyo retires revisions after about two years.",
        examples=["2026-07-15"],
    )
    account_id: str = Field(
        default="",
        description="The account's public key. Connections that name the same account share its rate limits.",
        examples=["AbC123"],
    )
    rate_share: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="The part of the account's rate limits that the hub may use, if other tools share the account.",
        examples=[0.5],
    )


class CodeOptions(BaseModel):
    code_attribute: str = Field(
        default="incentive_code",
        min_length=1,
        max_length=100,
        description="The property that holds the incentive code; _value, _balance, _expires_at, ... stand beside it.",
        examples=["incentive_code"],
    )


class MessageOptions(CodeOptions):
    metric: str = Field(
        default="Incentive Assigned",
        min_length=1,
        max_length=127,
        description="The metric whose flow sends the message.",
        examples=["Incentive Assigned"],
    )


class Klaviyo(Destination):
    name = "klaviyo"
    title = "Klaviyo"
    docs_url = REFERENCE
    Settings: ClassVar[type[BaseModel]] = KlaviyoSettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = {
        Operation.PROFILES: CodeOptions,
        Operation.EVENTS: NoSettings,
        Operation.MESSAGES: MessageOptions,
        Operation.ERASE: NoSettings,
    }
    targets: ClassVar[Mapping[Operation, Json]] = {
        Operation.PROFILES: bodies.PROFILE_SCHEMA,
        Operation.EVENTS: bodies.EVENT_SCHEMA,
        Operation.MESSAGES: bodies.EVENT_SCHEMA,
        Operation.ERASE: bodies.ERASE_SCHEMA,
    }
    containers: ClassVar[frozenset[str]] = frozenset({"properties", "location"})

    def __init__(self, settings: KlaviyoSettings) -> None:
        super().__init__(settings)
        self._calls = Calls(settings.revision)

    def hosts(self) -> Mapping[str, str]:
        return {"api": "https://a.klaviyo.com"}

    def auth(self) -> Mapping[str, Auth]:
        return {"api": Header("Authorization", secret(self.settings.api_key), "Klaviyo-API-Key ")}

    def account(self) -> str:
        return str(self.settings.account_id)

    def pools(self) -> Mapping[str, Pool]:
        return {name: Pool(self._rates(TIERS[tier]), source=LIMITS) for name, tier in POOLS.items()}

    def _rates(self, tier: tuple[int, int]) -> list[Rate]:
        windows = zip(tier, (1, 60), strict=True)
        return [Rate(max(1, int(count * self.settings.rate_share)), per_s) for count, per_s in windows]

    def routes(self) -> Mapping[str, Route]:
        one = Route(REFERENCE + "create_or_update_profile", ["profiles"], item_bytes=100_000, repeat="safe")
        events = Route(
            REFERENCE + "bulk_create_events",
            ["event_jobs"],
            items=1_000,
            bytes=4_900_000,
            repeat="deduplicated",  # by unique_id
        )
        return {
            "profiles": one,
            "profiles_alone": one,
            "profiles_bulk": Route(
                REFERENCE + "bulk_import_profiles",
                ["profile_jobs"],
                items=10_000,
                bytes=4_900_000,
                item_bytes=100_000,
                items_per_profile=1,
                bulk_of="profiles",
                bulk_from=25,
                repeat="safe",
                timeout_s=60,
            ),
            "events": events,
            "messages": events,
            "erase": Route(REFERENCE + "request_profile_deletion", ["erasures"], repeat="safe"),
        }

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        match push:
            case ProfilePush():
                route = "profiles_alone" if push.progress == flows.ALONE else "profiles"
                return [Item(push.delivery_id, route, bodies.profile(push))]
            case EventPush():
                return [Item(push.delivery_id, "events", bodies.event(push))]
            case MessagePush():
                return [Item(push.delivery_id, "messages", bodies.message(push))]
            case ErasePush():
                return [Item(push.delivery_id, "erase", {})]
        return Rejected(push.delivery_id, f"This connector does not send {push.operation}.", code="unsupported")

    def classify(self, request: Request, response: Response) -> DeliveryError | None:
        if response.status == 403 and response.body.lstrip()[:1] == b"<":
            # Bot challenges, seen from some networks (klaviyo-api-python issue 84); the key is not at fault.
            return Retryable("Klaviyo answered 403 with a web page, not in its API's words.", response=response)
        if response.status == 410:
            return AuthFailed(
                "Klaviyo has retired this API revision; set `revision` to a newer one.", response=response
            )
        if response.status < 300 and response.body:
            try:
                response.json()
            except Unreadable as error:
                return Unreadable(str(error), response=response, unknown=True)
        return by_status(response)

    def flow(self, batch: Batch) -> Flow:
        match batch.route:
            case "profiles_bulk":
                yield from flows.start_import(self._calls, batch)
            case "events" | "messages":
                yield from flows.create_events(self._calls, batch)
            case "erase":
                yield from flows.erase(self._calls, batch)
            case _:
                yield from flows.import_one(self._calls, batch)

    def poll(self, token: str, waiting: Sequence[Waiting]) -> Flow:
        yield from flows.poll_import(self._calls, token, waiting)

    def check(self) -> Flow:
        return (yield from flows.check(self._calls))
