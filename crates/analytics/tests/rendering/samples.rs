//! Figures of every kind: usual ones, none, huge ones, and more rows than a page holds.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use partner_analytics::metrics::{
    AnalyticsMetrics, ArticleSales, ChannelDeliveries, Compared, CurrencySales, DeclineReason,
    FailureCount, Latency, ListingMetrics, Metrics, MetricsDocument, PerformanceMetrics,
    QueueMetrics, SalesMetrics, StatusCount, WorkflowMetrics,
};
use partner_analytics::model::Period;
use partner_core::money::{Amount, Currency, Money};

/// When every sample is rendered.
pub(crate) fn generated_at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_796_198_405, 0).expect("a time")
}

/// Every sample under a name.
pub(crate) fn all() -> Vec<(&'static str, MetricsDocument)> {
    vec![
        ("sales", document(Metrics::Sales(sales()))),
        (
            "sales-empty",
            document(Metrics::Sales(SalesMetrics::default())),
        ),
        ("sales-huge", document(Metrics::Sales(huge_sales()))),
        (
            "sales-one-currency",
            document(Metrics::Sales(one_currency())),
        ),
        ("analytics", document(Metrics::Analytics(analytics()))),
        (
            "analytics-empty",
            document(Metrics::Analytics(AnalyticsMetrics::default())),
        ),
        ("performance", document(Metrics::Performance(performance()))),
        (
            "performance-empty",
            document(Metrics::Performance(PerformanceMetrics::default())),
        ),
    ]
}

/// The figures, of a day in Berlin.
pub(crate) fn document(metrics: Metrics) -> MetricsDocument {
    let from = DateTime::from_timestamp(1_796_079_600, 0).expect("a time");
    let to = DateTime::from_timestamp(1_796_166_000, 0).expect("a time");
    MetricsDocument {
        period: Period::new(from, to, Tz::Europe__Berlin).expect("a period"),
        metrics,
        timestamp: generated_at(),
    }
}

fn amount(minor: i64) -> Amount {
    Money::from_minor(minor, Currency::EUR).amount()
}

fn amounts(current: i64, previous: i64) -> Compared<Amount> {
    Compared::new(amount(current), amount(previous))
}

const fn counts(current: u64, previous: u64) -> Compared<u64> {
    Compared::new(current, previous)
}

fn currency(currency: Currency, factor: i64) -> CurrencySales {
    CurrencySales {
        currency,
        revenue: amounts(1_234_567 * factor, 1_099_000 * factor),
        paid_orders: counts(142, 131),
        average_order: Compared::new(Some(amount(8_694 * factor)), Some(amount(8_389 * factor))),
        subscription_revenue: amounts(249_900 * factor, 259_900 * factor),
        subscription_payments: counts(100, 104),
        refunds: counts(3, 3),
        refunded_amount: amounts(24_997 * factor, 12_000 * factor),
    }
}

/// A usual day in three currencies.
pub(crate) fn sales() -> SalesMetrics {
    let article = |index: u64, currency| ArticleSales {
        sku: match index {
            0 => "villa-am-see-mit-garten-und-blick-auf-die-alpen-und-eigenem-bootssteg-\
                  sowie-sauna-whirlpool-und-doppelgarage"
                .to_owned(),
            1 => "Château d'Été № 7 – Łódź, Ağrı, Đà Nẵng".to_owned(),
            2 => "平屋 tokyo 🏠".to_owned(),
            index => format!("flat-{index}"),
        },
        currency,
        quantity: counts(40 - index, 30 + index % 7),
        revenue: amounts(987_654 - 31_337 * index.cast_signed(), 456_789),
    };
    SalesMetrics {
        currencies: vec![
            currency(Currency::EUR, 3),
            currency(Currency::INR, 88),
            currency(Currency::USD, 1),
        ],
        orders_by_status: ["paid", "completed", "payment_failed", "pending", "refunded"]
            .into_iter()
            .zip([(212, 198), (180, 201), (17, 9), (12, 12), (5, 0)])
            .map(|(status, (current, previous))| StatusCount {
                status: status.to_owned(),
                count: counts(current, previous),
            })
            .collect(),
        declines: counts(23, 15),
        decline_reasons: [
            ("insufficient_funds", 12, 9),
            ("expired_card", 6, 6),
            ("do_not_honor", 4, 0),
        ]
        .into_iter()
        .map(|(code, current, previous)| DeclineReason {
            code: code.to_owned(),
            count: counts(current, previous),
        })
        .collect(),
        top_articles: [Currency::EUR, Currency::INR, Currency::USD]
            .into_iter()
            .flat_map(|currency| (0..10).map(move |index| article(index, currency)))
            .collect(),
    }
}

/// A day on which everything was in one currency, and nothing the day before.
pub(crate) fn one_currency() -> SalesMetrics {
    let first = CurrencySales {
        revenue: amounts(1_234_567, 0),
        paid_orders: counts(142, 0),
        average_order: Compared::new(Some(amount(8_694)), None),
        subscription_revenue: amounts(0, 0),
        subscription_payments: counts(0, 0),
        refunds: counts(1, 0),
        refunded_amount: amounts(1_300_000, 0),
        ..currency(Currency::USD, 1)
    };
    SalesMetrics {
        currencies: vec![first],
        orders_by_status: vec![StatusCount {
            status: "paid".to_owned(),
            count: counts(142, 0),
        }],
        ..SalesMetrics::default()
    }
}

/// The largest amounts that the database can hold.
pub(crate) fn huge_sales() -> SalesMetrics {
    let most = amounts(i64::MAX, i64::MAX - 1);
    let huge = |currency| CurrencySales {
        currency,
        revenue: most,
        paid_orders: counts(u64::MAX, 1),
        average_order: most.map(Some),
        subscription_revenue: most,
        subscription_payments: counts(u64::MAX, u64::MAX),
        refunds: counts(u64::MAX, 0),
        refunded_amount: amounts(1, i64::MAX),
    };
    SalesMetrics {
        currencies: vec![huge(Currency::INR), huge(Currency::USD)],
        ..sales()
    }
}

/// A usual day, with listings.
pub(crate) fn analytics() -> AnalyticsMetrics {
    let channel = |name: &str, sent, failed| ChannelDeliveries {
        channel: name.to_owned(),
        sent: counts(sent, sent - 20),
        failed: counts(failed, 7),
        possibly_delivered: counts(1, 0),
        pending: counts(0, 0),
    };
    let latency = |p50_millis, p90_millis| {
        Some(Latency {
            p50_millis,
            p90_millis,
        })
    };
    AnalyticsMetrics {
        new_users: counts(120, 96),
        active_users: counts(1_843, 1_790),
        onboardings_finished: counts(88, 80),
        onboardings_failed: counts(6, 2),
        converted: counts(71, 60),
        deliveries: vec![
            channel("email", 2_310, 31),
            channel("in_app", 1_991, 0),
            channel("push", 804, 44),
        ],
        listings: Some(ListingMetrics {
            by_status: vec![
                StatusCount {
                    status: "approved".to_owned(),
                    count: counts(40, 38),
                },
                StatusCount {
                    status: "pending_review".to_owned(),
                    count: counts(11, 4),
                },
            ],
            approval: Compared::new(
                latency(5_400_000, 93_600_000),
                latency(7_200_000, 86_400_000),
            ),
        }),
    }
}

/// A usual day, with more kinds of failures than a page holds.
pub(crate) fn performance() -> PerformanceMetrics {
    let names = [
        "dailyReportWorkflow",
        "listingApprovalWorkflow",
        "listingExpirationWorkflow",
        "processPaymentWorkflow",
        "reminderWorkflow",
        "sendNotificationWorkflow",
        "subscriptionPaymentWorkflow",
        "userOnboardingWorkflow",
    ];
    let workflows = names
        .iter()
        .zip(1_u64..)
        .map(|(name, index)| WorkflowMetrics {
            workflow_type: (*name).to_owned(),
            started: counts(1_000 * index, 950 * index),
            completed: counts(980 * index, 940 * index),
            failed: counts(3 * index, 2 * index),
            cancelled: counts(1, 1),
            timed_out: counts(0, 2),
            terminated: counts(0, 0),
            latency: Compared::new(
                Some(Latency {
                    p50_millis: 420 * index * index,
                    p90_millis: 9_000 * index * index,
                }),
                Some(Latency {
                    p50_millis: 400 * index * index,
                    p90_millis: 9_900 * index * index,
                }),
            ),
        });
    let failures = names
        .iter()
        .cycle()
        .zip(0..60_u64)
        .map(|(name, index)| FailureCount {
            workflow_type: (*name).to_owned(),
            failure_type: format!("FAILURE_{index}"),
            count: counts(60 - index, index),
        });
    PerformanceMetrics {
        workflows: workflows.collect(),
        failures: failures.collect(),
        queues: vec![
            QueueMetrics {
                task_queue: "partner-platform-background-queue".to_owned(),
                tasks: 1_204,
                oldest_millis: Some(95_000),
            },
            QueueMetrics {
                task_queue: "partner-platform-queue".to_owned(),
                tasks: 0,
                oldest_millis: None,
            },
        ],
    }
}
