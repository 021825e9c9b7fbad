//! A search: the shape of its body, which documents fit, and how well.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use super::documents::Index;
use super::mapping::Indexed;
use super::request::Refusal;
use super::simple_query::SimpleQueryString;

/// `index.max_result_window`.
const MAX_WINDOW: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    size: usize,
    /// Whether hits are counted; nobody needs the count.
    track_total_hits: bool,
    sort: Vec<BTreeMap<String, Order>>,
    query: Query,
    search_after: Option<Vec<Value>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    Asc,
    Desc,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Query {
    Bool(Bool),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bool {
    #[serde(default)]
    must: Vec<Scored>,
    #[serde(default)]
    filter: Vec<Filter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scored {
    SimpleQueryString(SimpleQueryString),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Filter {
    Term(BTreeMap<String, Value>),
    Range(BTreeMap<String, Bounds>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    gte: Option<f64>,
    lte: Option<f64>,
}

/// Without these two, pages could have gaps.
pub(super) fn check(parameters: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let partial = parameters.get("allow_partial_search_results");
    if partial.is_none_or(|partial| partial != "false") {
        return Err(Refusal::argument("partial results are gaps"));
    }
    let preference = parameters.get("preference");
    if preference.is_none_or(|preference| preference.is_empty() || preference.starts_with('_')) {
        return Err(Refusal::argument("no preference for the same copies"));
    }
    Ok(())
}

pub(super) fn run(index: &Index, body: Value) -> Result<Answer, Refusal> {
    let body: Body = serde_json::from_value(body)
        .map_err(|error| Refusal::new(400, "parsing_exception", error.to_string()))?;
    if body.size > MAX_WINDOW {
        return Err(Refusal::argument("result window is too large"));
    }
    if body.track_total_hits {
        return Err(Refusal::argument("nobody needs the count"));
    }
    let tie_breaker = tie_breaker(index, &body.sort)?;
    let after = body.search_after.as_deref().map(position).transpose()?;
    let Query::Bool(query) = body.query;
    let mut hits = matches(index, &query)?
        .into_iter()
        .map(|(id, score, document)| {
            let tie = document
                .terms
                .get(&tie_breaker)
                .and_then(|terms| terms.first());
            (score, tie.cloned().unwrap_or_default(), id, document)
        })
        .filter(|(score, tie, ..)| {
            after
                .as_ref()
                .is_none_or(|after| order(after, &(*score, tie.clone())) == Ordering::Less)
        })
        .collect::<Vec<_>>();
    hits.sort_by(|a, b| order(&(a.0, a.1.clone()), &(b.0, b.1.clone())));
    hits.truncate(body.size);
    let hits: Vec<_> = hits
        .into_iter()
        .map(|(score, tie, id, document)| {
            json!({
                "_index": index.name, "_id": id, "_score": score, "_source": document.source,
                "sort": [score, tie],
            })
        })
        .collect();
    let shards = json!({"total": 1, "successful": 1, "skipped": 0, "failed": 0});
    let body = json!({
        "took": 1, "timed_out": false, "_shards": shards,
        "hits": {"max_score": null, "hits": hits},
    });
    Ok((200, body))
}

/// The better score first, then the lower term.
fn order(a: &(f32, String), b: &(f32, String)) -> Ordering {
    b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1))
}

/// The keyword that breaks ties of the score.
fn tie_breaker(index: &Index, sort: &[BTreeMap<String, Order>]) -> Result<String, Refusal> {
    let mut fields = sort.iter().flatten();
    match (fields.next(), fields.next(), fields.next()) {
        (Some((first, Order::Desc)), Some((second, Order::Asc)), None) if first == "_score" => {
            index.mapping.check_sort(second)?;
            Ok(second.clone())
        }
        _ => Err(Refusal::argument("sort is by score and one keyword")),
    }
}

fn position(values: &[Value]) -> Result<(f32, String), Refusal> {
    let values = Value::Array(values.to_vec());
    serde_json::from_value(values)
        .map_err(|error| Refusal::argument(format!("search_after: {error}")))
}

/// The documents that fit, with their ids and scores.
fn matches<'a>(
    index: &'a Index,
    query: &Bool,
) -> Result<Vec<(&'a str, f32, &'a Indexed)>, Refusal> {
    for filter in &query.filter {
        filter.check(index)?;
    }
    let mut candidates: Vec<_> = index
        .searchable
        .iter()
        .filter(|(_, document)| query.filter.iter().all(|filter| filter.fits(document)))
        .map(|(id, document)| (id.as_str(), 0.0, document))
        .collect();
    for Scored::SimpleQueryString(text) in &query.must {
        let text = text.compile(index)?;
        candidates = candidates
            .into_iter()
            .filter_map(|(id, score, document)| {
                text.score(document)
                    .map(|more| (id, score + more, document))
            })
            .collect();
    }
    Ok(candidates)
}

impl Filter {
    fn check(&self, index: &Index) -> Result<(), Refusal> {
        match self {
            Self::Term(fields) => fields
                .keys()
                .try_for_each(|name| index.mapping.check_term(name)),
            Self::Range(fields) => fields
                .keys()
                .try_for_each(|name| index.mapping.check_range(name)),
        }
    }

    fn fits(&self, document: &Indexed) -> bool {
        match self {
            Self::Term(fields) => fields.iter().all(|(name, wanted)| {
                let wanted = wanted
                    .as_str()
                    .map_or_else(|| wanted.to_string(), str::to_owned);
                document
                    .terms
                    .get(name)
                    .is_some_and(|terms| terms.contains(&wanted))
            }),
            Self::Range(fields) => fields.iter().all(|(name, bounds)| {
                let numbers = document.numbers.get(name).into_iter().flatten();
                numbers.into_iter().any(|number| {
                    bounds.gte.is_none_or(|least| *number >= least)
                        && bounds.lte.is_none_or(|most| *number <= most)
                })
            }),
        }
    }
}
