"""Arrays of other libraries: how NumPy's become theirs, and theirs NumPy's again.

A function gets the arrays of the library that it is from, or of the one that is asked for as
`mypkg.ops:softmax@torch` (with a device: `@torch:cuda`). Libraries are imported when they are met.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from numerics import BF16

Function: TypeAlias = Callable[..., Any]

MOST_SHAPES = 500
"""That a function may be compiled for before that is forgotten."""


@dataclass(frozen=True)
class Arrays:
    """The way to a library's arrays and back.

    `axis` is what its functions without a signature call an axis; `compiled` makes of a function
    what people run.
    """

    name: str
    axis: str
    to_native: Callable[[Any], Any]
    to_numpy: Callable[[Any], npt.NDArray[Any]]
    compiled: Callable[[Function], Function] = lambda function: function

    def narrowed(self, x: npt.NDArray[Any]) -> str:
        """What a library silently makes of a format that it does not have, or nothing."""
        got = self.to_numpy(self.to_native(x)).dtype
        return "" if got == x.dtype else f"{self.name} makes {got} of {x.dtype}"


def named(text: str) -> Arrays:
    """The arrays of `LIBRARY` or `LIBRARY:DEVICE`; ValueError, ImportError.

    >>> named("pandas")
    Traceback (most recent call last):
    ...
    ValueError: arrays: expected one of torch, jax, tensorflow, mlx, cupy, tinygrad, not 'pandas'
    """
    library, _, device = text.partition(":")
    if library not in LIBRARIES:
        raise ValueError(f"arrays: expected one of {', '.join(LIBRARIES)}, not {library!r}")
    return LIBRARIES[library](device)


def of_module(module: str) -> Arrays | None:
    """Those of the library that a module belongs to; None for NumPy's and anybody else's."""
    library = module.partition(".")[0]
    return LIBRARIES[library]("") if library in LIBRARIES else None


@contextmanager
def left_as_it_was() -> Iterator[None]:
    """What is set here of a library that is imported already is set back: others use it, too."""
    changed = [(name, get(sys.modules[name]), set_back)
               for name, get, set_back in SETTINGS if name in sys.modules]  # fmt: skip
    try:
        yield
    finally:
        for name, value, set_back in changed:
            set_back(sys.modules[name], value)


SETTINGS: tuple[tuple[str, Callable[[Any], Any], Callable[[Any, Any], Any]], ...] = (
    ("torch", lambda torch: torch.get_num_threads(), lambda torch, n: torch.set_num_threads(n)),
    ("jax", lambda jax: jax.config.jax_enable_x64,
     lambda jax, on: jax.config.update("jax_enable_x64", on)),
)  # fmt: skip
"""A library, what is set of it, and how that is set."""


def contiguous(x: Any) -> npt.NDArray[Any]:
    """As C has it and this processor reads it: what a library takes that knows no other order."""
    array = np.asarray(x)
    return np.array(array, array.dtype.newbyteorder("="), order="C")


def torch_tensor(x: Any) -> Any:
    """A tensor of the same strides, where there is one: none has negative strides."""
    import torch

    array = np.asarray(x)
    other = any(stride < 0 for stride in array.strides) or not array.dtype.isnative
    array = contiguous(array) if other or not array.flags.writeable else array
    if array.dtype.name == BF16.dtype_name:  # which PyTorch takes as bits alone
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def of_torch(y: Any) -> npt.NDArray[Any]:
    """NumPy's array of a tensor, or of anything else."""
    import torch

    if not isinstance(y, torch.Tensor):
        return np.asarray(y)
    tensor = y.detach().cpu()
    if tensor.dtype == torch.bfloat16:
        found: npt.NDArray[Any] = tensor.view(torch.int16).numpy().view(BF16.dtype)
        return found
    return np.asarray(tensor.numpy())


def _torch(device: str) -> Arrays:
    import torch

    torch.set_num_threads(1)
    if device:
        torch.empty(0, device=device)  # says what is wrong with it, before anything is measured
    return Arrays(
        "torch", "dim",
        (lambda x: torch_tensor(x).to(device)) if device else torch_tensor,
        of_torch,
    )  # fmt: skip


def forgetful(function: Function, forget: Callable[[], None]) -> Function:
    """A function that is compiled for each shape; what was compiled for many is forgotten.

    JAX keeps it in some twenty maps of memory a shape. Linux gives a process 65 530 of them, and
    the next one ends it by a signal: nothing that the function could be blamed for.
    """
    seen: set[Any] = set()

    def call(*given: Any, **options: Any) -> Any:
        seen.add((*((x.shape, x.dtype) for x in given), *options.items()))
        if len(seen) > MOST_SHAPES:
            forget()
            seen.clear()
        return function(*given, **options)

    return call


def _jax(device: str) -> Arrays:
    import jax

    jax.config.update("jax_enable_x64", True)
    place = jax.devices(device)[0] if device else None

    def compiled(function: Function) -> Function:
        """As JAX is used; step by step it compiles ten times as much for every new shape."""
        names = [name for name in ("axis", "dim", "keepdims") if name in _parameters(function)]
        fast = forgetful(jax.jit(function, static_argnames=names), jax.clear_caches)

        def call(*given: Any, **options: Any) -> Any:
            try:
                return fast(*given, **options)
            except jax.errors.JAXTypeError:  # it looks at values, and cannot be compiled
                return function(*given, **options)

        return call

    return Arrays(
        "jax", "axis", lambda x: jax.device_put(np.asarray(x), place), np.asarray, compiled
    )


def _parameters(function: Function) -> Collection[str]:
    try:
        return inspect.signature(function).parameters
    except ValueError:  # built-in functions may have no signature
        return ()


def _tensorflow(device: str) -> Arrays:
    import tensorflow

    _no_device("tensorflow", device)
    return Arrays("tensorflow", "axis", tensorflow.convert_to_tensor, np.asarray)


def _mlx(device: str) -> Arrays:
    from mlx import core

    _no_device("mlx", device)
    return Arrays("mlx", "axis", lambda x: core.array(contiguous(x)), np.asarray)


def _cupy(device: str) -> Arrays:
    import cupy

    _no_device("cupy", device)
    return Arrays("cupy", "axis", cupy.asarray, cupy.asnumpy)


def _tinygrad(device: str) -> Arrays:
    from tinygrad import Tensor

    def to_numpy(y: Any) -> npt.NDArray[Any]:
        return np.asarray(y.numpy() if isinstance(y, Tensor) else y)

    where = {"device": device} if device else {}
    return Arrays("tinygrad", "axis", lambda x: Tensor(contiguous(x), **where), to_numpy)


def _no_device(library: str, device: str) -> None:
    if device:
        raise ValueError(f"arrays: {library} takes no device, and {device!r} is asked for")


LIBRARIES: dict[str, Callable[[str], Arrays]] = {
    "torch": _torch,
    "jax": _jax,
    "tensorflow": _tensorflow,
    "mlx": _mlx,
    "cupy": _cupy,
    "tinygrad": _tinygrad,
}
"""A row for each; a new library is one more."""
