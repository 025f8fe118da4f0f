"""Deliberately broken connectors: one slip each in a working one, and the check that must notice it.

Five are working: the scaffold's destination and source, `longway/`, whose vendor needs several calls, jobs and remembered
progress, `stream/`, a source that reads topics, and `privacy/`, one that asks to erase people and follows that up.
"""

from __future__ import annotations

from typing import NamedTuple


class Slip(NamedTuple):
    """`old` becomes `new` in `file`, and so do the two of `also`; then `check` fails."""

    what: str
    check: str
    old: str
    new: str
    file: str = "connector.py"
    also: tuple[str, str] = ("", "")


OUTCOMES = "[_outcome(record.delivery_id, results.get(record.delivery_id)) for record in batch.records]"
READ = 'results = {one["ref"]: one for one in response.json().get("results", [])}'
CLASSIFY = "        error = by_status(response)\n"
ROUTES = "    def routes("
REQUEST = 'json={"items": [item.body for item in batch.items]})'
KEY = "self.settings.api_key.get_secret_value()"
FLOW = """    def flow(self, batch: Batch) -> Flow:
        try:
            response = yield self.request(batch)
        except DeliveryError:
            yield [{outcome} for record in batch.records]
        else:
            yield self.outcomes(batch, response)

    def routes("""

DESTINATION = (
    Slip("has another name than its folder", "name-equals-folder", 'name = "acme"', 'name = "acmee"'),
    Slip("has a setting without help", "settings-are-documented", 'description="Address of the API.", ', ""),
    Slip("has a setting without an example", "settings-are-documented", ', examples=["key-0123456789"]', ""),
    Slip("has an example it refuses itself", "examples-are-valid", 'description="Address', 'pattern="^ftp", description="Address'),
    Slip("does not explain a setting", "page-exists", "`api_key`", "the key", "README.md"),
    Slip("reads the clock", "does-no-io", REQUEST, REQUEST + "  # at datetime.now()\n        datetime.now()"),
    Slip("sends by itself", "does-no-io", "from typing import", "import requests\nfrom typing import"),
    Slip("reaches into the hub", "does-no-io", "from hub.sdk.errors", "from hub.core.clock import now\nfrom hub.sdk.errors"),
    Slip("has operations nobody can try", "has-a-simulator", 'Operation.EVENTS: {"plan": "team"},', "", "simulator.py"),
    Slip("has targets that are not a schema", "operations-are-declared", 'Operation.EVENTS: {"type": "object"}', 'Operation.EVENTS: {"type": 7}'),
    Slip("has a limit out of thin air", "limits-name-their-source", "source=LIMITS", 'source=" "'),
    Slip("draws on an unknown pool", "limits-name-their-source", '["calls"], items=100, repeat="safe"', '["call"], items=100, repeat="safe"'),
    Slip("authenticates to an unknown host", "hosts-and-credentials-agree", '{"api": Bearer', '{"apis": Bearer'),
    Slip("shows its key when printed", "declarations-hide-secrets", ROUTES, f"    def __repr__(self) -> str:\n        return {KEY}\n\n{ROUTES}"),
    Slip("is named by its key in metrics", "declarations-hide-secrets", ROUTES, f"    def account(self) -> str:\n        return {KEY}\n\n{ROUTES}"),
    Slip("sends its key as plain text", "nothing-leaks-while-sending", REQUEST, f'{REQUEST[:-1]}, headers={{"x-key": {KEY}}})'),
    Slip("makes other bytes each time", "requests-are-pure", REQUEST, f'{REQUEST[:-1]}, headers={{"x-id": str(id(batch))}})'),
    Slip("changes what it was given", "requests-are-pure", "        if isinstance(push, ProfilePush):", "        push.fields['seen'] = True\n        if isinstance(push, ProfilePush):"),
    Slip("drops a record", "three-records-together", OUTCOMES, OUTCOMES.replace("batch.records]", "batch.records[1:]]")),
    Slip("reports a record twice", "one-record-alone", OUTCOMES, f"{OUTCOMES} * 2"),
    Slip("accepts what it never sent", "three-records-together", REQUEST, REQUEST.replace("batch.items]", "batch.items[:1]]")),
    Slip("calls a path the vendor does not have", "one-record-alone", "/v1/{batch.route}", "/v2/{batch.route}"),
    Slip("sends more than the vendor takes", "more-than-the-limit", 'items=100, repeat="safe"', 'items=1000, repeat="safe"'),
    Slip("makes nothing of a record", "more-than-the-limit", "        if isinstance(push, ProfilePush):", "        if push.fields:\n            return []\n        if isinstance(push, ProfilePush):"),
    Slip("spreads a record over routes", "more-than-the-limit", 'return [Item(push.delivery_id, "events",', 'return [Item(push.delivery_id, "profiles", {}), Item(push.delivery_id, "events",'),
    Slip("swaps outcomes", "partial-failure", OUTCOMES, "[_outcome(one.delivery_id, results.get(other.delivery_id)) for one, other in zip(batch.records, batch.records[::-1])]"),
    Slip("gives each record its neighbour's outcome", "own-outcomes", OUTCOMES, "[_outcome(one.delivery_id, results.get(other.delivery_id)) for one, other in zip(batch.records, [*batch.records[1:], batch.records[0]])]"),
    Slip("speaks of a stranger", "one-record-alone", OUTCOMES, f'{OUTCOMES} + [Accepted("D0000000000000000000stranger")]'),
    Slip("shows its key in a notice", "nothing-leaks-while-sending", "return Accepted(delivery_id)", 'return Accepted(delivery_id, notices=["sandbox-acme-key"])'),
    Slip("puts its key into the address", "nothing-leaks-while-sending", "/v1/{batch.route}\"", f"/v1/{{batch.route}}\", query={{'key': {KEY}}}"),
    Slip("reads a random number", "does-no-io", "from typing import", "import random\nfrom typing import"),
    Slip("takes one record less than it says", "exactly-the-limit", "MAX_ITEMS = 100", "MAX_ITEMS = 99", "simulator.py"),
    Slip("refuses the innocent with the guilty", "partial-failure", OUTCOMES, '[Rejected(record.delivery_id, "no") if "error" in str(results) else Accepted(record.delivery_id) for record in batch.records]'),
    Slip("refuses without a reason", "partial-failure", 'result.get("reason", "Acme gave no reason."))', '"")'),
    Slip("gives each attempt another id", "repeats-are-harmless", '"id": push.vendor_key', '"id": f"{push.vendor_key}{push.attempt}"'),
    Slip("gives each attempt another id", "lost-answer", '"id": push.vendor_key', '"id": f"{push.vendor_key}{push.attempt}"'),
    Slip("ignores 429", "rate-limit-with-a-time", CLASSIFY, f"{CLASSIFY}        if response.status == 429:\n            return None\n"),
    Slip("forgets how long to wait", "rate-limit-with-a-time", CLASSIFY, f"{CLASSIFY}        if response.status == 429:\n            error.until = None\n"),
    Slip("cannot read a date", "rate-limit-with-a-date", CLASSIFY, f"{CLASSIFY}        if response.status == 429 and not response.headers.get('retry-after', '').isdigit():\n            error.until = None\n"),
    Slip("cannot read nonsense", "rate-limit-without-a-time", CLASSIFY, f"{CLASSIFY}        if response.status == 429:\n            int(response.headers.get('retry-after', '0'))\n"),
    Slip("takes 429 for a refusal", "rate-limit-without-a-time", CLASSIFY, f'{CLASSIFY}        if response.status == 429:\n            return type("No", (DeliveryError,), {{}})()\n'),
    Slip("gives up at a 500", "server-error", ROUTES, FLOW.format(outcome='Rejected(record.delivery_id, "failed")')),
    Slip("takes silence for success", "timeout", ROUTES, FLOW.format(outcome="Accepted(record.delivery_id)")),
    Slip("takes a reset for a refusal", "reset", ROUTES, FLOW.format(outcome='Rejected(record.delivery_id, "failed")')),
    Slip("takes a proxy's page for success", "html-page", ROUTES, FLOW.format(outcome="Accepted(record.delivery_id)")),
    Slip("does not read what 200 says", "html-under-success", "error is None and", "error and", also=(READ, "results = {}; return [Accepted(record.delivery_id) for record in batch.records]")),
    Slip("crashes on broken JSON", "broken-json", "not isinstance(response.json(), dict)", "not isinstance(__import__('json').loads(response.body), dict)"),
    Slip("takes a failing body for success", "failing-body-under-success", OUTCOMES, "[Accepted(record.delivery_id) for record in batch.records]"),
    Slip("retries for ever what is refused", "refused-call", CLASSIFY, f"{CLASSIFY}        if response.status == 422:\n            return Unreadable()\n"),
    Slip("takes wrong credentials for an outage", "bad-credentials-while-sending", CLASSIFY, f"{CLASSIFY}        if response.status == 401:\n            return Unreadable()\n"),
    Slip("has a check that writes", "check-is-content", 'Request("GET", "/v1/account")', 'Request("POST", "/v1/profiles", json={"items": [{"person": "test", "traits": {}}]})'),
    Slip("has a check that complains", "check-is-content", 'Finding("ok"', 'Finding("error"'),
    Slip("has a check that asks nobody", "check-finds-bad-credentials", '        yield Request("GET", "/v1/account")\n', "        yield []\n"),
    Slip("takes whatever text it is answered for one that can be written", "poisoned-answers", READ, 'results = {one["ref"].encode().decode(): one for one in __import__("json").loads(response.body).get("results", [])}'),
    Slip("waits for whatever number of seconds it is told", "poisoned-answers", CLASSIFY, f"{CLASSIFY}        if response.headers.get('retry-after', '').isdigit():\n            __import__('datetime').timedelta(seconds=int(response.headers['retry-after']))\n"),
    Slip("needs an address", "awkward: a missing e-mail and phone", "        if isinstance(push, ProfilePush):", "        push.person.email.lower()\n        if isinstance(push, ProfilePush):"),
    Slip("cannot read a list", "awkward: a list", "{**removed, **push.changed}", "{**removed, **{k: v.strip() for k, v in push.changed.items()}}"),
    Slip("puts ids into paths unquoted", "awkward: a source_id with spaces, slashes and quotes", "/v1/{batch.route}", "/v1/{batch.route}{batch.records[0].person.source_id[6:].strip('0123456789')}"),
    Slip("drops nulls", "case: a-changed-and-a-removed-trait", "{**removed, **push.changed}", "dict(push.changed)"),
    Slip("has a case without a success sentence", "has-cases", "  success: The changed value and a null go out, nothing else.\n", "", "cases/profiles.yaml"),
)  # fmt: skip

POST_MESSAGE = '        (yield Request("POST", "/messages", json=item.body)).json()\n'
POST_TAG = '    (yield Request("POST", "/tags", json=tag)).json()\n'
TAG_FAILS = """    try:
        (yield Request("POST", "/tags", json=tag)).json()
    except {error}:
        yield [{outcome}]
        return
"""
MESSAGE_FAILS = """        try:
            yield Request("POST", "/messages", json=item.body)
        except {error}:
            yield [{outcome}]
            return
"""
FLOW_LINE = "    def flow(self, batch: Batch) -> Flow:\n"
NO_AUTH = """    def classify(self, request, response):
        return Permanent("No right.") if response.status == 401 else super().classify(request, response)

"""

LONGWAY = (
    Slip("forgets how far it came", "survives-each-step", "if push.progress != SENT:", "if True:"),
    Slip("does not say how far it came", "survives-each-step", "        yield [Progress(push.delivery_id, SENT)]\n", ""),
    Slip("says how far it came too early", "survives-each-step", POST_MESSAGE + "        yield [Progress(push.delivery_id, SENT)]\n", "        yield [Progress(push.delivery_id, SENT)]\n" + POST_MESSAGE),
    Slip("gives up at the second call", "server-error", POST_TAG, TAG_FAILS.format(error="Retryable", outcome='Rejected(push.delivery_id, "no tag")')),
    Slip("gives up after a lost answer", "survives-each-step", "    except Permanent as refusal:", "    except (Permanent, Retryable) as refusal:"),
    Slip("repeats what may not be repeated", "lost-answer-is-unknown", POST_MESSAGE, MESSAGE_FAILS.format(error="Retryable", outcome='Again(push.delivery_id, "later")')),
    Slip("calls a lost answer a plain failure", "lost-answer-is-unknown", POST_MESSAGE, MESSAGE_FAILS.format(error="Retryable", outcome="").replace("yield []", 'raise Retryable("failed") from None')),
    Slip("declares as safe what duplicates", "lost-answer", 'repeat="duplicates"', 'repeat="safe"'),
    Slip("declares as deduplicated what duplicates", "survives-each-step", 'repeat="duplicates"', 'repeat="deduplicated"'),
    Slip("blames a record for a key that ended", "auth-failure-at-each-call", POST_TAG, TAG_FAILS.format(error="AuthFailed", outcome='Rejected(push.delivery_id, "no right to tag")')),
    Slip("forgets a partial failure of a job", "own-outcomes", "if one.find_by in errors else Accepted", "if len(waiting) == len(errors) else Accepted"),
    Slip("takes an accepted job for a finished one", "partial-failure", "[Pending(record.delivery_id, job, 5, find_by=record.vendor_key) for", "[Accepted(record.delivery_id) for"),
    Slip("asks after a job for ever", "three-records-together", 'if not job.get("done"):', "if True:"),
    Slip("drops those who wait", "three-records-together", "for one in waiting\n        ]", "for one in waiting[1:]\n        ]"),
    Slip("creates a field that is there", "prepare-is-safe-to-repeat", "- set(known))", ")"),
    Slip("prepares a person", "prepare-is-safe-to-repeat", '"POST", "/fields", json={"name": name}', '"POST", "/people", json={"ref": name, "fields": {}}'),
    Slip("does not see what was created before it was cut off", "prepare-survives-each-step", "- set(known))", "- (set(known) if len(known) > 2 else set()))"),
    Slip("prepares with any key", "prepare-finds-bad-credentials", '        known = (yield Request("GET", "/fields")).json()["names"]\n', '        try:\n            known = (yield Request("GET", "/fields")).json()["names"]\n        except AuthFailed:\n            return []\n'),
    Slip("has targets that its own mapping does not fit", "maps: messages", '"required": ["code"]', '"required": ["code"], "maxProperties": 0'),
    Slip("takes from no mapping", "has-a-mapping", "connector: longway", "connectors: longway", "mapping.yaml"),
    Slip("has a mapping that forgets an operation", "maps: messages", "messages:\n  fields: {code: code.code}\n", "", "mapping.yaml"),
    Slip("has a mapping its vendor refuses", "arrives: profiles", "email: profile.email,", "email: profile.first_name,", "mapping.yaml"),
    Slip("keeps its key as progress", "the-ledger-hides-secrets", "yield [Progress(push.delivery_id, SENT)]", 'yield [Progress(push.delivery_id, "sandbox-longway-key")]'),
    Slip("gives up for wrong credentials", "wrong-credentials-pause", FLOW_LINE, NO_AUTH + FLOW_LINE),
)  # fmt: skip

SIGNED = "        if not self._is_signed(request):\n            raise SignatureInvalid\n"
MISSING = '        if not request.headers.get(SIGNATURE):\n            raise SignatureMissing(f"The header {SIGNATURE} is missing.")\n'

SOURCE = (
    Slip("checks no signature", "wrong-secret", SIGNED, ""),
    Slip("takes a missing signature for a wrong one", "missing-signature", MISSING, ""),
    Slip("needs no signature", "missing-signature", MISSING + SIGNED, f'        if "x-acme-signature" in request.headers:\n    {SIGNED.replace("            raise", "                raise")}'),
    Slip("answers a browser as if all were well", "a-look", MISSING + SIGNED, '        if request.method == "GET":\n            return Received([], Reply(200, {"ok": True}))\n' + MISSING + SIGNED),
    Slip("takes whatever looks like a signature", "altered-byte", "return True in", "return len(given) == 64 or True in"),
    Slip("knows the newest secret only", "rotation", "(settings.secret, settings.previous_secret)", "(settings.secret,)"),
    Slip("keeps no message", "a-good-webhook", "for element in elements]", "for element in elements[1:]]"),
    Slip("keeps the first of a batch", "batch", "for element in elements]", "for element in elements[:1]]"),
    Slip("gives all of a batch one key", "batch", "RawMessage(dumps(element), key, person)", 'RawMessage(dumps(element), "k", person)'),
    Slip("derives keys from the time of receipt", "replayed-webhook", "[_message(element) for", "[RawMessage(dumps(element), str(request.received_at)) for"),
    Slip("crashes on what is not JSON", "odd-bodies", "except ValueError", "except KeyError"),
    Slip("crashes on deep nesting", "odd-bodies", "if depth_exceeds(value):", "if False:"),
    Slip("answers refusals with a 500", "refusals-are-answers", "    def _is_signed", "    def refuse(self, request, error):\n        return Reply(500)\n\n    def _is_signed"),
    Slip("shows its secret when printed", "hides-secrets", "    def _is_signed", "    def __repr__(self):\n        return self.settings.secret.get_secret_value()\n\n    def _is_signed"),
    Slip("samples are all one", "a-sample", '{"m-1": number, "cust_1": number}', "{}", "simulator.py"),
    Slip("signs nothing in its tests", "has-a-sender", "(SimulatedSource)", "", "simulator.py"),
)  # fmt: skip

STREAM = (
    Slip("gives records of a partition one key", "record-keys", "{record.partition}/{record.offset}", "{record.partition}"),
    Slip("gives a record another key each time", "record-keys", 'f"{record.topic}/{record.partition}/{record.offset}"', 'str(__import__("uuid").uuid4())'),
    Slip("drops records", "record-keys", "        return [RawMessage(", "        return [][:0] and [RawMessage("),
    Slip("crashes on what is not JSON", "odd-records", "except ValueError", "except KeyError"),
    Slip("takes requests that nothing vouches for", "no-webhooks", 'raise Forbidden("This source reads topics; nothing can be sent to its URL.")', "return Received((), None)"),
    Slip("shows its password when printed", "hides-its-secrets", "    def receive(", "    def __repr__(self) -> str:\n        return self.settings.password.get_secret_value()\n\n    def receive("),
)  # fmt: skip

SECRET_FIRST = (
    '        if not self._is_known(request.headers.get("x-secret", "")):\n            raise SignatureInvalid\n'
)
LATE = 'if request.method == "DELETE" and erasure.status is not ErasureStatus.CANCELLED:'

PRIVACY = (
    Slip("forgets that it was asked to erase", "erasure-is-registered", ', ErasureRequest(key, [found["callback"]])', ""),
    Slip("forgets whom to tell", "erasure-is-registered", 'ErasureRequest(key, [found["callback"]])', "ErasureRequest(key)"),
    Slip("takes a question for a withdrawal", "erasure-questions-are-answered", 'withdraw=request.method == "DELETE"', "withdraw=True"),
    Slip("says that it withdrew what is done", "erasure-questions-are-answered", LATE, "if False:"),
    Slip("knows requests that nobody made", "erasure-questions-are-answered", "Reply(404, {", "Reply(200, {"),
    Slip("lets anybody ask", "erasure-questions-need-the-secret", SECRET_FIRST, SECRET_FIRST.replace("if not", 'if request.method != "GET" and not')),
    Slip("tells every status alike", "callbacks-tell-the-status", '"status": erasure.status, "url"', '"url"'),
    Slip("tells its secret", "callbacks-tell-the-status", 'Request("POST", "", json', 'Request("POST", "", headers={"x-secret": self.settings.secret.get_secret_value()}, json'),
)  # fmt: skip
