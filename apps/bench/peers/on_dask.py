"""The benchmark's workloads on dask.distributed, through its public interface.

    python on_dask.py SATURATION WORKERS

Starts a cluster of so many workers with one thread each and says that it is
ready. Then it does what each line of its standard input names, once, and says
what it took; it ends with its input, or at SIGTERM. So whoever asks decides how
often and in turn with whom.

What it says is one JSON object a line: {"values", "cpu"}; cpu is microseconds of
processor for each task, by process.
"""
import json
import os
import signal
import sys
import time

import dask
import psutil
from distributed import Client, LocalCluster

TASKS = 10_000
TREE = 8_191
TRIPS = 100
SLOW_TASKS = 5_000
SLOW_SECONDS = 0.1


def nothing(*_):
    return 0


def inc(n):
    return n + 1


def sleep(seconds, _):
    time.sleep(seconds)
    return 0


def merge_of(leaves):
    return len(leaves)


salt = 0


def salted(count):
    """Numbers that were not used before: calls with equal arguments would be one task."""
    global salt
    first = salt
    salt += count
    return range(first, first + count)


def run_map(client):
    client.gather(client.map(nothing, salted(TASKS)))
    return TASKS


def run_merge(client):
    leaves = client.map(nothing, salted(TASKS))
    client.submit(merge_of, leaves, key=f"merge-{salt}").result()
    return TASKS + 1


def run_tree(client):
    """As a graph, which is Dask's fastest way to say it."""
    graph = {}
    level = [(nothing, n) for n in salted((TREE + 1) // 2)]
    names = []
    for n, call in enumerate(level):
        graph[f"tree-{salt}-{n}"] = call
        names.append(f"tree-{salt}-{n}")
    made = len(names)
    while len(names) > 1:
        above = []
        for at in range(0, len(names), 2):
            name = f"tree-{salt}-{made}"
            graph[name] = (nothing, names[at], names[at + 1])
            above.append(name)
            made += 1
        names = above
    client.get(graph, names[0])
    return made


SHAPES = {"map 10K": run_map, "merge 10K": run_merge, "tree 8191": run_tree}


def trips(client):
    """Half and 99 of a hundred trips take no longer, in milliseconds."""
    taken = []
    for n in salted(TRIPS):
        since = time.perf_counter()
        client.submit(inc, n).result()
        taken.append((time.perf_counter() - since) * 1_000)
    taken.sort()
    return [taken[TRIPS // 2 - 1], taken[TRIPS * 99 // 100 - 1]]


def slow(client, workers):
    """How many times as long as the ideal."""
    since = time.perf_counter()
    leaves = client.map(sleep, [SLOW_SECONDS] * SLOW_TASKS, salted(SLOW_TASKS))
    client.submit(merge_of, leaves, key=f"slow-{salt}").result()
    return (time.perf_counter() - since) / (SLOW_TASKS * SLOW_SECONDS / workers)


def cpu_of(processes):
    return {name: sum(sum(one.cpu_times()[:2]) for one in some) for name, some in processes.items()}


def measured(processes, shape, client):
    before = cpu_of(processes)
    since = time.perf_counter()
    tasks = shape(client)
    seconds = time.perf_counter() - since
    after = cpu_of(processes)
    return [seconds * 1e6 / tasks], {name: (after[name] - before[name]) * 1e6 / tasks for name in after}


def say(values, cpu):
    print(json.dumps({"values": values, "cpu": cpu}), flush=True)


def main():
    # As an exception, so that the cluster is closed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    saturation, workers = float(sys.argv[1]), int(sys.argv[2])
    dask.config.set({"distributed.scheduler.worker-saturation": saturation})
    since = time.perf_counter()
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster, Client(cluster) as client:
        client.wait_for_workers(workers)
        say([(time.perf_counter() - since) * 1_000], {})
        # LocalCluster's scheduler is a part of the client's process.
        pids = client.run(os.getpid).values()
        processes = {"client and scheduler": [psutil.Process()], "workers": [psutil.Process(pid) for pid in pids]}
        for line in sys.stdin:
            wanted = line.strip()
            if wanted == "trips":
                say(trips(client), {})
            elif wanted == "slow":
                say([slow(client, workers)], {})
            else:
                say(*measured(processes, SHAPES[wanted], client))


if __name__ == "__main__":
    main()
