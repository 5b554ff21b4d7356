//! The script that plays on a cluster, against a stand-in for `kubectl` that answers as a cluster would: what is asked for, in
//! which order, and with which exit code it ends.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::Test;
use super::program::root;

pub const ALL: &[Test] = &[
    Test { name: "cluster::a_leak_in_the_merge_is_the_scripts_end", needs: &["bash"], run: leak },
    Test { name: "cluster::a_merge_that_never_ended_is_no_success", needs: &["bash"], run: never_ended },
];

/// Answers like a cluster whose shards failed; `CODE` is what the merge's container ended with, empty: it did not.
const KUBECTL: &str = r#"#!/usr/bin/env bash
echo "$*" >>"$LOG"
case "$*" in
    "set env"*) cat "$5" ;;
    "apply -f -") cat >>"$LOG.applied" ;;
    "wait job/"*Complete*) exec sleep 1000 ;;
    "logs "*) echo "the merge's report" ;;
    "get pods "*) echo -n "$CODE" ;;
esac
"#;

/// What was said, the exit code, and what `kubectl` was asked for.
fn play(code: &str) -> Result<(Option<i32>, String, String), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (kubectl, log) = (folder.path().join("kubectl"), folder.path().join("log"));
    fs::write(&kubectl, KUBECTL).map_err(|error| error.to_string())?;
    fs::set_permissions(&kubectl, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
    let mut script = Command::new(root().join("ci/kubernetes/run.sh"));
    script.arg("a-run").env("KUBECTL", &kubectl).env("LOG", &log).env("CODE", code);
    let output = script.output().map_err(|error| error.to_string())?;
    let said = [output.stdout, output.stderr].concat();
    let asked = fs::read_to_string(&log).map_err(|error| error.to_string())?;
    let applied = fs::read_to_string(folder.path().join("log.applied")).map_err(|error| error.to_string())?;
    if !(applied.contains("name: watertight-shards") && applied.contains("name: watertight-merge")) {
        return Err(format!("not both Jobs were started:\n{asked}"));
    }
    Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned(), asked))
}

fn leak() -> Result<(), String> {
    let (code, said, asked) = play("1")?;
    if code != Some(1) || !said.contains("the merge's report") || !said.contains("/results/a-run/report") {
        return Err(format!("ended with {code:?}:\n{said}"));
    }
    // The shards must have ended before the merge begins, whichever way.
    let place = |text: &str| {
        asked.lines().position(|line| line.starts_with(text)).ok_or(format!("no `{text}` in\n{asked}"))
    };
    let in_order = place("wait job/watertight-shards")? < place("delete job watertight-merge")?;
    if in_order { Ok(()) } else { Err(asked) }
}

fn never_ended() -> Result<(), String> {
    let (code, said, _) = play("")?;
    if code == Some(4) && said.contains("the merge did not end") {
        Ok(())
    } else {
        Err(format!("ended with {code:?}:\n{said}"))
    }
}
