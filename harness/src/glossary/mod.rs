//! Everything that has a name in a scenario or a report, with what it means: what `watertight explain` tells.
//!
//! Made from the types themselves: keys, kinds and defaults from the schema (`keys`), outcomes, resources and exit codes from the
//! enums that have them (`words`).

mod keys;
mod words;

use crate::runner::Library;
use crate::scenario::suggest::closest;

/// Something that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// The name; for a key its whole path.
    pub name: String,
    /// Other names under which it is found.
    pub aliases: Vec<String>,
    /// What kind of thing it is: `a fault`, `a key`, `an outcome`.
    pub group: &'static str,
    /// What it means, in lines.
    pub text: String,
    /// How it is written, where it is.
    pub example: Option<String>,
}

/// All topics of a world.
#[derive(Debug, Clone, Default)]
pub struct Glossary {
    topics: Vec<Topic>,
}

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<'a> {
    /// What is called so, the most important first. Never empty.
    These(Vec<&'a Topic>),
    /// Nothing; perhaps this was meant.
    Nothing(Option<&'a str>),
}

impl Glossary {
    /// What the language of `library` and the harness itself have names for.
    pub fn of(library: &dyn Library) -> Self {
        let mut topics = words::topics();
        topics.extend(keys::topics(&library.schema(), library.own_target().as_ref()));
        Self { topics }
    }

    /// With more topics: those of other crates.
    pub fn and(mut self, topics: impl IntoIterator<Item = Topic>) -> Self {
        self.topics.extend(topics);
        self
    }

    /// Every topic, by group.
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// What `name` leads to: a name or a path as it is, then the end of a path.
    pub fn find(&self, name: &str) -> Found<'_> {
        let wanted = normal(name);
        let whole = |topic: &&Topic| topic.names().any(|known| normal(known) == wanted);
        let tail = format!(".{wanted}");
        let end = |topic: &&Topic| normal(&topic.name).ends_with(&tail);
        let mut found: Vec<&Topic> = self.topics.iter().filter(whole).collect();
        let ends: Vec<&Topic> = self.topics.iter().filter(end).filter(|topic| !whole(topic)).collect();
        found.extend(ends);
        if found.is_empty() { Found::Nothing(self.meant(&wanted)) } else { Found::These(found) }
    }

    /// A path is compared with paths, and its last word with the last words of all.
    fn meant(&self, wanted: &str) -> Option<&str> {
        let names = || self.topics.iter().flat_map(Topic::names);
        let last = |name: &str| name.rsplit('.').next().map(str::to_owned).unwrap_or_default();
        let wholes: Vec<&str> = names().collect();
        let lasts: Vec<String> = names().map(last).collect();
        let lasts: Vec<&str> = lasts.iter().map(String::as_str).collect();
        let near = closest(wanted, &wholes).or_else(|| {
            let word = closest(&last(wanted), &lasts)?;
            lasts.iter().position(|last| *last == word).map(|at| wholes[at])
        })?;
        names().find(|name| *name == near)
    }
}

impl Topic {
    fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }
}

/// `over budget`, `over-budget` and `Over_Budget` are one name.
fn normal(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, aliases: &[&str]) -> Topic {
        let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        Topic { name: name.into(), aliases, group: "a key", text: String::new(), example: None }
    }

    fn found(name: &str) -> Vec<String> {
        let glossary = Glossary::default().and([
            topic("tasks", &[]),
            topic("expect.always.tasks", &[]),
            topic("over_budget", &[]),
            topic("exit 1", &["1"]),
            topic("cycle.faults.flap", &[]),
        ]);
        match glossary.find(name) {
            Found::These(topics) => topics.into_iter().map(|topic| topic.name.clone()).collect(),
            Found::Nothing(meant) => vec![format!("? {}", meant.unwrap_or("nothing"))],
        }
    }

    #[test]
    fn a_name_is_found_whole_or_as_the_end_of_a_path() {
        assert_eq!(found("tasks"), ["tasks", "expect.always.tasks"]);
        assert_eq!(found("always.tasks"), ["expect.always.tasks"]);
        assert_eq!(found("Over Budget"), ["over_budget"]);
        assert_eq!(found("1"), ["exit 1"]);
        assert_eq!(found("flap"), ["cycle.faults.flap"]);
    }

    #[test]
    fn a_slip_of_the_finger_is_told() {
        assert_eq!(found("flpa"), ["? cycle.faults.flap"]);
        assert_eq!(found("overbudget"), ["? over_budget"]);
        assert_eq!(found("quite-another"), ["? nothing"]);
    }
}
