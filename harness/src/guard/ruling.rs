//! What became of a suspicion, as it goes from the process that ruled to the one that waits.

/// The end of a suspicion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ruling {
    /// Nothing of the test's own stayed behind.
    Clean,
    /// What did is put up with.
    Excused,
    /// What did, as a report.
    Leaks(String),
    /// It could not be played alone; why.
    Failed(String),
}

impl Ruling {
    /// For a file.
    pub(super) fn written(&self) -> String {
        match self {
            Self::Clean => "clean\n".to_owned(),
            Self::Excused => "excused\n".to_owned(),
            Self::Leaks(report) => format!("leaks\n{report}"),
            Self::Failed(why) => format!("failed\n{why}"),
        }
    }

    /// Back from a file; `None`: it is not whole.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (word, rest) = text.split_once('\n')?;
        match word {
            "clean" => Some(Self::Clean),
            "excused" => Some(Self::Excused),
            "leaks" => Some(Self::Leaks(rest.to_owned())),
            "failed" => Some(Self::Failed(rest.to_owned())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ruling_is_read_as_it_was_written() {
        for ruling in
            [Ruling::Clean, Ruling::Excused, Ruling::Leaks("a\nb".to_owned()), Ruling::Failed("c".to_owned())]
        {
            assert_eq!(Ruling::read(&ruling.written()), Some(ruling));
        }
        assert_eq!(Ruling::read("lea"), None, "cut short");
    }
}
