//! What an analytics report shows.

use super::{Bar, Chart, KeyFigure, Panel, Row, Section, Table, View, chart_of, measures};
use crate::metrics::{AnalyticsMetrics, ChannelDeliveries, Compared, ListingMetrics};
use crate::report::figure::{Better, Figure, Value};
use crate::report::words;

const NOTES: &[&str] = &[
    "Active users are those with an account who placed an order or read a message in the app. An \
     onboarding counts when it came to an end; of a user's ends in one period, the last.",
    "Conversion is the share of new users who became active before the period ended. Messages count \
     in the period in which they were begun, by what became of them since.",
];

pub(super) fn view(metrics: &AnalyticsMetrics) -> View {
    let mut sections = vec![
        Section::new(users_chart(metrics), users(metrics)),
        Section::new(
            deliveries_chart(&metrics.deliveries),
            deliveries(&metrics.deliveries),
        ),
    ];
    if let Some(listings) = &metrics.listings {
        let by_status = listings_by_status(listings);
        sections.push(Section::new(chart_of(&by_status, None), by_status));
        sections.push(Section::of_table(approval(listings)));
    }
    View {
        title: "Analytics report",
        key_figures: key_figures(metrics),
        sections,
        notes: NOTES,
    }
}

fn conversion(metrics: &AnalyticsMetrics) -> Figure {
    let share = Compared {
        current: Value::share(metrics.converted.current, metrics.new_users.current),
        previous: Value::share(metrics.converted.previous, metrics.new_users.previous),
    };
    Figure::compared(share, Better::Higher)
}

fn key_figures(metrics: &AnalyticsMetrics) -> Vec<KeyFigure> {
    let count =
        |id, label, counts| KeyFigure::new(id, label, Figure::count(counts, Better::Higher));
    vec![
        count("new_users", "New users", metrics.new_users),
        count("active_users", "Active users", metrics.active_users),
        KeyFigure::new("conversion", "Conversion", conversion(metrics)),
    ]
}

/// The counts of users, as a chart and a table have them.
fn user_counts(metrics: &AnalyticsMetrics) -> [(&'static str, &'static str, Figure); 5] {
    let higher = |counts| Figure::count(counts, Better::Higher);
    [
        ("new_users", "New users", higher(metrics.new_users)),
        (
            "converted",
            "New users who became active",
            higher(metrics.converted),
        ),
        ("active_users", "Active users", higher(metrics.active_users)),
        (
            "onboardings_finished",
            "Onboardings finished",
            higher(metrics.onboardings_finished),
        ),
        (
            "onboardings_failed",
            "Onboardings failed",
            Figure::count(metrics.onboardings_failed, Better::Lower),
        ),
    ]
}

fn users_chart(metrics: &AnalyticsMetrics) -> Chart {
    let bars = user_counts(metrics).map(|(_, label, figure)| Bar {
        label: label.to_owned(),
        figure,
    });
    Chart {
        note: None,
        panels: vec![Panel {
            title: String::new(),
            bars: bars.into(),
        }],
    }
}

fn users(metrics: &AnalyticsMetrics) -> Table {
    let mut rows: Vec<_> = user_counts(metrics)
        .map(|(id, label, figure)| Row::named(id, vec![figure]).labelled(label))
        .into();
    rows.push(Row::named("conversion", vec![conversion(metrics)]).labelled("Conversion"));
    Table {
        id: "users",
        title: "Users",
        heading: "Figure",
        currency_column: false,
        measures: measures(&[("value", "Users")]),
        rows,
        empty: "No users in this period.",
    }
}

fn deliveries(deliveries: &[ChannelDeliveries]) -> Table {
    Table {
        id: "messages",
        title: "Messages by channel",
        heading: "Channel",
        currency_column: false,
        measures: measures(&[
            ("sent", "Sent"),
            ("failed", "Failed"),
            ("possibly_delivered", "Possibly delivered"),
            ("pending", "Pending"),
        ]),
        rows: deliveries
            .iter()
            .map(|row| {
                let figures = vec![
                    Figure::count(row.sent, Better::Higher),
                    Figure::count(row.failed, Better::Lower),
                    Figure::count(row.possibly_delivered, Better::Lower),
                    Figure::count(row.pending, Better::Neither),
                ];
                Row::named(&row.channel, figures).labelled(words::status(&row.channel))
            })
            .collect(),
        empty: "No messages in this period.",
    }
}

fn deliveries_chart(deliveries: &[ChannelDeliveries]) -> Chart {
    let panels = deliveries.iter().map(|row| {
        let bar = |label: &str, counts, better| Bar {
            label: label.to_owned(),
            figure: Figure::count(counts, better),
        };
        Panel {
            title: words::status(&row.channel),
            bars: vec![
                bar("Sent", row.sent, Better::Higher),
                bar("Failed", row.failed, Better::Lower),
            ],
        }
    });
    Chart {
        note: (deliveries.len() > 1).then_some("Each channel has a scale of its own."),
        panels: panels.collect(),
    }
}

fn listings_by_status(listings: &ListingMetrics) -> Table {
    Table {
        id: "listings_by_status",
        title: "Listings by status",
        heading: "Status",
        currency_column: false,
        measures: measures(&[("listings", "Listings")]),
        rows: listings
            .by_status
            .iter()
            .map(|row| {
                Row::named(&row.status, vec![Figure::count(row.count, Better::Neither)])
                    .labelled(words::status(&row.status))
            })
            .collect(),
        empty: "No listings in this period.",
    }
}

fn approval(listings: &ListingMetrics) -> Table {
    let row = |key: &str, label: &str, millis: Compared<Option<u64>>| {
        let figure = Figure::compared(millis.map(Value::millis), Better::Lower);
        Row::named(key, vec![figure]).labelled(label)
    };
    let approval = listings.approval;
    Table {
        id: "approval_time",
        title: "Time to approval",
        heading: "Of the approved listings",
        currency_column: false,
        measures: measures(&[("seconds", "Time")]),
        rows: vec![
            row(
                "p50",
                "Half took at most",
                approval.map(|latency| latency.map(|latency| latency.p50_millis)),
            ),
            row(
                "p90",
                "Nine of ten took at most",
                approval.map(|latency| latency.map(|latency| latency.p90_millis)),
            ),
        ],
        empty: "No listings approved in this period.",
    }
}
