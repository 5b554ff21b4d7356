//! The commands of the templates, played here: what their shells run, with the variables that their machines set.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::Test;
use super::program::{find, none_of, root};
use super::templates::{CONTAINER, MERGE, SHARDS, at, read, strings};

/// Built by whatever builds this test: `cargo test` builds it beside.
const WATERTIGHT: &str = "watertight";

pub const ALL: &[Test] = &[
    Test {
        name: "sharing::four_shards_and_merge_say_what_one_run_says",
        needs: &[WATERTIGHT],
        run: four_shards,
    },
    Test { name: "sharing::the_kubernetes_jobs_share_and_join", needs: &[WATERTIGHT], run: kubernetes },
    Test { name: "sharing::githubs_gate_shows_a_leak", needs: &[WATERTIGHT], run: github },
    Test { name: "sharing::gitlabs_jobs_leave_their_reports", needs: &[WATERTIGHT, "bash"], run: gitlab },
    Test {
        name: "sharing::the_nights_soak_leaves_reports_and_store",
        needs: &[WATERTIGHT, "bash"],
        run: soak,
    },
    Test { name: "sharing::a_lost_shard_is_never_clean", needs: &[WATERTIGHT, "bash"], run: lost_shard },
];

/// Cases that are played in a moment.
const QUICK: [&str; 3] = [
    "scenarios/gate/flapping-network.yaml",
    "scenarios/gate/silent-plc.yaml",
    "scenarios/gate/half-open-peer.yaml",
];

/// A command's exit code, and all that it said.
struct Ran {
    code: Option<i32>,
    said: String,
}

impl Ran {
    fn of(command: &mut Command) -> Result<Self, String> {
        let output = command.current_dir(root()).output().map_err(|error| format!("{command:?}: {error}"))?;
        let said = [output.stdout, output.stderr].concat();
        Ok(Self { code: output.status.code(), said: String::from_utf8_lossy(&said).into_owned() })
    }

    fn must_end(self, code: i32) -> Result<Self, String> {
        if self.code == Some(code) {
            Ok(self)
        } else {
            Err(format!("expected {code}, ended with {:?}:\n{}", self.code, self.said))
        }
    }
}

fn watertight() -> PathBuf {
    find(WATERTIGHT).expect("the test needs it")
}

fn folder() -> Result<TempDir, String> {
    tempfile::tempdir().map_err(|error| error.to_string())
}

fn json(path: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// What a report says of each case: file, case, engine, seed, outcome, exit.
fn outcomes(report: &Value) -> Vec<String> {
    let keys = ["file", "case", "engine", "seed", "outcome", "exit"];
    let cases = report["cases"].as_array().into_iter().flatten();
    cases.map(|case| keys.map(|key| case[key].to_string()).join(" ")).collect()
}

/// The gate, in one run and in four parts: the same cases with the same outcomes in the same order.
fn four_shards() -> Result<(), String> {
    let folder = folder()?;
    let (whole, merged) = (folder.path().join("whole.json"), folder.path().join("merged.json"));
    let run = |arguments: &[&str], path: &Path| {
        Ran::of(Command::new(watertight()).args(["run", "scenarios/gate"]).args(arguments).arg(path))?
            .must_end(0)
    };
    run(&["--json"], &whole)?;
    for k in 1..=4 {
        run(&["--shard", &format!("{k}/4"), "--ndjson"], &folder.path().join(format!("shards/{k}.ndjson")))?;
    }
    let mut merge = Command::new(watertight());
    merge
        .arg("merge")
        .arg(folder.path().join("shards"))
        .args(["--expect-shards", "4", "--json"])
        .arg(&merged);
    Ran::of(&mut merge)?.must_end(0)?;
    let (whole, merged) = (json(&whole)?, json(&merged)?);
    let (one, four) = (outcomes(&whole), outcomes(&merged));
    if one.is_empty() || one != four {
        return Err(format!("one run says\n{}\nfour shards say\n{}", one.join("\n"), four.join("\n")));
    }
    match (&whole["exit"], &merged["exit"]) {
        (one, four) if one == four => Ok(()),
        (one, four) => Err(format!("one run ends {one}, four shards {four}")),
    }
}

/// The arguments of a Job's container, as the kubelet hands them over: variables put in, and folders where they lie here.
fn arguments(job: &Value, index: u64, folder: &Path) -> Result<Vec<String>, String> {
    let given = strings(at(job, &format!("{CONTAINER}/args"))?);
    let here = |argument: String| {
        let argument =
            argument.replace("$(JOB_COMPLETION_INDEX)", &index.to_string()).replace("$(RUN)", "latest");
        let argument = argument.replace("/results", &folder.display().to_string());
        argument.replace("/scenarios", "scenarios")
    };
    Ok(given.into_iter().map(here).collect())
}

/// Each index of the Job into one folder, then the merge: fewer seeds and cases than on a cluster.
fn kubernetes() -> Result<(), String> {
    let folder = folder()?;
    let (shards, merge) = (read(SHARDS)?, read(MERGE)?);
    let count = at(&shards, "/spec/completions")?.as_u64().unwrap_or_default();
    for index in 0..count {
        let mut arguments = arguments(&shards, index, folder.path())?;
        let seeds = arguments.iter().position(|argument| argument == "--seeds").ok_or("no --seeds")?;
        arguments[seeds + 1] = "3".to_owned();
        let filters = ["silent-plc", "flapping-network"].map(|name| ["--filter", name]);
        let mut run = Command::new(watertight());
        run.args(arguments).args(filters.concat()).env("WATERTIGHT_COMMIT", "1234abc");
        Ran::of(&mut run)?.must_end(0)?;
    }
    Ran::of(Command::new(watertight()).args(arguments(&merge, 0, folder.path())?))?.must_end(0)?;
    let seeds = json(&folder.path().join("latest/seeds.json"))?;
    let rows = seeds["rows"].as_array().into_iter().flatten();
    let said: Vec<String> = rows
        .filter(|row| row["played"] != 0)
        .map(|row| format!("{} {}", row["name"], row["clean"]))
        .collect();
    if said != ["\"sim::gate::flapping-network\" 3", "\"sim::gate::silent-plc\" 3"] {
        return Err(format!("the merge says {said:?}"));
    }
    reports_in(&folder.path().join("latest/report"))
}

/// What every pipeline keeps.
fn reports_in(folder: &Path) -> Result<(), String> {
    let kept = ["report.json", "report.html", "report.md", "report.sarif", "report.txt", "junit.xml"];
    let missing = kept.into_iter().filter(|name| !folder.join(name).exists());
    none_of(
        "missing reports",
        &missing.map(|name| folder.join(name).display().to_string()).collect::<Vec<_>>(),
    )
}

fn shell(script: &str) -> Command {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script])
        .env("WATERTIGHT", watertight())
        .env_remove("GITHUB_ACTIONS")
        .env_remove("GITHUB_STEP_SUMMARY");
    bash
}

/// The step that plays, with the leak that the README shows: its code, the summary, the JUnit file.
fn github() -> Result<(), String> {
    let folder = folder()?;
    let [out, summary, outputs] = ["out", "summary", "outputs"].map(|name| folder.path().join(name));
    let action = read("ci/github/gate/action.yml")?;
    let steps = at(&action, "/runs/steps")?.as_array().ok_or("steps are a list")?;
    let play = steps.iter().find(|step| step["id"] == "play").ok_or("no step `play`")?;
    let mut step = shell(play["run"].as_str().ok_or("it runs nothing")?);
    step.env("GITHUB_ACTION_PATH", root().join("ci/github/gate"))
        .env("SCENARIOS", QUICK[0])
        .env("OPTIONS", "--set target.defect=heartbeat_outlives_connection")
        .env("OUT", &out)
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary)
        .env("GITHUB_OUTPUT", &outputs);
    Ran::of(&mut step)?.must_end(1)?;
    reports_in(&out)?;
    let text =
        |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    for (path, expected) in [
        (&outputs, "exit-code=1\n"),
        (&summary, "gateway-under-test/src/defects/heartbeat_outlives_connection.rs:26"),
        (&out.join("junit.xml"), "<failure message=\"leak: tasks leak"),
    ] {
        let found = text(path)?;
        if !found.contains(expected) {
            return Err(format!("{}: expected `{expected}`, found\n{found}", path.display()));
        }
    }
    Ok(())
}

/// The lines of a GitLab job, as its shell runs them one after the other.
fn script(template: &Value, job: &str) -> Result<String, String> {
    let mut lines = strings(at(template, "/.watertight/before_script")?);
    lines.extend(strings(at(template, &format!("/{job}/script"))?));
    Ok(lines.join("\n"))
}

/// Each job in turn, on a checkout of its own folder's making: four machines, then the merge.
fn gitlab() -> Result<(), String> {
    let folder = folder()?;
    let template = read("ci/gitlab/watertight.gitlab-ci.yml")?;
    let job = |name: &str, out: &str, index: u32| -> Result<Ran, String> {
        // The jobs write into the checkout; here that is the one that is tested, so elsewhere.
        let script = script(&template, name)?;
        let script = [" out", " shards"].iter().fold(script, |script, word| {
            script.replace(word, &format!(" {}{}", folder.path().display(), word.replace(' ', "/")))
        });
        let mut shell = shell(&script);
        shell
            .envs([("WATERTIGHT_REPOSITORY", ""), ("SCENARIOS", out), ("CI_NODE_TOTAL", "4"), ("SEEDS", "2")])
            .env("CI_NODE_INDEX", index.to_string())
            .envs([("CONTROLLED", QUICK[..2].join(" ")), ("SEEDED", QUICK[1..].join(" "))]);
        Ran::of(&mut shell)?.must_end(0)
    };
    job("watertight:gate", &QUICK.join(" "), 0)?;
    reports_in(&folder.path().join("out"))?;
    for index in 1..=4 {
        job("watertight:play", "", index)?;
    }
    job("watertight:merge", "", 0)?;
    reports_in(&folder.path().join("out/controlled"))?;
    reports_in(&folder.path().join("out/seeded"))?;
    let controlled = json(&folder.path().join("out/controlled/report.json"))?;
    let cases = controlled["cases"].as_array().into_iter().flatten();
    let is_controlled = |case: &&Value| case["notes"].to_string().contains("control: planted");
    let played: BTreeSet<String> =
        cases.filter(is_controlled).map(|case| case["scenario"].to_string()).collect();
    if played.len() == 2 { Ok(()) } else { Err(format!("with their controls played only {played:?}")) }
}

/// The night's soak, two hours long in simulated time: reports and the store.
fn soak() -> Result<(), String> {
    let folder = folder()?;
    let out = folder.path().join("soaked");
    let template = read("ci/gitlab/watertight.gitlab-ci.yml")?;
    let script = script(&template, "watertight:soak")?.replace(" soaked ", &format!(" {} ", out.display()));
    let mut shell = shell(&script);
    shell.envs([("WATERTIGHT_REPOSITORY", ""), ("SOAKED", QUICK[1]), ("FOR", "2h"), ("ENGINE", "sim")]);
    Ran::of(&mut shell)?.must_end(0)?;
    reports_in(&out)?;
    let mut history = Command::new(watertight());
    history.args(["history", "--store"]).arg(out.join("watertight.db"));
    let said = Ran::of(&mut history)?.must_end(0)?.said;
    if said.contains("sim::silent-plc, soak") {
        Ok(())
    } else {
        Err(format!("the store's history is\n{said}"))
    }
}

/// The script that merges, with one file of four gone.
fn lost_shard() -> Result<(), String> {
    let folder = folder()?;
    let [shards, out] = ["shards", "out"].map(|name| folder.path().join(name));
    for k in 1..=3 {
        let mut shard = shell(&format!("ci/pipeline/shard.sh {k}/4 {}", shards.display()));
        shard.env("CONTROLLED", "").env("SEEDED", QUICK[1]).env("SEEDS", "4");
        Ran::of(&mut shard)?.must_end(0)?;
    }
    let merge = format!("ci/pipeline/merge.sh 4 {} {}", shards.display(), out.display());
    let said = Ran::of(&mut shell(&merge))?.must_end(3)?.said;
    let told = "problem: shard 4/4 is missing: this run is in no file: sim::gate::silent-plc with seed 4";
    if !said.contains(told) {
        return Err(format!("expected `{told}`, found\n{said}"));
    }
    let empty = folder.path().join("empty");
    let merge = format!("ci/pipeline/merge.sh 4 {} {}", empty.display(), out.display());
    Ran::of(&mut shell(&merge))?.must_end(3).map(|_| ())
}
