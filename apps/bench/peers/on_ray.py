"""The benchmark's workloads on Ray with two CPUs, through its public interface.

    python on_ray.py RUNS

Writes one JSON object a line, as on_dask.py does; what Ray's own processes use is
the sum of all processes below this one.
"""
import json
import statistics
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


def round_trips():
    taken = []
    for n in range(TRIPS):
        since = time.perf_counter()
        ray.get(nothing.remote(n))
        taken.append((time.perf_counter() - since) * 1_000)
    return sorted(taken)


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
    return seconds * 1e6 / tasks, {name: (after[name] - before[name]) * 1e6 / tasks for name in after}


def say(name, unit, values, cpus):
    cpu = {} if not cpus else {key: statistics.median(one[key] for one in cpus) for key in cpus[0]}
    print(json.dumps({"name": name, "unit": unit, "values": values, "cpu": cpu}), flush=True)


def main():
    runs = int(sys.argv[1])
    since = time.perf_counter()
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    say("ready, two CPUs", "ms", [(time.perf_counter() - since) * 1_000], [])
    try:
        for name, shape in {"map 10K": run_map, "merge 10K": run_merge, "tree 8191": run_tree}.items():
            cold = measured(shape)
            if name == "map 10K":
                say("map 10K, cold", "µs a task", [cold[0]], [cold[1]])
            found = [measured(shape) for _ in range(runs)]
            say(name, "µs a task", [figure for figure, _ in found], [cpu for _, cpu in found])
        round_trips()
        trips = [round_trips() for _ in range(runs)]
        say("submit → result, back to back, p50", "ms", [some[len(some) // 2] for some in trips], [])
        say("submit → result, back to back, p99", "ms", [some[int(len(some) * 0.99)] for some in trips], [])
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
