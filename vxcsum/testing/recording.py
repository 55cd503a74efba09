"""Recording real traffic with tcpdump while a test runs."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from vxcsum.errors import VxcsumError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_START_SECONDS = 20.0
_FLUSH_SECONDS = 5.0
_POLL_SECONDS = 0.01
_UNCHANGED = 5
_HANDED_OVER_SECONDS = 1.2  # tcpdump asks for its packets at least once a second
#: Has tcpdump tell its counts; BSD has a signal of its own for that.
_TELL: int = getattr(signal, "SIGINFO", getattr(signal, "SIGUSR1", signal.SIGINT))
_NO_PERMISSION = re.compile(
    "permission|not permitted|are you root|must be root|privileges", re.IGNORECASE
)
_NUMBERS = re.compile(r"(\d+) packets? (captured|received by filter|dropped by kernel)")
#: Where tcpdump and ip are, when the PATH of a user does not say so.
_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


class RecordingUnavailableError(VxcsumError):
    """Traffic cannot be recorded here: tcpdump is missing, or the permission."""


class Recording(os.PathLike[str]):
    """A capture that tcpdump is writing.

    It is made when tcpdump listens. As a context manager it ends with the block; used as a path, it
    ends there and then, so that a capture is never read before it is complete.

    Parameters
    ----------
    interface : str
        ``eth0``, ``flannel.1``, ``any``.
    path : path
        Where the capture goes.
    filter : str
        In the language of pcap-filter(7): ``udp port 4789``.
    netns : str, optional
        A network namespace of ``ip netns``.
    snaplen : int
        Octets of each frame; 0 for all.

    Raises
    ------
    RecordingUnavailableError
        tcpdump is not installed, or may not record.
    VxcsumError
        tcpdump cannot do what it is told: no such interface, a wrong filter.
    """

    def __init__(
        self,
        interface: str,
        path: str | os.PathLike[str],
        *,
        filter: str = "",
        netns: str | None = None,
        snaplen: int = 0,
    ) -> None:
        self.path = Path(path)
        self.dropped = 0
        """Packets that the kernel dropped, as far as tcpdump was told."""
        command = [_tool("tcpdump"), "-i", interface, "-n", "-U"]
        command += ["-s", str(snaplen), "-B", "16384", "-w", "-", *([filter] if filter else [])]
        if netns is not None:
            command = [_tool("ip"), "netns", "exec", netns, *command]
        # tcpdump writes to a file opened here, as it gives up the right to open one itself.
        with self.path.open("wb") as out:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE,
                env={**os.environ, "LC_ALL": "C"},
            )
        self._said = b""
        try:
            self._await_start(interface)
        except BaseException:
            self._end()
            raise

    def stop(self) -> Path:
        """End the recording, once tcpdump has written all that the kernel has for it."""
        if self._process.returncode is None:
            try:
                self._flush()
                self._process.send_signal(signal.SIGINT)
                self._process.wait(_FLUSH_SECONDS)
            finally:
                self._end()
            if self.dropped:
                problem = f"{self.path.name}: {self.dropped} packets came too fast to be recorded"
                warnings.warn(problem, RuntimeWarning, stacklevel=2)
        return self.path

    def __fspath__(self) -> str:
        """Return the path of the capture, after ending the recording."""
        return str(self.stop())

    def __str__(self) -> str:
        """Return the path of the capture."""
        return str(self.path)

    def __enter__(self) -> Self:
        """Return the recording."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the recording."""
        self.stop()

    def _await_start(self, interface: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while b"listening on" not in self._said:
            if not self._listen(deadline):
                self._process.wait(_FLUSH_SECONDS)
                break
        else:
            return
        said = self._said.decode("utf-8", "replace").strip().removeprefix("tcpdump: ")
        if _NO_PERMISSION.search(said):
            problem = f"recording on {interface} needs permission (root, or CAP_NET_RAW): {said}"
            raise RecordingUnavailableError(problem)
        problem = f"tcpdump cannot record on {interface}: {said or 'it ended without a word'}"
        raise VxcsumError(problem)

    def _listen(self, deadline: float) -> bool:
        """Read what tcpdump says; False at its end, or at the deadline."""
        pipe = self._process.stderr
        if pipe is None:
            return False
        ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
        said = os.read(pipe.fileno(), 65536) if ready else b""
        self._said += said
        return bool(said)

    def _flush(self) -> None:
        """Wait until tcpdump has written as many packets as the kernel counted for it."""
        begun = time.monotonic()
        deadline = begun + _FLUSH_SECONDS
        before, unchanged = (0, 0, 0), 0
        while time.monotonic() < deadline and self._process.poll() is None:
            self._said = b""
            self._process.send_signal(_TELL)
            while b"dropped by kernel" not in self._said:
                if not self._listen(deadline):
                    return
            numbers = {what: int(n) for n, what in _NUMBERS.findall(self._said.decode())}
            captured = numbers.get("captured", 0)
            received = numbers.get("received by filter", 0)
            self.dropped = numbers.get("dropped by kernel", 0)
            now = (captured, received, self.dropped)
            unchanged = unchanged + 1 if now == before else 0
            if captured + self.dropped >= received:
                return
            if unchanged >= _UNCHANGED and time.monotonic() > begun + _HANDED_OVER_SECONDS:
                return  # loopback counts twice, and the filter may come after the first packets
            before = now
            time.sleep(_POLL_SECONDS)

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()


def _tool(name: str) -> str:
    found = shutil.which(name)
    found = found or shutil.which(name, path=os.pathsep.join(_FOLDERS))
    if found is None:
        problem = f"{name} is not installed: it records the traffic of a test"
        raise RecordingUnavailableError(problem)
    return found
