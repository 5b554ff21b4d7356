//! What a run leaves when it does not end by itself: nothing.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use watertight_container::{Belonging, belongings};

use crate::bench::{eventually, watertight};

const SCENARIO: &str = "scenarios/gate/flapping-network.yaml";

pub fn ctrl_c_leaves_nothing() -> Result<(), String> {
    let (mut run, owned) = started()?;
    kill_process(Pid::from_child(&run), Signal::INT).map_err(|error| error.to_string())?;
    let status = run.wait().map_err(|error| error.to_string())?;
    if status.code() != Some(3) {
        return Err(format!("expected exit 3, found {status}"));
    }
    all_gone(&owned)
}

pub fn a_run_that_is_killed_leaves_nothing() -> Result<(), String> {
    let (mut run, owned) = started()?;
    run.kill().map_err(|error| error.to_string())?;
    run.wait().map_err(|error| error.to_string())?;
    all_gone(&owned)
}

/// A run whose container and network are there.
fn started() -> Result<(Child, Vec<Belonging>), String> {
    let run = watertight(&[SCENARIO]).spawn().map_err(|error| error.to_string())?;
    let owned = eventually("a container and its network", || {
        let owned: Vec<_> =
            belongings().ok()?.into_iter().filter(|one| parent(one.owner) == Some(run.id())).collect();
        (owned.len() == 2).then_some(owned)
    })?;
    Ok((run, owned))
}

fn all_gone(owned: &[Belonging]) -> Result<(), String> {
    eventually(&format!("the end of {owned:?}"), || {
        let left = belongings().ok()?;
        owned.iter().all(|one| !left.contains(one)).then_some(())
    })
}

/// Who started the process `pid`: field 4 of its `stat`, counted past its name.
fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
