"""Programs in processes of their own: several of them, or with several devices."""

import os
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parent)}


def with_devices(count, *arguments):
    """The output of a Python program that sees `count` CPU devices (jax).

    arguments: of the interpreter: the program's path, or -c and its text, and so on.
    Raises AssertionError with its last words if it fails.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    flags += f" --xla_force_host_platform_device_count={count}"
    own = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    run = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**ENVIRONMENT, **own},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


def run_processes(program, count, folder, *arguments, seconds=300):
    """Run `program PORT NUMBER COUNT arguments...` so often; none is left behind.

    folder: where NUMBER.log goes, what a process wrote to stderr. Raises
    AssertionError with it if a process fails, TimeoutExpired after `seconds`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    try:
        for number in range(count):
            command = [sys.executable, HERE / program, port, number, count, *arguments]
            with open(folder / f"{number}.log", "w", encoding="utf-8") as log:
                started.append(
                    subprocess.Popen(
                        list(map(str, command)), env=ENVIRONMENT, stderr=log
                    )
                )
        for number, one in enumerate(started):
            log = folder / f"{number}.log"
            assert one.wait(seconds) == 0, log.read_text(encoding="utf-8")[-3000:]
    finally:
        for one in started:  # they would wait for minutes for the one that failed
            if one.poll() is None:
                one.kill()
                one.wait()
