"""The benchmark's workloads on Ray with two CPUs, through its public interface.

    python on_ray.py

Asked and answering as on_dask.py is; what Ray's own processes use is the sum of
all processes below this one.
"""
import json
import signal
import sys
import time

import psutil
import ray

TASKS = 10_000
TREE = 8_191
TRIPS = 500


@ray.remote(num_cpus=1)
def nothing(*_):
    return 0


def run_map():
    ray.get([nothing.remote(n) for n in range(TASKS)])
    return TASKS


def run_merge():
    ray.get(nothing.remote(*[nothing.remote(n) for n in range(TASKS)]))
    return TASKS + 1


def run_tree():
    level = [nothing.remote(n) for n in range((TREE + 1) // 2)]
    made = len(level)
    while len(level) > 1:
        level = [nothing.remote(level[at], level[at + 1]) for at in range(0, len(level), 2)]
        made += len(level)
    ray.get(level[0])
    return made


SHAPES = {"map 10K": run_map, "merge 10K": run_merge, "tree 8191": run_tree}


def trips():
    """Half and 99 of a hundred trips take no longer, in milliseconds."""
    taken = []
    for n in range(TRIPS):
        since = time.perf_counter()
        ray.get(nothing.remote(n))
        taken.append((time.perf_counter() - since) * 1_000)
    taken.sort()
    return [taken[TRIPS // 2 - 1], taken[TRIPS * 99 // 100 - 1]]


def cpu_now():
    me = psutil.Process()
    total = 0.0
    for child in me.children(recursive=True):
        try:
            total += sum(child.cpu_times()[:2])
        except psutil.NoSuchProcess:
            pass
    return {"client": sum(me.cpu_times()[:2]), "all others": total}


def measured(shape):
    before = cpu_now()
    since = time.perf_counter()
    tasks = shape()
    seconds = time.perf_counter() - since
    after = cpu_now()
    return [seconds * 1e6 / tasks], {name: (after[name] - before[name]) * 1e6 / tasks for name in after}


def say(values, cpu):
    print(json.dumps({"values": values, "cpu": cpu}), flush=True)


def main():
    # As an exception, so that Ray is shut down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    since = time.perf_counter()
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        say([(time.perf_counter() - since) * 1_000], {})
        for line in sys.stdin:
            wanted = line.strip()
            if wanted == "trips":
                say(trips(), {})
            else:
                say(*measured(SHAPES[wanted]))
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
