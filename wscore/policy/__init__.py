"""Decisions around a connection that are no part of the protocol, taken once for all backends.

Like the core, nothing here does I/O, reads a clock or draws a random number: a backend asks, and acts on the
answer.

A client: `plan_connection` and `follow` (what to connect to, through which proxy), `DialPlan` (which address
when), `ConnectTunnel` (through an HTTP proxy), `Retries` with `Backoff` and `should_retry` (when to try
again). A server: `Admission` (who may come in), `Gate` with `Accept`, `Router` and `basic_auth` (what a
request is answered), `Reception` (who is here, and who goes when). Both: `SessionInfo`, `InParts` and
`received` (messages in parts, messages out of events), `outcome_of` (a handler's end as a close), `offer` and
`SlowConsumer` (broadcasts), and `printable`, `redact_headers` and `redact_target` for logs.
"""

from ._accept import Accept
from ._admission import Admission, Entry
from ._auth import basic_auth, basic_authorization, parse_basic
from ._backoff import Backoff, asked_to_wait, parse_retry_after, should_retry
from ._dial import DialPlan, interleave
from ._gate import SERVER_FULL, Gate, ProcessRequest, ProcessRequestAwaiting, Verdict
from ._json import decode_json, encode_json
from ._outcome import Outcome, may_send, opening_error, opening_failure, outcome_of
from ._parts import InParts, Part
from ._plain import awaits, check_plain
from ._plan import Plan, RedirectRefused, follow, plan_connection
from ._proxy import ConnectTunnel, Proxy, ProxyRefused, parse_proxy, proxy_from_environment
from ._receiving import Received, expect_parts, expect_whole, in_part, received, whole
from ._reception import LAST_WORDS, Reception, Visitor, target_of
from ._redact import printable, redact_headers, redact_target
from ._retries import Retries
from ._router import Route, Router
from ._session import SessionFacts, SessionInfo
from ._slow import Backlog, Offered, SlowConsumer, offer, prepare

__all__ = [
    "LAST_WORDS",
    "SERVER_FULL",
    "Accept",
    "Admission",
    "Backlog",
    "Backoff",
    "ConnectTunnel",
    "DialPlan",
    "Entry",
    "Gate",
    "InParts",
    "Offered",
    "Outcome",
    "Part",
    "Plan",
    "ProcessRequest",
    "ProcessRequestAwaiting",
    "Proxy",
    "ProxyRefused",
    "Received",
    "Reception",
    "RedirectRefused",
    "Retries",
    "Route",
    "Router",
    "SessionFacts",
    "SessionInfo",
    "SlowConsumer",
    "Verdict",
    "Visitor",
    "asked_to_wait",
    "awaits",
    "basic_auth",
    "basic_authorization",
    "check_plain",
    "decode_json",
    "encode_json",
    "expect_parts",
    "expect_whole",
    "follow",
    "in_part",
    "interleave",
    "may_send",
    "offer",
    "opening_error",
    "opening_failure",
    "outcome_of",
    "parse_basic",
    "parse_proxy",
    "parse_retry_after",
    "plan_connection",
    "prepare",
    "printable",
    "proxy_from_environment",
    "received",
    "redact_headers",
    "redact_target",
    "should_retry",
    "target_of",
    "whole",
]
