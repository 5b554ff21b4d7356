//! From files to cases: what to read, what the command line changes, and one case per combination of the matrix.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::de::{Kind, Place};
use super::error::{Problem, ScenarioErrors, Text};
use super::model::{EngineKind, PeerSpec, Scenario, WallCycles};
use super::parse::{self, Places};
use super::recovery::Recovery;
use super::set::{self, Change, Overrides};
use super::suggest::{did_you_mean, list};
use super::tree::{At, Entry, Id, Ids, Node, Scalar, Value};
use super::yaml;
use crate::verdict::fewest_cycles;

/// The most cases that a matrix may make.
const CASES_MAX: usize = 256;

/// One scenario with one choice for each matrix variable: what an engine plays.
#[derive(Debug, Clone)]
pub struct Case<P: PeerSpec> {
    /// The scenario, with values in place of variables and the command line's changes made.
    pub scenario: Scenario<P>,
    /// The file, as the user named it.
    pub file: PathBuf,
    /// The combination, `plcs=50` or `plcs=50,mode=reset`; empty without a matrix.
    pub case: String,
    /// The engine to play in: the one the command line asks for, or the scenario's first.
    pub engine: EngineKind,
    /// Why it cannot be played, if the command line asks for an engine that the scenario does not play in.
    pub skip: Option<String>,
    /// Whether the outcome is judged plainly, whatever the scenario expects.
    pub no_expect: bool,
    /// What it was read from, for whoever has more to say about it.
    pub(super) source: Source,
}

/// The tree of one case, and where each part of it was written.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) root: Node,
    text: Text,
    changes: Vec<Change>,
}

impl Source {
    pub(super) fn problem(&self, at: &At, message: String, help: Option<String>) -> Problem {
        Places { text: &self.text, changes: &self.changes }.problem(at, message, help)
    }
}

impl<P: PeerSpec> Case<P> {
    /// The name of tests, progress lines and filters: `sim::reconnect-storm::plcs=50`.
    pub fn title(&self) -> String {
        let Self { scenario, case, engine, .. } = self;
        let case = if case.is_empty() { String::new() } else { format!("::{case}") };
        format!("{}::{}{case}", engine.name(), scenario.name)
    }
}

/// The scenario files among `paths`: files as they are, folders with all `.yaml` and `.yml` files below them, sorted.
///
/// # Errors
/// A path that is not there, a folder without scenarios.
pub fn discover(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ScenarioErrors> {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        let problem =
            |message: String, help: &str| Text::new(path, "").problem(message, Some(help.to_owned()));
        match files_below(path) {
            Ok(found) if found.is_empty() => {
                problems.push(problem(
                    "no scenarios in this folder".to_owned(),
                    "they are files that end in `.yaml`",
                ));
            }
            Ok(found) => files.extend(found),
            Err(error) => {
                problems.push(problem(cannot_read(&error), "name scenario files or folders of them"))
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    files.retain(|file| seen.insert(file.clone()));
    if problems.is_empty() { Ok(files) } else { Err(ScenarioErrors::new(problems)) }
}

/// The file of accepted figures beside scenarios, which is none itself.
pub const BASELINES_FILE: &str = "baselines.yaml";

fn files_below(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut below: Vec<PathBuf> =
        std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    below.sort();
    let mut files = Vec::new();
    for path in below {
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        // A folder that is a link could lead in circles.
        if path.is_dir() && !path.is_symlink() {
            files.extend(files_below(&path)?);
        } else if is_yaml && path.is_file() && !path.ends_with(BASELINES_FILE) {
            files.push(path);
        }
    }
    Ok(files)
}

/// The bytes of a file; of one that is too large, or has no end as a device may, one more than are taken.
pub(super) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(yaml::FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn cannot_read(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// Reads one file into its cases.
///
/// # Errors
/// Everything that is wrong with the file, or with an override of it.
pub fn load<P: PeerSpec>(path: &Path, overrides: &Overrides) -> Result<Vec<Case<P>>, ScenarioErrors> {
    load_checked(path, overrides, &|_| Vec::new())
}

/// Reads one file into its cases, and asks `world` what is wrong with each beyond the language: an unknown target, a
/// setting that it does not have. A message is shown at the key or value that it names first in `backticks`.
///
/// # Errors
/// Everything that is wrong with the file, or with an override of it.
pub fn load_checked<P: PeerSpec>(
    path: &Path,
    overrides: &Overrides,
    world: &dyn Fn(&Scenario<P>) -> Vec<String>,
) -> Result<Vec<Case<P>>, ScenarioErrors> {
    let file_problem = |message, help: Option<&str>| {
        ScenarioErrors::new(vec![Text::new(path, "").problem(message, help.map(str::to_owned))])
    };
    let bytes = read_file(path).map_err(|error| file_problem(cannot_read(&error), None))?;
    parse_bytes(path, &bytes, overrides, world)
}

/// Reads many files into their cases, file by file in order.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn load_all<P: PeerSpec>(
    files: &[PathBuf],
    overrides: &Overrides,
    world: &dyn Fn(&Scenario<P>) -> Vec<String>,
) -> Result<Vec<Case<P>>, ScenarioErrors> {
    let mut cases = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        match load_checked(file, overrides, world) {
            Ok(found) => cases.extend(found),
            Err(errors) => problems.extend(errors.problems),
        }
    }
    if problems.is_empty() { Ok(cases) } else { Err(ScenarioErrors { problems }) }
}

/// Reads the bytes of one file into its cases; `path` is its name in messages and in [`Case::file`].
///
/// # Errors
/// Everything that is wrong with the file, or with an override of it.
pub fn parse_bytes<P: PeerSpec>(
    path: &Path,
    bytes: &[u8],
    overrides: &Overrides,
    world: &dyn Fn(&Scenario<P>) -> Vec<String>,
) -> Result<Vec<Case<P>>, ScenarioErrors> {
    let decoded = String::from_utf8_lossy(bytes);
    // Editors on some systems put a byte order mark in front; it is no part of the text.
    let text = Text::new(path, decoded.strip_prefix('\u{feff}').unwrap_or(&decoded));
    if bytes.len() > yaml::FILE_BYTES_MAX {
        return Err(ScenarioErrors::new(vec![text.problem(yaml::too_large(), None)]));
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        let mark = decoded.len() - text.text.len();
        let at = error.valid_up_to().saturating_sub(mark);
        let help = "save the file as UTF-8".to_owned();
        let problem = text.problem_at(&(at..at), "not UTF-8 from here on".to_owned(), Some(help));
        return Err(ScenarioErrors::new(vec![problem]));
    }
    let mut ids = Ids::default();
    let read = yaml::read(&text.text, &mut ids);
    let mut problems: Vec<Problem> = read
        .faults
        .into_iter()
        .map(|fault| text.problem_at(&fault.bytes, fault.message, fault.help))
        .collect();
    let Some(mut root) = read.root else {
        if problems.is_empty() {
            let help = "a scenario starts with `version: 1` and `name: ..`".to_owned();
            problems.push(text.problem("the file is empty".to_owned(), Some(help)));
        }
        return Err(ScenarioErrors::new(problems));
    };
    problems
        .extend(too_few_cycles(overrides).map(|(given, message)| text.problem_given(&given, message, None)));
    let changes = overrides.changes();
    for (number, change) in changes.iter().enumerate() {
        if let Err(message) = set::apply(&mut root, change, number, &mut ids) {
            problems.push(text.problem_given(&change.given, message, None));
        }
    }
    let places = Places { text: &text, changes: &changes };
    file_name(&root, &places, &mut problems);
    let cases = cases(&root, read.unreadable, &places, overrides, world, &mut problems);
    if problems.is_empty() { Ok(cases) } else { Err(ScenarioErrors::new(problems)) }
}

/// The cases of the tree; `unknown` are the values in it that nothing can be said about.
fn cases<P: PeerSpec>(
    root: &Node,
    mut unknown: Vec<Id>,
    places: &Places<'_>,
    overrides: &Overrides,
    world: &dyn Fn(&Scenario<P>) -> Vec<String>,
    problems: &mut Vec<Problem>,
) -> Vec<Case<P>> {
    let matrix = Matrix::of(root);
    unknown.extend(matrix.disagreements(root, places, problems));
    let mut cases = Vec::new();
    for choice in matrix.choices() {
        let case = choice.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",");
        let mut root = root.clone();
        substitute(&mut root, &choice);
        let mut recovery = Recovery::default();
        for &id in &unknown {
            recovery.get_past(&root, Place::Value(id), &Kind::Message(String::new()));
        }
        match parse::read::<P>(&root, recovery, places) {
            Ok(scenario) => {
                let found = world(&scenario).into_iter().map(|message| locate(&root, message, places));
                problems.extend(found);
                let (text, changes) = (places.text.clone(), places.changes.to_vec());
                cases.push(finish(scenario, Source { root, text, changes }, case, overrides));
            }
            Err(found) => problems.extend(found),
        }
    }
    cases
}

/// A file is held to what every engine needs, `--cycles` only to what the one at hand needs: exact counts tell sooner.
fn too_few_cycles(overrides: &Overrides) -> Option<(String, String)> {
    let exact = overrides.engine.is_none_or(|engine| engine == EngineKind::Sim);
    let (count, least) = (overrides.cycles?, fewest_cycles(exact));
    let message = format!("at least {least} counted cycles are needed, found {count}");
    (count < least).then(|| (format!("--cycles {count}"), message))
}

fn finish<P: PeerSpec>(
    mut scenario: Scenario<P>,
    source: Source,
    case: String,
    overrides: &Overrides,
) -> Case<P> {
    if let Some(count) = overrides.cycles {
        scenario.cycles.count = count;
        scenario.cycles.wall = scenario.cycles.wall.map(|wall| WallCycles { count, ..wall });
    }
    let engine = overrides.engine.or_else(|| scenario.engines.first().copied()).unwrap_or(EngineKind::Sim);
    let names: Vec<&str> = scenario.engines.iter().map(|engine| engine.name()).collect();
    let plays = engine.plays(&scenario.engines);
    let skip = (!plays).then(|| format!("plays in {}, not in `{}`", list(&names), engine.name()));
    let file = source.text.file.clone();
    Case { scenario, file, case, engine, skip, no_expect: overrides.no_expect, source }
}

/// A file is found by the name that reports print, so both must agree.
fn file_name(root: &Node, places: &Places<'_>, problems: &mut Vec<Problem>) {
    let stem = places.text.file.file_stem().and_then(|stem| stem.to_str());
    let name = root.entry("name").map(|entry| &entry.value);
    let (Some(stem), Some(Node { at, value: Value::Scalar(name), .. })) = (stem, name) else { return };
    if name.text != stem {
        let message = format!("`name` is `{}`, but the file is called `{stem}`", name.text);
        problems.push(places.problem(at, message, Some("give both the same name".to_owned())));
    }
}

/// A world's message, at the first thing it names.
fn locate(root: &Node, message: String, places: &Places<'_>) -> Problem {
    let named = message.split('`').nth(1).and_then(|name| at_name(root, name));
    let target = || root.entry("target").map(|entry| &entry.value.at);
    places.problem(named.or_else(target).unwrap_or(&root.at), message, None)
}

fn at_name<'a>(node: &'a Node, name: &str) -> Option<&'a At> {
    if let Value::Scalar(scalar) = &node.value
        && scalar.text == name
    {
        return Some(&node.at);
    }
    let key = node.entries().iter().find(|entry| entry.key.text == name);
    key.map(|entry| &entry.key.at).or_else(|| node.children().find_map(|child| at_name(child, name)))
}

/// The matrix as the file has it; what is not well formed is left to the types to report.
struct Matrix<'a> {
    variables: Vec<(&'a Entry, Vec<&'a Scalar>)>,
}

impl<'a> Matrix<'a> {
    fn of(root: &'a Node) -> Self {
        let entries = root.entry("matrix").map_or(&[][..], |entry| entry.value.entries());
        let scalars = |node: &'a Node| match &node.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        };
        let values = |entry: &'a Entry| entry.value.items().iter().filter_map(scalars).collect();
        Self { variables: entries.iter().map(|entry| (entry, values(entry))).collect() }
    }

    /// Every combination, the last variable turning fastest; one empty choice without a matrix.
    fn choices(&self) -> Vec<Vec<(String, Scalar)>> {
        let mut choices = vec![Vec::new()];
        for (entry, values) in &self.variables {
            let with = |choice: &Vec<(String, Scalar)>, value: &Scalar| {
                let mut choice = choice.clone();
                choice.push((entry.key.text.clone(), value.clone()));
                choice
            };
            let all = choices.iter().flat_map(|choice| values.iter().map(move |value| with(choice, value)));
            choices = all.take(CASES_MAX).collect();
        }
        choices
    }

    /// Reports variables that do not agree with their uses; returns the uses of unknown ones.
    fn disagreements(&self, root: &Node, places: &Places<'_>, problems: &mut Vec<Problem>) -> Vec<Id> {
        let names: Vec<&str> = self.variables.iter().map(|(entry, _)| entry.key.text.as_str()).collect();
        let uses = uses(root);
        for (entry, values) in &self.variables {
            let name = &entry.key.text;
            let mut problem = |message: String, help: &str| {
                problems.push(places.problem(&entry.key.at, message, Some(help.to_owned())));
            };
            if !is_name(name) {
                problem(
                    format!("`{name}` cannot be a variable"),
                    "use letters, digits and `_`, a letter first",
                );
            } else if entry.value.items().is_empty() {
                problem(format!("`{name}` has no values"), "list them: `{ plcs: [1, 50] }`");
            } else if values.len() == entry.value.items().len() && !uses.iter().any(|(used, _)| used == name)
            {
                problem(
                    format!("`{name}` is used nowhere"),
                    &format!("write `${name}` where the value belongs"),
                );
            }
        }
        self.bounded(places, problems);
        let unknown: Vec<_> = uses.into_iter().filter(|(name, _)| !names.contains(&name.as_str())).collect();
        for (name, node) in &unknown {
            let known = if names.is_empty() { "nothing".to_owned() } else { list(&names) };
            let help = format!(
                "{}`matrix` names {known}; text that begins with a `$` is written `$$`",
                did_you_mean(name, &names)
            );
            problems.push(places.problem(&node.at, format!("unknown variable `${name}`"), Some(help)));
        }
        unknown.into_iter().map(|(_, node)| node.id).collect()
    }

    fn bounded(&self, places: &Places<'_>, problems: &mut Vec<Problem>) {
        let cases = self.variables.iter().map(|(_, values)| values.len().max(1));
        let cases = cases.fold(1_usize, usize::saturating_mul);
        if let (true, Some((first, _))) = (cases > CASES_MAX, self.variables.first()) {
            let message = format!("the matrix makes {cases} cases, at most {CASES_MAX} are played");
            let help = "leave out values, or make it two scenarios".to_owned();
            problems.push(places.problem(&first.key.at, message, Some(help)));
        }
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_')
}

/// `$name`, whole and alone, outside the matrix itself.
fn variable(scalar: &Scalar) -> Option<&str> {
    scalar.text.strip_prefix('$').filter(|name| is_name(name))
}

fn uses(root: &Node) -> Vec<(String, &Node)> {
    fn collect<'a>(node: &'a Node, uses: &mut Vec<(String, &'a Node)>) {
        if let Value::Scalar(scalar) = &node.value
            && let Some(name) = variable(scalar)
        {
            uses.push((name.to_owned(), node));
        }
        node.children().for_each(|child| collect(child, uses));
    }
    let mut uses = Vec::new();
    let outside = root.entries().iter().filter(|entry| entry.key.text != "matrix");
    outside.for_each(|entry| collect(&entry.value, &mut uses));
    uses
}

/// Puts the choice's values in place of variables, and `$` in place of `$$`.
fn substitute(root: &mut Node, choice: &[(String, Scalar)]) {
    root.each_scalar(&mut |_, scalar| {
        let chosen = variable(scalar).and_then(|name| choice.iter().find(|(variable, _)| variable == name));
        if let Some((name, value)) = chosen {
            *scalar = Scalar { variable: Some(name.clone()), ..value.clone() };
        } else if scalar.text.starts_with("$$") {
            scalar.text.remove(0);
            scalar.plain = false;
        }
    });
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_read_to_the_bound() {
        let bytes = read_file(Path::new("/dev/zero")).expect("there is such a device");
        assert_eq!(bytes.len(), yaml::FILE_BYTES_MAX + 1);
    }

    #[test]
    fn a_file_that_is_too_large_is_that_before_anything_else() {
        let bytes = "é".repeat(yaml::FILE_BYTES_MAX);
        let cut = &bytes.as_bytes()[..=yaml::FILE_BYTES_MAX];
        let errors =
            parse_bytes::<crate::own::OwnPeer>(Path::new("a.yaml"), cut, &Overrides::default(), &|_| vec![])
                .expect_err("it is too large");
        assert_eq!(errors.to_string(), format!("a.yaml: {}", yaml::too_large()));
    }
}
