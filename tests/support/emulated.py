"""emulated.py - for tests in Python: the emulated GPU as the driver of the programs that they start."""
import os
import subprocess

PROGRAM = "graph main(x: f32[2] = iota()) {\n    %y = exp %x\n    return %y\n}\n"


def gpu(tool):
    """Is there one, and an NVRTC that compiles for it? Programs that are started later find it."""
    driver = os.environ.get("BRAZE_FAKECUDA") or os.environ.get("BRAZE_LIBCUDA", "")
    if not os.path.isfile(driver):
        return False
    os.environ["BRAZE_LIBCUDA"] = driver
    said = subprocess.run([tool, "run", "-", "--device", "cuda"], input=PROGRAM, capture_output=True, text=True, timeout=120).stderr
    return "no usable NVRTC" not in said
