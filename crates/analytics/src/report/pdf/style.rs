//! How the pages look: measures in points, colours, kinds of text.

use super::typeface::Face;
use crate::report::figure::Tone;

/// A4.
pub(super) const PAGE_WIDTH: f32 = 595.28;
pub(super) const PAGE_HEIGHT: f32 = 841.89;

pub(super) const MARGIN: f32 = 48.0;
pub(super) const TOP: f32 = 54.0;
/// Where the content of a page ends at the latest; the footer is below.
pub(super) const BOTTOM: f32 = PAGE_HEIGHT - 62.0;
pub(super) const FOOTER_BASELINE: f32 = PAGE_HEIGHT - 34.0;
pub(super) const CONTENT_WIDTH: f32 = PAGE_WIDTH - 2.0 * MARGIN;

/// Between what stands side by side.
pub(super) const GAP: f32 = 10.0;
/// Before a section.
pub(super) const SECTION_GAP: f32 = 22.0;

/// Red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Color(pub(super) u8, pub(super) u8, pub(super) u8);

pub(super) const INK: Color = Color(0x0F, 0x2A, 0x47);
pub(super) const BLACK: Color = Color(0x1B, 0x22, 0x2C);
pub(super) const GREY: Color = Color(0x5B, 0x67, 0x76);
pub(super) const LINE: Color = Color(0xD5, 0xDB, 0xE3);
pub(super) const PALE: Color = Color(0xC9, 0xD5, 0xE4);
pub(super) const SHADE: Color = Color(0xF4, 0xF6, 0xF9);
pub(super) const GREEN: Color = Color(0x1B, 0x6E, 0x3C);
pub(super) const RED: Color = Color(0xA8, 0x26, 0x1C);

/// The colour of a change; its arrow and sign say the same without.
pub(super) const fn tone(tone: Tone) -> Color {
    match tone {
        Tone::Good => GREEN,
        Tone::Bad => RED,
        Tone::Neutral => GREY,
    }
}

/// A kind of text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TextStyle {
    pub(super) face: Face,
    pub(super) size: f32,
    pub(super) color: Color,
}

impl TextStyle {
    const fn new(face: Face, size: f32, color: Color) -> Self {
        Self { face, size, color }
    }

    /// The same in another size.
    pub(super) const fn sized(self, size: f32) -> Self {
        Self { size, ..self }
    }

    /// The same in another colour.
    pub(super) const fn colored(self, color: Color) -> Self {
        Self { color, ..self }
    }

    /// From baseline to baseline.
    pub(super) fn leading(self) -> f32 {
        self.size * 1.35
    }
}

pub(super) const PLATFORM: TextStyle = TextStyle::new(Face::Bold, 8.5, GREY);
pub(super) const TITLE: TextStyle = TextStyle::new(Face::Bold, 25.0, INK);
pub(super) const PERIOD: TextStyle = TextStyle::new(Face::Regular, 11.5, BLACK);
pub(super) const SECTION: TextStyle = TextStyle::new(Face::Bold, 12.5, INK);
pub(super) const SMALL: TextStyle = TextStyle::new(Face::Regular, 8.5, GREY);
pub(super) const TILE_VALUE: TextStyle = TextStyle::new(Face::Bold, 18.0, BLACK);
pub(super) const CHANGE: TextStyle = TextStyle::new(Face::Bold, 8.5, GREY);
pub(super) const BAR_LABEL: TextStyle = TextStyle::new(Face::Regular, 8.5, BLACK);
pub(super) const BAR_VALUE: TextStyle = TextStyle::new(Face::Regular, 8.0, BLACK);
pub(super) const PANEL_TITLE: TextStyle = TextStyle::new(Face::Bold, 9.5, BLACK);
pub(super) const HEADER: TextStyle = TextStyle::new(Face::Bold, 8.0, INK);
pub(super) const CELL: TextStyle = TextStyle::new(Face::Regular, 8.5, BLACK);
pub(super) const SUB_CELL: TextStyle = TextStyle::new(Face::Regular, 7.0, GREY);
pub(super) const FOOTER: TextStyle = TextStyle::new(Face::Regular, 8.0, GREY);
