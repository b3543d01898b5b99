"""What is read off the text of a compiled program."""

import pytest

from bert4keras3.backend.program_report import collectives, host_calls


def test_collectives_are_read():
    text = "\n".join(
        [
            "%a = (f32[4,2]{1,0}, /*index=1*/bf16[3]) all-reduce(%x), channel_id=1",
            "%b = (f32[4,2]{1,0}, /*index=1*/bf16[3]) all-reduce(%y), channel_id=1",
            "%c = f32[2] all-reduce-start(%z), channel_id=1, x={}",
            "%d = (s32[2]{0}, s32[8]{0}) all-gather-start(%z), channel_id=7",
            "%e = pred[] get-tuple-element(%all-reduce.5), index=0",
            "%f = ((f32[2], f32[3]), (f32[8], f32[12])) all-gather-start(%u, %v)",
            "%g = ((f32[8]), f32[2]) reduce-scatter-start(%z)",
            "%h = (f32[3], f32[3], u32[], u32[]) collective-permute-start(%z)",
        ]
    )
    assert collectives(text) == {
        "all-reduce": 32 + 6 + 8,
        "all-gather": 32 + 80,
        "reduce-scatter": 8,
        "collective-permute": 12,
    }


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('x = custom-call(y), custom_call_target="xla_ffi_python_cpu_callback"', 1),
        ('x = custom-call(y), custom_call_target="__onednn$matmul"', 0),
        ("%0 = stablehlo.custom_call @xla_python_gpu_callback(%arg0)", 1),
        ("%0 = stablehlo.custom_call @Sharding(%arg0)", 0),
        ('1 "my_callback"', 0),
        ('loc("gelu_python"("model.py":3:1))', 0),
        ("x = ((f32[2]), token[]) infeed(y)", 1),
        ("x = token[] send(y, z), channel_id=1, is_host_transfer=true", 1),
        ("x = token[] send(y, z), channel_id=1", 0),
        ('"stablehlo.recv"(%0)', 1),
    ],
)
def test_calls_to_the_host_are_read(line, found):
    assert len(host_calls(line)) == found
