//! Where the target of a run on the wall clock lives: in a process of this machine, or in what another crate brings, such as a
//! container.
//!
//! The engine is the same for every house. Peers, proxies and consumers stay where they are: on this machine.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use rustix::process::Signal;
use tokio::io::AsyncRead;

use crate::scenario::target::Limits;
use crate::world::{BoxFuture, Program, WorldError};

/// What a program prints, on one of its outputs.
pub type Output = Box<dyn AsyncRead + Send + Unpin>;

/// Houses for targets, beside processes of this machine: one kind of them, and one house a run.
pub trait Houses: Send + Sync {
    /// What this machine lacks for them, in words, with what to do about it; `None`: nothing.
    fn lacks(&self) -> Option<String>;

    /// Makes a house for the target of one run.
    fn open<'a>(&'a self, lease: Lease<'a>) -> BoxFuture<'a, Result<Box<dyn House>, WorldError>>;
}

/// What a run asks of a house.
#[derive(Debug, Clone, Copy)]
pub struct Lease<'a> {
    /// The image that the target is started from; `None`: from its program, as it lies on this machine.
    pub image: Option<&'a str>,
    /// What the target is held to.
    pub limits: Limits,
    /// The run's folder, which the target sees under the same path.
    pub scratch: &'a Path,
}

/// The house of one run's target.
pub trait House: Send {
    /// The address of this machine under which the target reaches its peers, and nobody from elsewhere does.
    fn host(&self) -> IpAddr;

    /// The address on which the target is to listen: that of loopback, or any, where it has a network of its own.
    fn listen(&self) -> IpAddr;

    /// Starts the target in it; it need not be ready.
    fn start<'a>(&'a mut self, program: &'a Program) -> BoxFuture<'a, io::Result<Box<dyn Resident>>>;

    /// Cuts the house off from every network, or connects it again under the address that it had; `None`: it has none of its
    /// own that could be cut.
    fn cut_off(&mut self, cut: bool) -> Option<BoxFuture<'_, io::Result<()>>>;

    /// Holds the target to nothing any more: the run is over, and what the target is asked from then on, such as the names of its
    /// own lines, may cost more than it ever held.
    fn lift_limits(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// Removes the house and whatever is left in it.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// A program that was started. Dropping it ends it.
pub trait Resident: Send + fmt::Debug {
    /// What it prints, on stdout and on stderr; `None`: it was asked for already.
    fn outputs(&mut self) -> Option<[Output; 2]>;

    /// Its process as this machine numbers it; `None` once it has ended.
    fn pid(&self) -> Option<u32>;

    /// Where this machine reaches what it listens on.
    fn address(&self) -> IpAddr;

    /// Sends it `signal`; `false`: it has ended, and there is nothing left to signal. STOP and CONT work on all that lives in the
    /// house.
    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, bool>;

    /// How it ended, if that is known by now.
    fn ended(&mut self) -> Option<End>;

    /// Waits for its end. Nothing is lost where the wait is given up.
    fn wait(&mut self) -> BoxFuture<'_, io::Result<End>>;

    /// What the house counts of it, beside what every process shows.
    fn gauges(&self) -> BTreeMap<String, f64> {
        BTreeMap::new()
    }
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// In words: `exit status: 1`.
    pub how: String,
    /// Whether it ended of its own will and was content.
    pub success: bool,
    /// The kernel ended it, since it had reached the bound of its memory.
    pub out_of_memory: Option<OutOfMemory>,
}

/// What shows that the kernel ended a program for its memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfMemory {
    /// The bound, in bytes.
    pub limit_bytes: u64,
    /// What was seen, in words.
    pub evidence: String,
}
