"""The newest request is always done; those passed over meanwhile are dropped, and nothing lags."""

import threading

from fersyn.explore.painter import Latest


def test_stale_requests_are_dropped_and_the_last_one_is_done():
    begun, go, seen = threading.Event(), threading.Event(), []

    def work(request):
        seen.append(request)
        begun.set()
        assert go.wait(10)

    worker = Latest(work)
    worker.ask(0)
    assert begun.wait(10)
    for number in range(1, 50):
        worker.ask(number)
    assert worker.waiting and not worker.wait(0.01)
    go.set()
    assert worker.wait(10)
    assert seen == [0, 49] and (worker.done, worker.dropped) == (2, 48)
    worker.close()


def test_nothing_asked_is_nothing_to_wait_for():
    worker = Latest(print)
    assert worker.wait(0.01) and not worker.waiting
