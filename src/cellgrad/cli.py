"""The command `cellgrad`.

Exit codes: 0 done; 1 done, and the answer is "no"; 2 bad input, said in one line; 130 stopped by Ctrl-C; 141 nobody
reads what it says.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from cellgrad import __version__
from cellgrad.checks import visible

if TYPE_CHECKING:
    from cellgrad.networks import OwnNetwork
    from cellgrad.training.recipes import Recipe


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)  # --seed, for one, is not --seeds

    def error(self, message: str) -> NoReturn:
        """Say what was wrong in one line, without the usage in front of it."""
        self.exit(2, visible(f"{self.prog}: {message} (see {self.prog} --help)") + "\n")


def _data(options: argparse.Namespace) -> int:
    from cellgrad import mnist

    data = mnist.load(options.data)
    _show(f"MNIST, {data.kind}: {len(data.train):,} digits to train and {len(data.test):,} to test, from {data.where}")
    return 0


def _workbook(options: argparse.Namespace) -> int:
    from cellgrad.spreadsheet.workbook import write_workbook
    from cellgrad.toynet import ToyNetwork

    given = {name: getattr(options, name) for name in ("inputs", "targets", "weights", "biases")}
    network = ToyNetwork(**{name: values for name, values in given.items() if values is not None})
    path = write_workbook(options.file, network, options.learning_rate, options.updates)
    _show(f"{path}: {options.updates:,} updates at learning rate {options.learning_rate:g}, all of it live formulas")
    return 0


def _audit(options: argparse.Namespace) -> int:
    from cellgrad.spreadsheet.audit import audit

    report = audit(options.file)
    if options.html is not None:
        from cellgrad.spreadsheet.audit.page import write_page

        write_page(report, options.html)
    _show(json.dumps(report.to_dict()) if options.json else str(report))
    return 0 if report.all_right else 1


def _train(options: argparse.Namespace) -> int:
    from cellgrad import mnist
    from cellgrad.training.recipes import find_recipe

    recipe = find_recipe(options.recipe)  # before the data is fetched
    if options.set and not options.network:
        raise ValueError("--set: arguments of a network; name it with --network")
    if options.seeds is not None and options.seed is not None:
        raise ValueError("--seed: with --seeds N, the seeds are 0 to N - 1; leave one of the two out")
    own = None
    if options.network or options.seeds is not None:
        from cellgrad.networks import loading, own_network

        if options.network:
            own = own_network(options.network, loading.arguments(options.set), recipe)
    if options.seeds is not None:
        return _train_seeds(options, recipe, own)
    from cellgrad import training
    from cellgrad.networks import trained
    from cellgrad.training import saving

    data = mnist.load(options.data)
    run = training.train(
        own.recipe if own else recipe,
        data,
        seed=options.seed or 0,
        epochs=options.epochs,
        validation=options.validation,
        device=options.device,
        out=options.out,
        resume=options.resume,
        network=own and own.make,
    )
    record = run.record
    if own:
        record |= {"network": options.network, "test_accuracy_alone": trained.alone(run.model, data.test)}
    if options.json:
        print(json.dumps(record))
    else:
        for remark in own.examination.remarks if own else ():
            _show(remark)
        _show(run.history.to_string(float_format="{:.4f}".format))
        _show(
            f"{record['parameters']:,} parameters, {record['epochs']} epochs, {record['seconds']:.0f} s on "
            f"{record['device']}: {record['test_accuracy']:.2%} of the test digits right"
            + (f", {record['test_accuracy_alone']:.2%} read one at a time" if own else "")
            + data.note
        )
        _show(f"weights and record: {saving.weights_path(options.out, record)}")
    return 0


def _train_seeds(options: argparse.Namespace, recipe: Recipe, own: OwnNetwork | None) -> int:
    """Several seeds of one training, recorded as trials are, and what they say together."""
    import pandas as pd

    from cellgrad import checks, mnist
    from cellgrad.networks import trained

    count = checks.whole_number("seeds", options.seeds, least=1)
    options.stopped = "; every finished seed is recorded, and the same command does the rest"
    if options.resume:
        raise ValueError("--resume: with --seeds, what is recorded is not trained again; leave it out")
    data = mnist.load(options.data)
    rows, out = [], Path(options.out)
    settings = {"epochs": options.epochs, "validation": options.validation, "device": options.device}
    for record in trained.train_seeds(recipe, data, range(count), out, own, **settings):
        rows.append(record)
        _show(f"seed {record['seed']}: {record['test_accuracy']:.2%}", file=sys.stderr)
    records = pd.DataFrame(rows)
    name = own.name if own else recipe.name
    if options.json:
        accuracy = records["test_accuracy"]
        told = {"mean": accuracy.mean(), "std": accuracy.std() if count > 1 else None, "worst": accuracy.min()}
        told |= {"over_goal_with_every_seed": bool((accuracy > trained.GOAL).all())}
        if own:
            told |= {"test_accuracy_alone": records["test_accuracy_alone"].mean()}
        print(json.dumps({"recipe": name, "seeds": count, "data": data.kind} | told))
    else:
        _show(trained.verdict(records, recipe.name) + data.note)
        _show(f"records: {out / f'{name}.jsonl'}")
    return 0


def _network(options: argparse.Namespace) -> int:
    from cellgrad.networks import loading

    place, name = loading.split(options.what)
    if loading.is_file(place) and not name:
        listed = loading.listing(place)
        _show("\n".join(listed) if listed else f"{place}: there is no network in it")
        return 0 if listed else 1
    from cellgrad.networks import describe, find_network

    module = find_network(options.what, loading.arguments(options.set))
    description = describe(module, options.input, name or options.what)
    if options.picture:
        if not Path(options.picture).suffix:
            raise ValueError(f"picture: {options.picture!r} says no kind of file; give a name such as network.png")
        from cellgrad.networks.picture import draw_network

        draw_network(description).savefig(options.picture)
    _show(json.dumps(description.to_dict()) if options.json else str(description))
    return 0 if description.examination.alone_as_together else 1


def _trials(options: argparse.Namespace) -> int:
    from cellgrad.trials.studies import find_study

    if options.list:
        if options.json:
            raise ValueError("--json: with --list there is no such line; leave one of the two out")
        return _list_studies(options)
    if not options.study:
        raise ValueError("trials: which study? cellgrad trials --list shows them")
    study = find_study(options.study)  # before the data is fetched
    from cellgrad import mnist, trials
    from cellgrad.trials.records import failure

    path = Path(options.out) / f"{study.name}.jsonl"
    given = {name: getattr(options, name) for name in ("seeds", "only", "workers", "scheduler", "device", "weights")}
    data = mnist.load(options.data)
    folder = options.data
    if folder and folder != "sample":  # the workers stand elsewhere
        folder = os.path.abspath(os.path.expanduser(folder))
    finished, failed, skipped = trials.run_study(study, data, path, folder=folder, **given)
    if options.json:
        counts = {"finished": len(finished) - skipped, "failed": len(failed), "skipped": skipped}
        print(json.dumps({"study": study.name, "data": data.kind} | counts | {"file": str(path)}))
        return 1 if failed else 0
    digits = "held-out" if study.blind else "test"
    _show(f"{study.question} Accuracy on the {digits} digits, mean ± standard deviation over the seeds{data.note}:")
    table = trials.summary(finished)
    if len(table):
        deviation = table["std"].map(" ± {:.2%}".format).where(table["seeds"] > 1, "")
        table["accuracy"] = table["mean"].map("{:.2%}".format) + deviation
        formats = {"parameters": "{:,}".format, "worst": "{:.2%}".format, "seconds": "{:.1f}".format}
        _show(table[["parameters", "seeds", "accuracy", "worst", "seconds"]].to_string(formatters=formats))
    for record in failed:
        _show(f"failed: {failure(record)}")
    if failed:
        _show(f"{len(failed)} failed: the tracebacks are in the file, and the next start tries them again")
    _show(f"records: {path} ({len(finished) - skipped} new, {skipped} from before)")
    return 1 if failed else 0


def _list_studies(options: argparse.Namespace) -> int:
    from cellgrad.trials.studies import STUDIES, find_study

    studies = [find_study(options.study)] if options.study else STUDIES.values()
    from cellgrad.layers import count_parameters
    from cellgrad.trials.records import finished_keys
    from cellgrad.trials.tasks import study_tasks

    known = [recipe.name for study in studies for recipe in study.variants]
    for name in options.only or ():
        if name not in known:
            raise ValueError(f"unknown variant {name!r}; cellgrad trials --list shows them")
    lines = []
    for study in studies:
        done = finished_keys(Path(options.out) / f"{study.name}.jsonl")
        lines.append(f"{study.name}: {study.question}")
        for recipe in study.variants:
            if options.only and recipe.name not in options.only:
                continue
            counts = []
            for data in ("full", "sample"):
                asked = study_tasks(study, data, seeds=options.seeds, only=[recipe.name])
                counts.append(sum(task.key in done for task in asked))
            lines.append(
                f"  {recipe.name}: {count_parameters(recipe.network):,} parameters, {counts[0]} of {len(asked)} done"
                + (f" ({counts[1]} with the sample)" if counts[1] else "")
            )
    _show("\n".join(lines))
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = _Parser(prog="cellgrad", description="The code behind the book From Cells to ConvNets.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    data = commands.add_parser("data", help="find, fetch or verify MNIST, and say where it is")
    data.set_defaults(run=_data)
    _where_digits_are(data)
    for add in (_add_train, _add_network, _add_trials, _add_workbook, _add_audit):
        add(commands)
    return parser


def _add_train(commands: argparse._SubParsersAction) -> None:
    train = commands.add_parser("train", help="train a network by a recipe and test it once, after the last epoch")
    train.add_argument("--recipe", default="book", help="source, book (the default), best, small, small-once or fast")
    train.add_argument("--network", metavar="WHAT", help="a network of yours in place of the recipe's: as in network")
    train.add_argument("--set", nargs="+", default=[], action="extend", metavar="NAME=VALUE", help="arguments of it")
    train.add_argument(
        "--seeds", type=int, metavar="N", help="train with so many seeds, and say what they say together"
    )
    train.add_argument("--seed", type=int, help="fixes first weights, order and shifts of the digits; 0 if not given")
    train.add_argument("--epochs", type=int, help="how often to go through the digits, if not as the recipe says")
    train.add_argument("--validation", type=int, default=0, help="hold out so many training digits, measure on them")
    train.add_argument("--device", default="auto", help="cpu, cuda or mps; auto takes the best there is")
    train.add_argument("--out", default="runs", help="folder for the weights, the record and checkpoints")
    train.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    train.add_argument(
        "--json", action="store_true", help="print one line, an object: the record, or with --seeds what they say"
    )
    train.set_defaults(run=_train, stopped="; finished epochs are kept, and if there are any, it goes on with --resume")
    _where_digits_are(train)


def _add_network(commands: argparse._SubParsersAction) -> None:
    network = commands.add_parser(
        "network",
        help="say what a network of yours is: sizes, costs, what each layer sees, and whether its output is right",
        description="Only imports, constants, functions and classes are taken from a file, so that no training in it "
        "starts. They do run: this is no sandbox. Exit code 1: an image gets another answer alone than in company.",
    )
    network.add_argument("what", metavar="WHAT", help="FILE.py:NAME, FILE.ipynb:NAME, package.module:NAME or a recipe")
    network.add_argument("--input", type=int, nargs="+", default=[1, 28, 28], metavar="N", help="1 28 28 if not given")
    network.add_argument("--set", nargs="+", default=[], action="extend", metavar="NAME=VALUE", help="arguments of it")
    network.add_argument("--picture", metavar="OUT.png", help="draw it to scale, with what each layer sees")
    network.add_argument("--json", action="store_true", help="print one line, an object with all of it")
    network.set_defaults(run=_network)


def _add_trials(commands: argparse._SubParsersAction) -> None:
    trials = commands.add_parser("trials", help="train the variants of a study with many seeds, and record each trial")
    trials.add_argument("study", nargs="?", metavar="STUDY", help="which one; --list shows them")
    trials.add_argument("--list", action="store_true", help="show studies, variants, and what is done of them in --out")
    trials.add_argument("--seeds", type=int, help="how many seeds, if not as the study says")
    trials.add_argument("--only", nargs="+", metavar="VARIANT", help="these variants of the study, not all")
    where = trials.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="train in so many processes, not in this one")
    where.add_argument("--scheduler", metavar="tcp://…", help="train on the Dask cluster that has this scheduler")
    trials.add_argument("--device", default="auto", help="cpu, cuda or mps; auto takes the best there is")
    trials.add_argument("--out", default="runs", help="folder for the records, in STUDY.jsonl")
    trials.add_argument("--weights", action="store_true", help="keep the weights of every trial there, too")
    trials.add_argument("--json", action="store_true", help="print one line, an object with how many trials ended how")
    trials.set_defaults(run=_trials, stopped="; every finished trial is recorded, and the same command does the rest")
    _where_digits_are(trials)


def _add_workbook(commands: argparse._SubParsersAction) -> None:
    workbook = commands.add_parser("workbook", help="write the toy network's gradient descent as a live spreadsheet")
    workbook.add_argument("file", metavar="OUT.xlsx")
    workbook.add_argument("--learning-rate", type=float, default=1.0, help="1 if not given")
    workbook.add_argument("--updates", type=int, default=100, help="100 if not given")
    for name, count in (("inputs", 2), ("targets", 2), ("weights", 8), ("biases", 2)):
        workbook.add_argument(f"--{name}", type=float, nargs=count, metavar=name[0].upper())
    workbook.set_defaults(run=_workbook)


def _add_audit(commands: argparse._SubParsersAction) -> None:
    audit = commands.add_parser(
        "audit",
        help="check the formulas of somebody's spreadsheet against the derivation",
        epilog="Exit code 0: all right, warnings at most. 1: something is wrong, or could not be checked. 2: not "
        "readable, or no such table in it.",
    )
    audit.add_argument("file", metavar="FILE.xlsx", help="or .ods and .xls where LibreOffice is installed")
    audit.add_argument("--html", metavar="OUT.html", help="write the report as a page, with both loss curves")
    audit.add_argument("--json", action="store_true", help="print one line, an object with all findings")
    audit.set_defaults(run=_audit)


def _where_digits_are(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", metavar="DIR", help="folder that has MNIST's archives, or the word sample")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code (words that it does not understand, and --help, end the process)."""
    _print_whatever_the_encoding()
    options = _arguments().parse_args(arguments)
    try:
        code = options.run(options)
        if sys.stdout:  # there may be none: >&-
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _said(f"stopped{getattr(options, 'stopped', '')}", 130)
    except BrokenPipeError:  # as in `cellgrad trials --list | head -1`: who asked has heard enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a shell counts it: 128 + SIGPIPE
    except ModuleNotFoundError as error:
        extra = "cluster" if error.name in ("dask", "distributed") else "train"
        return _said(f"this needs the package {error.name}: pip install 'cellgrad[{extra}]'", 2)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _said(f"{where}{error.strerror or error}", 2)
    except (ValueError, ArithmeticError) as error:
        return _said(str(error), 2)


def _said(message: str, code: int) -> int:
    print(visible(f"cellgrad: {message}"), file=sys.stderr)
    return code


def _show(text: str, file: TextIO | None = None) -> None:
    """Print lines in which names of files, say, may be a stranger's: a terminal would obey what they hide."""
    for line in text.split("\n"):
        print(visible(line), file=file)


def _print_whatever_the_encoding() -> None:
    """Escape what a terminal or a file cannot hold: by the time that something is printed, the work has been done."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
