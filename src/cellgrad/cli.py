"""The command `cellgrad`. Exit codes: 0 done; 1 done, and the answer is "no"; 2 bad input, said in one line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import NoReturn

from cellgrad import __version__


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what was wrong in one line, without the usage in front of it."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _data(options: argparse.Namespace) -> int:
    from cellgrad import mnist

    data = mnist.load(options.data)
    print(f"MNIST, {data.kind}: {len(data.train):,} digits to train and {len(data.test):,} to test, from {data.where}")
    return 0


def _workbook(options: argparse.Namespace) -> int:
    from cellgrad.toynet import ToyNetwork
    from cellgrad.workbook import write_workbook

    given = {name: getattr(options, name) for name in ("inputs", "targets", "weights", "biases")}
    network = ToyNetwork(**{name: values for name, values in given.items() if values is not None})
    path = write_workbook(options.file, network, options.learning_rate, options.updates)
    print(f"{path}: {options.updates:,} updates at learning rate {options.learning_rate:g}, all of it live formulas")
    return 0


def _audit(options: argparse.Namespace) -> int:
    from cellgrad.audit import audit

    report = audit(options.file)
    print(json.dumps(report.to_dict(), ensure_ascii=False) if options.json else report)
    return 0 if report.all_right else 1


def _train(options: argparse.Namespace) -> int:
    from cellgrad import mnist
    from cellgrad.recipes import find_recipe

    recipe = find_recipe(options.recipe)  # before the data is fetched
    from cellgrad import saving, training

    run = training.train(
        recipe,
        mnist.load(options.data),
        seed=options.seed,
        epochs=options.epochs,
        validation=options.validation,
        device=options.device,
        out=options.out,
        resume=options.resume,
    )
    record = run.record
    if options.json:
        print(json.dumps(record))
    else:
        print(run.history.to_string(float_format="{:.4f}".format))
        print(
            f"{record['parameters']:,} parameters, {record['epochs']} epochs, {record['seconds']:.0f} s on "
            f"{record['device']}: {record['test_accuracy']:.2%} of the test digits right"
            + (" (embedded sample, not all of MNIST)" if record["data"] == "sample" else "")
        )
        print(f"weights and record: {saving.weights_path(options.out, record)}")
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = _Parser(prog="cellgrad", description="The code behind the book From Cells to ConvNets.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    data = commands.add_parser("data", help="find, fetch or verify MNIST, and say where it is")
    data.set_defaults(run=_data)

    train = commands.add_parser("train", help="train a network by a recipe and test it once, after the last epoch")
    train.add_argument("--recipe", default="book", help="book (the default) or source")
    train.add_argument("--seed", type=int, default=0, help="fixes first weights, order and shifts of the digits")
    train.add_argument("--epochs", type=int, help="how often to go through the digits, if not as the recipe says")
    train.add_argument("--validation", type=int, default=0, help="hold out so many training digits, measure on them")
    train.add_argument("--device", default="auto", help="cpu, cuda or mps; auto takes the best there is")
    train.add_argument("--out", default="runs", help="folder for the weights, the record and checkpoints")
    train.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    train.add_argument("--json", action="store_true", help="print one line, an object with the record")
    train.set_defaults(run=_train)

    workbook = commands.add_parser("workbook", help="write the toy network's gradient descent as a live spreadsheet")
    workbook.add_argument("file", metavar="OUT.xlsx")
    workbook.add_argument("--learning-rate", type=float, default=1.0, help="1 if not given")
    workbook.add_argument("--updates", type=int, default=100, help="100 if not given")
    for name, count in (("inputs", 2), ("targets", 2), ("weights", 8), ("biases", 2)):
        workbook.add_argument(f"--{name}", type=float, nargs=count, metavar=name[0].upper())
    workbook.set_defaults(run=_workbook)

    audit = commands.add_parser("audit", help="check the formulas of somebody's spreadsheet against the derivation")
    audit.add_argument("file", metavar="FILE.xlsx")
    audit.add_argument("--json", action="store_true", help="print one line, an object with all findings")
    audit.set_defaults(run=_audit)

    for command in (data, train):
        command.add_argument("--data", metavar="DIR", help="folder that has MNIST's archives, or the word sample")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _arguments().parse_args(arguments)
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print("cellgrad: stopped; train keeps the finished epochs, and with --resume it goes on", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        print(
            f"cellgrad: this needs the package {error.name}: pip install torch torchvision safetensors", file=sys.stderr
        )
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"cellgrad: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except (ValueError, ArithmeticError) as error:
        print(f"cellgrad: {error}", file=sys.stderr)
        return 2
