//! Figures that nobody would think of: any text for a name, any number for a count.

use partner_analytics::metrics::{
    AnalyticsMetrics, ArticleSales, ChannelDeliveries, Compared, CurrencySales, DeclineReason,
    FailureCount, Metrics, MetricsDocument, PerformanceMetrics, QueueMetrics, SalesMetrics,
    StatusCount,
};
use partner_analytics::model::ReportFormat;
use partner_core::money::{Amount, Currency};
use proptest::collection::vec;
use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::{csv, excel, file, pdf, samples};

/// Texts that broke something somewhere once, and any others.
fn text() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "",
        " ",
        "\0",
        "\u{7}\u{1b}[31m",
        "=1+1",
        "'=1+1",
        "\"",
        "a,b\r\nc\td",
        "_x0041_",
        "<b>&amp;</b>",
        "{{7*7}}",
        "\u{202E}txt.exe",
        "e\u{301}\u{301}\u{301}\u{301}\u{301}",
        "\u{301}",
        "👩\u{200D}👩\u{200D}👧\u{FE0F}",
        "שלום مرحبا हिन्दी ไทย",
        "\u{FEFF}\u{FFFE}\u{FFFF}\u{E000}\u{10FFFF}",
        "ﬁ ﷽ 𒐫",
        "fi ffl -> => <= 1/2 12:30 (c)",
    ]);
    prop_oneof![
        known.prop_map(str::to_owned),
        any::<String>(),
        "\\PC{0,40}",
        ("[a-z =\u{301}W]", 1_000_usize..40_000).prop_map(|(part, times)| part.repeat(times)),
    ]
}

fn counts() -> impl Strategy<Value = Compared<u64>> {
    let count = || prop_oneof![Just(0), 0..1_000_u64, any::<u64>()];
    (count(), count()).prop_map(|(current, previous)| Compared::new(current, previous))
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![
        Just(Decimal::ZERO),
        Just(Decimal::MAX),
        Just(Decimal::MIN),
        (any::<i64>(), 0_u32..=28).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale)),
    ]
    .prop_map(Amount::new)
}

fn amounts() -> impl Strategy<Value = Compared<Amount>> {
    (amount(), amount()).prop_map(|(current, previous)| Compared::new(current, previous))
}

fn currency() -> impl Strategy<Value = Currency> {
    prop::sample::select(Currency::ALL.to_vec())
}

fn currency_sales() -> impl Strategy<Value = CurrencySales> {
    let figures = (
        amounts(),
        counts(),
        amounts(),
        counts(),
        counts(),
        amounts(),
    );
    (currency(), figures).prop_map(|(currency, figures)| CurrencySales {
        currency,
        revenue: figures.0,
        paid_orders: figures.1,
        average_order: figures.0.map(Some),
        subscription_revenue: figures.2,
        subscription_payments: figures.3,
        refunds: figures.4,
        refunded_amount: figures.5,
    })
}

fn sales() -> impl Strategy<Value = Metrics> {
    let named = || vec((text(), counts()), 0..4);
    let articles = vec((text(), currency(), counts(), amounts()), 0..6);
    (
        vec(currency_sales(), 0..4),
        named(),
        named(),
        articles,
        counts(),
    )
        .prop_map(|(currencies, statuses, reasons, articles, declines)| {
            let status = |(status, count)| StatusCount { status, count };
            let reason = |(code, count)| DeclineReason { code, count };
            let article = |(sku, currency, quantity, revenue)| ArticleSales {
                sku,
                currency,
                quantity,
                revenue,
            };
            Metrics::Sales(SalesMetrics {
                currencies,
                orders_by_status: statuses.into_iter().map(status).collect(),
                declines,
                decline_reasons: reasons.into_iter().map(reason).collect(),
                top_articles: articles.into_iter().map(article).collect(),
            })
        })
}

fn analytics() -> impl Strategy<Value = Metrics> {
    let channels = vec((text(), counts(), counts()), 0..5);
    (counts(), counts(), channels).prop_map(|(new_users, converted, channels)| {
        let channel = |(channel, sent, failed)| ChannelDeliveries {
            channel,
            sent,
            failed,
            possibly_delivered: sent,
            pending: failed,
        };
        Metrics::Analytics(AnalyticsMetrics {
            new_users,
            converted,
            deliveries: channels.into_iter().map(channel).collect(),
            ..AnalyticsMetrics::default()
        })
    })
}

fn performance() -> impl Strategy<Value = Metrics> {
    let failures = vec((text(), text(), counts()), 0..5);
    let queues = vec((text(), any::<u64>(), any::<Option<u64>>()), 0..5);
    (failures, queues).prop_map(|(failures, queues)| {
        let failure = |(workflow_type, failure_type, count)| FailureCount {
            workflow_type,
            failure_type,
            count,
        };
        let queue = |(task_queue, tasks, oldest_millis)| QueueMetrics {
            task_queue,
            tasks,
            oldest_millis,
        };
        Metrics::Performance(PerformanceMetrics {
            workflows: samples::performance().workflows,
            failures: failures.into_iter().map(failure).collect(),
            queues: queues.into_iter().map(queue).collect(),
        })
    })
}

pub(crate) fn document() -> impl Strategy<Value = MetricsDocument> {
    prop_oneof![sales(), analytics(), performance()].prop_map(samples::document)
}

fn check(document: &MetricsDocument) -> anyhow::Result<()> {
    let pdf = pdf::read(document)?;
    let pages = pdf::pages(&pdf)?;
    anyhow::ensure!(pages[0].contains("Partner platform"), "{}", pages[0]);
    let mut workbook = excel::workbook(document)?;
    for sheet in calamine::Reader::sheet_names(&workbook) {
        calamine::Reader::worksheet_range(&mut workbook, &sheet)?;
    }
    let lines = csv::lines(&file(document, ReportFormat::Csv)?)?;
    anyhow::ensure!(
        lines
            .iter()
            .all(|[_, name, ..]| !name.starts_with(['=', '+', '-', '@', '\t', '\r'])),
        "a formula in {lines:?}"
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_text_and_no_number_breaks_a_format(document in document()) {
        let checked = check(&document);
        prop_assert!(checked.is_ok(), "{checked:?}");
    }
}
