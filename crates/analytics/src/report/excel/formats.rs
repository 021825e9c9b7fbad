//! How cells look, and how values become cells.

use partner_core::money::Currency;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder, Worksheet, XlsxError};

use crate::report::figure::{Change, Figure, Value};
use crate::report::words;

/// What the header and the titles are drawn in.
pub(super) const INK: Color = Color::RGB(0x0F_2A_47);
/// What the bars of the period before are drawn in.
pub(super) const PALE: Color = Color::RGB(0xB4_C3_D6);

/// So many significant digits a spreadsheet keeps.
const DIGITS: u32 = 15;

/// The longest text of a cell, in UTF-16 units.
const TEXT_UNITS: usize = 32_767;

/// The formats of a workbook.
pub(super) struct Formats {
    pub(super) title: Format,
    pub(super) header: Format,
    pub(super) number_header: Format,
    pub(super) label: Format,
    pub(super) note: Format,
    pub(super) time: Format,
    count: Format,
    money: [Format; Currency::ALL.len()],
    share: Format,
    duration: Format,
    percent: Format,
    points: Format,
    text: Format,
}

impl Formats {
    pub(super) fn new() -> Self {
        let header = Format::new()
            .set_bold()
            .set_font_color(Color::White)
            .set_background_color(INK)
            .set_border_bottom(FormatBorder::Thin)
            .set_align(FormatAlign::VerticalCenter)
            .set_text_wrap();
        let numeric = |format: &str| Format::new().set_num_format(format);
        Self {
            title: Format::new()
                .set_bold()
                .set_font_size(18)
                .set_font_color(INK),
            number_header: header.clone().set_align(FormatAlign::Right),
            header,
            label: Format::new(),
            note: Format::new()
                .set_text_wrap()
                .set_align(FormatAlign::Top)
                .set_font_color(Color::RGB(0x5B_67_76)),
            time: numeric("d mmm yyyy hh:mm:ss").set_align(FormatAlign::Left),
            count: numeric("#,##0"),
            money: Currency::ALL.map(|currency| {
                let sign = words::symbol(currency);
                let zeros = "0".repeat(currency.decimals() as usize);
                numeric(&format!(
                    "\"{sign}\"#,##0.{zeros};[Red]-\"{sign}\"#,##0.{zeros}"
                ))
            }),
            share: numeric("0.0%"),
            duration: numeric("[h]:mm:ss.000"),
            percent: numeric("+0.0%;-0.0%;0.0%"),
            points: numeric("+0.0\" pp\";-0.0\" pp\";0.0\" pp\""),
            text: Format::new().set_align(FormatAlign::Right),
        }
    }

    fn of(&self, value: Value) -> &Format {
        match value {
            Value::Count(_) => &self.count,
            Value::Money(_, currency) => {
                let place = Currency::ALL.iter().position(|known| *known == currency);
                &self.money[place.unwrap_or_default()]
            }
            Value::Share(_) => &self.share,
            Value::Millis(_) => &self.duration,
            Value::Absent => &self.text,
        }
    }

    /// Writes a value as a number; as a text, if a spreadsheet could not keep its digits.
    pub(super) fn write_value(
        &self,
        sheet: &mut Worksheet,
        row: u32,
        column: u16,
        value: Value,
    ) -> Result<(), XlsxError> {
        let number = match value {
            // A spreadsheet counts time in days.
            Value::Millis(millis) => Decimal::from(millis)
                .to_f64()
                .map(|millis| millis / 86_400_000.0),
            _ => value
                .number()
                .filter(keeps_its_digits)
                .and_then(|n| n.to_f64()),
        };
        match number {
            Some(number) => {
                sheet.write_number_with_format(row, column, number, self.of(value))?;
            }
            None => {
                sheet.write_string_with_format(row, column, words::value(value), &self.text)?;
            }
        }
        Ok(())
    }

    /// Writes how a figure changed, as a number that can be reckoned with.
    pub(super) fn write_change(
        &self,
        sheet: &mut Worksheet,
        row: u32,
        column: u16,
        figure: &Figure,
    ) -> Result<(), XlsxError> {
        let (number, format) = match figure.change() {
            Change::Unknown => (None, &self.text),
            Change::None => (Some(Decimal::ZERO), &self.percent),
            Change::FromZero => {
                sheet.write_string_with_format(row, column, "new", &self.text)?;
                return Ok(());
            }
            Change::Percent(percent) => (percent.checked_div(Decimal::ONE_HUNDRED), &self.percent),
            Change::Points(points) => (Some(points), &self.points),
        };
        if let Some(number) = number.and_then(|number| number.to_f64()) {
            sheet.write_number_with_format(row, column, number, format)?;
        }
        Ok(())
    }
}

fn keeps_its_digits(number: &Decimal) -> bool {
    let mantissa = number.normalize().mantissa().unsigned_abs();
    mantissa < 10_u128.pow(DIGITS)
}

/// The text as a cell holds it: without what XML has no way to write, and not too long.
pub(super) fn cell_text(text: &str) -> String {
    let mut units = 0;
    text.chars()
        .map(|c| match c {
            '\t' | '\n' | '\r' => ' ',
            '\u{FFFE}' | '\u{FFFF}' => '\u{FFFD}',
            c if c.is_control() => '\u{FFFD}',
            c => c,
        })
        .take_while(|c| {
            units += c.len_utf16();
            units <= TEXT_UNITS
        })
        .collect()
}
