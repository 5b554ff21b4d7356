//! The templates for pipelines, held against the schemas of those who read them, and against each other.

use std::process::Command;

use serde_json::Value;

use super::Test;
use super::program::{none_of, output, root, text};

const CHECK: &str = ".venv/bin/check-jsonschema";
const KUBERNETES: &str = ".venv/bin/kubernetes-validate";

pub const ALL: &[Test] = &[
    Test { name: "templates::of_github_match_its_schemas", needs: &[CHECK], run: github },
    Test { name: "templates::of_gitlab_match_its_schema", needs: &[CHECK], run: gitlab },
    Test { name: "templates::of_kubernetes_match_its_schemas", needs: &[KUBERNETES], run: kubernetes },
    Test { name: "templates::wire_each_exit_code_of_a_shard", needs: &[], run: exit_codes },
    Test { name: "templates::agree_on_how_many_shards_there_are", needs: &[], run: shards },
    Test { name: "templates::run_nothing_with_more_rights_than_it_needs", needs: &[], run: rights },
];

fn github() -> Result<(), String> {
    check("vendor.github-actions", &["ci/github/gate/action.yml"])?;
    check(
        "vendor.github-workflows",
        &["ci/github/workflows/watertight.yml", "ci/github/workflows/nightly.yml"],
    )
}

fn gitlab() -> Result<(), String> {
    check("vendor.gitlab-ci", &["ci/gitlab/watertight.gitlab-ci.yml"])
}

fn check(schema: &str, files: &[&str]) -> Result<(), String> {
    let mut check = Command::new(root().join(CHECK));
    check.args(["--builtin-schema", schema]).args(files).current_dir(root());
    output(&mut check).map(|_| ())
}

/// Strictly: a key that Kubernetes does not know is an error.
fn kubernetes() -> Result<(), String> {
    let files = ["shards", "merge", "results"].map(|name| format!("ci/kubernetes/{name}.yaml"));
    let mut validate = Command::new(root().join(KUBERNETES));
    output(validate.arg("--strict").args(files).current_dir(root())).map(|_| ())
}

/// What a template says, as a value.
pub fn read(path: &str) -> Result<Value, String> {
    serde_saphyr::from_str(&text(path)?).map_err(|error| format!("{path}: {error}"))
}

/// The value at a JSON pointer, which must be there.
pub fn at<'a>(value: &'a Value, pointer: &str) -> Result<&'a Value, String> {
    value.pointer(pointer).ok_or_else(|| format!("nothing at {pointer}"))
}

/// The strings of a list.
pub fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

pub const SHARDS: &str = "ci/kubernetes/shards.yaml";
pub const MERGE: &str = "ci/kubernetes/merge.yaml";
pub const CONTAINER: &str = "/spec/template/spec/containers/0";

/// 1 fails the index, 2 and 4 the job, 3 is played again: a leak must not be retried until it hides.
fn exit_codes() -> Result<(), String> {
    let job = read(SHARDS)?;
    let rules = at(&job, "/spec/podFailurePolicy/rules")?.as_array().ok_or("rules are a list")?;
    let action = |code: u64| {
        let is_for = |rule: &&Value| {
            let values = rule.pointer("/onExitCodes/values").and_then(Value::as_array);
            values.is_some_and(|values| values.contains(&code.into()))
        };
        rules.iter().find(is_for).and_then(|rule| rule["action"].as_str()).unwrap_or("none")
    };
    let wired = [1, 2, 3, 4].map(action);
    if wired != ["FailIndex", "FailJob", "Count", "FailJob"] {
        return Err(format!("{SHARDS}: codes 1 to 4 lead to {wired:?}"));
    }
    match at(&job, "/spec/template/spec/restartPolicy")?.as_str() {
        Some("Never") => Ok(()),
        other => Err(format!("a policy for failures needs restartPolicy Never, found {other:?}")),
    }
}

fn shards() -> Result<(), String> {
    let (job, merge) = (read(SHARDS)?, read(MERGE)?);
    let nightly = read("ci/github/workflows/nightly.yml")?;
    let gitlab = read("ci/gitlab/watertight.gitlab-ci.yml")?;
    let completions = at(&job, "/spec/completions")?.as_u64();
    let counts = [
        ("parallelism", at(&job, "/spec/parallelism")?.as_u64()),
        (
            "the shard's argument",
            after(&job, "--shard-from-zero")?.split_once('/').and_then(|(_, n)| n.parse().ok()),
        ),
        ("--expect-shards", after(&merge, "--expect-shards")?.parse().ok()),
        (
            "GitHub's matrix",
            at(&nightly, "/jobs/play/strategy/matrix/shard")?.as_array().map(|all| all.len() as u64),
        ),
        ("GitHub's SHARDS", at(&nightly, "/env/SHARDS")?.as_u64()),
        ("GitLab's parallel", at(&gitlab, "/watertight:play/parallel")?.as_u64()),
    ];
    let differ = counts.iter().filter(|(_, count)| *count != completions);
    none_of(
        "other than the Job's completions",
        &differ.map(|(what, count)| format!("{what}: {count:?}")).collect::<Vec<_>>(),
    )
}

/// The argument that stands after `option`.
fn after(job: &Value, option: &str) -> Result<String, String> {
    let arguments = strings(at(job, &format!("{CONTAINER}/args"))?);
    let at = arguments.iter().position(|argument| argument == option).ok_or(format!("no {option}"))?;
    arguments.get(at + 1).cloned().ok_or(format!("nothing after {option}"))
}

fn rights() -> Result<(), String> {
    let mut wrong = Vec::new();
    for path in [SHARDS, MERGE] {
        let job = read(path)?;
        let pod = "/spec/template/spec";
        for (pointer, expected) in [
            (format!("{pod}/securityContext/runAsNonRoot"), Value::Bool(true)),
            (format!("{pod}/automountServiceAccountToken"), Value::Bool(false)),
            (format!("{CONTAINER}/securityContext/readOnlyRootFilesystem"), Value::Bool(true)),
            (format!("{CONTAINER}/securityContext/allowPrivilegeEscalation"), Value::Bool(false)),
            (format!("{CONTAINER}/securityContext/capabilities/drop"), Value::Array(vec!["ALL".into()])),
        ] {
            let found = job.pointer(&pointer);
            if found != Some(&expected) {
                wrong.push(format!("{path}: {pointer}: expected {expected}, found {found:?}"));
            }
        }
        let has_limits = job.pointer(&format!("{CONTAINER}/resources/limits/memory")).is_some();
        wrong.extend((!has_limits).then(|| format!("{path}: no limit of memory")));
    }
    for workflow in ["watertight", "nightly"] {
        let path = format!("ci/github/workflows/{workflow}.yml");
        let may = read(&path)?.pointer("/permissions").cloned();
        let expected = serde_json::json!({ "contents": "read" });
        wrong.extend((may != Some(expected)).then(|| format!("{path}: permissions: {may:?}")));
    }
    none_of("rights that are not needed", &wrong)
}
