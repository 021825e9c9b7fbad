//! Texts as glyphs: how wide they are, where they break, and what stands for a glyph that there is
//! none of.
//!
//! The fonts are Inter (see fonts/OFL.txt); only the glyphs that a report uses are embedded in it.

use std::borrow::Cow;

use harfrust::{
    Direction, Feature, FontRef, ShapeOptions, ShapePlan, ShaperData, Tag, UnicodeBuffer, script,
};
use krilla::text::{Font, GlyphId, KrillaGlyph};

const REGULAR: &[u8] = include_bytes!("../../../fonts/Inter-Regular.otf");
const BOLD: &[u8] = include_bytes!("../../../fonts/Inter-SemiBold.otf");

/// Stands for a character that cannot be shown, so that it does not vanish silently.
const REPLACEMENT: char = '□';

/// A line may end behind these.
const BREAK_AFTER: [char; 5] = ['-', '_', '/', '.', ':'];

/// No line has so many characters; what is longer is cut before it is measured.
const MAX_CHARS: usize = 500;

/// No letter of a language has so many marks; readers of the file choke on thousands.
const MAX_MARKS: usize = 4;

/// The two weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    Regular,
    Bold,
}

/// The fonts of a report.
pub(super) struct Fonts {
    regular: Typeface,
    bold: Typeface,
}

impl Fonts {
    /// The embedded fonts; none if they cannot be read.
    pub(super) fn load() -> Option<Self> {
        Some(Self {
            regular: Typeface::load(REGULAR)?,
            bold: Typeface::load(BOLD)?,
        })
    }

    pub(super) const fn of(&self, face: Face) -> &Typeface {
        match face {
            Face::Regular => &self.regular,
            Face::Bold => &self.bold,
        }
    }
}

/// A line of text, shaped: widths are in units of the font's size.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// What it says, character for character what is drawn.
    pub(super) text: String,
    pub(super) glyphs: Vec<KrillaGlyph>,
    /// Without a space at the end.
    pub(super) em_width: f32,
}

impl Line {
    pub(super) fn width(&self, size: f32) -> f32 {
        self.em_width * size
    }
}

/// One font.
pub(super) struct Typeface {
    pub(super) font: Font,
    reference: FontRef<'static>,
    shaper: ShaperData,
    plan: ShapePlan,
    features: [Feature; 2],
    units_per_em: f32,
}

impl Typeface {
    fn load(bytes: &'static [u8]) -> Option<Self> {
        let font = Font::new(bytes.into(), 0)?;
        let reference = FontRef::new(bytes).ok()?;
        let shaper = ShaperData::new(&reference);
        // Digits of one width, so that columns of numbers line up; and no arrow for what is written
        // as `->` in a name.
        let features = [
            Feature::new(Tag::new(b"tnum"), 1, ..),
            Feature::new(Tag::new(b"calt"), 0, ..),
        ];
        let plan = ShapePlan::new(
            &shaper.shaper(&reference).build(),
            Direction::LeftToRight,
            Some(script::LATIN),
            None,
            &features,
        );
        Some(Self {
            units_per_em: font.units_per_em(),
            font,
            reference,
            shaper,
            plan,
            features,
        })
    }

    /// One line of this text, however long it gets.
    pub(super) fn line(&self, text: &str) -> Line {
        let text = visible(text);
        let line = self.shape(text);
        if !line.glyphs.iter().any(is_missing) {
            return line;
        }
        let replaced = line.text.chars().map(|c| {
            let alone = self.shape(c.to_string());
            if alone.glyphs.iter().any(is_missing) {
                REPLACEMENT
            } else {
                c
            }
        });
        self.shape(replaced.collect())
    }

    /// One line of this text that is at most so wide; what is too much is cut and says so.
    pub(super) fn line_within(&self, text: &str, size: f32, width: f32) -> Line {
        let line = self.line(&capped(text));
        if line.width(size) <= width {
            return line;
        }
        let ellipsis = self.line("…").width(size);
        let mut used = 0.0;
        let fitting = line.glyphs.iter().take_while(|glyph| {
            used += glyph.x_advance * size;
            used + ellipsis <= width
        });
        let end = fitting.last().map_or(0, |glyph| glyph.text_range.end);
        let kept = line.text.get(..end).unwrap_or_default();
        self.line(&format!("{}…", kept.trim_end()))
    }

    /// The text in lines that are at most so wide, broken between words where that is possible; at
    /// most so many lines, of which the last says if there is more.
    pub(super) fn lines(&self, text: &str, size: f32, width: f32, most: usize) -> Vec<Line> {
        let mut pieces = break_up(&self.line(&capped(text)), size, width);
        if pieces.len() > most {
            let rest: String = pieces.split_off(most.saturating_sub(1)).concat();
            let mut lines: Vec<_> = pieces.iter().map(|piece| self.line(piece)).collect();
            lines.push(self.line_within(&rest, size, width));
            return lines;
        }
        pieces.iter().map(|piece| self.line(piece)).collect()
    }

    fn shape(&self, text: String) -> Line {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(&text);
        buffer.set_direction(Direction::LeftToRight);
        buffer.set_script(script::LATIN);
        let shaper = self.shaper.shaper(&self.reference).build();
        let options = ShapeOptions::new()
            .plan(Some(&self.plan))
            .features(&self.features);
        let placed = shaper.shape(buffer, options);
        let infos = placed.glyph_infos();
        let mut glyphs = Vec::with_capacity(infos.len());
        let mut end = text.len();
        let both = infos.iter().zip(placed.glyph_positions());
        for (index, (info, position)) in both.enumerate().rev() {
            let start = info.cluster as usize;
            // Glyphs of one cluster share its text.
            let next = infos.get(index + 1);
            if let Some(next) = next.filter(|next| next.cluster != info.cluster) {
                end = next.cluster as usize;
            }
            glyphs.push(KrillaGlyph::new(
                GlyphId::new(info.glyph_id),
                self.em(position.x_advance),
                self.em(position.x_offset),
                self.em(position.y_offset),
                self.em(position.y_advance),
                start..end,
                None,
            ));
        }
        glyphs.reverse();
        let trailing = text.len() - text.trim_end_matches(' ').len();
        let seen = glyphs
            .iter()
            .take(glyphs.len() - trailing.min(glyphs.len()));
        Line {
            em_width: seen.map(|glyph| glyph.x_advance).sum(),
            glyphs,
            text,
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "font units are far below what a float holds exactly"
    )]
    fn em(&self, units: i32) -> f32 {
        units as f32 / self.units_per_em
    }
}

/// The text of a line in pieces that are at most so wide, unless a letter alone is wider.
fn break_up(whole: &Line, size: f32, width: f32) -> Vec<String> {
    let mut pieces = Vec::new();
    let (mut start, mut used) = (0, 0.0);
    // Where the line may end, and how wide it is up to there.
    let mut last_break = None;
    for glyph in &whole.glyphs {
        let at = glyph.text_range.start;
        let cluster = &whole.text[glyph.text_range.clone()];
        let is_space = cluster.starts_with(' ');
        let advance = glyph.x_advance * size;
        if used + advance > width && at > start && !is_space {
            let (end, up_to_there) = last_break.take().unwrap_or((at, used));
            pieces.push(whole.text[start..end].to_owned());
            start = end;
            used -= up_to_there;
        }
        used += advance;
        if is_space || cluster.ends_with(BREAK_AFTER) {
            last_break = Some((glyph.text_range.end, used));
        }
    }
    pieces.push(whole.text[start..].to_owned());
    pieces
}

/// The glyph that every font has for what it has no glyph for.
fn is_missing(glyph: &KrillaGlyph) -> bool {
    glyph.glyph_id.to_u32() == 0
}

/// The text up to what is ever measured; cut, it says so.
fn capped(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// The text with what nobody could see made visible.
pub(super) fn visible(text: &str) -> String {
    let mut marks = 0;
    text.chars()
        .map(|c| {
            marks = if is_mark(c) { marks + 1 } else { 0 };
            match c {
                c if c.is_whitespace() => ' ',
                c if c.is_control() || is_invisible(c) || marks > MAX_MARKS => REPLACEMENT,
                c => c,
            }
        })
        .collect()
}

/// Marks that stand on the letter before them, of those that the fonts have.
const fn is_mark(c: char) -> bool {
    matches!(
        c,
        '\u{300}'..='\u{36F}'
            | '\u{483}'..='\u{489}'
            | '\u{1AB0}'..='\u{1AFF}'
            | '\u{1DC0}'..='\u{1DFF}'
            | '\u{20D0}'..='\u{20FF}'
            | '\u{FE20}'..='\u{FE2F}'
    )
}

/// Characters that are drawn as nothing, that turn the direction of what follows, or that mean
/// something in private only.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{E000}'..='\u{F8FF}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{FFFE}'..='\u{FFFF}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{10FFFF}'
    )
}
