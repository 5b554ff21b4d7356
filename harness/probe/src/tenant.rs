//! Tenants: whom a block or a task belongs to inside one process.
//!
//! A thread has one current tenant. Blocks are tagged with it when they are allocated, tasks when they are spawned; the
//! hooks of [`crate::tasks::install`] make a task's tenant current for each of its polls, so that children inherit it.
//!
//! Tenants form a tree below [`Tenant::NONE`]: what a service registers with [`Tenant::child`] stays within the tenant
//! that the service itself runs under. Each counts for itself; whoever wants a whole branch asks [`Tenant::is_within`].

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use crate::actor::Actor;

/// Tenants that can be told apart in one process; further ones count as their parent.
pub const TENANTS_MAX: usize = 4096;

/// Steps from [`Tenant::NONE`] down to a tenant; a child of one so deep counts as its parent.
pub const DEPTH_MAX: usize = 8;

/// Bytes of a name; longer ones are cut at a character boundary.
pub const NAME_BYTES_MAX: usize = 64;

/// A party inside the process that owns blocks and tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(u16);

impl Tenant {
    /// Nobody in particular: what a thread starts with, and the root of the tree.
    pub const NONE: Self = Self(0);

    /// The probe itself, outside of the tree. Its blocks and tasks are in no total.
    pub const PROBE: Self = Self(1);

    /// Finds or registers the tenant called `name`: a child of [`Tenant::NONE`].
    pub fn named(name: &str) -> Self {
        Self::NONE.child(name)
    }

    /// Finds or registers the child of this tenant that is called `name`.
    ///
    /// The answer is the tenant itself where there can be no child: when [`TENANTS_MAX`] are registered already or this
    /// one is [`DEPTH_MAX`] deep, which [`overflows`] counts, and for [`Tenant::PROBE`].
    ///
    /// ```
    /// use watertight_probe::Tenant;
    ///
    /// let station = Tenant::current().child("plc-7");
    /// assert!(station.is_within(Tenant::current()));
    /// let _guard = station.enter(); // what is allocated and spawned from here on is the station's
    /// ```
    pub fn child(self, name: &str) -> Self {
        if self == Self::PROBE {
            return self;
        }
        let _probe = Self::PROBE.enter();
        let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX)];
        let mut names = names();
        if let Some(known) = names.children.get(&(self.0, name.to_owned())) {
            return Self(*known);
        }
        let next = names.by_id.len();
        // TENANTS_MAX fits in u16.
        let room = u16::try_from(next).ok().filter(|_| next < TENANTS_MAX && self.depth() < DEPTH_MAX);
        let Some(id) = room else {
            OVERFLOWS.fetch_add(1, Ordering::Relaxed);
            return self;
        };
        names.by_id.push(name.to_owned());
        names.children.insert((self.0, name.to_owned()), id);
        PARENTS[next].store(self.0, Ordering::Relaxed);
        REGISTERED.store(next + 1, Ordering::Release);
        Self(id)
    }

    /// The first tenant below this one that is called `name`, or a new child of that name.
    pub fn part(self, name: &str) -> Self {
        self.find(name).unwrap_or_else(|| self.child(name))
    }

    /// Its name after those of the tenants above it: `target/plc-7`. [`Tenant::NONE`] is in no path but its own, `none`.
    pub fn path(self) -> String {
        let _probe = Self::PROBE.enter();
        let mut names: Vec<String> = self.line().map(Self::name).collect();
        if names.len() > 1 && self.is_within(Self::NONE) {
            names.pop();
        }
        names.reverse();
        names.join("/")
    }

    /// The tenant it is a child of; `None`: [`Tenant::NONE`] and [`Tenant::PROBE`] have no parent.
    pub fn parent(self) -> Option<Self> {
        match self {
            Self::NONE | Self::PROBE => None,
            _ => PARENTS.get(usize::from(self.0)).map(|parent| Self(parent.load(Ordering::Relaxed))),
        }
    }

    /// Whether this is `ancestor` or a tenant below it, at most [`DEPTH_MAX`] steps; allocates nothing.
    pub fn is_within(self, ancestor: Self) -> bool {
        self.line().any(|tenant| tenant == ancestor)
    }

    /// The first tenant below this one that was registered as `name`, this one included; `None`: there is none.
    pub fn find(self, name: &str) -> Option<Self> {
        let _probe = Self::PROBE.enter();
        let names = names();
        let called = |tenant: &Self| names.by_id.get(usize::from(tenant.0)).is_some_and(|of| of == name);
        all().find(|tenant| called(tenant) && tenant.is_within(self))
    }

    /// The tenant current on this thread.
    pub fn current() -> Self {
        Actor::current().tenant()
    }

    /// The number behind the name: dense, starting at 0, stable for the life of the process.
    pub fn id(self) -> u16 {
        self.0
    }

    /// The name it was registered under.
    pub fn name(self) -> String {
        let _probe = Self::PROBE.enter();
        names().by_id.get(usize::from(self.0)).cloned().unwrap_or_else(|| format!("tenant {}", self.0))
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
        Actor::current().on_behalf_of(self).swap_in().tenant()
    }

    pub(crate) const fn from_id(id: u16) -> Self {
        Self(id)
    }

    /// This tenant, its parent, and so on.
    pub(crate) fn line(self) -> impl Iterator<Item = Self> {
        // A parent is registered before its children, so this ends; the bound is for a number that no tenant has.
        std::iter::successors(Some(self), |tenant| tenant.parent()).take(DEPTH_MAX + 1)
    }

    fn depth(self) -> usize {
        self.line().count() - 1
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

/// Every tenant registered so far, in order of their ids; [`Tenant::NONE`] and [`Tenant::PROBE`] are the first two.
pub fn all() -> impl Iterator<Item = Tenant> {
    // TENANTS_MAX fits in u16.
    (0..REGISTERED.load(Ordering::Acquire) as u16).map(Tenant)
}

/// Registrations that found the table full, or the tree too deep.
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

/// What tenants are called.
struct Names {
    by_id: Vec<String>,
    /// A child's id by its parent's and its name.
    children: BTreeMap<(u16, String), u16>,
}

fn names() -> MutexGuard<'static, Names> {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if names.by_id.is_empty() {
        names.by_id.extend(["none".to_owned(), "probe".to_owned()]);
    }
    names
}

/// [`Tenant::NONE`] and [`Tenant::PROBE`].
const BUILT_IN: usize = 2;

static NAMES: Mutex<Names> = Mutex::new(Names { by_id: Vec::new(), children: BTreeMap::new() });
static PARENTS: [AtomicU16; TENANTS_MAX] = [const { AtomicU16::new(0) }; TENANTS_MAX];
static REGISTERED: AtomicUsize = AtomicUsize::new(BUILT_IN);
static OVERFLOWS: AtomicU64 = AtomicU64::new(0);
