"""Facts of this machine, its interpreters and its working tree, and the CPUs a run may use."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

import psutil

from benchmarks.errors import Problem
from benchmarks.machine.cgroup import cpu_quota, memory_left, read
from benchmarks.machine.packages import ROOT, describe, normalise
from benchmarks.schema.results import Interpreter, Machine

# Distributions that can change a figure, beside those that a framework names.
_MATTER = re.compile(r"numpy|mkl|intel-openmp|onednn|nvidia-(?!ml-py).*|cuda-(bindings|toolkit)")


def machine() -> Machine:
    """The machine's passport."""
    cpu, gpus, cuda = _cpu(), *_gpus()
    cores = psutil.cpu_count(logical=False)
    return Machine(
        name=label(cpu, cores, [gpu["name"] for gpu in gpus]),
        cpu=cpu,
        physical_cores=cores,
        logical_cores=psutil.cpu_count(),
        governor=governor(),
        memory_bytes=psutil.virtual_memory().total,
        gpus=gpus,
        cuda_driver=cuda,
        system=_system(),
        libc=" ".join(platform.libc_ver()).strip(),
        virtualised=_virtualised(read("/proc/cpuinfo")),
    )


def label(cpu: str, cores: int | None, gpus: list[str]) -> str:
    """For example ``amd-epyc-9654-96c-h200``: says what the machine is, not what it is called."""
    cpu = re.sub(r"\((R|TM)\)|@.*|\bCPU\b|\b\d+-Core\b|\b(Six|Eight|Twelve|Sixteen)-Core\b|\bProcessor\b", " ", cpu)
    parts = [cpu, f"{cores}c" if cores else ""]
    if gpus:
        parts += [f"{len(gpus)}x" if len(gpus) > 1 else "", re.sub(r"NVIDIA|GeForce|Tesla", " ", gpus[0])]
    return re.sub(r"[^a-z0-9.]+", "-", " ".join(parts).lower()).strip("-") or "machine"


def _cpu() -> str:
    found = re.search(r"^model name\s*: *(.+)$", read("/proc/cpuinfo"), re.MULTILINE)
    if found:
        return found[1].strip()
    import cpuinfo  # asks other systems; slow, so only where /proc does not say

    return str(cpuinfo.get_cpu_info().get("brand_raw") or platform.processor() or platform.machine())


def _gpus() -> tuple[list[dict[str, str]], str | None]:
    """Name, memory and driver of each NVIDIA GPU, and the CUDA version of the driver; nothing without NVML."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no library, no driver, driver mismatch: NVML has an error class for each
        return [], None
    try:
        driver = str(pynvml.nvmlSystemGetDriverVersion())
        gpus = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = f"{pynvml.nvmlDeviceGetMemoryInfo(handle).total / 2**30:.0f} GiB"
            gpus.append({"name": str(pynvml.nvmlDeviceGetName(handle)), "memory": memory, "driver": driver})
        cuda = int(pynvml.nvmlSystemGetCudaDriverVersion())
        return gpus, f"{cuda // 1000}.{cuda % 1000 // 10}"
    finally:
        pynvml.nvmlShutdown()


def governor(system: Path = Path("/")) -> str | None:
    """The CPU frequency governor, all of them where CPUs differ; None where the system does not show it."""
    files = (system / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    return ", ".join(sorted({read(f).strip() for f in files} - {""})) or None


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):  # not a Linux that says
        name = platform.system()
    return f"{name}, {platform.system()} {platform.release()} {platform.machine()}"


def _virtualised(cpuinfo: str) -> bool | None:
    """x86 shows a hypervisor among the CPU's flags; elsewhere it is unknown."""
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    return "hypervisor" in flags[1].split() if flags else None


def interpreter(name: str, python: str | Path = sys.executable, *, also: Collection[str] = ()) -> Interpreter:
    """``python`` and the installed distributions that matter, and those named in ``also``."""
    facts, wanted = describe(python=python), {normalise(n) for n in also}
    packages = {n: v for n, v in sorted(facts["versions"].items()) if _MATTER.fullmatch(n) or n in wanted}
    return Interpreter(name=name, python=facts["python"], packages=packages)


def git_state(root: Path = ROOT) -> tuple[str | None, bool | None]:
    """Commit of the working tree and whether it has changes; None, None outside a repository."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=20, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    if git("rev-parse", "--show-prefix") != "":  # this tree is not itself a repository, whatever lies above it
        return None, None
    changes = git("status", "--porcelain")
    return git("rev-parse", "--verify", "HEAD"), None if changes is None else bool(changes)


def memory_available(system: Path = Path("/")) -> int:
    """Bytes that can be used without swapping or reaching the limit of a container this process is in."""
    return min([int(psutil.virtual_memory().available), *memory_left(system)])


# -- the CPU budget ----------------------------------------------------------------------------------


def cpu_budget(
    threads: int | None = None, *, allowed: Collection[int] | None = None, system: Path = Path("/")
) -> tuple[int, list[int]]:
    """Threads, and the logical CPUs every worker is bound to (empty where the system cannot bind).

    By default the physical cores of one memory node, one logical CPU of each, as far as a container's quota
    reaches. More threads spread to other cores, then to the cores' second logical CPUs.
    """
    if allowed is None:
        if not hasattr(os, "sched_getaffinity"):
            return threads or psutil.cpu_count(logical=False) or 1, []
        allowed = os.sched_getaffinity(0)
    if threads is not None and threads > len(allowed):
        raise Problem(f"--threads {threads} asks for more than the {len(allowed)} CPUs this process may use")
    nodes = [list(_cores(node, system)) for node in _nodes(set(allowed), system)]
    nodes.sort(key=len, reverse=True)
    if threads is None:
        quota = cpu_quota(system)
        threads = len(nodes[0]) if quota is None else max(1, min(len(nodes[0]), int(quota)))
    firsts = [core[0] for node in nodes for core in node]
    seconds = [cpu for node in nodes for core in node for cpu in core[1:]]
    return threads, sorted([*firsts, *seconds][:threads])


def _nodes(allowed: set[int], system: Path) -> Iterator[set[int]]:
    """The allowed CPUs of each memory node, lowest node first; all together where nodes are not shown."""
    rest = set(allowed)
    for folder in sorted(
        (system / "sys/devices/system/node").glob("node[0-9]*"), key=lambda folder: int(folder.name[4:])
    ):
        here = rest & parse_cpus(read(folder / "cpulist"))
        if here:
            rest -= here
            yield here
    if rest:
        yield rest


def _cores(cpus: set[int], system: Path) -> Iterator[list[int]]:
    """The logical CPUs of each physical core, lowest first."""
    cores: defaultdict[int, list[int]] = defaultdict(list)
    for cpu in sorted(cpus):
        topology = system / f"sys/devices/system/cpu/cpu{cpu}/topology"
        cores[min(parse_cpus(read(topology / "thread_siblings_list")) or {cpu})].append(cpu)
    yield from cores.values()


def parse_cpus(text: str) -> set[int]:
    """A CPU list as the kernel writes it: ``0-3,8,10-11``."""
    cpus: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cpus |= set(range(int(first), int(last or first) + 1))
    return cpus
