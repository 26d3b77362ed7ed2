from __future__ import annotations

from tests.integration.relay.relaying import Log, Recorder, until


def test_two_relays_share_the_sources_and_one_that_stops_leaves_all_to_the_other(relays):
    first = relays(Recorder())
    until(lambda: first.figures()["sources"] == 5)
    second = relays(Recorder())
    until(lambda: first.figures()["sources"] == 3 and second.figures()["sources"] == 2)
    assert first.stop(5)
    until(lambda: second.figures()["sources"] == 5)


def test_a_relay_whose_leases_ran_out_moves_no_cursor(log, redis_url, namespace, relays):
    usurped = []

    def usurp(_each):
        # Somebody else takes the source while our window is out.
        source = log.source_of("ord-1")
        log.client.set(source.lease, "somebody-else", px=60_000)
        usurped.append(source)
        return True

    relay = relays(Recorder(answer=usurp))
    log.append("ord-1", 1)
    until(lambda: usurped and relay.figures()["sources"] < 5)
    assert log.client.get(log.source_of("ord-1").cursor) is None


def test_a_cursor_that_could_not_be_stored_is_stored_when_redis_is_back(own_valkey, namespace, relays):
    log = Log(own_valkey.url, namespace)

    def delivered_and_then_redis_ends(_each):
        own_valkey.kill()
        return True

    recorder = Recorder(answer=delivered_and_then_redis_ends)
    relay = relays(recorder, url=own_valkey.url, lease_s=30)
    log.append("ord-1", 1)
    until(lambda: relay.figures()["redis"] == "away")
    recorder.answer = lambda _each: True
    own_valkey.start()
    until(lambda: log.cursors() == log.ends())
    assert len(recorder.bodies) == 1, "it had no need to be published again"
    log.client.close()
