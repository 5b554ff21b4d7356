//! Where file descriptors were opened, as far as somebody said so: the kernel does not keep it.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::FDS_MAX;
use crate::Tenant;

/// By number. A number that was closed and used again is told by what it refers to.
static ORIGINS: Mutex<BTreeMap<u32, Origin>> = Mutex::new(BTreeMap::new());

struct Origin {
    target: PathBuf,
    place: &'static Location<'static>,
}

/// Remembers that the caller opened `fd`, so that reports can name the line; at most [`FDS_MAX`] are remembered.
#[track_caller]
pub fn opened_here(fd: &impl AsFd) {
    let place = Location::caller();
    let _probe = Tenant::PROBE.enter();
    let Ok(number) = u32::try_from(fd.as_fd().as_raw_fd()) else { return };
    let Ok(target) = fs::read_link(format!("/proc/self/fd/{number}")) else { return };
    let mut origins = ORIGINS.lock().unwrap_or_else(PoisonError::into_inner);
    if origins.len() < FDS_MAX || origins.contains_key(&number) {
        origins.insert(number, Origin { target, place });
    }
}

/// `file:line` of whoever opened this descriptor of this process.
pub(super) fn of(number: u32, target: &Path) -> Option<String> {
    let origins = ORIGINS.lock().unwrap_or_else(PoisonError::into_inner);
    let origin = origins.get(&number).filter(|origin| origin.target == target)?;
    Some(format!("{}:{}", origin.place.file(), origin.place.line()))
}
