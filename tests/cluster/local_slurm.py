"""A real Slurm on this machine: munged, slurmctld and a slurmd for each node, all files below one folder.

Every node is this host under a port of its own. No cgroups, no accounting and no systemd are needed; the daemons must
start as root, because slurmd switches to the user of a job.
"""

import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
FOLDERS = ("log", "run", "state", "spool")
LONGEST = 60
"""Seconds within which a daemon answers or ends."""
DONE = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")
MUNGED = {
    "key-file": "munge.key",
    "socket": "run/munge.socket",
    "pid-file": "run/munged.pid",
    "seed-file": "run/munged.seed",
    "log-file": "log/munged.log",
}
CONFIGURATION = """\
ClusterName=local
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
JobRequeue=1
MinJobAge=86400
KillWait=5
MessageTimeout=10
UnkillableStepTimeout=60
"""


def can_start() -> bool:
    """Return whether Slurm's daemons are installed and this user may start them."""
    search = f"{os.environ['PATH']}:/usr/sbin"
    return os.geteuid() == 0 and all(shutil.which(name, path=search) for name in DAEMONS)


@dataclass(frozen=True)
class Cluster:
    """A running Slurm. folder: of its configuration, state and logs; environment: of the commands that talk to it."""

    folder: Path
    environment: dict[str, str]

    def command(self, *words: str) -> str:
        """Return what a command prints; raise CalledProcessError if it fails."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout

    def state(self, job: str) -> str:
        """Return the states of a job, or of all tasks of an array, as one word each, in the order of the tasks."""
        shown = self.command("scontrol", "--oneliner", "show", "job", job)
        return " ".join(re.findall(r"JobState=(\w+)", shown))

    def ended(self, job: str, longest: float = 600) -> str:
        """Return the states of a job once all its tasks have ended."""
        deadline = time.monotonic() + longest
        while not {*self.state(job).split()} <= {*DONE}:
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {job} must end within {longest} s, found {self.state(job)}: see {self.folder}")
            time.sleep(0.5)
        return self.state(job)

    def processes(self, job: str) -> list[int]:
        """Return the ids of the processes that belong to a step of a job, of srun and of the batch script not."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                variables = path.read_bytes().split(b"\0")
                words = (path.parent / "cmdline").read_bytes().split(b"\0")
            except OSError:  # the process has ended, or is another user's
                continue
            is_of_job = f"SLURM_JOB_ID={job}".encode() in variables and b"SLURM_STEP_ID=0" in variables
            if is_of_job and words[0].endswith((b"python", b"python3")):
                found.append(int(path.parent.name))
        return found


@contextmanager
def local_slurm(nodes: int = 2, cpus: int = 4, memory: int = 12000) -> Iterator[Cluster]:
    """Run a Slurm of `nodes` nodes during the block, in a temporary folder; memory: MiB that each node offers."""
    with TemporaryDirectory(prefix="slurm") as folder:
        Path(folder).chmod(0o755)  # or munged finds that others could not reach its socket
        cluster = _configured(Path(folder), nodes, cpus, memory)
        with _started(cluster, nodes):
            yield cluster


def _configured(folder: Path, nodes: int, cpus: int, memory: int) -> Cluster:
    """Write what the daemons read below `folder`, and return the cluster that they will be."""
    for name in FOLDERS:
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    host, ports = socket.gethostname().partition(".")[0], _free_ports(nodes + 1)
    names = [f"n{number}" for number in range(1, nodes + 1)]
    lines = [CONFIGURATION.format(host=host, port=ports[0], folder=folder)]
    lines += [
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory={memory}\n"
        for name, port in zip(names, ports[1:], strict=True)
    ]
    lines.append(f"PartitionName=main Nodes={','.join(names)} Default=YES MaxTime=INFINITE State=UP\n")
    (folder / "slurm.conf").write_text("".join(lines))
    (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))}
    environment |= {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    return Cluster(folder, environment)


@contextmanager
def _started(cluster: Cluster, nodes: int) -> Iterator[None]:
    """Run the daemons during the block, one after the other as each answers; end what jobs are left at its end."""
    folder = cluster.folder
    with ExitStack() as stack:
        places = [f"--{option}={folder / path}" for option, path in MUNGED.items()]
        stack.enter_context(_daemon("munged", ["--foreground", *places], cluster))
        _await("munged", lambda: cluster.command("munge", "--no-input", "--socket", f"{folder}/run/munge.socket"))
        stack.enter_context(_daemon("slurmctld", ["-D", "-i"], cluster))
        _await("slurmctld", lambda: cluster.command("scontrol", "ping"))
        for number in range(1, nodes + 1):
            stack.enter_context(_daemon("slurmd", ["-D", "-N", f"n{number}"], cluster))
        _await("the nodes", lambda: _require_idle(cluster, nodes))
        try:
            yield
        finally:
            cluster.command("scancel", "--user=root", "--full")
            _await("the jobs to end", lambda: _require_empty(cluster))


def _require_idle(cluster: Cluster, nodes: int) -> None:
    states = cluster.command("sinfo", "--noheader", "--Node", "--format=%t").split()
    if states != ["idle"] * nodes:
        raise ValueError(f"all {nodes} nodes must be idle, found {states}")


def _require_empty(cluster: Cluster) -> None:
    jobs = cluster.command("squeue", "--noheader").splitlines()
    if jobs:
        raise ValueError(f"no job must be left, found {jobs}")


@contextmanager
def _daemon(name: str, options: list[str], cluster: Cluster) -> Iterator[None]:
    """Run a daemon during the block, with its output in a log of its name."""
    with (cluster.folder / "log" / f"{name}.out").open("ab") as output:
        process = subprocess.Popen([name, *options], env=cluster.environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(what: str, attempt: Callable[[], object]) -> None:
    """Return once the attempt raises nothing; raise TimeoutError with its last failure after LONGEST."""
    deadline = time.monotonic() + LONGEST
    while True:
        try:
            attempt()
        except (subprocess.CalledProcessError, ValueError) as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {LONGEST} s for {what}: {error}") from error
            time.sleep(0.2)
        else:
            return


def _free_ports(count: int) -> list[int]:
    """Return so many ports that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
