"""Results as people read them, on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from edgemcu.cli.terminal import result_terminal
from edgemcu.report.text import count, percent, shape, short, size

if TYPE_CHECKING:
    from edgemcu.evaluation import Evaluation
    from edgemcu.firmware import GeneratedProject
    from edgemcu.steps.build import BuiltFirmware
    from edgemcu.steps.dataset import DatasetReport
    from edgemcu.steps.doctor import Diagnosis, Finding
    from edgemcu.steps.init import CreatedProject
    from edgemcu.steps.inspect import Inspection, Placement, Port
    from edgemcu.steps.quantize import QuantizedModel
    from edgemcu.steps.run import RunResult
    from edgemcu.steps.train import TrainedModel


MAX_FILES = 10


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        right = column.endswith(">")
        table.add_column(column.rstrip(">"), justify="right" if right else "left", overflow="fold")
    return table


_STATUS = {
    "ok": "[green]ok[/green]",
    "missing": "[red]missing[/red]",
    "problem": "[red]wrong[/red]",
}


def diagnosis(result: Diagnosis) -> None:
    terminal = result_terminal()
    table = _table("", "", "version", "what it is for")
    for finding in result.findings:
        table.add_row(_status(finding), finding.name, finding.version or "", _purpose(finding))
    terminal.print(table)
    for finding in result.findings:
        if not finding.fine and finding.get:
            kind = "required" if finding.required else "optional"
            terminal.print(f"\n{escape(finding.name)} ({kind}):\n    {escape(finding.get)}")
    ready = "everything that is required is here" if result.ready else "not ready: see above"
    terminal.print(f"\n{ready}")


def _status(finding: Finding) -> str:
    if not finding.fine and not finding.required:
        return "[yellow]no[/yellow]"
    return _STATUS[finding.status]


def _purpose(finding: Finding) -> str:
    note = f" [dim]({escape(finding.note)})[/dim]" if finding.note else ""
    return escape(finding.purpose) + note


def created_project(created: CreatedProject) -> None:
    terminal = result_terminal()
    terminal.print(
        f"[bold]{created.path}[/bold]: {len(created.classes)} classes "
        f"({escape(', '.join(created.classes))}), {created.colour} {created.size}×{created.size}, "
        f"{created.architecture} of width {created.width:g}, {created.board}"
    )
    terminal.print(f"next: edgemcu run --project {escape(str(created.path.parent))}")


def dataset(report: DatasetReport) -> None:
    terminal = result_terminal()
    height, width, channels = report.shape
    terminal.print(
        f"[bold]{escape(report.source)}[/bold]: {report.train:,} training and {report.test:,} test "
        f"photos, used as {width}×{height}×{channels}"
    )
    table = _table("class", "training>", "test>")
    for row in report.classes:
        table.add_row(escape(row.name), f"{row.train:,}", f"{row.test:,}")
    terminal.print(table)
    findings = report.findings
    for skipped in (*findings.broken[:MAX_FILES], *findings.leaks[:MAX_FILES]):
        terminal.print(f"  [dim]left out:[/dim] {escape(skipped.path)}: {escape(skipped.reason)}")
    for title, groups in (
        ("the same photo", findings.duplicates),
        ("nearly the same", findings.near_duplicates),
        ("the same photo in several classes", findings.conflicts),
    ):
        for group in groups[:MAX_FILES]:
            terminal.print(f"  [dim]{title}:[/dim] {escape(', '.join(group))}")
        if len(groups) > MAX_FILES:
            terminal.print(f"  [dim]… and {len(groups) - MAX_FILES} more such groups[/dim]")
    for warning in report.warnings:
        terminal.print(f"[yellow]warning:[/yellow] {escape(warning)}")
    terminal.print(f"contact sheet: {report.contact_sheet}")


def _accuracy_table(evaluations: dict[str, Evaluation]) -> Table:
    """Accuracy over all, then per class, one column per engine."""
    table = _table("accuracy", *(f"{name}>" for name in evaluations))
    everything = list(evaluations.values())
    table.add_row(
        f"[bold]all {everything[0].total:,} test photos[/bold]",
        *(f"[bold]{percent(evaluation.accuracy)}[/bold]" for evaluation in everything),
    )
    for index, name in enumerate(everything[0].classes):
        table.add_row(
            f"  {escape(name)}",
            *(percent(evaluation.per_class[index]) for evaluation in everything),
        )
    return table


def _confusion_table(evaluation: Evaluation) -> Table:
    """Rows are what the photos show, columns what the network answered."""
    table = _table("shows \\ answered", *(f"{escape(name)}>" for name in evaluation.classes))
    for index, (name, row) in enumerate(zip(evaluation.classes, evaluation.confusion, strict=True)):
        cells = [f"[bold]{n:,}[/bold]" if i == index else f"{n:,}" for i, n in enumerate(row)]
        table.add_row(escape(name), *cells)
    return table


def _unchanged(flag: bool) -> str:
    return " [dim](unchanged)[/dim]" if flag else ""


def training(trained: TrainedModel) -> None:
    result = trained.result
    terminal = result_terminal()
    terminal.print(_accuracy_table({"float": result.test}))
    terminal.print(
        f"{result.parameters:,} parameters, best of {result.epochs} epochs: {result.best_epoch} "
        f"(validation {percent(result.validation_accuracy)}), {result.seconds:.0f} s"
    )
    terminal.print(f"curves: {trained.curves}")
    terminal.print(f"weights: {trained.weights}{_unchanged(trained.unchanged)}")


def quantization(quantized: QuantizedModel) -> None:
    result = quantized.result
    terminal = result_terminal()
    terminal.print(_accuracy_table({"float": result.float32, "int8": result.int8}))
    terminal.print()
    terminal.print(_confusion_table(result.int8))
    terminal.print()
    lost = result.points_lost
    changed = f"{lost:.2f} points lost" if lost > 0 else f"{-lost:.2f} points gained"
    terminal.print(
        f"{changed}; int8 under {escape(result.reference)}'s reference kernels, calibrated on "
        f"{result.calibration_images} training photos"
    )
    for layer in result.noisiest:
        terminal.print(f"  noisiest: {escape(str(layer))}")
    terminal.print(
        f"model: {quantized.model}, {size(result.model_bytes)}{_unchanged(quantized.unchanged)}"
    )


def inspection(model: Inspection) -> None:
    terminal = result_terminal()
    macs = f"{count(model.macs)} MACs, " if model.macs is not None else ""
    terminal.print(
        f"[bold]{escape(str(model.model))}[/bold]: {size(model.model_bytes)}, {macs}"
        f"{count(model.parameters)} parameters [dim](sha256 {model.digest[:16]}…)[/dim]"
    )
    for label, ports in (("input", model.inputs), ("output", model.outputs)):
        for port in ports:
            terminal.print(f"{label:6}  {_port(port)}")
    if model.metadata is not None:
        spec = model.metadata.preprocessing
        terminal.print(
            f"photo   {spec.width}×{spec.height} {spec.colour}, {spec.fit}; "
            f"real = pixel × {spec.scale:g} + {spec.offset:g}"
        )
        terminal.print(f"classes {escape(', '.join(model.metadata.classes))}")
    layers = _table(">", "layer", "operator", "output", "MACs>", "weights>", "live RAM>")
    for layer in model.layers:
        layers.add_row(
            str(layer.index),
            escape(layer.name),
            layer.kind,
            shape(layer.output_shape),
            "-" if layer.macs is None else short(layer.macs),
            size(layer.weight_bytes),
            "-" if layer.live_bytes is None else size(layer.live_bytes),
        )
    terminal.print(layers)
    if model.problem is not None:
        terminal.print(f"[red]{escape(model.problem)}[/red]")
        return
    terminal.print()
    places = _table("board", "runtime", "kernels", "arena>", "flash about>", "RAM about>", "")
    for place in model.placements:
        places.add_row(
            place.board,
            place.runtime,
            place.kernels or "-",
            _size_or_dash(place.arena_bytes),
            _of(place.flash_bytes, place.flash_limit),
            _of(place.ram_bytes, place.ram_limit),
            _fits(place),
        )
    terminal.print(places)
    for plan in model.plans:
        from edgemcu.cli.show_layers import compiled_plan

        compiled_plan(plan)


def _port(port: Port) -> str:
    text = f"{escape(port.name)}: {port.dtype} {shape(port.shape)}"
    if port.scale is None:
        return text
    return f"{text}, real = {port.scale:.9g} × (q − {port.zero_point})"


def _size_or_dash(value: int | None) -> str:
    return "-" if value is None else size(value)


def _of(used: int | None, limit: int | None) -> str:
    if used is None:
        return "-"
    return f"{size(used)} [dim]of {size(limit)}[/dim]" if limit else size(used)


def _fits(place: Placement) -> str:
    return "[green]fits[/green]" if place.fits else f"[red]{escape(place.reason or '')}[/red]"


def generated_project(project: GeneratedProject) -> None:
    terminal = result_terminal()
    terminal.print(
        f"[bold]{project.board}[/bold], {project.runtime} runtime, {project.kernels} kernels: "
        f"arena {size(project.arena_bytes)}, weights {size(project.weights_bytes)}"
    )
    for name in project.files:
        terminal.print(f"  [dim]{escape(name)}[/dim]")
    terminal.print(f"project: {project.path}")


def build(built: BuiltFirmware) -> None:
    result = built.build
    terminal = result_terminal()
    table = _table("", "used>", "of>", ">")
    for label, used, limit in (
        ("flash", result.flash_bytes, result.flash_limit),
        ("RAM", result.ram_bytes, result.ram_limit),
    ):
        share = percent(used / limit) if limit else ""
        table.add_row(label, size(used), size(limit) if limit else "-", share)
    terminal.print(table)
    terminal.print(f"firmware: {result.elf}")


def run(result: RunResult) -> None:
    from edgemcu.report.terminal import render_terminal

    terminal = result_terminal()
    render_terminal(result.report, terminal)
    terminal.print(f"  report: {result.page}{_unchanged(result.unchanged)}")
