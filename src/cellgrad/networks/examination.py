"""What somebody's network is before anything is said of it: does it run, what does it answer, is it right alone?"""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from cellgrad.layers import image_size
from cellgrad.networks.loading import NetworkError, in_a_line, quietly

LARGEST = 10**8  # numbers in an image: a fraction of a gigabyte

LOGITS, LOG_PROBABILITIES, PROBABILITIES = "logits", "log-probabilities", "probabilities"


def make(thing: object, settings: Mapping[str, object] | None = None, name: str = "it", seed: int = 0) -> nn.Module:
    """A network from a class or function that makes one, or the network itself, on the processor.

    settings: the arguments. seed: of the first weights. Raises NetworkError where none can be made, with what to do.
    """
    settings = dict(settings or {})
    if isinstance(thing, nn.Module):
        if settings:
            raise NetworkError(
                f"{name} is made already, so that --set {next(iter(settings))} changes nothing; name its class"
            )
        return thing.cpu()
    if not callable(thing):
        raise NetworkError(f"{name} is a {type(thing).__name__}; name a network, or a class or function that makes one")
    _check_arguments(thing, settings, name)
    try:
        with quietly(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = thing(**settings)
            made = made.cpu() if isinstance(made, nn.Module) else made
    except (Exception, SystemExit) as error:  # whatever somebody's code raises
        raise NetworkError(f"{name} cannot be made: {in_a_line(error)}") from None
    if not isinstance(made, nn.Module):
        raise NetworkError(f"{name} makes a {type(made).__name__}; expected a torch.nn.Module")
    return made


def _check_arguments(thing: Callable, settings: Mapping[str, object], name: str) -> None:
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (ValueError, TypeError):
        return
    free = any(p.kind is p.VAR_KEYWORD for p in parameters)
    plain = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    unknown = [key for key in settings if not free and key not in [p.name for p in plain]]
    if unknown:
        takes = ", ".join(p.name for p in plain) or "no arguments"
        raise NetworkError(f"{name} has no argument {unknown[0]}; it takes {takes}")
    missing = [p.name for p in plain if p.default is p.empty and p.name not in settings]
    if missing:
        wanted = " ".join(f"--set {argument}=…" for argument in missing)
        raise NetworkError(f"{name} needs {' and '.join(missing)}: {wanted}")


@dataclass(frozen=True)
class Examination:
    """What a network does with two images, and what it consists of.

    output: "logits", "log-probabilities", "probabilities", or "features" where it is no vector of scores.
    output_size: of one image. alone_as_together: whether an image gets the same answer alone as in company.
    remarks: what a person should know of it, a sentence each. multiply_adds: of one image. answer: which of the tensors
    that it returns has the scores; None where it returns one alone.
    """

    output: str
    output_size: tuple[int, ...]
    alone_as_together: bool
    parameters: int
    unused: tuple[str, ...]
    unused_parameters: int
    multiply_adds: int
    remarks: tuple[str, ...]
    answer: int | None = None


def examine(module: nn.Module, input_size: Sequence[int] = (1, 28, 28), name: str = "it") -> Examination:
    """Run a network on two images of this size, together and one at a time, and say what it does.

    The module stays as it is (one that cannot be copied: but for its mode, evaluating). Raises NetworkError where it
    does not run, with what to do, and ValueError for what is no size.
    """
    module = ready(module, input_size, name)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, *input_size, generator=generator)
    answer = _run(module, images, name)
    together, remarks = scores_of(answer, 2, name)
    apart, same = _alone(module, images, together, name)
    remarks += apart
    kind = output_kind(together)
    if kind == PROBABILITIES:
        remarks.append(
            "It ends in probabilities; cross-entropy wants their logarithms, or the scores before the softmax."
        )
    parameters = list(module.named_parameters())
    unused = _unused(module, images, parameters, name)
    return Examination(
        output=kind,
        output_size=tuple(together.shape[1:]),
        alone_as_together=same,
        parameters=sum(p.numel() for _, p in parameters),
        unused=tuple(n for n, _ in unused),
        unused_parameters=sum(p.numel() for _, p in unused),
        multiply_adds=_multiply_adds(module, images, name),
        remarks=tuple(remarks),
        answer=_which(answer, 2),
    )


def ready(module: nn.Module, input_size: Sequence[int], name: str = "it") -> nn.Module:
    """A copy to look at, on the processor, evaluating, its lazy layers made; what cannot be copied is looked at itself.

    Raises NetworkError and ValueError as `examine` does.
    """
    if not isinstance(module, nn.Module):
        kind = type(module).__name__
        raise NetworkError(
            f"{name} is a {kind}; expected a torch.nn.Module (cellgrad.layers.build makes one of a list)"
        )
    input_size = image_size(input_size)
    if prod(input_size) > LARGEST:
        raise NetworkError(
            f"input: {' × '.join(map(str, input_size))} is more than {LARGEST:,} numbers; give a smaller one"
        )
    copied = _copied(module)
    module = (copied if copied is module else copied.cpu()).eval()
    with torch.no_grad():
        _run(module, torch.zeros(2, *input_size), name)
    return module


def _copied(module: nn.Module) -> nn.Module:
    """A copy, and of results that it keeps from an earlier call their numbers; the module itself where that fails."""
    parts = [value for child in module.modules() for value in vars(child).values()]
    results = [part for part in parts if isinstance(part, torch.Tensor) and not part.is_leaf]
    with contextlib.suppress(Exception):  # some parametrizations
        return copy.deepcopy(module, {id(result): result.detach().clone() for result in results})
    return module


def _run(module: nn.Module, images: torch.Tensor, name: str, seed: int = 0) -> object:
    """What a network returns for these images; seed: of what its forward draws. Raises NetworkError where it fails."""
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except ValueError:  # compiled (torch.jit.script)
        parameters = []
    required = [
        p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if len(required) > 1:
        raise NetworkError(
            f"{name}: its forward takes {len(required)} inputs ({', '.join(required)}); "
            "only networks that take images alone are understood"
        )
    try:
        with quietly(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return module(suited(module, images.clone()))  # its forward may change them
    except (Exception, SystemExit) as error:  # whatever somebody's forward raises
        size = " × ".join(map(str, images.shape[1:]))
        advice = ""
        if "CUDA" in str(error) or "cuda" in str(error):
            advice = "; its forward asks for a graphics processor: use x.device in it"
        raise NetworkError(
            f"{name}: given {len(images)} images of {size}, it fails: {in_a_line(error)}{advice}"
        ) from None


def suited(module: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Images in the precision of a network's first parameter: not all of them compute in 32 bits."""
    kinds = (parameter.dtype for parameter in module.parameters() if parameter.is_floating_point())
    return images.to(next(kinds, images.dtype))


def scores_of(answer: object, images: int, name: str = "it") -> tuple[torch.Tensor, list[str]]:
    """The scores in what a network returned for so many images, and what to say of where they were.

    Of several tensors the first with a row for each image; positions of 1 × 1 are taken away. Raises NetworkError.
    """
    remarks = []
    if answer is None:
        raise NetworkError(f"{name}: its forward returns nothing; end it with `return x`")
    if isinstance(answer, tuple | list | dict):
        fitting = _fitting(answer, images)
        if not fitting:
            raise NetworkError(f"{name}: its forward returns {len(answer)} things, none with a row for each image")
        remarks.append(f"It returns {len(answer)} things; the first with a row for each image is taken as its scores.")
        answer = fitting[0]
    if not isinstance(answer, torch.Tensor):
        raise NetworkError(f"{name}: its forward returns a {type(answer).__name__}; expected a tensor of scores")
    if answer.layout != torch.strided:
        raise NetworkError(f"{name}: its scores are a sparse tensor; end its forward with to_dense()")
    if answer.shape == (images,) and not answer.is_floating_point():
        raise NetworkError(
            f"{name}: it answers with one whole number for each image, as argmax does; return the scores themselves"
        )
    if answer.ndim < 2 or len(answer) != images:
        rows = f"{len(answer):,} rows" if answer.ndim else "one number"
        raise NetworkError(
            f"{name}: {images} images give {rows}, shape {tuple(answer.shape)}, where {images} are expected: positions "
            "of the image count as images (a view(-1, 10) too early?), or the batch was squeezed away; use flatten(1)"
        )
    if not answer.numel():
        raise NetworkError(
            f"{name}: its answer is empty, of shape {tuple(answer.shape)}; return a score for each class"
        )
    if answer.is_complex():
        raise NetworkError(f"{name}: its scores are complex numbers; expected real ones")
    if answer.ndim > 2 and answer[0, 0].numel() == 1:
        answer = answer.flatten(1)
        remarks.append("Its scores stand at a single position, which is taken away here; flatten(1) does that.")
    return answer, remarks


def _fitting(answer: tuple | list | dict, images: int) -> list[torch.Tensor]:
    """The tensors with a row for each image among those that a network returned."""
    values = answer.values() if isinstance(answer, dict) else answer
    return [value for value in values if isinstance(value, torch.Tensor) and value.ndim >= 2 and len(value) == images]


def _which(answer: object, images: int) -> int | None:
    """Which one of the tensors that a network returned `scores_of` takes; None where there is one alone."""
    tensors = [leaf for leaf in tree_leaves(answer) if isinstance(leaf, torch.Tensor)]
    if len(tensors) < 2 or not isinstance(answer, tuple | list | dict):
        return None
    return next(place for place, tensor in enumerate(tensors) if tensor is _fitting(answer, images)[0])


def scores_alone(module: nn.Module, images: torch.Tensor, name: str = "it") -> torch.Tensor:
    """The scores of each of these images, (n, …), when it comes by itself; raises NetworkError where that fails."""
    return torch.cat([scores_of(_run(module, image[None], name), 1, name)[0] for image in images])


def _alone(module: nn.Module, images: torch.Tensor, together: torch.Tensor, name: str) -> tuple[list[str], bool]:
    """Whether each image alone gets the same scores, and what to say where not."""
    again, _ = scores_of(_run(module, images, name, seed=1), 2, name)
    if not _same(again, together):
        return [
            "Its answer changes from run to run, as with chance at work while it evaluates "
            "(F.dropout without training=self.training?)."
        ], False
    try:
        alone = scores_alone(module, images, name)
    except NetworkError as error:
        return [f"One image at a time it fails ({error})."], False
    if _same(alone, together):
        return ["Its answer holds NaN, which is no number."] if together.isnan().any() else [], True
    why = ""
    if together.ndim == 2 and (_sums_to_one(together, 0) or _sums_to_one(together.exp(), 0)):
        why = " Its softmax runs over the batch, not over the classes: give it dim=1."
    return [f"One image at a time it answers something else than in company.{why}"], False


def _same(scores: torch.Tensor, others: torch.Tensor) -> bool:
    """Whether two answers are the same but for rounding."""
    rounding = _rounding(scores)
    rtol, atol = max(1e-3, rounding), max(1e-4, rounding)
    return scores.shape == others.shape and torch.allclose(scores, others, rtol=rtol, atol=atol, equal_nan=True)


def output_kind(scores: torch.Tensor) -> str:
    """What rows of scores, (n, classes), are: logits, log-probabilities or probabilities; "features" if no rows.

    Probabilities of a softmax that runs over the batch by mistake are called probabilities too.
    """
    if scores.ndim != 2 or scores.shape[1] < 2:
        return "features"
    for dim in (1, 0):  # over the classes, as it should be, or over the batch
        if scores.min() >= 0 and _sums_to_one(scores, dim):
            return PROBABILITIES
        if _sums_to_one(scores.exp(), dim):
            return LOG_PROBABILITIES
    return LOGITS


def _rounding(scores: torch.Tensor) -> float:
    """How far off a score may be by the few bits that some networks compute in."""
    return 8 * torch.finfo(scores.dtype).eps if scores.is_floating_point() else 0.0


def _sums_to_one(values: torch.Tensor, dim: int) -> bool:
    sums = values.double().sum(dim)
    return torch.allclose(sums, torch.ones_like(sums), atol=max(1e-4, _rounding(values)))


def _unused(
    module: nn.Module, images: torch.Tensor, parameters: list[tuple[str, nn.Parameter]], name: str
) -> list[tuple[str, nn.Parameter]]:
    """The parameters on which the answer does not depend."""
    frozen = [parameter for _, parameter in parameters if not parameter.requires_grad]
    try:
        for parameter in frozen:
            parameter.requires_grad_(True)
        with torch.enable_grad():
            scores, _ = scores_of(_run(module, images, name), 2, name)
            if not scores.requires_grad:  # hidden under no_grad, say: see whether other numbers make a difference
                return parameters if _same_without(parameters, module, images, scores) else []
            gradients = torch.autograd.grad(scores.sum(), [p for _, p in parameters], allow_unused=True)
    finally:  # what cannot be copied is the reader's own
        for parameter in frozen:
            parameter.requires_grad_(False)
    return [named for named, gradient in zip(parameters, gradients, strict=True) if gradient is None]


@torch.no_grad()
def _same_without(
    parameters: list[tuple[str, nn.Parameter]], module: nn.Module, images: torch.Tensor, scores: torch.Tensor
) -> bool:
    """Whether a network says the same when all its parameters are zero; they are put back."""
    kept = [parameter.clone() for _, parameter in parameters]
    try:
        for _, parameter in parameters:
            parameter.zero_()
        return torch.equal(scores_of(_run(module, images, "it"), 2)[0], scores)
    except NetworkError:
        return False
    finally:
        for (_, parameter), before in zip(parameters, kept, strict=True):
            parameter.copy_(before)


def _multiply_adds(module: nn.Module, images: torch.Tensor, name: str) -> int:
    """Of convolutions, dense and bilinear layers, attention and recurrence for one image, as torch counts them."""

    def counted(some: torch.Tensor) -> int:
        with _counter() as counter, torch.no_grad(), _every_step():
            _run(module, some, name)
        return counter.get_total_flops() // 2 // len(some)

    try:
        return counted(images[:1])
    except NetworkError:  # it runs only in company
        return counted(images)


def _counter() -> FlopCounterMode:
    """torch's counter, which knows neither bilinear layers nor the one operator that an LSTM is with oneDNN."""
    aten = torch.ops.aten
    return FlopCounterMode(
        display=False, custom_mapping={aten._trilinear: _bilinear_flops, aten.mkldnn_rnn_layer: _lstm_flops}
    )


def _bilinear_flops(first: Sequence[int], weight: Sequence[int], *_: object, **__: object) -> int:
    """Two for each weight and row: the shapes are (…, a) and (outputs, a, b), as nn.Bilinear has them."""
    return 2 * prod(first[:-1]) * prod(weight)


def _lstm_flops(x: Sequence[int], reading: Sequence[int], going_on: Sequence[int], *_: object, **__: object) -> int:
    """Two for each weight and step of a layer in one direction: the shapes are (steps, n, features), then weights'."""
    return 2 * prod(x[:-1]) * (prod(reading) + prod(going_on))


@contextlib.contextmanager
def _every_step() -> Iterator[None]:
    """Attention step by step, as it trains: torch's shortcut for evaluating hides its products from the counter."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@dataclass(frozen=True)
class Cost:
    """What one call costs: of a module without children, or (function, by its name) of a function in a module."""

    layer: str
    parameters: int
    multiply_adds: int
    output_size: tuple[int, ...] = ()
    function: str | None = None


class _Costs(TorchFunctionMode):
    """Counts what each call of a watched module costs while a network runs, and each function that multiplies."""

    def __init__(self) -> None:
        super().__init__()
        self.counter = _counter()
        self.costs: list[Cost] = []
        self._inside: list[tuple[str, int]] = []
        self._known: set[int] = set()

    def __torch_function__(
        self, function: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        before, layer = self.counter.get_total_flops(), self._inside[-1][0] if self._inside else ""
        result = function(*args, **(kwargs or {}))
        spent = (self.counter.get_total_flops() - before) // 2
        if spent:
            given = {id(part): part for part in tree_leaves((args, kwargs)) if isinstance(part, nn.Parameter)}
            learned = sum(part.numel() for key, part in given.items() if key not in self._known)
            self._known |= set(given)
            self.costs.append(Cost(layer, learned, spent, function=function.__name__.strip("_")))
        return result

    def enter(self, name: str) -> Callable:
        """A hook before a module's call."""
        return lambda child, inputs: self._inside.append((name, self.counter.get_total_flops()))

    def leave(self, name: str) -> Callable:
        """A hook after it."""

        def hook(child: nn.Module, inputs: tuple, output: object) -> None:
            spent = (self.counter.get_total_flops() - self._inside.pop()[1]) // 2
            again = any(cost.layer == name and cost.function is None for cost in self.costs)
            learned = 0 if again else sum(p.numel() for p in child.parameters())
            self._known |= {id(p) for p in child.parameters()}
            first = output[0] if isinstance(output, tuple) else output
            size = tuple(first.shape[1:]) if isinstance(first, torch.Tensor) else ()
            self.costs.append(Cost(name, learned, spent, size))

        return hook


def costs_by_call(module: nn.Module, input_size: Sequence[int], name: str = "it") -> list[Cost]:
    """What each call costs of a module without children, and of each function that multiplies, for one image.

    Attention counts as one: it takes its last layer's weights, and does not call it. Raises NetworkError and ValueError
    as `examine` does.
    """
    module = ready(module, input_size, name)
    try:
        return _costs(module, torch.zeros(1, *input_size), name)
    except NetworkError:  # it runs only in company
        costs = _costs(module, torch.zeros(2, *input_size), name)
        return [replace(cost, multiply_adds=cost.multiply_adds // 2) for cost in costs]


def _costs(module: nn.Module, images: torch.Tensor, name: str) -> list[Cost]:
    """The costs of the calls that these images take, all together."""
    found, handles = _Costs(), []
    for path, child in module.named_modules():
        if isinstance(child, torch.jit.ScriptModule) or "parametrizations" in path:  # the first takes no hooks
            continue
        within = [kind for kind, _ in child.named_children() if kind != "parametrizations"]
        if not within or isinstance(child, nn.MultiheadAttention):
            before = child.register_forward_pre_hook(found.enter(path))
            handles += [before, child.register_forward_hook(found.leave(path))]
    try:
        with found.counter, torch.no_grad(), _every_step(), found:
            _run(module, images, name)
    finally:  # what cannot be copied is the reader's own
        for handle in handles:
            handle.remove()
    return found.costs


def rehearse(module: nn.Module, name: str = "it") -> object:
    """What a network returns while it trains, for three images, after one step back from the loss.

    It is done with a copy; what cannot be copied is left in training mode, with the gradients of this step. Raises
    NetworkError where it cannot be trained, with why.
    """
    images, labels = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 5, 9])
    module = _copied(module)
    try:
        answer = _run(module.train(), images, name)
        scores, _ = scores_of(answer, 3, name)
    except NetworkError as error:
        raise NetworkError(f"{error} (while it trains, with dropout and batch norm at work)") from None
    if not scores.requires_grad:
        raise NetworkError(f"{name}: no parameter of it can learn: frozen (requires_grad), or forward under no_grad?")
    try:
        nn.functional.cross_entropy(scores.float(), labels).backward()
    except Exception as error:  # whatever somebody's layers raise
        raise NetworkError(f"{name}: the step back from the loss fails: {in_a_line(error)}") from None
    return answer


class Scores(nn.Module):
    """Somebody's network as one that trains by cross-entropy: logits or log-probabilities, (n, classes)."""

    def __init__(self, network: nn.Module, output: str) -> None:
        super().__init__()
        self.network, self.output = network, output

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 1, 28, 28) to (n, 10)."""
        with quietly():
            scores, _ = scores_of(self.network(suited(self.network, images)), len(images))
        scores = scores.float()
        return scores.clamp_min(1e-12).log() if self.output == PROBABILITIES else scores
