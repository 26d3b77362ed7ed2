"""Which points are hit in which scene, with which flows: the whole matrix, and the sample that runs with the tests."""

from __future__ import annotations

from collections import defaultdict

from tests.faults.crash_lane import FLOWS, Case

ALL = tuple(FLOWS)
READ = ("card", "payid", "payin")  # gateway links are not read
LISTED = ("card", "payin")
REFUNDED = ("card", "payid", "payin")
HITS = (1, 2)
# A few instructions from a point of the sample; the matrix has them.
NEAR_ANOTHER = (
    *("parsed", "before-ack", "before-refusal", "before-command", "permitted", "let-out", "before-commit"),
    *("before-read", "before-scan", "before-renewal", "cursor", "drained"),
)
STRIDE = 3  # shares no factor with the number of flows times hits
ONCE = (1,)

SENDS = ("permitted", "before-mark", "marked", "before-post", "let-out", "half-post", "mid-post", "replied")
RELAYS = ("before-publish", "published", "cursor")

# scene, points, flows, hits
_TABLE: tuple[tuple[str, tuple[str, ...], tuple[str, ...], tuple[int, ...]], ...] = (
    ("create", ("popped", "parsed", "before-accept", "accepted", "before-ack", "acknowledged"), ALL, HITS),
    ("create", (*SENDS, "before-commit", "committed", *RELAYS), ALL, HITS),
    ("refusal", ("before-refusal", "refused"), ALL, HITS),
    ("paid", ("claimed", "observed", "before-commit", "committed", *RELAYS), ALL, HITS),
    ("paid", ("before-read", "mid-read", "read"), READ, HITS),
    ("paid", SENDS, ("card",), HITS),
    ("paid", ("verified", "kept"), ALL, HITS),
    ("refund", ("before-command", "command-kept", "before-ack", "observed", "committed"), ALL, HITS),
    ("refund", SENDS, REFUNDED, HITS),
    ("refund", ("before-refusal", "refused"), ("gateway_link",), HITS),
    ("scan", ("before-scan", "mid-scan", "scanned"), LISTED, HITS),
    ("held", ("before-renewal", "renewed"), ALL, HITS),
    ("stopped", ("stopping",), ALL, HITS),
    ("stopped", ("handing-over", "drained", "relay-stopped"), ALL, ONCE),
)


def matrix() -> list[Case]:
    """Every case."""
    return [
        Case(scene=scene, point=point, flow=flow, hit=hit)
        for scene, points, flows, hits in _TABLE
        for point in points
        for flow in flows
        for hit in hits
    ]


def sample() -> list[Case]:
    """Most points once; scenes, flows and hits in turn."""
    by_point: defaultdict[str, list[Case]] = defaultdict(list)
    for case in matrix():
        if case.point not in NEAR_ANOTHER:
            by_point[case.point].append(case)
    return [cases[number * STRIDE % len(cases)] for number, cases in enumerate(by_point.values())]
