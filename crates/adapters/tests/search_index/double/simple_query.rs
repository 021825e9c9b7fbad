//! `simple_query_string`: its parser (Lucene's `SimpleQueryParser`) and a simple BM25.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::analysis::{self, Token};
use super::documents::Index;
use super::mapping::Indexed;
use super::request::Refusal;

/// `indices.query.bool.max_clause_count`.
const MAX_CLAUSES: usize = 1024;

/// The flags that the parser below has.
const FLAGS: [&str; 4] = ["OR", "NOT", "PHRASE", "WHITESPACE"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SimpleQueryString {
    query: String,
    fields: Vec<String>,
    default_operator: Operator,
    flags: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Operator {
    And,
    Or,
}

/// A query, ready to be held against documents.
pub(super) struct Compiled {
    root: Option<Node>,
    fields: Vec<FieldScorer>,
}

#[derive(Debug)]
enum Node {
    Everything,
    Words(Vec<Token>),
    Phrase(Vec<Token>),
    Not(Box<Node>),
    Group(Operator, Vec<Node>),
}

impl SimpleQueryString {
    pub(super) fn compile(&self, index: &Index) -> Result<Compiled, Refusal> {
        let mut flags: Vec<_> = self.flags.split('|').collect();
        flags.sort_unstable();
        if flags != ["NOT", "OR", "PHRASE", "WHITESPACE"] {
            let reason = format!("flags [{}] are not {FLAGS:?}", self.flags);
            return Err(Refusal::argument(reason));
        }
        let fields = self
            .fields
            .iter()
            .map(|field| FieldScorer::read(index, field))
            .collect::<Result<Vec<_>, _>>()?;
        let root = if self.query.trim() == "*" {
            Some(Node::Everything)
        } else {
            Parser::new(&self.query, self.default_operator).parse()
        };
        if root.as_ref().map_or(0, Node::words) * fields.len() > MAX_CLAUSES {
            let reason = format!("maxClauseCount is set to {MAX_CLAUSES}");
            return Err(Refusal::new(400, "too_many_clauses", reason));
        }
        Ok(Compiled { root, fields })
    }
}

/// Reads from left to right, without precedence.
struct Parser<'a> {
    rest: &'a str,
    default: Operator,
    top: Option<Node>,
    operator: Option<Operator>,
    last_operator: Option<Operator>,
    nots: usize,
}

impl<'a> Parser<'a> {
    const fn new(query: &'a str, default: Operator) -> Self {
        Self {
            rest: query,
            default,
            top: None,
            operator: None,
            last_operator: None,
            nots: 0,
        }
    }

    fn parse(mut self) -> Option<Node> {
        while let Some(first) = self.rest.chars().next() {
            match first {
                '"' => self.phrase(),
                '|' => {
                    self.rest = &self.rest[1..];
                    if self.operator.is_none() && self.top.is_some() {
                        self.operator = Some(Operator::Or);
                    }
                }
                '-' => {
                    self.rest = &self.rest[1..];
                    self.nots += 1;
                    continue;
                }
                ' ' | '\t' | '\n' | '\r' => self.rest = &self.rest[1..],
                _ => self.word(),
            }
            self.nots = 0;
        }
        self.top
    }

    /// A quote without its other half is ignored.
    fn phrase(&mut self) {
        let inside = &self.rest[1..];
        let Some((phrase, behind)) = inside.split_once('"') else {
            self.rest = inside;
            return;
        };
        self.rest = behind;
        let tokens = analysis::english(phrase);
        self.add((!tokens.is_empty()).then_some(Node::Phrase(tokens)));
    }

    fn word(&mut self) {
        let end = self.rest.find(['"', '|', ' ', '\t', '\n', '\r']);
        let (word, behind) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = behind;
        let tokens = analysis::english(word);
        self.add((!tokens.is_empty()).then_some(Node::Words(tokens)));
    }

    fn add(&mut self, node: Option<Node>) {
        let operator = self.operator.take();
        let Some(mut node) = node else { return };
        if self.nots % 2 == 1 {
            node = Node::Not(Box::new(node));
        }
        self.top = Some(match self.top.take() {
            None => node,
            Some(top) => {
                let operator = operator.unwrap_or(self.default);
                let is_same = self.last_operator.replace(operator) == Some(operator);
                match top {
                    Node::Group(_, mut nodes) if is_same => {
                        nodes.push(node);
                        Node::Group(operator, nodes)
                    }
                    top => Node::Group(operator, vec![top, node]),
                }
            }
        });
    }
}

impl Node {
    fn words(&self) -> usize {
        match self {
            Self::Everything => 0,
            Self::Words(tokens) | Self::Phrase(tokens) => tokens.len(),
            Self::Not(node) => node.words(),
            Self::Group(_, nodes) => nodes.iter().map(Self::words).sum(),
        }
    }
}

impl Compiled {
    /// How well a document fits, if it does. A query without words fits none.
    pub(super) fn score(&self, document: &Indexed) -> Option<f32> {
        self.node(self.root.as_ref()?, document)
    }

    fn node(&self, node: &Node, document: &Indexed) -> Option<f32> {
        match node {
            Node::Everything => Some(1.0),
            Node::Words(tokens) => self.in_fields(document, |field, text| {
                let wanted = tokens.iter().map(|token| {
                    let count = text.iter().filter(|found| found.term == token.term).count();
                    (count > 0).then(|| field.term(&token.term, count, text.len()))
                });
                wanted.sum()
            }),
            Node::Phrase(tokens) => self.in_fields(document, |field, text| {
                let count = phrases(tokens, text);
                (count > 0).then(|| field.term(&tokens[0].term, count, text.len()))
            }),
            // Whatever is not excluded is as good as anything.
            Node::Not(node) => match self.node(node, document) {
                None => Some(1.0),
                Some(_) => None,
            },
            Node::Group(Operator::And, nodes) => {
                nodes.iter().map(|node| self.node(node, document)).sum()
            }
            Node::Group(Operator::Or, nodes) => {
                let scores = nodes.iter().filter_map(|node| self.node(node, document));
                scores.reduce(|sum, score| sum + score)
            }
        }
    }

    fn in_fields(
        &self,
        document: &Indexed,
        score: impl Fn(&FieldScorer, &[Token]) -> Option<f32>,
    ) -> Option<f32> {
        let scores = self.fields.iter().filter_map(|field| {
            let text = document.texts.get(&field.name)?;
            score(field, text).map(|score| score * field.boost)
        });
        scores.reduce(|sum, score| sum + score)
    }
}

/// How often the words follow each other as they do in the phrase.
fn phrases(phrase: &[Token], text: &[Token]) -> usize {
    let at = |position: usize, term: &str| {
        text.iter()
            .any(|found| found.position == position && found.term == term)
    };
    text.iter()
        .filter(|start| {
            phrase.iter().all(|token| {
                let position = start.position + token.position - phrase[0].position;
                at(position, &token.term)
            })
        })
        .count()
}

/// BM25 over one field, with Lucene's constants.
struct FieldScorer {
    name: String,
    boost: f32,
    documents: f32,
    average_length: f32,
    documents_with: BTreeMap<String, f32>,
}

impl FieldScorer {
    fn read(index: &Index, field: &str) -> Result<Self, Refusal> {
        let (name, boost) = field.split_once('^').unwrap_or((field, "1"));
        index.mapping.check_text(name)?;
        let boost = boost
            .parse()
            .map_err(|_| Refusal::argument(format!("no boost in [{field}]")))?;
        let mut scorer = Self {
            name: name.to_owned(),
            boost,
            documents: 0.0,
            average_length: 0.0,
            documents_with: BTreeMap::new(),
        };
        let mut words = 0.0;
        for text in index
            .searchable
            .values()
            .filter_map(|document| document.texts.get(name))
        {
            scorer.documents += 1.0;
            let mut terms: Vec<_> = text.iter().map(|token| &token.term).collect();
            words += as_number(terms.len());
            terms.sort_unstable();
            terms.dedup();
            for term in terms {
                *scorer.documents_with.entry(term.clone()).or_default() += 1.0;
            }
        }
        scorer.average_length = words / scorer.documents.max(1.0);
        Ok(scorer)
    }

    fn term(&self, term: &str, count: usize, length: usize) -> f32 {
        const K1: f32 = 1.2;
        const B: f32 = 0.75;
        let with = self.documents_with.get(term).copied().unwrap_or_default();
        let rarity = (1.0 + (self.documents - with + 0.5) / (with + 0.5)).ln();
        let count = as_number(count);
        let length = as_number(length) / self.average_length.max(1.0);
        rarity * count / (count + K1 * (1.0 - B + B * length))
    }
}

#[expect(clippy::cast_precision_loss, reason = "texts of tests are short")]
fn as_number(count: usize) -> f32 {
    count as f32
}
