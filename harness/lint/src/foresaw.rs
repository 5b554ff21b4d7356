//! From a leak that was measured back to the rule that foresaw it.

use std::path::Path;

use crate::conclude::{Asked, Finding};
use crate::look::on_deep_stack;
use crate::run::{FILE_BYTES_MAX, lint_text};
use crate::source::SourceFile;

/// What is found in `file` at `line`, or in the innermost function around it, surest first. Nothing if it cannot be read.
pub fn foresaw(file: &Path, line: u32) -> Vec<Finding> {
    let is_small = std::fs::metadata(file).is_ok_and(|file| file.len() <= FILE_BYTES_MAX);
    let Some(text) = is_small.then(|| std::fs::read_to_string(file).ok()).flatten() else {
        return Vec::new();
    };
    foresaw_in(file, text, line)
}

fn foresaw_in(file: &Path, text: String, line: u32) -> Vec<Finding> {
    let around = on_deep_stack(|| function_around(file, text.clone(), line)).ok().flatten();
    let (first, last) = around.unwrap_or((line, line));
    let mut findings = lint_text(file, text, &Asked::default()).unwrap_or_default();
    findings.retain(|found| {
        (first..=last).contains(&found.at.line) && crate::rules().iter().any(|rule| rule.name == found.rule)
    });
    findings.sort_by_key(|found| (std::cmp::Reverse(found.confidence), found.at.line.abs_diff(line)));
    findings
}

/// First and last line of the innermost function around `line`.
fn function_around(file: &Path, text: String, line: u32) -> Option<(u32, u32)> {
    let file = SourceFile::parse(file, text).ok()?;
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let lines = file.functions().into_iter().map(|function| {
        let lines = function.lines();
        (number(*lines.start()), number(*lines.end()))
    });
    lines.filter(|(first, last)| (*first..=*last).contains(&line)).min_by_key(|(first, last)| last - first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_function_of_the_culprit_foresaw_it() {
        let text =
            "fn f(a: A) {\n    hold(&a);\n    std::mem::forget(a);\n}\nfn g(b: B) { std::mem::forget(b) }\n";
        let at = |line| -> Vec<u32> {
            foresaw_in(Path::new("a.rs"), text.to_owned(), line).iter().map(|found| found.at.line).collect()
        };
        assert_eq!([at(2), at(5), at(6)], [vec![3], vec![5], vec![]]);
        assert_eq!(foresaw(Path::new("/there/is/none.rs"), 1), []);
    }
}
