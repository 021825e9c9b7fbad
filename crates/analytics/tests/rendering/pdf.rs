//! PDF files, read by `lopdf`.

use anyhow::{Context, Result};
use lopdf::{Dictionary, Document, Object};
use partner_analytics::metrics::MetricsDocument;
use partner_analytics::model::ReportFormat;

use crate::{csv, file, sample, samples};

pub(crate) fn read(document: &MetricsDocument) -> Result<Document> {
    Ok(Document::load_mem(&file(document, ReportFormat::Pdf)?)?)
}

/// The text of every page.
pub(crate) fn pages(pdf: &Document) -> Result<Vec<String>> {
    let numbers: Vec<_> = pdf.get_pages().into_keys().collect();
    let texts = numbers.iter().map(|number| pdf.extract_text(&[*number]));
    Ok(texts.collect::<Result<_, _>>()?)
}

/// A number of the CSV as the PDF writes it.
fn in_words(number: &str, currency: &str) -> String {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("−", digits),
        None => ("", number),
    };
    let symbol = match currency {
        "EUR" => "€",
        "USD" => "$",
        "INR" => "₹",
        _ => "",
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut groups: Vec<_> = whole.as_bytes().rchunks(3).map(str::from_utf8).collect();
    groups.reverse();
    let groups: Vec<_> = groups.into_iter().flatten().collect();
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{symbol}{}{point}{fraction}", groups.join(","))
}

const STACKED: [&str; 3] = ["currencies.", "messages.", "workflows."];

#[test]
fn every_figure_is_in_it() -> Result<()> {
    for (name, document) in samples::all() {
        let text = pages(&read(&document)?)?.concat();
        let lines = csv::lines(&file(&document, ReportFormat::Csv)?)?;
        for [section, row, currency, value, previous, _] in &lines {
            // Shares and durations are written in words, and tested where those are made. A count
            // has no currency of its own.
            let is_other = ["seconds", "conversion"]
                .iter()
                .any(|part| section.ends_with(part) || row.ends_with(part) || section == "report");
            if is_other {
                continue;
            }
            // Where figures stand side by side, only the change says what was before.
            let is_stacked = STACKED.iter().any(|table| section.starts_with(table));
            let shown = if is_stacked {
                vec![value]
            } else {
                vec![value, previous]
            };
            for number in shown.into_iter().filter(|number| !number.is_empty()) {
                let currency = if number.contains('.') { currency } else { "" };
                let expected = in_words(number, currency);
                assert!(
                    text.contains(&expected),
                    "{name}: {section} {row} {expected}"
                );
            }
        }
    }
    let text = pages(&read(&sample("analytics")?)?)?.concat();
    for expected in ["59.2%", "62.5%", "1 h 30 min", "1 d 02 h"] {
        assert!(text.contains(expected), "{expected}");
    }
    Ok(())
}

#[test]
fn the_period_is_by_the_readers_clock() -> Result<()> {
    let text = pages(&read(&sample("sales")?)?)?.concat();
    for expected in [
        "Sales report",
        "1 Dec 2026 (Europe/Berlin)",
        "Compared with 30 Nov 2026. Generated 2 Dec 2026, 09:00.",
    ] {
        assert!(text.contains(expected), "{expected}");
    }
    Ok(())
}

#[test]
fn changes_can_be_read_in_black_and_white() -> Result<()> {
    let text = pages(&read(&sample("sales")?)?)?.concat();
    for expected in ["▲ +8.4%", "▲ +53.3%", "▼ −10.4%", "unchanged", "▲ new"] {
        assert!(text.contains(expected), "{expected}");
    }
    Ok(())
}

#[test]
fn pages_are_numbered_and_a_header_is_on_each() -> Result<()> {
    let pages = pages(&read(&sample("performance")?)?)?;
    assert_eq!(pages.len(), 3);
    for (page, number) in pages.iter().zip(1..) {
        assert!(page.contains(&format!("{number} / 3")), "page {number}");
    }
    let has_header = |page: &String| page.contains("Workflow and failure");
    let has_rows = |page: &String| page.contains("FAILURE_");
    assert_eq!(pages.iter().filter(|page| has_header(page)).count(), 2);
    assert!(pages.iter().all(|page| has_header(page) == has_rows(page)));
    Ok(())
}

#[test]
fn without_orders_it_says_so() -> Result<()> {
    let pages = pages(&read(&sample("sales-empty")?)?)?;
    assert_eq!(pages.len(), 1);
    for expected in ["No orders in this period.", "No payments in this period."] {
        assert!(pages[0].contains(expected), "{expected}");
    }
    Ok(())
}

#[test]
fn a_character_without_a_glyph_leaves_a_mark() -> Result<()> {
    let text = pages(&read(&sample("sales")?)?)?.concat();
    assert!(text.contains("□□ tokyo □"), "the sample has 平屋 tokyo 🏠");
    assert!(text.contains("Château d'Été № 7 – Łódź, Ağrı, Đà Nẵng"));
    Ok(())
}

#[test]
fn fonts_are_embedded_and_only_their_glyphs_that_are_used() -> Result<()> {
    let bytes = file(&sample("sales")?, ReportFormat::Pdf)?;
    assert!(bytes.len() < 150_000, "{} bytes", bytes.len());
    let pdf = Document::load_mem(&bytes)?;
    let descriptors: Vec<_> = dictionaries(&pdf)
        .filter(|dictionary| dictionary.has_type(b"FontDescriptor"))
        .collect();
    assert_eq!(descriptors.len(), 2);
    for descriptor in descriptors {
        assert!(descriptor.has(b"FontFile3"));
        let name = descriptor.get(b"FontName")?.as_name()?;
        // Six letters and a plus say that it is a part of the font.
        assert_eq!(name[6], b'+', "{}", String::from_utf8_lossy(name));
    }
    Ok(())
}

#[test]
fn says_what_it_is_to_programs_and_to_those_who_listen() -> Result<()> {
    let pdf = read(&sample("sales")?)?;
    let catalog = pdf.catalog()?;
    assert_eq!(catalog.get(b"Lang")?.as_str()?, b"en");
    let marked = catalog.get(b"MarkInfo")?.as_dict()?.get(b"Marked")?;
    assert!(marked.as_bool()?);
    assert!(catalog.has(b"StructTreeRoot") && catalog.has(b"Outlines"));
    let metadata = catalog.get(b"Metadata")?.as_reference()?;
    let metadata = pdf.get_object(metadata)?.as_stream()?.get_plain_content()?;
    let metadata = String::from_utf8(metadata)?;
    for expected in [
        "Sales report, 1 Dec 2026",
        "<pdfaid:part>2</pdfaid:part>",
        "<pdfuaid:part>1</pdfuaid:part>",
    ] {
        assert!(metadata.contains(expected), "{expected} in {metadata}");
    }
    let figures = elements(&pdf, b"Figure");
    assert_eq!(figures.len(), 4);
    for figure in figures {
        let alt = figure.get(b"Alt").context("a figure without words")?;
        let words = lopdf::decode_text_string(alt)?;
        assert!(words.starts_with("Bar chart. "), "{words}");
    }
    // A header is said once, however often it is printed.
    assert_eq!(elements(&pdf, b"THead").len(), 4);
    assert_eq!(elements(&pdf, b"H1").len(), 1);
    assert_eq!(elements(&pdf, b"H2").len(), 5);
    Ok(())
}

fn dictionaries(pdf: &Document) -> impl Iterator<Item = &Dictionary> {
    pdf.objects.values().filter_map(|object| match object {
        Object::Dictionary(dictionary) => Some(dictionary),
        _ => None,
    })
}

/// The elements of the structure that are of this kind.
fn elements<'a>(pdf: &'a Document, kind: &'static [u8]) -> Vec<&'a Dictionary> {
    dictionaries(pdf)
        .filter(|dictionary| {
            let is_kind = dictionary.get(b"S").and_then(Object::as_name);
            dictionary.has(b"P") && is_kind.is_ok_and(|name| name == kind)
        })
        .collect()
}
