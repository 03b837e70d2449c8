"""`retroflex index` and `retroflex caption`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click

from captioner.captioner import Captioner
from captioner.classifier import Classifier
from captioner.encoders.weights import of_library
from captioner.metric import load_metric, metric_names
from captioner.pipeline import Flow, ThreadExecutor, in_groups, read_files
from captioner.reading import Load
from captioner.types import Caption, StagedDescriber
from data.catalogue.fields import read_fields
from data.catalogue.values import CatalogueField
from data.children import end_with_parent
from data.errors import RetroflexError
from data.heap import use_few_heaps
from data.machine_made import TAKE
from data.paths import display
from data.progress import progress_bar
from data.scan import Skip, check_roots, scan
from data.settings import load_settings
from retrieval.commands.executor import Machines, executor_options, loads_captioner, loads_further, read_executor
from retrieval.commands.features import features_options, further_describers, read_choice
from retrieval.commands.index_faces import check_faces_option, faces_option, index_faces
from retrieval.commands.options import bundle_option, json_option, library_option, print_json, remark
from retrieval.commands.progress import Bar, Display, Lines, counting, stopping_by_signal
from retrieval.commands.report import nothing_found, print_report
from retrieval.faces.indexing import FaceReport
from retrieval.indexing.derived import derive
from retrieval.indexing.indexer import Report
from retrieval.indexing.places import name_places
from retrieval.indexing.predicting import predict
from retrieval.indexing.run import Plan, plan_given, plan_remembered
from retrieval.indexing.run import run as run_plan
from retrieval.indexing.turn import Turn, take_turn
from retrieval.library import Library, opened_for_indexing
from retrieval.vectors.base import VectorsUnreachable


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@library_option
@bundle_option
@click.option("--exclude", multiple=True, help="Leave out names or paths that match this pattern; may be repeated.")
@click.option(
    "--include", multiple=True, help="Take machine-made folders, such as @eaDir, that match; may be repeated."
)
@click.option("--keep-captions", is_flag=True, help="Leave pictures alone that another captioner has captioned.")
@click.option("--forget", is_flag=True, help="Forget pictures whose files are gone, instead of keeping them 30 days.")
@features_options
@faces_option
@click.option(
    "--every",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 86400),
    help="Take a frame of films every so many seconds, instead of one for each scene.",
)
@executor_options
@click.option("--errors", type=click.Path(path_type=Path), help="Write every skipped file and its reason to this file.")
@click.option("--json-progress", is_flag=True, help="Print a line of JSON for every step, for programs.")
@json_option
def index(
    folders: tuple[Path, ...],
    library: Path | None,
    bundle: Path | None,
    exclude: tuple[str, ...],
    include: tuple[str, ...],
    keep_captions: bool,
    forget: bool,
    features: tuple[str, ...],
    weights: tuple[str, ...],
    faces: bool | None,
    every: float | None,
    executor: str,
    address: str | None,
    errors: Path | None,
    json_progress: bool,
    as_json: bool,
) -> None:
    """Caption new and changed pictures and films in FOLDERS, by default all indexed before; make them searchable."""
    end_with_parent()
    use_few_heaps()
    if (exclude or include) and not folders:
        raise RetroflexError("--exclude and --include need folders; remembered folders keep their own")
    settings = load_settings(library=library, bundle=bundle)
    check_roots(folders)
    check_faces_option(faces)
    machines = read_executor(executor, address)
    chosen = read_choice(features, weights, metric_names(settings.library))
    first = not settings.exists
    patterns = (*exclude, *(TAKE + pattern for pattern in include))
    shown = Lines if json_progress else Display if as_json else Bar
    with opened_for_indexing(settings, create=bool(folders)) as opened:
        opened.store.check_writable()
        if errors is not None:
            errors.write_text("")  # If it cannot be written, fail before the work.
        with indexing_turn(settings.library, shown) as turn, machines:
            plan = plan_given(opened.store, folders, patterns) if folders else plan_remembered(opened.store)
            run = _Run(plan, opened, turn, shown, forget, every, machines)
            report, added, found = run.all(not keep_captions, chosen, faces)
        if first and report.is_empty:
            raise RetroflexError(nothing_found(report))
        prepare_searches(opened, hidden=shown is not Bar)
    if errors is not None:
        errors.write_text("".join(f"{display(skip.path)}\t{skip.reason}\n" for skip in report.skipped))
    if not json_progress:
        print_report(report, added, settings, as_json, found)


def prepare_searches(library: Library, hidden: bool) -> None:
    """Bring what searches use up to date, and show how far that is. Raises StoreError."""
    try:
        with counting("vectors", hidden) as show:
            library.copy_vectors(show)
    except VectorsUnreachable as error:
        remark(f"{error}; they are copied there by a later search")
    library.searcher()
    library.merge()


def index_folder(library: Library, folder: Path, kind: type[Display]) -> Report:
    """Index one folder of an open library, as `retroflex index` does. Raises RetroflexError."""
    check_roots([folder])
    with indexing_turn(library.settings.library, kind) as turn:
        run = _Run(plan_given(library.store, [folder], ()), library, turn, kind, forget=False)
        return run.all(recaption=True, features={}, faces=None)[0]


def predict_field(library: Library, classifier: Classifier, of: CatalogueField, hidden: bool) -> int:
    """Predict a field for pictures that have no value of it; return for how many, and show how far that is."""
    with counting(of.name, hidden) as show:
        return predict(library.store, classifier, of, show)


@contextmanager
def indexing_turn(library: Path, kind: type[Display]) -> Iterator[Turn]:
    """Yield once no other process indexes; until then its progress is shown."""
    with ExitStack() as stack:
        waiting = kind(Flow())
        with waiting.running():
            turn = stack.enter_context(take_turn(library, remark, waiting.show))
        yield turn


@dataclass(frozen=True)
class _Run:
    """One run of a plan over a library, by the captioner and further encoders."""

    plan: Plan
    library: Library
    turn: Turn
    kind: type[Display]
    forget: bool
    every: float | None = None
    machines: Machines = field(default_factory=Machines)

    def all(
        self, recaption: bool, features: Mapping[str, Path | None], faces: bool | None
    ) -> tuple[Report, dict[str, int], FaceReport | None]:
        """Return the captioner's report, the numbers of pictures that further encoders described, and of faces."""
        captioner = Captioner.load(self.library.settings.bundle)
        metrics = [name for name in features if name in self.library.metrics]
        library = self.library.settings.library
        others = {name: file or of_library(library, name) for name, file in features.items() if name not in metrics}
        further = further_describers(others, captioner.kinds[0])
        near_copy = captioner.calibration.near_copy
        report = self._by(captioner, loads_captioner(self.library.settings.bundle), recaption, near_copy)
        loads = {name: loads_further(name, others[name]) for name in further}
        added = {name: self._by(one, loads[name], True, near_copy).captioned for name, one in further.items()}
        added |= {name: self._derived(name) for name in metrics}
        self._classify()
        self._name_places()
        return report, added, index_faces(self.library, captioner, faces, self.kind)

    def _classify(self) -> None:
        """Predict values for pictures that have none, by the library's classifiers."""
        fields = {of.name: of for of in read_fields(self.library.store)}
        models = self.library.store.main_models()
        for classifier in self.library.classifiers():
            of = fields.get(classifier.field)
            if of is None:
                continue
            if classifier.belongs_to(models):
                predict_field(self.library, classifier, of, self.kind is not Bar)
            else:
                remark(
                    f"{of.name} was learnt from other vectors; train again: retroflex train classes --field {of.name}"
                )

    def _name_places(self) -> None:
        """Name the places of pictures that say where they were taken, if a gazetteer is installed."""
        with counting("places", self.kind is not Bar) as show:
            waiting = name_places(self.library.store, show).waiting
        if waiting:
            told = "1 picture says" if waiting == 1 else f"{waiting:,} pictures say"
            remark(
                f"{told} where it was taken; to name the place: pip install 'retroflex[places]', then retroflex index"
            )

    def _derived(self, name: str) -> int:
        """Return for how many pictures vectors by a metric were made, of those in the store."""
        metric = load_metric(self.library.settings.library, name)
        with counting(name, self.kind is not Bar) as show:
            return derive(self.library.store, metric, show)

    def _by(self, describer: StagedDescriber, load: Load, recaption: bool, near_copy: float) -> Report:
        flow = Flow()
        display = self.kind(flow)
        limits, shared = self.library.settings.limits, self.turn.sharing(display.show)
        # A server stops it by SIGTERM, and may have passed on a Ctrl-C already.
        stopping = stopping_by_signal(flow, at_once=not isinstance(display, Lines))
        with self.machines.executor(flow, load) as executor, stopping, display.running():
            how = (recaption, shared, executor, near_copy, self.forget, self.every)
            return run_plan(self.plan, self.library.store, describer, limits, *how)


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@bundle_option
@json_option
def caption(pictures: tuple[Path, ...], bundle: Path | None, as_json: bool) -> None:
    """Say what is in PICTURES (files or folders); nothing is stored."""
    settings = load_settings(bundle=bundle)
    found = scan([path for path in pictures if path.is_dir()], {})
    paths = [path for path in pictures if not path.is_dir()] + [file.path for file in found.changed]
    captioner = Captioner.load(settings.bundle)
    captioned, skipped = [], list(found.skipped)
    read = partial(read_files, side=captioner.input_side, limits=settings.limits)
    with progress_bar(total=len(paths), desc="captioning", unit="pic", hidden=as_json) as bar:
        for group in ThreadExecutor().describe(in_groups(paths), read, captioner):
            captioned += [(file.path, description.captions) for file, description in group if description is not None]
            skipped += [Skip(file.path, file.problem) for file, description in group if description is None]
            bar.update(len(group))
    _print_captions(captioned, skipped, as_json)
    if skipped:
        sys.exit(1)


def _print_captions(captioned: Sequence[tuple[Path, list[Caption]]], skipped: Sequence[Skip], as_json: bool) -> None:
    for bad in skipped:
        click.echo(f"retroflex: {display(bad.path)} {bad.reason}", err=True)
    if as_json:
        pictures = [
            {
                "path": display(path),
                "captions": [{"text": caption.text, "logprob": caption.logprob} for caption in captions],
            }
            for path, captions in captioned
        ]
        print_json({"pictures": pictures})
        return
    for path, captions in captioned:
        click.echo(display(path))
        for caption in captions:
            click.echo(f"  {caption.logprob:7.2f}  {caption.text}")
