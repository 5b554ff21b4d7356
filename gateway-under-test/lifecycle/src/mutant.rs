//! Errors built in on purpose, one line each, by which the models prove that they would see one.

/// Whether this run is to be wrong in the way that has this name. Outside of unit tests it is the literal `false`: what ships
/// has neither the branch nor the name.
#[cfg(test)]
macro_rules! mutated {
    ($name:literal) => {
        $crate::models::mutants::is($name)
    };
}
#[cfg(not(test))]
macro_rules! mutated {
    ($name:literal) => {
        false
    };
}
pub(crate) use mutated;
