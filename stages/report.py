"""Write the report and its plots from the metrics of the procedures named in params."""

from pathlib import Path

from flowc.cost_report import rivals
from flowc.graph import Graph
from flowc.human_report import read_human
from flowc.metrics import read_metrics
from flowc.overrides import for_procedure
from flowc.params import load, load_value
from flowc.records import read_record, run_stage, stage_parser
from flowc.report import ReportParams, draw, relative, report
from flowc.spend import PricesParams


def main() -> Path | None:
    """Read metrics and graphs by name, write the page and draw the plots."""
    parser = stage_parser(__doc__)
    parser.add_argument("reports", type=Path, help="folder of the metrics files")
    parser.add_argument("--graphs", type=Path, required=True, help="folder of the procedures' graphs")
    parser.add_argument("--human", type=Path, required=True, help="folder of what was measured on human input")
    parser.add_argument("--out", type=Path, required=True, help="the report to write, Markdown")
    parser.add_argument("--plots", type=Path, required=True, help="folder for the plots, PNG")
    args = parser.parse_args()
    procedures = load_value("procedures", list)
    metrics = [read_metrics(args.reports, p) for p in procedures]
    graphs = {p: read_record(args.graphs / f"{p}.json", Graph) for p in procedures}
    shared, sources = load("report", ReportParams), load_value("sources", dict)
    params = {p: for_procedure(shared, "report", sources, p) for p in procedures}
    prices = rivals(load("prices", PricesParams), shared.cost)
    for m in metrics:
        draw(m, params[m.procedure], prices, args.plots)
    revision = load_value("train", dict)["previous"]["revision"]
    people, pictures = read_human(args.human, procedures), relative(args.plots, args.out)
    page = report(metrics, graphs, params, shared.command, prices, people, pictures, revision)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(page, encoding="utf-8")
    return args.timing


if __name__ == "__main__":
    run_stage(main)
