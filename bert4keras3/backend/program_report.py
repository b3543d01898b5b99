"""What a program compiled by XLA needs and does, read off its text (HLO)."""

import math
import re
from dataclasses import dataclass

_COLLECTIVES = (
    "all-reduce",
    "all-gather",
    "reduce-scatter",
    "all-to-all",
    "collective-permute",
    "collective-broadcast",
    "ragged-all-to-all",
)
_COLLECTIVE = re.compile(rf" ({'|'.join(_COLLECTIVES)})(-start)?\(")
_CHANNEL = re.compile(r"channel_id=(\d+)")
_SHAPE = re.compile(r"\b([a-z]+[0-9]*[a-z0-9]*)\[([0-9,]*)\]")
_BITS = re.compile(r"[a-z]+(\d+)")
# HLO and StableHLO: calls of Python, and ways to exchange data with a host.
_PYTHON = r"\w*(?:python|callback|host_compute|xla_ffi_py)\w*"
_HOST = re.compile(
    rf"""(?:custom_call_target\s*=\s*"|stablehlo\.custom_call @)({_PYTHON})"""
    r"""|\b(infeed|outfeed)\(|(stablehlo\.(?:infeed|outfeed|send|recv))\b"""
    r"""|(is_host_transfer\s*=\s*true)"""
)


def host_calls(text):
    """What a program's text has that waits for the host: names, each once."""
    return sorted({one[one.lastindex] for one in _HOST.finditer(text)})


def collectives(text):
    """{kind: bytes that one device gets from all collectives of the kind}.

    text: HLO. A loop's are counted once, and so are the copies of one collective in
    the fusions that overlap with it: they have its channel and its shapes.
    """
    found, seen = {}, set()
    for line in text.splitlines():
        match = _COLLECTIVE.search(line)
        if match is None:
            continue
        shapes = _SHAPE.findall(line[: match.start()])
        channel = _CHANNEL.search(line)
        key = (match[1], channel and channel[1], tuple(shapes))
        if channel and key in seen:
            continue
        seen.add(key)
        if match[2] and match[1] != "all-reduce":
            # (operands, results), then the counters of collective-permute-start
            shapes = [one for one in shapes if one != ("u32", "")]
            shapes = shapes[len(shapes) // 2 :]
        found[match[1]] = found.get(match[1], 0) + sum(map(_size, shapes))
    return found


def _size(array):
    """Bytes of an array's (type, shape)."""
    kind, shape = array
    return math.prod(int(n) for n in shape.split(",") if n) * _bits(kind) // 8


def _bits(kind):
    return 8 if kind == "pred" else int(_BITS.match(kind)[1])


@dataclass(frozen=True)
class Report:
    """Of one device. Times in seconds, memory and traffic in bytes.

    arguments: weights, optimizer and batch; donated: of these, what results may
    overwrite; temporary: beside arguments and results; code: of the program itself;
    flops, accessed: operations and bytes read or written, as XLA's cost analysis counts
    them, the body of a loop once; collectives: see `collectives`; host_calls: names,
    none in a program that never waits for the host.
    """

    tracing: float
    compiling: float
    arguments: int
    results: int
    donated: int
    temporary: int
    code: int
    flops: float
    accessed: float
    collectives: dict
    host_calls: list

    @classmethod
    def of(cls, program, tracing, compiling):
        """The report of a `jax.stages.Compiled`."""
        memory, cost = program.memory_analysis(), program.cost_analysis()
        text = program.as_text()
        return cls(
            tracing=tracing,
            compiling=compiling,
            arguments=memory.argument_size_in_bytes,
            results=memory.output_size_in_bytes,
            donated=memory.alias_size_in_bytes,
            temporary=memory.temp_size_in_bytes,
            code=memory.generated_code_size_in_bytes,
            flops=cost["flops"],
            accessed=cost["bytes accessed"],
            collectives=collectives(text),
            host_calls=host_calls(text),
        )

    @property
    def memory(self):
        """Bytes of a device while the program runs, its code included."""
        kept = self.arguments + self.results - self.donated
        return kept + self.temporary + self.code
