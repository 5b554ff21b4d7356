//! Tree to [`Scenario`]: types, ranges and agreement, with every error of the file.

use garde::Validate;
use garde::error::Kind as PathKind;
use serde::de::DeserializeOwned;

use super::check;
use super::de::{self, Kind, Place};
use super::draft;
use super::error::{Problem, Text};
use super::model::{PeerSpec, Scenario};
use super::recovery::{self, Recovery};
use super::set::Change;
use super::suggest::{did_you_mean, list};
use super::tree::{At, Id, Node, Scalar, Step, Value};

/// The most errors that are reported for a file.
pub(super) const ERRORS_MAX: usize = 50;

/// Readings until every error has been got past; an error may need several when it has no stand-in of its own.
const READINGS_MAX: usize = 4 * ERRORS_MAX;

/// Turns places in the tree into places in files.
pub(super) struct Places<'a> {
    pub text: &'a Text,
    pub changes: &'a [Change],
}

impl Places<'_> {
    pub(super) fn problem(&self, at: &At, message: String, help: Option<String>) -> Problem {
        match at {
            At::File(bytes) => self.text.problem_at(bytes, message, help),
            At::Override(number) => match self.changes.get(*number) {
                Some(change) => self.text.problem_given(&change.given, message, help),
                None => self.text.problem(message, help),
            },
        }
    }
}

/// Reads the tree of one case. The scenario is there if and only if there is no problem with it.
pub(super) fn read<P: PeerSpec>(
    root: &Node,
    mut recovery: Recovery,
    places: &Places<'_>,
) -> Result<Scenario<P>, Vec<Problem>> {
    let had_problems = recovery.knows_any();
    let mut problems = Vec::new();
    let scenario = values::<Scenario<P>>(root, &mut recovery, places, &mut problems);
    let at = root.places();
    for finding in check::check(root, &recovery) {
        problems.push(places.problem(&at[&finding.id], finding.message, finding.help));
    }
    match scenario {
        Some(scenario) if problems.is_empty() && !had_problems => Ok(scenario),
        _ => Err(problems),
    }
}

/// Reads the tree into any type, and notes what is wrong with its types and ranges.
pub(super) fn values<T: DeserializeOwned + Validate<Context = ()>>(
    root: &Node,
    recovery: &mut Recovery,
    places: &Places<'_>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let value = types::<T>(root, recovery, places, problems)?;
    ranges(&value, root, recovery, places, problems);
    Some(value)
}

/// Reads again and again, each time past the errors known so far.
fn types<T: DeserializeOwned>(
    root: &Node,
    recovery: &mut Recovery,
    places: &Places<'_>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    for _ in 0..READINGS_MAX {
        let error = match de::from_node::<T>(root, recovery) {
            Ok(scenario) => return Some(scenario),
            Err(error) => error,
        };
        let (place, kind) = error.into_parts();
        let place = place.unwrap_or(Place::Value(root.id));
        match recovery.get_past(root, place, &kind) {
            recovery::Step::Report if problems.len() == ERRORS_MAX => {
                problems
                    .push(places.text.problem(format!("only the first {ERRORS_MAX} errors are shown"), None));
                return None;
            }
            recovery::Step::Report => problems.push(explain(root, place, kind, places)),
            recovery::Step::Silent => {}
            recovery::Step::GiveUp => return None,
        }
    }
    None
}

fn explain(root: &Node, place: Place, kind: Kind, places: &Places<'_>) -> Problem {
    let id = match place {
        Place::Value(id) | Place::Key(id) | Place::Variant(_, id) | Place::Absent(id, _) => id,
    };
    let node = root.find(id);
    let found = node.map_or_else(|| "nothing".to_owned(), Node::describe);
    let key = key_of(root, id);
    let (message, help) = match kind {
        Kind::OneKey { keys: 2.., allowed } if !is_item(root, id) => one_key_words(allowed, node, key),
        kind => words(kind, &found, node, key),
    };
    let at = root.places().get(&id).cloned().unwrap_or(At::File(0..0));
    places.problem(&at, message, help)
}

fn words(kind: Kind, found: &str, node: Option<&Node>, key: Option<&str>) -> (String, Option<String>) {
    let of = key.map_or_else(String::new, |key| format!("`{key}`: "));
    match kind {
        Kind::Message(message) => (format!("{of}{message}"), variable_help(node)),
        Kind::Type { expected } => {
            let expected = type_words(&expected);
            let help = type_help(expected.as_str(), node, key);
            (format!("{of}expected {expected}, found {found}"), help)
        }
        Kind::NotAMap(keys) => (format!("{of}expected a map with {}, found {found}", list(keys)), None),
        Kind::UnknownKey { found, allowed: [] } => {
            (format!("unknown key `{found}`"), Some("nothing is set here".to_owned()))
        }
        Kind::UnknownKey { found, allowed } => {
            let help = format!("{}keys here: {}", did_you_mean(&found, allowed), list(allowed));
            (format!("unknown key `{found}`"), Some(help))
        }
        Kind::UnknownVariant { found, allowed } => {
            let help = format!("{}there is: {}", did_you_mean(&found, allowed), list(allowed));
            (format!("{of}unknown name `{found}`"), Some(help))
        }
        Kind::MissingKey(missing) => {
            let of = key.map_or_else(|| "the scenario".to_owned(), |key| format!("`{key}`"));
            (format!("{of} lacks the key `{missing}`"), Some(format!("add `{missing}: ..`")))
        }
        Kind::OneKey { keys: 0, allowed } => {
            (format!("{of}expected one of {}, found {found}", list(allowed)), None)
        }
        Kind::OneKey { keys, allowed } => {
            let help = "give each key an item of its own, such as `- reset: { .. }`";
            (format!("{of}expected one key out of {}, found {keys}", list(allowed)), Some(help.to_owned()))
        }
        Kind::NeedsSettings(name) => {
            (format!("`{name}` needs settings"), Some(format!("write `{name}: {{ .. }}`")))
        }
    }
}

/// Whether the value with this number is an item of a list.
fn is_item(root: &Node, id: Id) -> bool {
    root.parent_of(id).is_some_and(|parent| !parent.items().is_empty())
}

/// Several keys where one chooses, and there is no list in which each could have an item of its own.
fn one_key_words(allowed: &[&str], node: Option<&Node>, key: Option<&str>) -> (String, Option<String>) {
    let found: Vec<&str> =
        node.map_or(&[][..], Node::entries).iter().map(|entry| entry.key.text.as_str()).collect();
    let of = key.map_or_else(String::new, |key| format!("`{key}`: "));
    let message = format!("{of}expected one key out of {}, found {}", list(allowed), list(&found));
    (message, Some("keep one of them".to_owned()))
}

/// How a value of the right type is written.
fn type_help(expected: &str, node: Option<&Node>, key: Option<&str>) -> Option<String> {
    match (expected, &node?.value) {
        (LIST, Value::Scalar(scalar)) => Some(list_help(&scalar.text, key)),
        (TEXT, Value::Map(entries)) => match entries.as_slice() {
            [only] => {
                Some(format!("braces begin a map: with quotes it is text, `\"{{{}}}\"`", only.key.text))
            }
            _ => None,
        },
        _ => scalar_help(node),
    }
}

/// A command in one line is split by nobody; any other text lacks its brackets alone.
fn list_help(text: &str, key: Option<&str>) -> String {
    let Some("command") = key else {
        let of = key.map_or_else(String::new, |key| format!("{key}: "));
        return format!("a list stands in brackets: `{of}[{text}]`");
    };
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let written = draft::list(&words);
    format!("no shell splits it, each word stands by itself: `command: {written}`")
}

/// Why a scalar may have another type than it seems to have.
fn scalar_help(node: Option<&Node>) -> Option<String> {
    let is_quoted = |scalar: &Scalar| !scalar.plain && scalar.variable.is_none();
    match &node?.value {
        Value::Scalar(scalar) if is_quoted(scalar) => Some("quotes make it text: leave them out".to_owned()),
        _ => variable_help(node),
    }
}

/// What a value is that was put in for a variable.
fn variable_help(node: Option<&Node>) -> Option<String> {
    let Value::Scalar(scalar) = &node?.value else { return None };
    let variable = scalar.variable.as_ref()?;
    Some(format!("`${variable}` comes from `matrix`"))
}

/// What is said for text that is expected.
const TEXT: &str = "text";

/// What is said for a list that is expected.
const LIST: &str = "a list";

/// Serde's words for a type, as people say them.
fn type_words(expected: &str) -> String {
    let whole = |least: &str, most: &str| format!("a whole number from {least} to {most}");
    match expected {
        "u8" => whole("0", "255"),
        "u16" => whole("0", "65535"),
        "u32" | "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a string" | "a borrowed string" | "string or map" => TEXT.to_owned(),
        "a sequence" => LIST.to_owned(),
        other if other.starts_with("struct ") || other.starts_with("a map") => "a map".to_owned(),
        other => other.to_owned(),
    }
}

/// The key under which the value with this number stands; an item of a list has none of its own.
fn key_of(root: &Node, id: Id) -> Option<&str> {
    let own = root.entries().iter().find(|entry| entry.value.id == id).map(|entry| entry.key.text.as_str());
    own.or_else(|| root.children().find_map(|child| key_of(child, id)))
}

fn ranges<T: Validate<Context = ()>>(
    value: &T,
    root: &Node,
    recovery: &Recovery,
    places: &Places<'_>,
    problems: &mut Vec<Problem>,
) {
    let Err(report) = value.validate() else { return };
    for (path, error) in report.iter() {
        let steps: Vec<Step> = path
            .__iter()
            .rev()
            .filter_map(|(kind, name)| match kind {
                PathKind::None => None,
                PathKind::Key => Some(Step::Key(name.to_string())),
                PathKind::Index => name.parse().ok().map(Step::Index),
            })
            .collect();
        let along = root.along(&steps);
        let Some(node) = along.last().copied() else { continue };
        let lacks = |step: &Step| matches!(step, Step::Key(key) if recovery.lacks(node, key));
        if recovery.hides(&along) || steps.iter().any(lacks) {
            continue;
        }
        let of = key_of(root, node.id).map_or_else(String::new, |key| format!("`{key}` "));
        let (message, help) = range_words(error.message(), node);
        problems.push(places.problem(
            &node.at,
            format!("{of}{message}"),
            help.or_else(|| variable_help(Some(node))),
        ));
    }
}

/// Garde's words, in ours: what must be, and what was found.
fn range_words(message: &str, node: &Node) -> (String, Option<String>) {
    let found = node.describe();
    let pattern = message.strip_prefix("does not match pattern /").and_then(|rest| rest.strip_suffix('/'));
    if let Some(least) = message.strip_prefix("length is lower than ") {
        (format!("needs at least {least}, found {found}"), Some("it must not be empty".to_owned()))
    } else if let Some(most) = message.strip_prefix("length is greater than ") {
        (format!("may hold at most {most}"), None)
    } else if let Some(least) = message.strip_prefix("lower than ") {
        (format!("must be at least {least}, found {found}"), None)
    } else if let Some(most) = message.strip_prefix("greater than ") {
        (format!("must be at most {most}, found {found}"), None)
    } else if pattern == Some(super::model::NAME_PATTERN) {
        let help = "lower-case words and numbers joined by `-`, such as `reconnect-storm`";
        (format!("is not well formed: {found}"), Some(help.to_owned()))
    } else {
        (message.to_owned(), None)
    }
}
