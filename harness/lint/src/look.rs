//! One file, all rules: the first pass. What comes of it is plain data, so that it can be kept and handed between threads.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::allow::{self, Allow};
use crate::finding::{Fact, Sink, Suspicion};
use crate::source::{ParseError, SourceFile};
use crate::{depth, test_code};

/// What one file says, before the rest of its crate is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Looked {
    pub(crate) suspicions: Vec<Suspicion>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) allows: Vec<Allow>,
    /// First and last lines of test code.
    pub(crate) tests: Vec<(u32, u32)>,
    /// Other files that are test code: their paths without `.rs`.
    pub(crate) test_modules: Vec<PathBuf>,
    pub(crate) lines: usize,
}

impl Looked {
    pub(crate) fn is_test(&self, line: u32) -> bool {
        self.tests.iter().any(|(first, last)| (*first..=*last).contains(&line))
    }
}

/// Has every rule look at `text`. To be called on a thread with a stack of [`depth::STACK_BYTES`].
pub(crate) fn look(path: &Path, text: String) -> Result<Looked, ParseError> {
    let looked = SourceFile::parse(path, text).map(|file| at(&file));
    // The lexer keeps every file of a thread for its spans, which are no longer asked for.
    proc_macro2::extra::invalidate_current_thread_spans();
    looked
}

fn at(file: &SourceFile) -> Looked {
    let tests = test_code::of(file);
    let mut looked = Looked {
        allows: allow::allows(file),
        tests: tests.lines,
        test_modules: tests.modules,
        lines: file.text.lines().count(),
        ..Looked::default()
    };
    for rule in crate::rules() {
        let mut sink = Sink::new(rule);
        (rule.check)(file, &mut sink);
        let (suspicions, facts) = sink.into_parts();
        looked.suspicions.extend(suspicions);
        looked.facts.extend(facts);
    }
    looked
}

/// Runs `work` where what it parses has the stack that it may need.
pub(crate) fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(depth::STACK_BYTES).spawn_scoped(scope, work)?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
