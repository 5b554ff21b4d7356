//! `explain`: what a name means, from the types that have it.

mod lint;

use watertight::exit::Exit;
use watertight::glossary::{Found, Glossary, Topic};
use watertight::runner::Library;

use crate::screen;

const EXAMPLES: &str = "\
Examples:
  watertight explain flap
  watertight explain cycles.wall.pace
  watertight explain retained
  watertight explain 3
  watertight explain";

/// The arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A key (whole path, or its end), fault, kind of peer, resource, outcome, exit code, template, suggestion or rule
    name: Option<String>,
}

/// The most things of one name that are told in full.
const TOLD_MAX: usize = 4;

/// The most paths of one meaning that are listed.
const PATHS_MAX: usize = 6;

/// Tells what the name means, or lists every name.
pub fn explain(args: &Args, library: &dyn Library) -> Exit {
    let glossary = Glossary::of(library).and(lint::topics());
    let Some(name) = &args.name else { return screen::out(&list(&glossary)) };
    match glossary.find(name) {
        Found::These(topics) => screen::out(&all(&topics)),
        Found::Nothing(meant) => {
            let meant = meant.map_or_else(String::new, |meant| format!("did you mean `{meant}`? "));
            screen::err(&format!(
                "error: nothing is called `{name}`; {meant}`watertight explain` lists all names"
            ));
            Exit::Usage
        }
    }
}

fn all(topics: &[&Topic]) -> String {
    let told: Vec<String> = topics.iter().take(TOLD_MAX).map(|topic| one(topic)).collect();
    let rest: Vec<&str> = topics.iter().skip(TOLD_MAX).map(|topic| topic.name.as_str()).collect();
    let rest = if rest.is_empty() { String::new() } else { format!("\nalso: {}\n", rest.join(", ")) };
    format!("{}{rest}", told.join("\n"))
}

fn one(topic: &Topic) -> String {
    let mut text = format!("{}: {}\n", topic.name, topic.group);
    text += &indented(&topic.text);
    // A number is another name of an exit code; the other paths of a key are worth telling.
    let paths: Vec<&str> =
        topic.aliases.iter().map(String::as_str).filter(|name| name.contains('.')).collect();
    if !paths.is_empty() {
        let more = if paths.len() > PATHS_MAX {
            format!(" and {} more", paths.len() - PATHS_MAX)
        } else {
            String::new()
        };
        text += &format!("  the same: {}{more}\n", paths[..paths.len().min(PATHS_MAX)].join(", "));
    }
    if let Some(example) = &topic.example {
        text += &format!("\n  example:\n{}", indented(&indented(example)));
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// Every name by group, keys as a tree of paths would be too long: their first words.
fn list(glossary: &Glossary) -> String {
    let mut groups: Vec<(&str, Vec<&Topic>)> = Vec::new();
    for topic in glossary.topics() {
        match groups.iter_mut().find(|(group, _)| *group == topic.group) {
            Some((_, topics)) => topics.push(topic),
            None => groups.push((topic.group, vec![topic])),
        }
    }
    groups.iter().map(|(group, topics)| section(group, topics)).collect::<Vec<_>>().join("\n")
}

fn section(group: &str, topics: &[&Topic]) -> String {
    let shown = |topic: &&Topic| match group {
        "a fault" | "a kind of peer" => topic.name.rsplit('.').next().unwrap_or_default().to_owned(),
        _ => topic.name.clone(),
    };
    let widest = topics.iter().map(|topic| shown(topic).chars().count()).max().unwrap_or_default();
    let lines = topics.iter().map(|topic| {
        let first = topic.text.lines().next().unwrap_or_default();
        format!("  {:<widest$}  {}\n", shown(topic), sentence(first))
    });
    format!("{group}:\n{}", lines.collect::<String>())
}

/// The first sentence: a list has room for one.
fn sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}
