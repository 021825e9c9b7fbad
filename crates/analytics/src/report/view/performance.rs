//! What a performance report shows.

use super::{Chart, KeyFigure, Row, Section, Table, View, chart_of, measures};
use crate::metrics::{Compared, PerformanceMetrics, WorkflowMetrics};
use crate::report::figure::{Better, Figure, Value};

const NOTES: &[&str] = &[
    "A start counts by the time of the start, an end by the time of the end: a workflow that was \
     started in one period may have ended in another, or run still.",
    "Half of the workflows that closed took at most p50, nine of ten at most p90. What waits in the \
     task queues is as it was when the report was made.",
];

pub(super) fn view(metrics: &PerformanceMetrics) -> View {
    let workflows = workflows(metrics);
    View {
        title: "Performance report",
        key_figures: key_figures(metrics),
        sections: vec![
            Section::new(chart(&workflows), workflows),
            Section::of_table(failures(metrics)),
            Section::of_table(queues(metrics)),
        ],
        notes: NOTES,
    }
}

/// The types with the most starts, as a chart.
fn chart(workflows: &Table) -> Chart {
    let mut largest_first = workflows.clone();
    largest_first.rows.sort_by_key(|row| {
        let started = row
            .figures
            .first()
            .and_then(|figure| figure.current.number());
        std::cmp::Reverse(started)
    });
    chart_of(
        &largest_first,
        Some("How many were started; the ten most frequent types at most."),
    )
}

fn key_figures(metrics: &PerformanceMetrics) -> Vec<KeyFigure> {
    let sum = |of: fn(&WorkflowMetrics) -> Compared<u64>| {
        let total = |side: fn(Compared<u64>) -> u64| {
            let counts = metrics.workflows.iter().map(|workflow| side(of(workflow)));
            counts.fold(0, u64::saturating_add)
        };
        Compared::new(total(|count| count.current), total(|count| count.previous))
    };
    let waiting = metrics.queues.iter().map(|queue| queue.tasks);
    vec![
        KeyFigure::new(
            "workflows_started",
            "Workflows started",
            Figure::count(sum(|workflow| workflow.started), Better::Neither),
        ),
        KeyFigure::new(
            "workflows_failed",
            "Workflows failed",
            Figure::count(sum(|workflow| workflow.failed), Better::Lower),
        ),
        KeyFigure::new(
            "tasks_waiting",
            "Tasks waiting now",
            Figure::of_now(
                Value::Count(waiting.fold(0, u64::saturating_add)),
                Better::Lower,
            ),
        ),
    ]
}

fn workflows(metrics: &PerformanceMetrics) -> Table {
    Table {
        id: "workflows",
        title: "Workflows by type",
        heading: "Type",
        currency_column: false,
        measures: measures(&[
            ("started", "Started"),
            ("completed", "Completed"),
            ("failed", "Failed"),
            ("cancelled", "Cancelled"),
            ("timed_out", "Timed out"),
            ("terminated", "Terminated"),
            ("p50_seconds", "p50"),
            ("p90_seconds", "p90"),
        ]),
        rows: metrics.workflows.iter().map(workflow_row).collect(),
        empty: "No workflows in this period.",
    }
}

fn workflow_row(workflow: &WorkflowMetrics) -> Row {
    let latency = |of: fn(crate::metrics::Latency) -> u64| {
        let millis = workflow
            .latency
            .map(|latency| Value::millis(latency.map(of)));
        Figure::compared(millis, Better::Lower)
    };
    Row::named(
        &workflow.workflow_type,
        vec![
            Figure::count(workflow.started, Better::Neither),
            Figure::count(workflow.completed, Better::Higher),
            Figure::count(workflow.failed, Better::Lower),
            Figure::count(workflow.cancelled, Better::Neither),
            Figure::count(workflow.timed_out, Better::Lower),
            Figure::count(workflow.terminated, Better::Lower),
            latency(|latency| latency.p50_millis),
            latency(|latency| latency.p90_millis),
        ],
    )
}

fn failures(metrics: &PerformanceMetrics) -> Table {
    Table {
        id: "failures",
        title: "Failures by type",
        heading: "Workflow and failure",
        currency_column: false,
        measures: measures(&[("workflows", "Workflows")]),
        rows: metrics
            .failures
            .iter()
            .map(|failure| {
                let name = format!("{}: {}", failure.workflow_type, failure.failure_type);
                Row::named(name, vec![Figure::count(failure.count, Better::Lower)])
            })
            .collect(),
        empty: "No workflows failed in this period.",
    }
}

fn queues(metrics: &PerformanceMetrics) -> Table {
    Table {
        id: "task_queues",
        title: "Task queues now",
        heading: "Task queue",
        currency_column: false,
        measures: measures(&[
            ("tasks_waiting", "Tasks waiting"),
            ("oldest_seconds", "Oldest waits for"),
        ]),
        rows: metrics
            .queues
            .iter()
            .map(|queue| {
                let figures = vec![
                    Figure::of_now(Value::Count(queue.tasks), Better::Lower),
                    Figure::of_now(Value::millis(queue.oldest_millis), Better::Lower),
                ];
                Row::named(&queue.task_queue, figures)
            })
            .collect(),
        empty: "No task queues.",
    }
}
