//! The owned, versioned event stream of a run. Reporters and `replay` see nothing else.

use serde::{Deserialize, Serialize};

use crate::error::Fault;

mod kept;
mod opinion;
mod reach;
mod timeline;

pub use kept::{Kept, KeptService};
pub use opinion::{Decision, OPINION_FORMAT, Opinion};
pub use reach::{Reach, ReachCell, ReachTarget};
pub use timeline::{Moment, Stretch, Timeline};

/// Version of the event format; raised when a reader of an older one would misread.
pub const FORMAT: u32 = 1;

/// Everything that a run says, in order. The JSON-lines output is this stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// First event of a run.
    RunStarted(RunStarted),
    /// Something worth knowing that costs no point.
    Notice(Notice),
    /// A step of the work begins or ends (progress).
    Step(Step),
    /// An image that the run uses, and where it came from.
    Image(ImageUse),
    /// What the sandbox changed in the student's model.
    Rewritten(Change),
    /// The reachability matrix seen on the running stack.
    Reach(Reach),
    /// A check was judged.
    Checked(Checked),
    /// The policy refused the submission; nothing was started.
    Refused(Vec<Refusal>),
    /// A file of the student is invalid; nothing was started.
    Invalid(Vec<Problem>),
    /// The machine or the grader failed: the run is « non noté ».
    Faulted(Fault),
    /// Every verdict is given and the stack stays up until its author has looked around (`--keep`).
    Kept(Kept),
    /// The inventory after the clean-up.
    Cleaned(Inventory),
    /// Last event of a run.
    RunFinished(RunFinished),
}

/// Opening of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunStarted {
    /// [`FORMAT`].
    pub format: u32,
    /// Run id (random, 8 hexadecimal digits).
    pub run: String,
    /// Version of the grader.
    pub grader: String,
    /// Start, RFC 3339, UTC.
    pub at: String,
    /// Lab id, for instance `02`.
    pub lab: String,
    /// French title of the lab.
    pub lab_title: String,
    /// How the submission was named on the command line.
    pub submission: String,
    /// Time the lab allows on warm images, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_ms: Option<u64>,
    /// Every check of the lab, in its order, so that a report can show those never reached.
    pub checks: Vec<CheckCard>,
}

/// What a report needs to know of a check besides its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckCard {
    /// Id, unique in the lab.
    pub id: String,
    /// French title.
    pub title: String,
    /// French section of the report it belongs to.
    pub section: String,
    /// Points it is worth.
    pub points: f64,
    /// Where the course speaks of it (`chapter#anchor`).
    pub course: String,
    /// True when the check only looks at the file and not at behaviour.
    pub is_static: bool,
}

/// Severity of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Worth correcting, costs nothing.
    Warning,
}

/// A remark that costs no point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Notice {
    /// Severity.
    pub level: Level,
    /// French text.
    pub text: String,
    /// Where in the student's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// State of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It begins.
    Started,
    /// It ended well.
    Done,
    /// It ended badly; the verdicts say why.
    Failed,
}

/// One step of the work, for progress displays and timing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    /// Stable name: `intake`, `config`, `policy`, `images`, `build`, `up`, `checks`, `down`,
    /// or `service:<name>`.
    pub name: String,
    /// French text shown.
    pub text: String,
    /// State.
    pub state: StepState,
    /// Since the start of the run, milliseconds.
    pub at_ms: u64,
}

/// How good a stand-in an offline image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// The same server, maybe another minor version.
    Real,
    /// Another server speaking the same protocol.
    Equivalent,
    /// A small program that answers only what the labs ask.
    Double,
}

/// An image used by the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageUse {
    /// As the student wrote it.
    pub image: String,
    /// Engine's image id.
    pub id: String,
    /// Present when it is an offline stand-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<Offline>,
}

/// Label of an offline image: what its programs say, one text a line, when they are asked for what only the
/// official ones know. A container that ends on such words is not the student's fault.
pub const LACKS: &str = "tp-docker.offline.lacks";

/// The honest label of an offline image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Offline {
    /// Grade of the stand-in.
    pub grade: Grade,
    /// French: what is inside, with its version.
    pub inside: String,
    /// French: what differs from the official image.
    pub differs: String,
}

/// One change that the sandbox made to the student's model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// What it touches, for instance `services.api.ports`.
    pub path: String,
    /// French: what was changed and why.
    pub text: String,
}

/// A judged check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Checked {
    /// Check id.
    pub id: String,
    /// Verdict.
    pub verdict: Verdict,
    /// Milliseconds spent.
    pub elapsed_ms: u64,
    /// Since the start of the run, milliseconds; 0 in runs recorded before this was.
    #[serde(default)]
    pub at_ms: u64,
}

/// The verdict on one check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Proven.
    Pass {
        /// What was observed.
        facts: Vec<Fact>,
    },
    /// Disproven.
    Fail(Box<Miss>),
    /// Could not be looked at, because these did not pass.
    Blocked {
        /// Ids of the checks that block it.
        by: Vec<String>,
    },
    /// A fault of the machine or of ours; never costs a mark.
    Inconclusive {
        /// The fault.
        fault: Fault,
        /// What was observed nonetheless.
        facts: Vec<Fact>,
    },
}

/// An observed fact, machine-readable, with a French wording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fact {
    /// Stable English key, for instance `ttl-ms`.
    pub key: String,
    /// The value.
    pub value: serde_json::Value,
    /// French wording, for instance « durée de vie juste après l'écriture : 59,9 s ».
    pub text: String,
    /// Instants to draw, when the fact is a sequence of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Box<Timeline>>,
}

impl Fact {
    /// A fact.
    pub fn new(key: &str, value: impl Into<serde_json::Value>, text: impl Into<String>) -> Self {
        Self { key: key.to_owned(), value: value.into(), text: text.into(), timeline: None }
    }

    /// The same with instants to draw.
    pub fn with_timeline(mut self, timeline: Timeline) -> Self {
        self.timeline = Some(Box::new(timeline));
        self
    }
}

/// A missed check, in the order in which it is told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Miss {
    /// French: what is wrong, in place of the neutral title (« la réponse ne vient jamais du cache »).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub headline: String,
    /// « attendu ».
    pub expected: String,
    /// « observé ».
    pub observed: String,
    /// « témoin »: the positive control.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub control: String,
    /// « constaté »: further evidence, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noted: Vec<String>,
    /// « où »: in the student's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// « piste »: helps without giving the answer away.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// « essayer »: a command that shows the same thing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub try_it: String,
    /// Machine-readable observations.
    #[serde(default)]
    pub facts: Vec<Fact>,
    /// Points earned all the same (« acquis »).
    #[serde(default)]
    pub earned: f64,
    /// French: what earned them (« l'alerte se déclenche bien »); may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub earned_for: String,
}

/// A place in a file of the student. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Place {
    /// Path in the submission.
    pub file: String,
    /// The main mark.
    pub mark: Mark,
    /// Other marks in the same file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Mark>,
}

/// A span of one line with its French label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Mark {
    /// Line, from 1.
    pub line: usize,
    /// First column, from 1, in characters.
    pub column: usize,
    /// Columns covered, at least 1.
    pub width: usize,
    /// The whole line, as the student wrote it (no line end).
    pub text: String,
    /// French label; may be empty.
    pub label: String,
}

/// The policy's refusal of one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Refusal {
    /// Stable id of the rule, for instance `network-mode-host`.
    pub rule: String,
    /// French: what is refused.
    pub what: String,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// French: « pourquoi ».
    pub why: String,
    /// French: « à la place ».
    pub instead: String,
}

/// A file of the student that cannot be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Problem {
    /// Stable id, for instance `compose-missing`.
    pub code: String,
    /// French: what is wrong.
    pub what: String,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// French: what to do.
    pub todo: String,
    /// What the tool said (English), cut.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What is left of the run on the engine and on the disk, after the clean-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Inventory {
    /// Containers.
    pub containers: usize,
    /// Networks.
    pub networks: usize,
    /// Volumes.
    pub volumes: usize,
    /// Images made by the run.
    pub images: usize,
    /// Temporary directories.
    pub dirs: usize,
}

impl Inventory {
    /// True when nothing is left.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// End of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunFinished {
    /// Milliseconds from the first event.
    pub elapsed_ms: u64,
}
