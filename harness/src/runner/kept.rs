//! Keeps what a run says in a store, case by case, for comparisons over commits.

use std::cell::RefCell;
use std::path::Path;

use crate::report::CaseReport;
use crate::runner::{Observer, Options};
use crate::store::{NewRun, Store, StoreError};
use crate::timeline::Ended;

/// Puts each case that ends into a store. After the first write that fails nothing more is written: the end tells of it.
#[derive(Debug)]
pub struct Kept {
    store: Store,
    commit: Option<String>,
    /// The options that change what is measured: two runs are alike where these are equal.
    options: String,
    failed: RefCell<Option<StoreError>>,
}

/// Options that change how a run is judged, and nothing of what is measured.
const JUDGED: [&str; 3] = ["--ignore", "--control", "--no-expect"];

impl Kept {
    /// Opens the store at `path`; makes it if there is none.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn open(path: &Path, options: &Options, commit: Option<String>) -> Result<Self, StoreError> {
        let store = Store::open(path)?;
        let mut options = options.words();
        options.retain(|word| !JUDGED.iter().any(|judged| word.starts_with(judged)));
        let options = options.join(" ");
        Ok(Self { store, commit, options, failed: RefCell::default() })
    }

    /// Whether everything was kept.
    ///
    /// # Errors
    /// The first write that failed.
    pub fn end(self) -> Result<(), StoreError> {
        self.failed.into_inner().map_or(Ok(()), Err)
    }

    /// A run is kept when it has ended: one that was cut off says nothing about its commit.
    fn keep(&self, report: &CaseReport) -> Result<(), StoreError> {
        let as_written = NewRun::of(report, self.commit.clone());
        let run = self.store.begin_run(&NewRun { options: self.options.clone().into(), ..as_written })?;
        self.store.set_report(run, report)?;
        self.store.end_run(run)
    }
}

impl Observer for Kept {
    fn finished(&self, _job: usize, report: &CaseReport) {
        if self.failed.borrow().is_some() || report.timeline.ended == Some(Ended::Interrupted) {
            return;
        }
        *self.failed.borrow_mut() = self.keep(report).err();
    }
}
