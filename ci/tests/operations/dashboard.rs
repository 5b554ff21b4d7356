//! The dashboard: sound in itself, and readable by those who read it.

use std::collections::BTreeSet;
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Test;
use super::metrics::unknown;
use super::program::{none_of, output, root, text};
use super::rules::names;

const DASHBOARD: &str = "ci/observability/dashboard.json";
const PYTHON: &str = ".venv/bin/python";
const SDK: &str = ".venv/grafana";
/// Grafana's grid.
const COLUMNS: u32 = 24;
/// Variables that Grafana sets itself, with a value that an expression can be read with.
const BUILT_IN: [(&str, &str); 2] = [("$__rate_interval", "5m"), ("$__range", "6h")];

pub const ALL: &[Test] = &[
    Test { name: "dashboard::has_panels_with_all_that_explains_them", needs: &[], run: explained },
    Test { name: "dashboard::has_panels_side_by_side", needs: &[], run: apart },
    Test { name: "dashboard::uses_variables_that_it_has", needs: &[], run: variables },
    Test { name: "dashboard::uses_known_metrics", needs: &[], run: known_metrics },
    Test { name: "dashboard::has_expressions_that_prometheus_reads", needs: &["promtool"], run: expressions },
    Test {
        name: "dashboard::keeps_all_of_itself_in_grafanas_types",
        needs: &[PYTHON, SDK],
        run: grafanas_types,
    },
];

#[derive(Deserialize)]
struct Dashboard {
    panels: Vec<Panel>,
    templating: List<Variable>,
    annotations: List<Annotation>,
}

#[derive(Deserialize)]
struct List<T> {
    list: Vec<T>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
}

#[derive(Deserialize)]
struct Annotation {
    name: String,
    expr: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Panel {
    id: u32,
    #[serde(rename = "type")]
    kind: String,
    title: String,
    #[serde(default)]
    description: String,
    grid_pos: Place,
    #[serde(default)]
    targets: Vec<Target>,
    #[serde(default)]
    field_config: Value,
}

#[derive(Deserialize)]
struct Place {
    x: u32,
    y: u32,
    w: u32,
    h: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    ref_id: String,
    expr: String,
    datasource: Value,
}

impl Panel {
    fn is_row(&self) -> bool {
        self.kind == "row"
    }

    /// What a reader would miss, or what would send its queries elsewhere.
    fn lacks(&self) -> Option<&'static str> {
        let unit = self.field_config.pointer("/defaults/unit").and_then(Value::as_str);
        let refs: BTreeSet<&str> = self.targets.iter().map(|target| target.ref_id.as_str()).collect();
        let is_of_variable = |target: &Target| target.datasource["uid"] == "${datasource}";
        [
            (self.title.is_empty(), "a title"),
            (!self.is_row() && self.description.is_empty(), "a description"),
            (!self.is_row() && unit.is_none_or(str::is_empty), "a unit"),
            (!self.is_row() && self.targets.is_empty(), "targets"),
            (refs.len() < self.targets.len(), "a refId of its own for each target"),
            (!self.targets.iter().all(is_of_variable), "the chosen data source in a target"),
        ]
        .into_iter()
        .find_map(|(is_lacking, what)| is_lacking.then_some(what))
    }
}

impl Place {
    fn overlaps(&self, other: &Self) -> bool {
        self.x < other.x + other.w
            && other.x < self.x + self.w
            && self.y < other.y + other.h
            && other.y < self.y + self.h
    }
}

impl Dashboard {
    fn read() -> Result<Self, String> {
        serde_json::from_str(&text(DASHBOARD)?).map_err(|error| format!("{DASHBOARD}: {error}"))
    }

    /// Every expression and where it stands, as a name that a metric may have.
    fn expressions(&self) -> Vec<(String, String)> {
        let of_panel = |panel: &Panel| -> Vec<(String, String)> {
            let targets = panel.targets.iter();
            targets
                .map(|target| (format!("panel_{}:{}", panel.id, target.ref_id), plain(&target.expr)))
                .collect()
        };
        let of_annotation =
            |annotation: &Annotation| (annotation.name.replace(' ', "_"), plain(&annotation.expr));
        let annotations = self.annotations.list.iter().map(of_annotation);
        self.panels.iter().flat_map(of_panel).chain(annotations).collect()
    }
}

/// An expression as Prometheus gets it. The dashboard's own variables stand in strings only.
fn plain(expr: &str) -> String {
    BUILT_IN.iter().fold(expr.to_owned(), |expr, (variable, value)| expr.replace(variable, value))
}

fn explained() -> Result<(), String> {
    let panels = Dashboard::read()?.panels;
    let ids: BTreeSet<u32> = panels.iter().map(|panel| panel.id).collect();
    if ids.len() < panels.len() {
        return Err(format!("{} panels have {} ids", panels.len(), ids.len()));
    }
    let lacking =
        |panel: &Panel| Some(format!("panel {} `{}` lacks {}", panel.id, panel.title, panel.lacks()?));
    none_of(DASHBOARD, &panels.iter().filter_map(lacking).collect::<Vec<_>>())
}

fn apart() -> Result<(), String> {
    let panels = Dashboard::read()?.panels;
    let mut wrong = Vec::new();
    for (index, panel) in panels.iter().enumerate() {
        if panel.grid_pos.x + panel.grid_pos.w > COLUMNS {
            wrong.push(format!("panel {} leaves the grid", panel.id));
        }
        let above = panels[..index].iter().find(|other| panel.grid_pos.overlaps(&other.grid_pos));
        wrong.extend(above.map(|other| format!("panels {} and {} overlap", other.id, panel.id)));
    }
    none_of(DASHBOARD, &wrong)
}

fn variables() -> Result<(), String> {
    let known = Dashboard::read()?.templating.list;
    let mut known: Vec<&str> = known.iter().map(|variable| variable.name.as_str()).collect();
    known.extend(BUILT_IN.map(|(name, _)| name.trim_start_matches('$')));
    let text = text(DASHBOARD)?;
    // `$__all` is a value, not a variable; `$` without a name ends a pattern.
    let used = text.split('$').skip(1).map(name).filter(|name| !["__all", ""].contains(name));
    let strange: BTreeSet<String> = used.filter(|name| !known.contains(name)).map(str::to_owned).collect();
    none_of("variables that the dashboard has not", &strange.into_iter().collect::<Vec<_>>())
}

/// The variable's name, `{` before it or not.
fn name(after_dollar: &str) -> &str {
    let start = after_dollar.trim_start_matches('{');
    start.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').next().unwrap_or_default()
}

fn known_metrics() -> Result<(), String> {
    let names = names()?;
    let strange = |(place, expr): (String, String)| {
        unknown(&expr, &names).into_iter().map(move |word| format!("{place}: {word}")).collect::<Vec<_>>()
    };
    let strange = Dashboard::read()?.expressions().into_iter().flat_map(strange);
    none_of(DASHBOARD, &strange.collect::<Vec<_>>())
}

fn expressions() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("dashboard.yml");
    let rules = Dashboard::read()?.expressions();
    let rules: Vec<Value> =
        rules.into_iter().map(|(place, expr)| json!({ "record": place, "expr": expr })).collect();
    // JSON is YAML.
    let as_rules = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    std::fs::write(&file, as_rules.to_string()).map_err(|error| error.to_string())?;
    output(Command::new("promtool").args(["check", "rules"]).arg(&file)).map(drop)
}

fn grafanas_types() -> Result<(), String> {
    let mut python = Command::new(root().join(PYTHON));
    python.env("PYTHONPATH", root().join(SDK)).env("PYTHONDONTWRITEBYTECODE", "1");
    output(python.arg(root().join("ci/observability/roundtrip.py"))).map(drop)
}
