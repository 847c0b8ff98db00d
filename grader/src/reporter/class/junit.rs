//! JUnit XML of a class: a suite for each student, nobody left out.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use crate::report::Report;
use crate::report::class::Fate;
use crate::reporter::encode::xml::Xml;
use crate::reporter::junit;

/// The suites of a class.
pub struct Suites {
    document: Document,
}

impl Default for Suites {
    fn default() -> Self {
        Self { document: Document::new("grader") }
    }
}

impl Suites {
    /// Adds a student; without a report, one case says how it ended.
    pub fn push(&mut self, name: &str, fate: Fate, why: &str, report: Option<&Report>) {
        let suite = match report {
            Some(report) => {
                let mut suite = junit::suite(report);
                suite.name = Xml::line(name).into();
                suite
            }
            None => {
                let mut suite = TestSuite::new(Xml::line(name));
                suite.add_test_case(TestCase::new(Xml::line(fate.french()), status(fate, why)));
                suite
            }
        };
        self.document.add_test_suite(suite);
    }

    /// Writes the document.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.document.serialize(out).map_err(io::Error::other)
    }
}

/// Of a submission that was not run. What is the machine's doing is an error, never a failure.
fn status(fate: Fate, why: &str) -> TestCaseStatus {
    let kind = match fate {
        Fate::Refused | Fate::Invalid => NonSuccessKind::Failure,
        Fate::NotGraded | Fate::Provisional => NonSuccessKind::Error,
        Fate::Missing | Fate::Graded => return TestCaseStatus::skipped(),
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(Xml::line(why));
    status
}
