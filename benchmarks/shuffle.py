"""`bert4keras3 shuffle` on a large file: speed, memory, uniformity, kill -9.

    python benchmarks/shuffle.py --gigabytes 4 --rounds 3 --kills 10
    taskset -c 0,1 python benchmarks/shuffle.py --texts corpus/*.txt

The file is made of the lines of --texts (default: made up), repeated, each with its
number in front. Beside the shuffle, in turn: two plain copies, `cp a b; cp b c`. The
folder needs four times the size; what is made in it is deleted at the end. Linux.
"""

import argparse
import hashlib
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def make(path, size, texts):
    """Write a file of at least `size` bytes: number, tab, text."""
    if texts:
        lines = [line for text in texts for line in open(text, "rb")]
    else:
        draw = random.Random(0)
        words = [chr(draw.randrange(0x4E00, 0x9FA5)) for _ in range(3000)]
        lengths = [
            min(int(draw.lognormvariate(3.6, 0.8)) + 1, 2000) for _ in range(9999)
        ]
        lines = ["".join(draw.choices(words, k=n)).encode() for n in lengths]
    lines = [b"\t%b\n" % line.rstrip(b"\r\n") for line in lines]
    written = number = 0
    with open(path, "wb") as file:
        while written < size:
            block = b"".join(b"%d%b" % pair for pair in enumerate(lines, number))
            written += file.write(block)
            number += len(lines)
    return number


def command(source, target, args):
    words = ["shuffle", str(source), str(target), "--force", "--memory", args.memory]
    if args.workers is not None:
        words += ["--workers", str(args.workers)]
    return [sys.executable, "-m", "bert4keras3", *words]


def start(source, target, args):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command(source, target, args), env=environment, stdout=subprocess.DEVNULL
    )


def timed(*commands):
    began = time.perf_counter()
    for one in commands:
        subprocess.run(one, check=True)
    return time.perf_counter() - began


def tree(pid):
    """`pid` and its descendants."""
    found = [pid]
    for one in found:
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                found += [
                    int(child) for child in (task / "children").read_text().split()
                ]
        except OSError:
            continue
    return found


def field(path, name):
    """Bytes of a line `name:  N kB` of a file in /proc; 0 if it is gone."""
    try:
        for line in Path(path).read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def watch(process, every=0.05):
    """(sum of every process's own peak RSS, peak of the sum of PSS) of a run."""
    peaks, pss = {}, 0
    while process.poll() is None:
        pids = tree(process.pid)
        for pid in pids:
            peaks[pid] = max(peaks.get(pid, 0), field(f"/proc/{pid}/status", "VmHWM"))
        pss = max(pss, sum(field(f"/proc/{pid}/smaps_rollup", "Pss") for pid in pids))
        time.sleep(every)
    assert process.returncode == 0
    return peaks, pss


def digest(path):
    """SHA-1 of a file."""
    with open(path, "rb") as file:
        total = hashlib.sha1()
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def multiset(path):
    """Number of lines and a sum of their hashes, the same in any order."""
    count, total = 0, 0
    with open(path, "rb") as file:
        while lines := file.readlines(1 << 22):
            count, total = count + len(lines), total + sum(map(hash, lines))
    return count, total & (1 << 64) - 1


def spread(path, count, cells=100):
    """Chi-square of (place in the source, place in the target), as a z score."""
    table, row = np.zeros((cells, cells)), 0
    with open(path, "rb") as file:
        while lines := file.readlines(1 << 22):
            numbers = np.array([int(line.split(b"\t", 1)[0]) for line in lines])
            places = np.arange(row, row + len(lines)) * cells // count
            np.add.at(table, (numbers * cells // count, places), 1)
            row += len(lines)
    expected = table.sum(1, keepdims=True) * table.sum(0) / count
    freedom = (cells - 1) ** 2
    chi = ((table - expected) ** 2 / expected).sum()
    return (chi - freedom) / (2 * freedom) ** 0.5


def killed(source, target, args, seconds):
    """Kill -9 at --kills random moments, going on each time; returns the moments."""
    moments = []
    while len(moments) < args.kills:
        process = start(source, target, args)
        moments.append(random.uniform(0, 2 * seconds / (args.kills + 1)))
        time.sleep(moments[-1])
        if process.poll() is not None:
            sys.exit("it ended before the kill: use a larger file or fewer kills")
        process.kill()
        process.wait()
    if start(source, target, args).wait():
        sys.exit("the run after the kills failed")
    return moments


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/shuffle_benchmark"))
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--memory", default="256MB")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--texts", nargs="*")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    source, target, a, b = (args.folder / n for n in ("source", "target", "a", "b"))
    try:
        count = make(source, args.gigabytes * 1e9, args.texts)
        size = source.stat().st_size
        print(f"{size:,} bytes, {count:,} lines, {len(os.sched_getaffinity(0))} cores")
        measure(args, source, target, a, b, count)
    finally:
        for path in (source, target, a, b):
            path.unlink(missing_ok=True)


def measure(args, source, target, a, b, count):
    """Print all figures."""
    times = []
    os.environ["PYTHONPATH"] = str(ROOT)
    for _ in range(args.rounds):
        copies = timed(["cp", source, a], ["cp", a, b])
        a.unlink(), b.unlink()
        shuffle = timed(command(source, target, args))
        times.append((copies, shuffle))
        print(f"two copies {copies:6.1f} s, shuffle {shuffle:6.1f} s", flush=True)
    ratio = statistics.median(copies / shuffle for copies, shuffle in times)
    print(f"speed beside two copies: {ratio:.0%}", flush=True)
    peaks, pss = watch(start(source, target, args))
    each = ", ".join(f"{peak / 1e6:.0f}" for peak in peaks.values())
    print(
        f"peak RSS {sum(peaks.values()) / 1e6:.0f} MB ({each}), PSS {pss / 1e6:.0f} MB"
    )
    print(f"multiset equal: {multiset(source) == multiset(target)}", flush=True)
    print(f"chi-square of places: z = {spread(target, count):+.2f}", flush=True)
    if args.kills:
        whole = digest(target)
        target.unlink()
        moments = killed(source, target, args, statistics.median(t[1] for t in times))
        same = digest(target) == whole
        at = " ".join(f"{moment:.1f}" for moment in moments)
        print(f"kill -9 after {at} s of {len(moments)} runs: same output: {same}")


if __name__ == "__main__":
    main()
