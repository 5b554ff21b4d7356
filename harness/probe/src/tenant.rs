//! Tenants: whom a block or a task belongs to inside one process.
//!
//! A thread has one current tenant. Blocks are tagged with it when they are allocated, tasks when they are spawned; the
//! hooks of [`crate::tasks::install`] make a task's tenant current for each of its polls, so that children inherit it.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

/// Names that can be told apart in one process; further ones count as [`Tenant::NONE`].
pub const TENANTS_MAX: usize = 1024;

/// Bytes of a name; longer ones are cut at a character boundary.
pub const NAME_BYTES_MAX: usize = 64;

/// A party inside the process that owns blocks and tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(u16);

impl Tenant {
    /// Nobody in particular: what a thread starts with.
    pub const NONE: Self = Self(0);

    /// The probe itself. Its blocks and tasks are in no total.
    pub const PROBE: Self = Self(1);

    /// Finds or registers the tenant called `name`; [`Tenant::NONE`] when [`TENANTS_MAX`] are registered already.
    pub fn named(name: &str) -> Self {
        let _probe = Self::PROBE.enter();
        let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX)];
        let mut names = names();
        if let Some(at) = names.iter().position(|known| known == name) {
            return Self::at(at);
        }
        if names.len() >= TENANTS_MAX {
            OVERFLOWS.fetch_add(1, Ordering::Relaxed);
            return Self::NONE;
        }
        names.push(name.to_owned());
        Self::at(names.len() - 1)
    }

    /// The tenant current on this thread.
    pub fn current() -> Self {
        Self(CURRENT.get())
    }

    /// The number behind the name: dense, starting at 0, stable for the life of the process.
    pub fn id(self) -> u16 {
        self.0
    }

    /// The name it was registered under.
    pub fn name(self) -> String {
        let _probe = Self::PROBE.enter();
        names().get(usize::from(self.0)).cloned().unwrap_or_else(|| format!("tenant {}", self.0))
    }

    /// Makes this tenant current on this thread until the guard is dropped.
    #[must_use = "the tenant is current only while the guard lives"]
    pub fn enter(self) -> Guard {
        Guard { outer: self.swap_in(), _thread: PhantomData }
    }

    /// Runs `future` with this tenant current in each of its polls and while it is dropped.
    pub fn scope<F: Future>(self, future: F) -> Scope<F> {
        let _current = self.enter();
        Scope { tenant: self, future: Some(Box::pin(future)) }
    }

    /// Makes this tenant current and hands back the one that was.
    pub(crate) fn swap_in(self) -> Self {
        Self(CURRENT.replace(self.0))
    }

    pub(crate) fn from_id(id: u16) -> Self {
        Self(id)
    }

    fn at(index: usize) -> Self {
        // TENANTS_MAX fits in u16; NONE is the answer nobody is harmed by.
        u16::try_from(index).map_or(Self::NONE, Self)
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

/// Registrations that found the table full.
pub fn overflows() -> u64 {
    OVERFLOWS.load(Ordering::Relaxed)
}

/// Keeps a tenant current; see [`Tenant::enter`].
#[derive(Debug)]
pub struct Guard {
    outer: Tenant,
    /// A guard restores the thread it was made on, so it must stay there.
    _thread: PhantomData<*const ()>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.outer.swap_in();
    }
}

/// A future that belongs to a tenant; see [`Tenant::scope`].
#[derive(Debug)]
pub struct Scope<F> {
    tenant: Tenant,
    /// `None` only while it is being dropped.
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    // A frame of its own: task dumps leave out the frame that polls the task, with all that is inlined there.
    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _current = self.tenant.enter();
        match &mut self.future {
            Some(future) => future.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Scope<F> {
    fn drop(&mut self) {
        let _current = self.tenant.enter();
        self.future = None;
    }
}

fn names() -> std::sync::MutexGuard<'static, Vec<String>> {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if names.is_empty() {
        names.extend(["none".to_owned(), "probe".to_owned()]);
    }
    names
}

static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static OVERFLOWS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    // Const and without a destructor: the allocator reads it, even while a thread ends.
    static CURRENT: Cell<u16> = const { Cell::new(0) };
}
