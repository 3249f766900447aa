"""Networks in ONNX files, run by ONNX Runtime."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.errors import InputError, PluginError

HOW_TO_GET = "pip install 'cryoweave[learned]'"
POLL = 0.1
"""Seconds between looks at whether to stop, while the network runs."""


class Network:
    """An ONNX file, ready to run.

    Parameters
    ----------
    path
        The file.
    threads
        Threads of the CPU that it may use.
    device
        ``cpu``, or the number of an accelerator, which is used if this build of ONNX Runtime can.

    Attributes
    ----------
    inputs
        Shape of each input by name: numbers, and names of edges that may have any length.
    about
        What the file says of itself, by name.
    runs_on
        ``CPU``, or what ONNX Runtime calls the accelerator.

    Raises
    ------
    InputError
        If ONNX Runtime cannot load the file, or an input is not of float32.
    PluginError
        If ONNX Runtime is not installed.
    """

    def __init__(self, path: Path, *, threads: int, device: str = "cpu") -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise PluginError(f"{path.name} needs ONNX Runtime, which is not installed", HOW_TO_GET) from error
        self._path, self._runtime = path, onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        providers: list[Any] = ["CPUExecutionProvider"]
        if device != "cpu" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": int(device)}))
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # its errors share no class
            reason = " ".join(str(error).split())
            damaged = "PROTOBUF" in reason.upper()
            raise InputError(
                f"{path} is no ONNX network, or damaged"
                if damaged
                else f"ONNX Runtime cannot load {path}: {reason[:300]}",
                "give the whole .onnx file",
            ) from error
        inputs = self._session.get_inputs()
        self.inputs: Mapping[str, list[int | str]] = {one.name: list(one.shape) for one in inputs}
        self.about: Mapping[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self.runs_on: str = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        for one in inputs:
            if one.type != "tensor(float)":
                raise InputError(f"{path} takes {one.type} for {one.name}, wanted tensor(float)")

    def run(
        self, inputs: Mapping[str, NDArray[np.float32]], watch: Callable[[], object] | None = None
    ) -> list[NDArray[np.float32]]:
        """The network's outputs.

        Parameters
        ----------
        inputs
            Each input by name.
        watch
            Called every tenth of a second; what it raises stops the network and comes out.

        Raises
        ------
        InputError
            If the network cannot take these inputs.
        """
        options = self._runtime.RunOptions()
        with ThreadPoolExecutor(1) as worker:
            future = worker.submit(self._session.run, None, dict(inputs), options)
            try:
                self._await(future, watch)
            except BaseException:
                options.terminate = True
                raise
            try:
                found: list[NDArray[np.float32]] = future.result()
            except Exception as error:
                raise InputError(f"{self._path} fails: {' '.join(str(error).split())[:300]}") from error
            return found

    @staticmethod
    def _await(future: "Future[Any]", watch: Callable[[], object] | None) -> None:
        while not future.done():
            wait([future], POLL)
            if watch is not None:
                watch()
