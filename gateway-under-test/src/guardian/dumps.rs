//! Where dumps go: the seam, and the sink that needs no disk.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::tenant::Tenant;

/// Keeps dumps, within a bound.
pub trait DumpSink: Send + Sync {
    /// Keeps `text` under a name made of a number that rises and `what`.
    fn keep(&self, what: &str, text: String) -> BoxFuture<'static, io::Result<()>>;
}

/// Keeps the last dumps in memory, which belongs to whoever made this.
#[derive(Debug)]
pub struct DumpsInMemory {
    owner: Tenant,
    files_max: usize,
    kept: Mutex<VecDeque<(String, String)>>,
}

impl DumpsInMemory {
    /// Room for so many.
    pub fn new(files_max: usize) -> Self {
        let kept = VecDeque::with_capacity(files_max);
        Self { owner: Tenant::current(), files_max, kept: Mutex::new(kept) }
    }

    /// What is kept, as (what, text), oldest first; nothing is kept afterwards.
    pub fn take(&self) -> Vec<(String, String)> {
        self.lock().drain(..).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(String, String)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DumpSink for DumpsInMemory {
    fn keep(&self, what: &str, text: String) -> BoxFuture<'static, io::Result<()>> {
        {
            let _owner = self.owner.enter();
            let mut kept = self.lock();
            if kept.len() >= self.files_max {
                kept.pop_front();
            }
            // Copied: what the gateway allocated goes with the gateway.
            kept.push_back((what.to_owned(), text.as_str().to_owned()));
        }
        async { Ok(()) }.boxed()
    }
}
