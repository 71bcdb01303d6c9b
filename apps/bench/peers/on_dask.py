"""The benchmark's workloads on dask.distributed, through its public interface.

    python on_dask.py SATURATION MODE RUNS [SHAPE]

MODE is "warm" (a cluster of two workers with one thread each, every shape and
the round trip, after one round that does not count), "cold" (one shape, once,
in a new process and cluster) or "slow" (merge_slow on 24 workers).

Writes one JSON object a line: {"name", "unit", "values", "cpu"}; cpu is
microseconds of processor for each task, by process.
"""
import json
import statistics
import sys
import time

import dask
import psutil
from distributed import Client, LocalCluster, wait

TASKS = 10_000
TREE = 8_191
TRIPS = 200


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


def round_trips(client):
    taken = []
    for n in salted(TRIPS):
        since = time.perf_counter()
        client.submit(inc, n).result()
        taken.append((time.perf_counter() - since) * 1_000)
    return sorted(taken)


SHAPES = {"map 10K": run_map, "merge 10K": run_merge, "tree 8191": run_tree}


def cpu_of(processes):
    return {name: sum(sum(one.cpu_times()[:2]) for one in some) for name, some in processes.items()}


def measured(processes, shape, client):
    before = cpu_of(processes)
    since = time.perf_counter()
    tasks = shape(client)
    seconds = time.perf_counter() - since
    after = cpu_of(processes)
    return seconds * 1e6 / tasks, {name: (after[name] - before[name]) * 1e6 / tasks for name in after}


def say(name, unit, values, cpus):
    cpu = {} if not cpus else {key: statistics.median(one[key] for one in cpus) for key in cpus[0]}
    print(json.dumps({"name": name, "unit": unit, "values": values, "cpu": cpu}), flush=True)


def cluster_of(workers):
    return LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50)


def main():
    saturation, mode, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    dask.config.set({"distributed.scheduler.worker-saturation": float(saturation)})
    with cluster_of(24 if mode == "slow" else 2) as cluster, Client(cluster) as client:
        pids = [info["pid"] for info in client.run(lambda: {"pid": __import__("os").getpid()}).values()]
        # LocalCluster's scheduler is a part of the client's process.
        processes = {"client and scheduler": [psutil.Process()], "workers": [psutil.Process(pid) for pid in pids]}
        if mode == "cold":
            figure, cpu = measured(processes, SHAPES[sys.argv[4]], client)
            return say(sys.argv[4], "µs a task", [figure], [cpu])
        if mode == "slow":
            values = []
            for _ in range(runs):
                since = time.perf_counter()
                leaves = client.map(sleep, [0.1] * 5_000, salted(5_000))
                client.submit(merge_of, leaves, key=f"slow-{salt}").result()
                values.append((time.perf_counter() - since) / (5_000 * 0.1 / 24))
            return say("merge_slow 5000 × 100 ms, 24 × 1", "× ideal", values, [])
        for name, shape in SHAPES.items():
            measured(processes, shape, client)
            found = [measured(processes, shape, client) for _ in range(runs)]
            say(name, "µs a task", [figure for figure, _ in found], [cpu for _, cpu in found])
        round_trips(client)
        trips = [round_trips(client) for _ in range(runs)]
        say("submit → result, back to back, p50", "ms", [some[len(some) // 2] for some in trips], [])
        say("submit → result, back to back, p99", "ms", [some[int(len(some) * 0.99)] for some in trips], [])


if __name__ == "__main__":
    main()
