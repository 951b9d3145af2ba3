"""Queues whose answer is known: Poisson arrivals, exponential service, c servers (M/M/c), first come first served.

References
----------
Gross D, Shortle JF, Thompson JM, Harris CM (2008). Fundamentals of Queueing Theory, 4th edition, section 2.3. Wiley.
"""

from __future__ import annotations


def erlang_b(servers: int, load: float) -> float:
    """Return the share of arrivals that find all servers busy where nobody waits.

    Parameters
    ----------
    servers : int
        At least 1.
    load : float
        Arrival rate times mean service time, in erlangs, above 0.
    """
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """Return the chance that an arrival has to wait, B / (1 − ρ (1 − B)) with ρ = load / servers.

    Parameters
    ----------
    servers : int
        At least 1.
    load : float
        In erlangs, above 0.

    Returns
    -------
    float
        1 where the load is not below the number of servers and the queue grows without end.
    """
    if load >= servers:
        return 1.0
    blocked = erlang_b(servers, load)
    return blocked / (1.0 - load / servers * (1.0 - blocked))


def mean_wait(servers: int, arrival_rate: float, service_time: float) -> float:
    """Return the mean wait before service, C · s / (c − load); infinite where the queue grows without end.

    Parameters
    ----------
    servers : int
    arrival_rate : float
        In a unit of time, above 0.
    service_time : float
        Mean, in that unit.
    """
    load = arrival_rate * service_time
    if load >= servers:
        return float("inf")
    return erlang_c(servers, load) * service_time / (servers - load)
