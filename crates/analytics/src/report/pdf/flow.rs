//! Pages that fill from top to bottom.

use std::num::NonZeroU16;

use krilla::tagging::{Tag, TagKind};

use super::structure::{Mark, NodeId, Structure};
use super::style::{self, Color, TextStyle};
use super::typeface::{Fonts, Line};

/// A rectangle, from its left upper corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

/// Something on a page.
pub(super) struct Item {
    pub(super) mark: Mark,
    pub(super) shape: Shape,
}

/// What it looks like.
pub(super) enum Shape {
    /// A line of text from its left end, on its baseline.
    Text {
        x: f32,
        baseline: f32,
        style: TextStyle,
        line: Line,
    },
    /// A filled rectangle.
    Box { area: Area, color: Color },
}

/// A place that can be jumped to.
pub(super) struct Bookmark {
    pub(super) title: String,
    pub(super) page: usize,
    pub(super) y: f32,
}

/// The pages so far, and how far the last one is filled.
pub(super) struct Flow<'a> {
    pub(super) fonts: &'a Fonts,
    pub(super) pages: Vec<Vec<Item>>,
    pub(super) structure: Structure,
    pub(super) bookmarks: Vec<Bookmark>,
    /// Where the next thing begins.
    pub(super) y: f32,
}

impl<'a> Flow<'a> {
    pub(super) fn new(fonts: &'a Fonts) -> Self {
        Self {
            fonts,
            pages: vec![Vec::new()],
            structure: Structure::default(),
            bookmarks: Vec::new(),
            y: style::TOP,
        }
    }

    /// The index of the last page.
    pub(super) const fn page(&self) -> usize {
        self.pages.len() - 1
    }

    /// Whether so much still fits onto the page.
    pub(super) fn fits(&self, height: f32) -> bool {
        self.y + height <= style::BOTTOM
    }

    /// Begins a new page unless so much fits onto this one.
    pub(super) fn make_room(&mut self, height: f32) {
        if !self.fits(height) {
            self.break_page();
        }
    }

    pub(super) fn break_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = style::TOP;
    }

    fn add(&mut self, mark: Mark, shape: Shape) {
        if let Some(page) = self.pages.last_mut() {
            page.push(Item { mark, shape });
        }
    }

    pub(super) fn text(
        &mut self,
        mark: Mark,
        (x, baseline): (f32, f32),
        style: TextStyle,
        line: Line,
    ) {
        self.add(
            mark,
            Shape::Text {
                x,
                baseline,
                style,
                line,
            },
        );
    }

    pub(super) fn fill(&mut self, mark: Mark, area: Area, color: Color) {
        self.add(mark, Shape::Box { area, color });
    }

    /// One line of text in this style, at most so wide.
    pub(super) fn line(&self, text: &str, style: TextStyle, width: f32) -> Line {
        self.fonts
            .of(style.face)
            .line_within(text, style.size, width)
    }

    /// One line of a text that must be shown whole, and the size in which it is at most so wide.
    pub(super) fn whole_line(&self, text: &str, style: TextStyle, width: f32) -> (Line, TextStyle) {
        let line = self.fonts.of(style.face).line(text);
        let natural = line.width(style.size);
        let scale = if natural > width {
            width / natural
        } else {
            1.0
        };
        (line, style.sized(style.size * scale))
    }

    /// Lines of text over the whole width, as one node.
    pub(super) fn paragraph(&mut self, tag: impl Into<TagKind>, text: &str, style: TextStyle) {
        let face = self.fonts.of(style.face);
        let lines = face.lines(text, style.size, style::CONTENT_WIDTH, usize::MAX);
        let node = self.structure.add(tag);
        for line in lines {
            self.make_room(style.leading());
            let baseline = self.y + style.size;
            self.text(Mark::Content(node), (style::MARGIN, baseline), style, line);
            self.y += style.leading();
        }
    }

    /// The heading of a section, on the page on which at least so much of the section is, too.
    pub(super) fn section(&mut self, title: &str, height_of_content: f32) {
        let heading = style::SECTION;
        if self.y > style::TOP {
            self.y += style::SECTION_GAP;
        }
        self.make_room(heading.leading() + 6.0 + height_of_content);
        self.bookmarks.push(Bookmark {
            title: title.to_owned(),
            page: self.page(),
            y: self.y,
        });
        self.paragraph(heading_tag(2, title), title, heading);
        self.y += 6.0;
    }

    /// A paragraph in a node, as one line.
    pub(super) fn line_in(&mut self, parent: NodeId, at: (f32, f32), style: TextStyle, line: Line) {
        let node = self.structure.add_to(parent, Tag::P);
        self.text(Mark::Content(node), at, style, line);
    }
}

/// The tag of a heading.
pub(super) fn heading_tag(level: u16, title: &str) -> TagKind {
    let level = NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN);
    Tag::Hn(level, Some(title.to_owned())).into()
}
