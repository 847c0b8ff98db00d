//! A plain layered layout for small flowcharts: ranks along the direction, order of declaration across it.

use super::flow::{Edge, Flow, Head, Node, Shape};
use super::svg::{self, Drawing};

const GAP: f64 = 26.0;
const MARGIN: f64 = 14.0;
const PAD: f64 = 16.0;
const TITLE: f64 = 26.0;

/// A rectangle.
#[derive(Clone, Copy, Debug)]
struct Place {
    x: f64,
    y: f64,
    w: f64,
    h: f64,
}

impl Place {
    fn middle(self) -> (f64, f64) {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    fn touches(self, other: Self) -> bool {
        self.x < other.x + other.w
            && other.x < self.x + self.w
            && self.y < other.y + other.h
            && other.y < self.y + self.h
    }

    fn grown(self, by: f64) -> Self {
        Self { x: self.x - by, y: self.y - by, w: self.w + 2.0 * by, h: self.h + 2.0 * by }
    }
}

/// Draws a flowchart, or says what the drawing would get wrong.
pub fn draw(flow: &Flow) -> Result<Drawing, String> {
    let ranks = ranks(flow);
    let mut places = place(flow, &ranks);
    let frames = frames(flow, &places);
    // Everything is brought to positive coordinates.
    let all = || frames.iter().copied().chain(places.iter().copied());
    let (left, top) = (min(all().map(|p| p.x)) - MARGIN, min(all().map(|p| p.y)) - MARGIN);
    let written =
        flow.edges.iter().map(|e| label_end(flow.down, e, &places)).fold(f64::NEG_INFINITY, f64::max);
    let right = max(all().map(|p| p.x + p.w)).max(written) + MARGIN;
    let bottom = max(all().map(|p| p.y + p.h)) + MARGIN;
    let shift = |p: &Place| Place { x: p.x - left, y: p.y - top, ..*p };
    let frames: Vec<Place> = frames.iter().map(shift).collect();
    places = places.iter().map(shift).collect();
    honest(flow, &places, &frames)?;
    let mut body = String::new();
    for (at, (group, frame)) in flow.groups.iter().zip(&frames).enumerate() {
        let Place { x, y, w, h } = *frame;
        body.push_str(&format!(
            "<rect class=\"dg-groupe dg-groupe-{}\" x=\"{x:.0}\" y=\"{y:.0}\" width=\"{w:.0}\" height=\"{h:.0}\" rx=\"10\"/>",
            at % 4
        ));
        let ends = at % 2 == 1;
        let (tx, anchor) = if ends { (x + w - 12.0, "end") } else { (x + 12.0, "start") };
        body.push_str(&format!(
            "<text class=\"dg-nom\" x=\"{tx:.0}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{}</text>",
            y + 19.0,
            crate::book::preprocess::escape(&group.label)
        ));
    }
    let shown = flow.edges.iter().filter(|e| !e.stroke.hidden);
    shown.clone().for_each(|e| body.push_str(&arrow(flow.down, e, &places)));
    flow.nodes.iter().zip(&places).for_each(|(n, p)| body.push_str(&node(n, *p)));
    shown.for_each(|e| body.push_str(&edge_label(flow.down, e, &places)));
    Ok(Drawing { width: right - left, height: bottom - top, body })
}

fn min(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::INFINITY, f64::min)
}

fn max(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::NEG_INFINITY, f64::max)
}

/// Rank of each node: the longest way to it. An arrow back to an earlier declared node ranks nothing.
fn ranks(flow: &Flow) -> Vec<usize> {
    let mut rank = vec![0; flow.nodes.len()];
    // As many rounds as nodes settle any chain; a cycle stops growing there.
    for _ in 0..flow.nodes.len() {
        for edge in flow.edges.iter().filter(|e| e.from < e.to) {
            rank[edge.to] = rank[edge.to].max(rank[edge.from] + 1);
        }
    }
    rank
}

fn size(node: &Node) -> (f64, f64) {
    let widest = max(node.label.iter().map(|l| svg::text_width(l)));
    let extra = match node.shape {
        Shape::Choice => (60.0, 20.0),
        Shape::Store => (24.0, 26.0),
        Shape::Box | Shape::Round => (24.0, 16.0),
    };
    ((widest + extra.0).max(64.0), svg::lines_height(node.label.len()) + extra.1)
}

/// Places of the nodes: each rank follows the one before, and stands where [`axis`] says across it.
fn place(flow: &Flow, ranks: &[usize]) -> Vec<Place> {
    let count = ranks.iter().max().map_or(0, |m| m + 1);
    let mut places = vec![Place { x: 0.0, y: 0.0, w: 0.0, h: 0.0 }; flow.nodes.len()];
    let mut along = 0.0;
    for rank in 0..count {
        let members: Vec<usize> = (0..flow.nodes.len()).filter(|n| ranks[*n] == rank).collect();
        let sizes: Vec<(f64, f64)> = members.iter().map(|m| size(&flow.nodes[*m])).collect();
        let thick = max(sizes.iter().map(|s| if flow.down { s.1 } else { s.0 }));
        let across = |s: &(f64, f64)| if flow.down { s.0 } else { s.1 };
        // Middles across the direction, from zero.
        let mut middles = Vec::new();
        let mut at = 0.0;
        for size in &sizes {
            middles.push(at + across(size) / 2.0);
            at += across(size) + GAP;
        }
        let shift = axis(flow, ranks, &places, &members, &middles);
        for ((member, (w, h)), middle) in members.iter().zip(&sizes).zip(&middles) {
            let centre = middle + shift;
            let (x, y) = if flow.down {
                (centre - w / 2.0, along + (thick - h) / 2.0)
            } else {
                (along + (thick - w) / 2.0, centre - h / 2.0)
            };
            places[*member] = Place { x, y, w: *w, h: *h };
        }
        along += thick + space_after(flow, ranks, rank);
    }
    places
}

/// How far a rank moves across the direction: the one node that goes on stays in line with what leads to it;
/// without one, the whole rank is centred on what leads to it.
fn axis(flow: &Flow, ranks: &[usize], places: &[Place], members: &[usize], middles: &[f64]) -> f64 {
    let goes_on = |n: &&usize| flow.edges.iter().any(|e| e.from == **n && ranks[e.to] > ranks[e.from]);
    let spine: Vec<&usize> = members.iter().filter(goes_on).collect();
    let leading = |to: &[usize]| {
        let from: Vec<f64> = flow
            .edges
            .iter()
            .filter(|e| to.contains(&e.to) && ranks[e.from] < ranks[e.to])
            .map(|e| if flow.down { places[e.from].middle().0 } else { places[e.from].middle().1 })
            .collect();
        let count = f64::from(u16::try_from(from.len()).unwrap_or(1)).max(1.0);
        from.iter().sum::<f64>() / count
    };
    if let [only] = spine.as_slice()
        && let Some(at) = members.iter().position(|m| m == *only)
    {
        return leading(&[**only]) - middles[at];
    }
    leading(members) - f64::midpoint(min(middles.iter().copied()), max(middles.iter().copied()))
}

/// Room between a rank and the next: for the labels, and for the frames that begin or end there.
fn space_after(flow: &Flow, ranks: &[usize], rank: usize) -> f64 {
    let crossing = flow.edges.iter().filter(|e| ranks[e.from].min(ranks[e.to]) == rank && !e.stroke.hidden);
    if flow.down {
        return if crossing.clone().any(|e| !e.label.is_empty()) { 66.0 } else { 52.0 };
    }
    let widest = crossing.map(|e| svg::text_width(&e.label)).fold(0.0, f64::max);
    (widest + 44.0).max(64.0)
}

/// Frame of each group: around its members, with room for its name.
fn frames(flow: &Flow, places: &[Place]) -> Vec<Place> {
    let mut found = Vec::new();
    for group in &flow.groups {
        let inside = || group.members.iter().map(|m| places[*m]);
        let (x, y) = (min(inside().map(|p| p.x)) - PAD, min(inside().map(|p| p.y)) - PAD - TITLE);
        let w = (max(inside().map(|p| p.x + p.w)) + PAD - x).max(svg::text_width(&group.label) + 24.0);
        found.push(Place { x, y, w, h: max(inside().map(|p| p.y + p.h)) + PAD - y });
    }
    found
}

/// Refuses a node framed by a group that does not hold it, and an arrow through a node.
fn honest(flow: &Flow, places: &[Place], frames: &[Place]) -> Result<(), String> {
    for (group, frame) in flow.groups.iter().zip(frames) {
        for (at, place) in places.iter().enumerate() {
            if !group.members.contains(&at) && place.touches(*frame) {
                return Err(format!(
                    "schéma : « {} » tomberait dans le cadre « {} » : changez l'ordre des déclarations",
                    flow.nodes[at].id, group.label
                ));
            }
        }
    }
    for edge in flow.edges.iter().filter(|e| !e.stroke.hidden) {
        let (from, to) = (places[edge.from].middle(), places[edge.to].middle());
        for (at, place) in places.iter().enumerate() {
            let inner = place.grown(-3.0);
            let steps = (1..40).map(|s| f64::from(s) / 40.0);
            let mut points = steps.map(|s| (from.0 + (to.0 - from.0) * s, from.1 + (to.1 - from.1) * s));
            let inside = |(x, y): (f64, f64)| {
                x > inner.x && x < inner.x + inner.w && y > inner.y && y < inner.y + inner.h
            };
            if at != edge.from && at != edge.to && points.any(inside) {
                return Err(format!(
                    "schéma : la flèche de « {} » à « {} » passerait sur « {} »",
                    flow.nodes[edge.from].id, flow.nodes[edge.to].id, flow.nodes[at].id
                ));
            }
        }
    }
    Ok(())
}

/// Where the straight line from the middle of `from` towards `to` leaves `from`.
fn border(from: Place, to: (f64, f64)) -> (f64, f64) {
    let (cx, cy) = from.middle();
    let (dx, dy) = (to.0 - cx, to.1 - cy);
    let far = |d: f64, half: f64| if d.abs() < 0.01 { f64::INFINITY } else { half / d.abs() };
    let scale = far(dx, from.w / 2.0 + 3.0).min(far(dy, from.h / 2.0 + 3.0));
    (cx + dx * scale, cy + dy * scale)
}

/// Ends of an arrow. Between ranks it leaves and enters by the facing sides.
fn ends(down: bool, edge: &Edge, places: &[Place]) -> ((f64, f64), (f64, f64)) {
    let (a, b) = (places[edge.from], places[edge.to]);
    let ((ax, ay), (bx, by)) = (a.middle(), b.middle());
    let apart =
        if down { b.y >= a.y + a.h || a.y >= b.y + b.h } else { b.x >= a.x + a.w || a.x >= b.x + b.w };
    if !apart {
        return (border(a, (bx, by)), border(b, (ax, ay)));
    }
    if down {
        let sign = (by - ay).signum();
        return ((ax, ay + sign * (a.h / 2.0 + 3.0)), (bx, by - sign * (b.h / 2.0 + 3.0)));
    }
    let sign = (bx - ax).signum();
    ((ax + sign * (a.w / 2.0 + 3.0), ay), (bx - sign * (b.w / 2.0 + 3.0), by))
}

fn arrow(down: bool, edge: &Edge, places: &[Place]) -> String {
    let ((x1, y1), (x2, y2)) = ends(down, edge, places);
    let length = ((x2 - x1).powi(2) + (y2 - y1).powi(2)).sqrt().max(1.0);
    let (dx, dy) = ((x2 - x1) / length, (y2 - y1) / length);
    let class = if edge.stroke.dashed { "dg-trait dg-tirets" } else { "dg-trait" };
    let blocked = if edge.stroke.head == Head::Cross { " dg-bloque" } else { "" };
    let mut out = format!("<path class=\"{class}{blocked}\" d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\"/>");
    match edge.stroke.head {
        Head::None => {}
        Head::Arrow => out.push_str(&svg::head(x2, y2, dx, dy)),
        Head::Cross => out.push_str(&svg::cross(x2 - dx * 12.0, y2 - dy * 12.0)),
    }
    if edge.stroke.both {
        out.push_str(&svg::head(x1, y1, -dx, -dy));
    }
    out
}

/// Where the label of an arrow stands: its point, and whether it begins there or is centred on it.
fn label_place(down: bool, edge: &Edge, places: &[Place]) -> (f64, f64, bool) {
    let ((x1, y1), (x2, y2)) = ends(down, edge, places);
    let (x, y) = (f64::midpoint(x1, x2), f64::midpoint(y1, y2));
    if (x2 - x1).abs() < 1.0 {
        return (x + 8.0, y, true);
    }
    // Above a level arrow; on the line otherwise, where a halo keeps it legible.
    (x, if (y2 - y1).abs() < 1.0 { y - 12.0 } else { y }, false)
}

fn label_end(down: bool, edge: &Edge, places: &[Place]) -> f64 {
    let (x, _, begins) = label_place(down, edge, places);
    let width = svg::text_width(&edge.label);
    x + if begins { width } else { width / 2.0 }
}

fn edge_label(down: bool, edge: &Edge, places: &[Place]) -> String {
    if edge.label.is_empty() {
        return String::new();
    }
    let (x, y, begins) = label_place(down, edge, places);
    if begins {
        let text = crate::book::preprocess::escape(&edge.label);
        let y = y + 5.0;
        return format!(
            "<text class=\"dg-mot\" x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"start\">{text}</text>"
        );
    }
    svg::label(x, y, std::slice::from_ref(&edge.label), "dg-mot")
}

fn node(node: &Node, p: Place) -> String {
    let Place { x, y, w, h } = p;
    let (cx, cy) = p.middle();
    let shape = match node.shape {
        Shape::Box => format!(
            "<rect class=\"dg-noeud\" x=\"{x:.0}\" y=\"{y:.0}\" width=\"{w:.0}\" height=\"{h:.0}\" rx=\"5\"/>"
        ),
        Shape::Round => {
            format!(
                "<rect class=\"dg-noeud\" x=\"{x:.0}\" y=\"{y:.0}\" width=\"{w:.0}\" height=\"{h:.0}\" rx=\"{:.0}\"/>",
                h / 2.0
            )
        }
        Shape::Store => format!(
            "<path class=\"dg-noeud\" d=\"M{x:.0} {:.0}a{rx:.1} 7 0 0 1 {w:.0} 0v{tall:.0}a{rx:.1} 7 0 0 1 -{w:.0} 0z\"/>\
             <path class=\"dg-bord\" d=\"M{x:.0} {:.0}a{rx:.1} 7 0 0 0 {w:.0} 0\"/>",
            y + 7.0,
            y + 7.0,
            rx = w / 2.0,
            tall = h - 14.0
        ),
        Shape::Choice => format!(
            "<path class=\"dg-noeud\" d=\"M{:.0} {y:.0}H{:.0}L{:.0} {cy:.0}L{:.0} {:.0}H{:.0}L{x:.0} {cy:.0}Z\"/>",
            x + 22.0,
            x + w - 22.0,
            x + w,
            x + w - 22.0,
            y + h,
            x + 22.0
        ),
    };
    let shift = if node.shape == Shape::Store { 5.0 } else { 0.0 };
    format!("{shape}{}", svg::label(cx, cy + shift, &node.label, "dg-texte"))
}
