//! SVG text. Colours are classes; the theme's style sheet gives them, in light, dark and print.

use crate::book::preprocess::{escape, inline};

/// Width of a character of a label, in pixels, for a 15 px system font; generous, since the font varies.
pub const CHAR: f64 = 8.0;
/// Height of a line of text, in pixels.
pub const LINE: f64 = 19.0;

/// A drawing without its frame.
pub struct Drawing {
    /// Width, in pixels.
    pub width: f64,
    /// Height, in pixels.
    pub height: f64,
    /// Elements.
    pub body: String,
}

/// Width of a text, in pixels.
pub fn text_width(text: &str) -> f64 {
    f64::from(u16::try_from(text.chars().count()).unwrap_or(u16::MAX)) * CHAR
}

/// Height of so many lines, in pixels.
pub fn lines_height(lines: usize) -> f64 {
    f64::from(u16::try_from(lines).unwrap_or(u16::MAX)) * LINE
}

/// Text centred at a point, over one or several lines.
pub fn label(x: f64, y: f64, lines: &[String], class: &str) -> String {
    let top = y - lines_height(lines.len()) / 2.0 + LINE * 0.75;
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        out.push_str(&format!(
            "<text class=\"{class}\" x=\"{x:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
            top + lines_height(at),
            escape(line)
        ));
    }
    out
}

/// The head of an arrow whose point is at `(x, y)`, coming along the direction `(dx, dy)` (unit vector).
pub fn head(x: f64, y: f64, dx: f64, dy: f64) -> String {
    let (bx, by) = (x - dx * 10.0, y - dy * 10.0);
    let (px, py) = (-dy * 5.0, dx * 5.0);
    format!(
        "<path class=\"dg-tete\" d=\"M{x:.1} {y:.1}L{:.1} {:.1}L{:.1} {:.1}Z\"/>",
        bx + px,
        by + py,
        bx - px,
        by - py
    )
}

/// A cross centred at a point: nothing passes.
pub fn cross(x: f64, y: f64) -> String {
    format!(
        "<path class=\"dg-croix\" d=\"M{:.1} {:.1}L{:.1} {:.1}M{:.1} {:.1}L{:.1} {:.1}\"/>",
        x - 6.0,
        y - 6.0,
        x + 6.0,
        y + 6.0,
        x - 6.0,
        y + 6.0,
        x + 6.0,
        y - 6.0
    )
}

/// The figure: on a narrow screen it scrolls rather than becoming unreadable.
pub fn figure(drawing: &Drawing, title: &str, text: &str) -> String {
    let (w, h) = (drawing.width.ceil(), drawing.height.ceil());
    format!(
        "<figure class=\"schema\"><div class=\"schema-cadre\" tabindex=\"0\" role=\"group\" aria-label=\"Schéma : {}\">\
         <svg role=\"img\" aria-label=\"{} {}\" viewbox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\">\
         <title>{}</title><desc>{}</desc>{}</svg></div><figcaption>{}</figcaption></figure>",
        escape(title),
        escape(title),
        escape(text),
        escape(title),
        escape(text),
        drawing.body,
        inline(title)
    )
}
