//! Other files in the scenarios' part of YAML: read as strictly, and with the same words for what is wrong.

use std::path::Path;

use garde::Validate;
use serde::de::DeserializeOwned;

use super::error::{Problem, ScenarioErrors, Text};
use super::parse::{self, Places};
use super::recovery::Recovery;
use super::tree::Ids;
use super::{case, yaml};

/// Reads the file at `path`.
pub(crate) fn read<T: DeserializeOwned + Validate<Context = ()>>(path: &Path) -> Result<T, ScenarioErrors> {
    let unreadable = |error: std::io::Error| {
        ScenarioErrors::new(vec![Text::new(path, "").problem(case::cannot_read(&error), None)])
    };
    parse(path, &case::read_file(path).map_err(unreadable)?)
}

/// Reads `bytes`, which are those of the file at `path`.
pub(crate) fn parse<T: DeserializeOwned + Validate<Context = ()>>(
    path: &Path,
    bytes: &[u8],
) -> Result<T, ScenarioErrors> {
    let text = Text::new(path, &String::from_utf8_lossy(bytes));
    let read = yaml::read(&text.text, &mut Ids::default());
    let fault = |fault: yaml::Fault| text.problem_at(&fault.bytes, fault.message, fault.help);
    let mut problems: Vec<Problem> = read.faults.into_iter().map(fault).collect();
    let value = read.root.filter(|_| problems.is_empty()).and_then(|root| {
        let places = Places { text: &text, changes: &[] };
        parse::values::<T>(&root, &mut Recovery::default(), &places, &mut problems)
    });
    match value {
        Some(value) if problems.is_empty() => Ok(value),
        _ if problems.is_empty() => {
            Err(ScenarioErrors::new(vec![text.problem("the file is empty".to_owned(), None)]))
        }
        _ => Err(ScenarioErrors::new(problems)),
    }
}
