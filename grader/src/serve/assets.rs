//! What the site adds to the book, embedded in the binary. `xterm.js` and `xterm-fit.js` are the files of the
//! packages `@xterm/xterm` 5.5.0 and `@xterm/addon-fit` 0.10.0, unchanged; their licence is in `xterm.LICENSE`.

/// Script of the panel in the page of a lab.
pub const PANEL: &str = "_grader/panel.js";
/// Its style.
pub const PANEL_STYLE: &str = "_grader/panel.css";
/// The page that holds a terminal.
pub const TERMINAL: &str = "_grader/terminal.html";

const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// Path, type, content.
pub const ALL: &[(&str, &str, &[u8])] = &[
    (PANEL, JS, include_bytes!("assets/panel.js")),
    ("_grader/api.js", JS, include_bytes!("assets/api.js")),
    ("_grader/dom.js", JS, include_bytes!("assets/dom.js")),
    ("_grader/run.js", JS, include_bytes!("assets/run.js")),
    ("_grader/verdict.js", JS, include_bytes!("assets/verdict.js")),
    ("_grader/reach.js", JS, include_bytes!("assets/reach.js")),
    ("_grader/shells.js", JS, include_bytes!("assets/shells.js")),
    (PANEL_STYLE, CSS, include_bytes!("assets/panel.css")),
    (TERMINAL, HTML, include_bytes!("assets/terminal.html")),
    ("_grader/terminal.js", JS, include_bytes!("assets/terminal.js")),
    ("_grader/terminal.css", CSS, include_bytes!("assets/terminal.css")),
    ("_grader/xterm.js", JS, include_bytes!("assets/xterm.js")),
    ("_grader/xterm-fit.js", JS, include_bytes!("assets/xterm-fit.js")),
    ("_grader/xterm.css", CSS, include_bytes!("assets/xterm.css")),
    ("_grader/xterm.LICENSE", TEXT, include_bytes!("assets/xterm.LICENSE")),
];
