"""Klaviyo as a destination. Facts, set-up and limits: docs/connectors/klaviyo.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import BaseModel

from connectors.klaviyo import bodies, flows, membership
from connectors.klaviyo.calls import Calls
from connectors.klaviyo.settings import OPTIONS, KlaviyoSettings
from hub.sdk.contract import Destination, Flow, by_status, secret
from hub.sdk.errors import AuthFailed, DeliveryError, Retryable, Unreadable
from hub.sdk.values import (
    AnyPush,
    AudienceChange,
    Auth,
    Batch,
    ConsentChange,
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
POOLS: Final = {"profiles": "L", "profile_jobs": "M", "event_jobs": "M", "lists": "M", "consents": "L", "erasures": "S"}


class Klaviyo(Destination):
    name = "klaviyo"
    title = "Klaviyo"
    docs_url = REFERENCE
    Settings: ClassVar[type[BaseModel]] = KlaviyoSettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = OPTIONS
    targets: ClassVar[Mapping[Operation, Json]] = {
        Operation.PROFILES: bodies.PROFILE_SCHEMA,
        Operation.EVENTS: bodies.EVENT_SCHEMA,
        Operation.MESSAGES: bodies.EVENT_SCHEMA,
        Operation.AUDIENCE: bodies.PROFILE_SCHEMA,
        Operation.CONSENT: bodies.CONSENT_SCHEMA,
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
            membership.LISTS: Route(REFERENCE + "add_profiles_to_list", ["lists"], items=1_000, repeat="safe"),
            membership.SUBSCRIBE: Route(
                REFERENCE + "bulk_subscribe_profiles", ["consents"], items=1_000, repeat="safe"
            ),
            membership.UNSUBSCRIBE: Route(
                REFERENCE + "bulk_unsubscribe_profiles", ["consents"], items=100, repeat="safe"
            ),
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
            case AudienceChange():
                return [membership.audience(push)]
            case ConsentChange():
                made = membership.consent(push)
                return made if isinstance(made, Rejected) else [made]
            case ErasePush():
                return [Item(push.delivery_id, "erase", {})]

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
            case membership.LISTS:
                yield from membership.change_list(self._calls, batch)
            case membership.SUBSCRIBE | membership.UNSUBSCRIBE:
                yield from membership.send_consents(self._calls, batch)
            case "erase":
                yield from flows.erase(self._calls, batch)
            case _:
                yield from flows.import_one(self._calls, batch)

    def poll(self, token: str, waiting: Sequence[Waiting]) -> Flow:
        yield from flows.poll_import(self._calls, token, waiting)

    def check(self) -> Flow:
        return (yield from flows.check(self._calls))
