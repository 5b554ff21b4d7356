//! Overrides from the command line: `--set path=value`, and the options that stand for one.

use super::model::EngineKind;
use super::tree::{At, Entry, Ids, Key, Node, Scalar, Value};
use super::yaml;

/// What the command line changes in every scenario that it loads.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--set target.defect=none`: a dotted path (list items by number) and a value, written as in YAML.
    pub set: Vec<(String, String)>,
    /// `--seed`.
    pub seed: Option<u64>,
    /// `--cycles`: counted cycles, on the wall clock too.
    pub cycles: Option<usize>,
    /// `--engine`: the engine to play in, instead of each scenario's first.
    pub engine: Option<EngineKind>,
    /// `--no-expect`: judge plainly, whatever the scenario expects.
    pub no_expect: bool,
}

impl Overrides {
    /// Splits what follows `--set` into path and value.
    pub fn parse_set(argument: &str) -> Result<(String, String), String> {
        match argument.split_once('=') {
            Some((path, value)) if !path.trim().is_empty() => Ok((path.trim().to_owned(), value.to_owned())),
            _ => Err(format!("expected path=value such as `cycles.count=30`, found `{argument}`")),
        }
    }

    /// All changes in order: options first, so that `--set` has the last word.
    pub(super) fn changes(&self) -> Vec<Change> {
        let seed = self.seed.map(|seed| Change::option("--seed", "seed", seed.to_string()));
        let sets = self.set.iter().map(|(path, value)| Change {
            given: format!("--set {path}={value}"),
            path: path.clone(),
            value: value.clone(),
        });
        seed.into_iter().chain(sets).collect()
    }
}

/// One change and how the user gave it.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub given: String,
    pub path: String,
    pub value: String,
}

impl Change {
    fn option(name: &str, path: &str, value: String) -> Self {
        Self { given: format!("{name} {value}"), path: path.to_owned(), value }
    }
}

/// The deepest path that is followed.
const STEPS_MAX: usize = 16;

/// Creates or replaces the value at the change's path; `number` is what its nodes say they come from.
pub(super) fn apply(root: &mut Node, change: &Change, number: usize, ids: &mut Ids) -> Result<(), String> {
    let mut value = value(change, ids)?;
    mark(&mut value, number);
    let steps: Vec<&str> = change.path.split('.').collect();
    if steps.iter().any(|step| step.is_empty()) || steps.len() > STEPS_MAX {
        return Err(format!(
            "`{}` is no path: words and numbers joined by `.`, at most {STEPS_MAX}",
            change.path
        ));
    }
    let mut node = root;
    for (depth, step) in steps.iter().enumerate() {
        if depth == 1 && steps[0] == "target" {
            spell_out_target(node, ids);
        }
        node = descend(node, step, &steps[..depth], number, ids)?;
    }
    *node = value;
    Ok(())
}

/// The value, read like the right side of a key in YAML.
fn value(change: &Change, ids: &mut Ids) -> Result<Node, String> {
    let read = yaml::read(&change.value, ids);
    if let Some(fault) = read.faults.first() {
        return Err(format!("the value is {}", fault.message));
    }
    let nothing = || Value::Scalar(Scalar { text: String::new(), plain: true, variable: None });
    Ok(read.root.unwrap_or_else(|| Node { id: ids.next(), at: At::Override(0), value: nothing() }))
}

fn mark(node: &mut Node, number: usize) {
    node.at = At::Override(number);
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::List(items) => items.iter_mut().for_each(|item| mark(item, number)),
        Value::Map(entries) => {
            for entry in entries {
                entry.key.at = At::Override(number);
                mark(&mut entry.value, number);
            }
        }
    }
}

/// `target: s7-gateway` becomes `target: { name: s7-gateway }`, so that there is a map to set something in.
fn spell_out_target(node: &mut Node, ids: &mut Ids) {
    if let Value::Scalar(_) = node.value {
        let name = Node { id: ids.next(), ..node.clone() };
        let key = Key { id: ids.next(), at: node.at.clone(), text: "name".to_owned() };
        node.value = Value::Map(vec![Entry { key, value: name }]);
    }
}

/// The value one step below, made when a map lacks it.
fn descend<'a>(
    node: &'a mut Node,
    step: &str,
    before: &[&str],
    number: usize,
    ids: &mut Ids,
) -> Result<&'a mut Node, String> {
    let here = if before.is_empty() { "the scenario".to_owned() } else { format!("`{}`", before.join(".")) };
    let is_empty = matches!(&node.value, Value::Scalar(scalar) if scalar.plain && scalar.text.is_empty());
    if is_empty {
        node.value = Value::Map(Vec::new());
    }
    let found = node.describe();
    match &mut node.value {
        Value::Map(entries) => {
            let at = entries.iter().position(|entry| entry.key.text == step);
            let at = at.unwrap_or_else(|| {
                let key = Key { id: ids.next(), at: At::Override(number), text: step.to_owned() };
                let empty = Scalar { text: String::new(), plain: true, variable: None };
                let value = Node { id: ids.next(), at: At::Override(number), value: Value::Scalar(empty) };
                entries.push(Entry { key, value });
                entries.len() - 1
            });
            Ok(&mut entries[at].value)
        }
        Value::List(items) => {
            let count = items.len();
            let index = step.parse().ok().filter(|index: &usize| *index < count);
            index.and_then(|index| items.get_mut(index)).ok_or_else(|| {
                format!("{here} is a list of {count}: expected a number below {count}, found `{step}`")
            })
        }
        Value::Scalar(_) => Err(format!("{here} is {found}: there is nothing called `{step}` in it")),
    }
}
