//! Help with words: what may have been meant, and what there is.

/// `did you mean `count`? `, or nothing.
pub(crate) fn did_you_mean(found: &str, allowed: &[&str]) -> String {
    closest(found, allowed).map_or_else(String::new, |word| format!("did you mean `{word}`? "))
}

/// `a`, `b`, `c`.
pub(crate) fn list(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

/// The allowed word that is a slip of the finger away: a third of its letters at most.
pub(crate) fn closest<'a>(found: &str, allowed: &[&'a str]) -> Option<&'a str> {
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let found = plain(found);
    let distance = |word: &&str| strsim::damerau_levenshtein(&found, &plain(word));
    let nearest = allowed.iter().copied().min_by_key(distance)?;
    let is_near = distance(&nearest) <= (nearest.chars().count() / 3).max(1);
    let is_start =
        found.len() >= 3 && (plain(nearest).starts_with(&found) || found.starts_with(&plain(nearest)));
    (is_near || is_start).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let allowed = ["warm_up", "count", "blackhole"];
        assert_eq!(closest("warm-up", &allowed), Some("warm_up"));
        assert_eq!(closest("cuont", &allowed), Some("count"));
        assert_eq!(closest("black_hole", &allowed), Some("blackhole"));
        assert_eq!(closest("latency", &allowed), None);
        assert_eq!(closest("x", &[]), None);
    }
}
